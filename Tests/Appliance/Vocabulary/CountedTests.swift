import Testing

@testable import Command
@testable import Console
@testable import Terminal
@testable import Vocabulary

/// Counts in sentences.
@Suite("A count and what is counted")
struct CountedTests {
    @Test("is one of it at 1 alone", arguments: [
        (0, "0 records", "0 entries"), (1, "1 record", "1 entry"), (2, "2 records", "2 entries"),
        (-1, "-1 records", "-1 entries"), (12_000, "12000 records", "12000 entries"),
    ])
    func words(count: Int, record: String, entry: String) {
        #expect(Counted.words(count, "record") == record)
        #expect(Counted.words(Int64(count), "entry", "entries") == entry)
        #expect(Counted.noun(count, "is", "are") == (count == 1 ? "is" : "are"))
    }

    @Test("has commas between thousands where a screen has them")
    func grouped() {
        #expect(Figures.counted(1, "cold segment") == "1 cold segment")
        #expect(Figures.counted(Int64(12_000), "byte") == "12,000 bytes")
        #expect(ShownNumber.count(1, "record") == "1 record")
    }

    @Test("makes no other alert where it passes 1", arguments: [
        ("is behind by 1 record and tries again", "is behind by 7 records and tries again"),
        ("stopped, behind by 1 record: no room", "stopped, behind by 2 records: no room"),
    ])
    func notices(one: String, several: String) {
        let (first, second) = (
            Notice(kind: "", sentence: one), Notice(kind: "", sentence: several)
        )
        #expect(first.subject == second.subject)
        #expect(Notice(kind: "", sentence: "has records").subject == ": has records")
    }

    @Test("of segments that come back none, one and several are told", arguments: [
        (0, Int64(0), "nothing was to come back: no segment is in a cold folder"),
        (1, 1_000, "1 segment (1,000 bytes) is back; the cold folders still have its file"),
        (3, 3_000, "3 segments (3,000 bytes) are back; the cold folders still have their files"),
    ])
    func returned(count: Int, bytes: Int64, words: String) {
        #expect(ArchiveCommand.Return.words(count: count, byteCount: bytes) == words)
    }
}
