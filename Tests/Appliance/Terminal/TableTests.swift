import Testing

@testable import Appliance
@testable import Command
@testable import Terminal
@testable import Vocabulary

@Suite("Tables and records")
struct TableTests {
    private static let table = Table(
        columns: ["account", "balance", "sound", "lag"],
        rows: [
            [
                "account": .text("processor:stripe"), "balance": .amount("1234.50"),
                "sound": .flag(true),
            ],
            [
                "account": .text("a"), "balance": .amount("-7"), "sound": .flag(false),
                "lag": .number(3),
            ],
        ])

    @Test("words stand left, numbers and money right")
    func aligned() {
        #expect(
            Self.table.text() == """
                account           balance  sound  lag
                processor:stripe  1234.50  yes      -
                a                      -7  no       3
                """)
    }

    @Test("JSON has stable keys, numbers as numbers and truth values as such")
    func json() {
        #expect(
            Self.table.json(named: "rows")
                == #"{"rows":[{"account":"processor:stripe","balance":"1234.50","sound":true,"#
                + #""lag":null},{"account":"a","balance":"-7","sound":false,"lag":3}]}"#)
    }

    @Test("JSON on one line keeps every number and string as it was written", arguments: [
        ("{\n  \"a\" : [ 1.10, 12345678901234567890 ],\n  \"b\": \"x \\\" \\\\\" }",
            #"{"a":[1.10,12345678901234567890],"b":"x \" \\"}"#),
        ("[ ]", "[]"), ("  null ", "null"),
    ])
    func compact(text: String, expected: String) {
        #expect(JSONLine.compact(Array(text.utf8)[...]) == Array(expected.utf8))
    }

    @Test("what is no JSON is not taken for it", arguments: ["", "{", "hello", "{\"a\":1}}", "nul"])
    func noJSON(text: String) {
        #expect(JSONLine.compact(Array(text.utf8)[...]) == nil)
    }
}
