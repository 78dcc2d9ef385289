import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("JSON writer")
struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("commas stand between values and nowhere else")
    func structure() {
        let text = written { writer in
            writer.beginObject()
            writer.member("a", Int64(1))
            writer.key("b")
            writer.beginArray()
            writer.beginObject()
            writer.endObject()
            writer.beginArray()
            writer.endArray()
            writer.null()
            writer.bool(true)
            writer.endArray()
            writer.key(named: "c\"")
            writer.string("d")
            writer.member("e", nil as String?)
            writer.member("f", nil as Int64?)
            writer.member("g", false)
            writer.endObject()
        }
        #expect(
            text == #"{"a":1,"b":[{},[],null,true],"c\"":"d","e":null,"f":null,"g":false}"#)
    }

    @Test(
        "integers are written as integers",
        arguments: [0, 7, 10, 99, 100, -1, .max, .min] as [Int64])
    func integers(value: Int64) {
        #expect(written { $0.int(value) } == String(value))
    }

    @Test(
        "doubles are written in their shortest form",
        arguments: [
            (0.1, "0.1"), (14, "14"), (-3, "-3"), (-0.0, "-0.0"), (1e300, "1e+300"),
            (Double.leastNonzeroMagnitude, "5e-324"), (.infinity, "null"), (.nan, "null"),
        ])
    func doubles(value: Double, expected: String) {
        #expect(written { $0.double(value) } == expected)
    }

    @Test("any double and any float reads back the same")
    func numbersRoundTrip() throws {
        var random = SeededGenerator(seed: 1)
        let document = JSONDocument()
        for _ in 0..<100_000 {
            let double = Double(bitPattern: random.next())
            let float = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            guard double.isFinite, float.isFinite else { continue }
            var writer = JSONWriter()
            writer.beginArray()
            writer.double(double)
            writer.float(float)
            writer.endArray()
            let values = try #require(try document.parse(writer.bytes).array).map(\.double)
            try #require(values[0]?.bitPattern == double.bitPattern)
            try #require(Float(values[1] ?? .nan).bitPattern == float.bitPattern)
        }
    }

    @Test("any string reads back the same, in our reader and in Foundation's")
    func stringsRoundTrip() throws {
        var random = SeededGenerator(seed: 2)
        let document = JSONDocument()
        let alphabet =
            (0..<0x30).map { Unicode.Scalar(UInt8($0)) }
            + ["\\", "\"", "/", "\u{7F}", "é", "\u{2028}", "€", "😀", "a"]
        for _ in 0..<2000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                text.append(alphabet.randomElement(using: &random) ?? "a")
            }
            let string = String(text)
            let json = written { writer in
                writer.beginArray()
                writer.string(string)
                writer.endArray()
            }
            try #require(try document.parse(Array(json.utf8)).array?.map(\.string) == [string])
            let foundation = try JSONDecoder().decode([String].self, from: Data(json.utf8))
            try #require(Array(foundation[0].utf8) == Array(string.utf8))
        }
    }

    @Test("a list is read back item by item, and one that is none is refused by its key")
    func lists() throws {
        let text = written { writer in
            writer.beginObject()
            writer.list("numbers", [1, 2]) { $1.int(Int64($0)) }
            writer.objects("days", [3, 4].lazy.filter { $0 > 3 }) { day, writer in
                writer.member("day", Int64(day))
                writer.objects("none", [Int]()) { _, _ in }
            }
            writer.member("last", true)
            writer.endObject()
        }
        #expect(text == #"{"numbers":[1,2],"days":[{"day":4,"none":[]}],"last":true}"#)
        let document = JSONDocument()
        let json = try document.parse(Array(text.utf8))
        let days = try json.requiredList("days") { (day) throws(RecordCodecError) in
            try day.requiredInt64("day")
        }
        #expect(days == [4])
        for key in ["last", "absent"] as [StaticString] {
            #expect(throws: RecordCodecError.field(key.description)) {
                try json.requiredList(key) { _ in 0 }
            }
        }
        #expect(throws: RecordCodecError.field("night")) {
            try json.requiredList("days") { (day) throws(RecordCodecError) in
                try day.requiredInt64("night")
            }
        }
        withExtendedLifetime(document) {}
    }

    @Test("an emptied writer starts anew")
    func reuse() {
        let text = written { writer in
            writer.beginArray()
            writer.int(1)
            writer.endArray()
            writer.removeAll()
            writer.beginArray()
            writer.endArray()
        }
        #expect(text == "[]")
    }
}
