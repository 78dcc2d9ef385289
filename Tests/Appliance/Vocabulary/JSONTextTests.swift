import Testing

@testable import Vocabulary

@Suite("Where values stand in a JSON text")
struct JSONTextTests {
    private static let text = """
         { "a" : [ 1, {"b\\u0063":"x}]\\"", "n":-12.5e3 }, [] , true ] , "a":2,
         "é": {"deep":[[["v"]]]}, "" : null }
        """

    @Test("a value is its own bytes, blanks and neighbours left out", arguments: [
        ([.member("a"), .element(0)], "1"),
        ([.member("a"), .element(1), .member("bc")], "\"x}]\\\"\""),
        ([.member("a"), .element(1), .member("n")], "-12.5e3"),
        ([.member("a"), .element(2)], "[]"), ([.member("a"), .element(3)], "true"),
        ([.member("é"), .member("deep"), .element(0), .element(0), .element(0)], "\"v\""),
        ([.member("é")], "{\"deep\":[[[\"v\"]]]}"), ([.member("")], "null"),
    ] as [([JSONText.Step], String)])
    func found(path: [JSONText.Step], expected: String) throws {
        let bytes = Array(Self.text.utf8)
        // Counted from the slice's first byte, wherever that lies.
        for lead in [0, 3] {
            let slice = ([UInt8](repeating: 0x7B, count: lead) + bytes)[lead...]
            let range = try #require(JSONText.range(of: path, in: slice))
            #expect(String(decoding: bytes[range], as: UTF8.self) == expected)
        }
    }

    @Test("of a name that is there twice the first counts, as for the document")
    func first() throws {
        let bytes = Array(Self.text.utf8)[...]
        let range = try #require(JSONText.range(of: [.member("a")], in: bytes))
        #expect(bytes[range].first == UInt8(ascii: "["))
    }

    @Test("what is not there is nil", arguments: [
        [.member("b")], [.member("a"), .element(4)], [.member("a"), .element(-1)],
        [.element(0)], [.member("a"), .member("b")], [.member("a"), .element(2), .element(0)],
        [.member(""), .member("x")],
    ] as [[JSONText.Step]])
    func absent(path: [JSONText.Step]) {
        #expect(JSONText.range(of: path, in: Array(Self.text.utf8)[...]) == nil)
    }

    @Test("no cut and no changed byte makes it trap, and what it finds lies within")
    func hostile() {
        let bytes = Array(Self.text.utf8)
        let paths: [[JSONText.Step]] = [
            [.member("a"), .element(1), .member("n")], [.member("é"), .member("deep")], [],
        ]
        for path in paths {
            for end in 0...bytes.count {
                if let range = JSONText.range(of: path, in: bytes[..<end]) {
                    #expect(range.upperBound <= end)
                }
            }
            for place in bytes.indices {
                for byte in "\"\\{}[],: 0".utf8 {
                    var changed = bytes
                    changed[place] = byte
                    if let range = JSONText.range(of: path, in: changed[...]) {
                        #expect(range.upperBound <= changed.count)
                    }
                }
            }
        }
    }

    @Test("a path reads as people write it")
    func words() {
        let path: [JSONText.Step] = [.member("data"), .member("refunds"), .element(2)]
        #expect(JSONText.words(path) == "data.refunds[2]")
    }
}
