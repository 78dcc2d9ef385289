import Testing

@testable import Vocabulary

@Suite("Text that is shown")
struct ShownTextTests {
    @Test(
        "what is not seen is written out, and the rest stays",
        arguments: [
            ("Ada Lovelace", "Ada Lovelace"), ("naïve — 漢字 🙂", "naïve — 漢字 🙂"),
            ("a\nb\tc", #"a\nb\tc"#), ("\u{1B}[2K", #"\u{1b}[2K"#), ("a\u{0}b", #"a\u{0}b"#),
            ("a\u{AD}b", #"a\u{ad}b"#), ("a\u{202E}b", #"a\u{202e}b"#),
            ("a\u{2028}b", #"a\u{2028}b"#), ("\u{3164}", #"\u{3164}"#), ("\u{7F}", #"\u{7f}"#),
        ])
    func escaped(text: String, shown: String) {
        #expect(ShownText.escaped(text) == shown)
        #expect(ShownText.isPlain(text) == (text == shown))
    }

    @Test("a space that is none of the keyboard's is not plain")
    func spaces() {
        for space in ["\u{A0}", "\u{2003}", "\u{3000}"] {
            #expect(!ShownText.isPlain("a\(space)b"), "\(space.unicodeScalars)")
        }
    }
}

@Suite("Standstills")
struct StandstillTests {
    @Test("what is waited for is told until it is over, by stage; what broke is told on")
    func told() {
        let standstills = Standstills()
        #expect(standstills.warnings.isEmpty)
        standstills.begins("ledger", waitingFor: "ledger.sqlite", "it is locked")
        standstills.begins("ledger", waitingFor: "ledger.sqlite", "the disk is full")
        standstills.begins("score", waitingFor: "payment.scored", "no space left")
        #expect(standstills.warnings.count == 2)
        let first = standstills.warnings.first
        #expect(first?.hasPrefix("ledger waits for ledger.sqlite since 0 s") == true)
        #expect(first?.hasSuffix("the disk is full") == true)
        standstills.ends("ledger", waitingFor: "ledger.sqlite")
        #expect(standstills.warnings.map { $0.hasPrefix("score waits") } == [true])
        standstills.ends("score", waitingFor: "payment.scored")
        standstills.broke("a batch is damaged")
        standstills.foundNoRoom()
        #expect(standstills.warnings.count == 2)
        #expect(standstills.warnings.first?.contains("no space left") == true)
        #expect(standstills.warnings.last?.contains("a batch is damaged") == true)
    }

    @Test("another server's failure is told of until something was stored")
    func outside() {
        let standstills = Standstills()
        standstills.outsideFails("Redis does not answer")
        #expect(standstills.outside == "Redis does not answer")
        #expect(standstills.warnings.first?.contains("Redis does not answer") == true)
        standstills.outsideAnswers()
        #expect(standstills.outside == nil && standstills.warnings.isEmpty)
        // Told again of a second failure.
        standstills.outsideFails("Kafka does not answer")
        #expect(standstills.outside == "Kafka does not answer")
    }
}
