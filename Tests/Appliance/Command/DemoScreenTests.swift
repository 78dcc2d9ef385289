import Testing

@testable import Appliance
@testable import Command
@testable import Terminal
@testable import Twin
@testable import Vocabulary

@Suite("The demo's picture")
struct DemoScreenTests {
    private static func currency(_ code: String) throws -> Currency {
        try #require(Currency(code))
    }

    /// A moment with large figures, so that nothing fits by luck.
    private static func screen(
        payments: Int = 100, hint: String = "tillbox reconcile run --data /tmp/tillbox-demo-1",
        codes: [String] = ["chf", "eur", "gbp", "jpy", "kwd", "usd"], off: Int64 = 0
    ) throws -> DemoScreen {
        let began = ContinuousClock.now
        let before = DemoFigures(at: began, values: [:])
        var values: [Counters.Name: Int] = [:]
        for name in Counters.Name.allCases { values[name] = 0 }
        values[.admitted] = 1_234_567
        values[.duplicates] = 23_456
        values[.signatureRefused] = 3_456
        values[.validated] = 876_543
        values[.ignored] = 358_024
        values[.approved] = 600_000
        values[.flagged] = 4_321
        values[.blocked] = 1_234
        values[.booked] = 712_345
        let currencies = try codes.map(currency)
        let volume = Dictionary(uniqueKeysWithValues: currencies.map { ($0, Int64(123_456_789)) })
        let now = DemoFigures(
            at: began.advanced(by: .seconds(2)), values: values, volume: volume,
            endToEnd: [1_234_567, 9_876_543], acknowledged: [12_345, 123_456])
        let list = try (0..<payments).map { number in
            DemoPayment(
                movement: MovementKey("charge:ch_\(number)"), amount: MinorUnits(98_765_432),
                currency: try currency("usd"), verdict: number % 9 == 0 ? .manualReview : .approve,
                reasons: number % 9 == 0
                    ? [
                        .feature(name: "amount_zscore", value: 10, contribution: 2),
                        .rule("amount_limit"),
                    ]
                    : [],
                latencyMilliseconds: 12_345, debit: "processor:stripe",
                credit: "merchant:default:payable")
        }
        return DemoScreen(
            now: now, before: before, about: ["200 events a second", "twin http://127.0.0.1:12111"],
            payments: list, sums: Dictionary(uniqueKeysWithValues: currencies.map { ($0, off) }),
            hints: [hint], warning: nil)
    }

    @Test(
        "is whole: no line is wider and no picture higher than the terminal",
        arguments: [(80, 24), (81, 25), (100, 30), (120, 40), (200, 60)])
    func whole(columns: Int, rows: Int) throws {
        let lines = try Self.screen().lines(columns: columns, rows: rows)
        #expect(lines.count <= rows)
        for line in lines { #expect(line.width <= columns, "\(line.plain)") }
        // Nothing that a person looks for is cut off.
        for line in lines where !line.plain.contains("→") && !line.plain.contains("amount") {
            #expect(!line.plain.contains("…"), "\(line.plain)")
        }
    }

    @Test(
        "a terminal that is too small is told so in lines that fit",
        arguments: [(60, 16), (79, 40), (200, 23), (40, 10), (12, 2), (1, 1)])
    func tooSmall(columns: Int, rows: Int) throws {
        let lines = try Self.screen().lines(columns: columns, rows: rows)
        #expect(!lines.isEmpty && lines.count <= rows)
        for line in lines { #expect(line.width <= columns, "\(line.plain)") }
        guard columns >= 40, rows >= 4 else { return }
        let text = lines.map(\.plain).joined(separator: "\n")
        for words in ["Ctrl-C", "sums to zero", "\(columns) × \(rows)", "80 × 24"] {
            #expect(text.contains(words), "\(text)")
        }
    }

    @Test("every counter stands under its stage, with words that say what it counts")
    func labels() throws {
        let text = try Self.screen().lines(columns: 120, rows: 24).map(\.plain)
            .joined(separator: "\n")
        for words in [
            "1,261,479 webhooks", "1,234,567 admitted", "23,456 duplicates", "3,456 forged",
            "876,543 movements", "358,024 ignored", "0 dead letters", "605,555 judged",
            "600,000 approved", "4,321 in review", "1,234 blocked", "712,345 transactions",
            "sums to zero", "617,284/s",
        ] {
            #expect(text.contains(words), "\(words) in\n\(text)")
        }
    }

    @Test("a count that has no room beneath its stage is told in thousands or millions")
    func narrow() throws {
        let text = try Self.screen().lines(columns: 80, rows: 24).map(\.plain).joined()
        for words in ["1 M webhooks", "1 M admitted", "876 k movements", "712 k transactions"] {
            #expect(text.contains(words), "\(words) in \(text)")
        }
        // All are told in the same: 11 k beside 6,500 is read as less.
        for words in ["23 k duplicates", "3 k forged", "4 k in review", "1 k blocked"] {
            #expect(text.contains(words), "\(words) in \(text)")
        }
    }

    @Test("the twin's address and its key can be copied from the narrowest picture")
    func twinsKey() throws {
        var screen = try Self.screen()
        let key = TwinSettings().apiKeys[0]
        screen.about = [DemoTwin.about(port: 65_535, key: key)]
        let lines = screen.lines(columns: 80, rows: 24).map(\.plain)
        #expect(lines.contains { $0.hasSuffix(key) && $0.contains("http://127.0.0.1:65535 ") })
    }

    @Test("a ledger that does not balance is never shown as one that does")
    func unbalanced() throws {
        let off = try Self.screen(off: -1).lines(columns: 80, rows: 24).map(\.plain).joined()
        #expect(off.contains("out of balance") && !off.contains("sums to zero"))
        var unknown = try Self.screen()
        unknown.sums = nil
        #expect(
            !unknown.lines(columns: 80, rows: 24).map(\.plain).joined().contains("sums to zero"))
    }

    @Test("a hint stays one line to paste, and the picture makes room for it")
    func longHint() throws {
        let path = "/home/somebody/" + String(repeating: "deep/", count: 20)
        let hint = "\(path)tillbox reconcile run --data /tmp/x"
        let lines = try Self.screen(hint: hint).lines(columns: 80, rows: 24)
        #expect(lines.last?.plain == "  " + hint)
        let rows = lines.reduce(0) { $0 + DemoScreen.rows(of: max(1, $1.width), 80) }
        #expect(rows <= 24)
    }

    @Test("the feed shows the newest payments, as many as there is room for")
    func feed() throws {
        let small = try Self.screen(payments: 100).lines(columns: 80, rows: 24)
        let large = try Self.screen(payments: 100).lines(columns: 80, rows: 40)
        func shown(_ lines: [StyledText]) -> Int {
            lines.filter { $0.plain.contains("987,654.32 usd") }.count
        }
        #expect(shown(small) >= 4)
        #expect(shown(large) == shown(small) + 16)
    }

    @Test("of what passes between two looks, flagged payments are kept before approved ones")
    func selection() throws {
        let usd = try Self.currency("usd")
        let payments = (0..<20).map { number in
            DemoPayment(
                movement: MovementKey("charge:ch_\(number)"), amount: MinorUnits(1), currency: usd,
                verdict: number == 3 ? .block : number == 5 ? .manualReview : .approve, reasons: [],
                latencyMilliseconds: 1, debit: "a", credit: "b")
        }
        let kept = DemoFeed.selection(of: payments, count: 3).map(\.movement.rawValue)
        #expect(kept == ["charge:ch_3", "charge:ch_5", "charge:ch_19"])
    }

    @Test("reasons are said in words", arguments: [
        ("tx_velocity_1m", 3.0, "3 payments within a minute"),
        ("amount_zscore", -4.06, "amount −4.1 deviations from the usual"),
        ("device_switch_flag", 1, "another device"),
        ("log_seconds_since_last", -1, "first payment"),
        ("log_seconds_since_last", 4.1109, "last payment 60 s ago"),
    ])
    func words(name: String, value: Double, expected: String) {
        #expect(VerdictReason.feature(name: name, value: value, contribution: 1).words == expected)
    }

    @Test("a word is quoted where a shell would read it otherwise", arguments: [
        ("/tmp/tillbox-demo-7", "/tmp/tillbox-demo-7"), ("/tmp/my data", "'/tmp/my data'"),
        ("it's", #"'it'\''s'"#), ("", "''"),
    ])
    func quoting(word: String, expected: String) {
        #expect(ShellWord.quoted(word) == expected)
    }
}
