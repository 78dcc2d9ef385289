import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("JSON documents")
struct JSONDocumentTests {
    private let document = JSONDocument()

    private func parse(_ text: String) throws -> JSONValue { try document.parse(Array(text.utf8)) }

    @Test("each accessor answers for its own type and nil for every other")
    func typedAccessors() throws {
        let root = try parse(
            #"{"s":"é","i":-7,"u":18446744073709551615,"d":1.5,"t":true,"f":false,"n":null,"#
                + #""a":[],"o":{}}"#)
        #expect(root["s"]?.string == "é")
        #expect(root["i"]?.int64 == -7)
        #expect(root["u"]?.int64 == nil)
        #expect(root["u"]?.double == Double(UInt64.max))
        #expect(root["d"]?.double == 1.5)
        #expect(root["t"]?.bool == true)
        #expect(root["f"]?.bool == false)
        #expect(root["n"]?.isNull == true)
        #expect(root["missing"] == nil)
        let kinds = try #require(root.object).map(\.value.kind)
        #expect(
            kinds == [.string, .number, .number, .number, .bool, .bool, .null, .array, .object])
        for (key, value) in try #require(root.object) where key.string != "s" {
            #expect(value.string == nil && !value.isString("é"))
            #expect(value["x"] == nil)
        }
        #expect(root["s"]?.int64 == nil && root["s"]?.double == nil && root["s"]?.array == nil)
    }

    @Test(
        "only an exact integer is an Int64",
        arguments: [
            ("0", Int64(0)), ("-0", 0), ("9223372036854775807", Int64.max),
            ("-9223372036854775808", Int64.min), ("9223372036854775808", nil), ("1.0", nil),
            ("1e3", nil), ("100.00", nil), ("\"100\"", nil), ("true", nil), ("null", nil),
        ])
    func exactIntegers(text: String, expected: Int64?) throws {
        #expect(try parse("[\(text)]").array?.first { _ in true }?.int64 == expected)
    }

    @Test(
        "what is not JSON is refused with its own reason",
        arguments: [
            ("", JSONError.empty), ("  \n", .empty), ("{", .malformed), ("{}x", .malformed),
            ("{\"a\":1,}", .malformed), ("{'a':1}", .malformed), ("[1 2]", .malformed),
            ("\"a\u{1}b\"", .malformed), ("\"\\ud800\"", .malformed), ("nul", .malformed),
            ("[01]", .number), ("[1e999]", .number),
            ("[123456789012345678901234567890]", .number),
        ])
    func refusals(text: String, expected: JSONError) {
        #expect(throws: expected) { try parse(text) }
    }

    @Test("bytes that are not UTF-8 are refused")
    func notUTF8() {
        #expect(throws: JSONError.notUTF8) {
            try document.parse([0x22, 0xC3, 0x28, 0x22])
        }
    }

    @Test("64 containers around a value are read, 65 are not")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        }
        #expect(try parse(nested(64)).kind == .array)
        #expect(throws: JSONError.tooDeep) { try parse(nested(65)) }
        let objects =
            String(repeating: "{\"a\":", count: 65) + "1" + String(repeating: "}", count: 65)
        #expect(throws: JSONError.tooDeep) { try parse(objects) }
    }

    @Test("a document over its bound is refused, one at the bound is read")
    func bound() throws {
        let small = JSONDocument(bytesMax: 100)
        let text = "[" + String(repeating: " ", count: 97) + "1]"
        #expect(try small.parse(Array(text.utf8)).kind == .array)
        #expect(throws: JSONError.tooLarge) { try small.parse(Array((text + " ").utf8)) }
    }

    @Test("buffers grow with the documents and keep reading right")
    func growth() throws {
        for count in [1, 10, 1000, 3000, 40_000, 100_000, 5] {
            let text = "[" + (0..<count).map { "\"v\($0)\"" }.joined(separator: ",") + "]"
            let elements = try #require(try parse(text).array)
            #expect(Array(elements).count == count)
            #expect(Array(elements).last?.string == "v\(count - 1)")
        }
    }

    @Test("the first of duplicate keys counts")
    func duplicateKeys() throws {
        let root = try parse(#"{"id":"first","id":"second"}"#)
        #expect(root["id"]?.string == "first")
        #expect(root.object?.map(\.value.string) == ["first", "second"])
    }

    @Test("members behind nested values are found")
    func skipsContainers() throws {
        let root = try parse(#"{"a":{"z":[1,2.5,{"z":1}]},"b":[[],{}],"z":"found"}"#)
        #expect(root["z"]?.string == "found")
        #expect(root.member(named: "z")?.isString("found") == true)
        #expect(root.member(named: "y") == nil)
        #expect(root["a"]?["z"]?.array?.map(\.double) == [1, 2.5, nil])
    }

    @Test("strings are borrowed without their escapes")
    func borrowed() throws {
        let root = try parse(#"["a\n\u00e9\u0000\"é"]"#)
        let value = try #require(root.array?.first { _ in true })
        let bytes = value.withUTF8 { span in span.indices.map { span[$0] } }
        #expect(bytes == Array("a\né\0\"é".utf8))
        #expect(value.string == "a\né\0\"é")
    }

    @Test("using a value after its document was parsed anew stops the process")
    func staleAfterParse() async {
        await #expect(processExitsWith: .failure) {
            let document = JSONDocument()
            let value = try document.parse(Array("[1]".utf8))
            _ = try document.parse(Array("[2]".utf8))
            _ = value.kind
        }
    }

    @Test("using a value after its document has gone stops the process")
    func staleAfterDeath() async {
        await #expect(processExitsWith: .failure) {
            func orphan() throws -> JSONValue { try JSONDocument().parse(Array("[1]".utf8)) }
            let value = try orphan()
            let next = JSONDocument()
            _ = try next.parse(Array("[2]".utf8))
            _ = value.kind
        }
    }
}
