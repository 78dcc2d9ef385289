import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("What pages show")
struct ShownValuesTests {
    @Test("an amount has its currency's decimals, thousands apart, and a real minus", arguments: [
        (128_400, "eur", "1,284", ".00"), (-128_400, "eur", "−1,284", ".00"),
        (96_000, "jpy", "96,000", ""), (412_500, "kwd", "412", ".500"), (0, "usd", "0", ".00"),
        (-5, "usd", "−0", ".05"), (Int64.min, "jpy", "−9,223,372,036,854,775,808", ""),
    ] as [(Int64, String, String, String)])
    func amounts(units: Int64, code: String, whole: String, fraction: String) throws {
        let currency = try #require(Currency(code))
        let shown = ShownAmount(MinorUnits(units), currency)
        #expect(shown.whole == whole)
        #expect(shown.fraction == fraction)
        #expect(shown.words == "\(whole)\(fraction) \(code.uppercased())")
    }

    @Test("an age has one unit", arguments: [
        (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"),
        (172_799, "47 h"), (172_800, "2 d"), (-4, "0 s"),
    ] as [(Int64, String)])
    func ages(seconds: Int64, words: String) {
        #expect(ShownAge.words(seconds: seconds) == words)
    }

    @Test("a share is all of it only when it is", arguments: [
        (1.0, "100 %"), (0.999_99, "99.99 %"), (0.999_999, "99.99 %"), (0, "0.00 %"),
    ])
    func shares(share: Double, words: String) {
        #expect(ShownNumber.share(share) == words)
    }

    @Test("a moment is in UTC, with its day", arguments: [
        (1_773_325_927, "12 Mar 2026, 14:32:07 UTC"), (-5, "1 Jan 1970, 00:00:00 UTC"),
        (Int64.max, "31 Dec 9999, 23:59:59 UTC"),
    ] as [(Int64, String)])
    func moments(seconds: Int64, words: String) {
        #expect(ShownMoment(Instant(seconds: seconds)).words == words)
    }

    @Test("a day ends with its last second, and nothing else is a day", arguments: [
        ("2026-03-12", 1_773_359_999), ("2026-02-30", nil), ("yesterday", nil), ("", nil),
        ("2026-3-12", nil),
    ] as [(String, Int64?)])
    func days(text: String, seconds: Int64?) {
        #expect(ShownMoment.endOfDay(text)?.seconds == seconds)
    }

    @Test("features are told in words", arguments: [
        ("tx_velocity_1m", 6, "6 payments within one minute"),
        ("tx_velocity_1h", 1, "1 payment within one hour"),
        ("amount_zscore", 0.5, "amount within the usual"),
        ("amount_zscore", 3.14, "amount 3.1 standard deviations above the usual"),
        ("merchant_risk_score", 0.024, "disputes at this merchant: 2.4 %"),
        ("device_switch_flag", 1, "another device than the last one"),
        ("country_mismatch_flag", 0, "card and billing country agree"),
        ("failed_attempts_1h", 3, "3 failures in the last hour"),
        ("log_seconds_since_last", -1, "first payment seen"),
        ("log_seconds_since_last", 1.609_437_9, "4 s after the last payment"),
        ("something_new", 2, "something_new 2.00"),
    ] as [(String, Double, String)])
    func features(name: String, value: Double, words: String) {
        #expect(FeatureWords.words(name, value) == words)
    }

    @Test("where nothing is usual yet that is said, not that the amount is within it", arguments: [
        (0, false, "no usual amount yet to compare it with"),
        (0, nil, "the usual amount, or none is usual yet"),
        (0, true, "amount within the usual"), (0.5, nil, "amount within the usual"),
        (3.14, false, "amount 3.1 standard deviations above the usual"),
    ] as [(Double, Bool?, String)])
    func noUsual(value: Double, hasUsual: Bool?, words: String) {
        #expect(FeatureWords.words("amount_zscore", value, hasUsual: hasUsual) == words)
        let reason = VerdictReason.feature(name: "amount_zscore", value: value, contribution: 0)
        #expect(reason.words(hasUsual: hasUsual) == words)
    }

    @Test("an amount beside the usual is so many times of it")
    func usual() throws {
        let currency = try #require(Currency("eur"))
        let earlier = [40_000, 41_400, 42_800].map { MinorUnits($0) }
        let usual = try #require(UsualAmount(earlier, currency))
        #expect(usual.mean == 41_400)
        // Population deviation: sqrt(2 * 1400^2 / 3), as the feature `amount_zscore` has it.
        #expect(abs(usual.high - 41_400 - 2 * 1_143.095_2) < 0.001)
        #expect(abs(usual.low - 41_400 + 2 * 1_143.095_2) < 0.001)
        #expect(
            FeatureWords.words("amount_zscore", 9, amount: MinorUnits(128_340), usual: usual)
                == "3.1 times the usual 414.00")
        #expect(UsualAmount(Array(earlier.dropLast()), currency) == nil)
    }

    @Test("what is usual is what the feature calls so, for amounts and features alike")
    func oneUsual() throws {
        let values = [3.0, 5, 8, 13, 21]
        let usual = try #require(UsualRange(values))
        var spread = AmountSpread()
        for value in values { spread.add(value) }
        #expect(abs(spread.zScore(usual.high) - 2) < 1e-9)
        #expect(abs(spread.zScore(usual.low) + 2) < 1e-9)
        for count in 0...FeatureBounds.amountsMin {
            let first = (0..<count).map { Double($0) }
            var spread = AmountSpread()
            for value in first { spread.add(value) }
            #expect((UsualRange(first) == nil) == (spread.zScore(100) == 0), "\(count) values")
        }
    }

    @Test("a payment that its intent and its charge told is one of the customer's, not two")
    func toldTwice() {
        let told: [(String, Int64)] = [("ch_1", 1_000), ("ch_2", 2_000), ("ch_1", 1_500)]
        let found = told.enumerated().map { place, payment in
            CaseHistory.Earlier(
                payment: ScoredPayment(
                    event: Given.event(.payment, payment.0, amount: payment.1),
                    verdict: .approve, score: 0.1, reasons: [], model: nil, featuresAsOf: nil),
                offset: Offset(Int64(place)))
        }
        let kept = CaseHistory.once(found)
        #expect(kept.map(\.payment.event.objectID) == ["ch_2", "ch_1"])
        #expect(kept.map(\.payment.event.amount.rawValue) == [2_000, 1_500], "the newest stands")
    }
}

/// Every pair of colours that text or a mark stands in, in both themes (WCAG 2.2, 1.4.3, 1.4.11).
@Suite("Contrast")
struct ContrastTests {
    enum Theme: Int, CaseIterable { case light, dark }

    /// `--ink: light-dark(#14181d, #eceef1)`
    private static let colours: [String: [String]] = {
        let path = "Sources/Appliance/Console/Pages/Assets/tokens.css"
        let text = try? String(contentsOf: Repository.root.appending(path: path), encoding: .utf8)
        let named = (text ?? "").matches(
            of: #/--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/#)
        return Dictionary(
            named.map { (String($0.output.1), [String($0.output.2), String($0.output.3)]) },
            uniquingKeysWith: { first, _ in first })
    }()

    private static func luminance(_ colour: String) -> Double {
        let number = Int(colour.dropFirst(), radix: 16) ?? 0
        let parts = [16, 8, 0].map { shift in
            let value = Double((number >> shift) & 0xFF) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }

    private static func ratio(_ front: String, _ back: String, _ theme: Theme) throws -> Double {
        let colours = try [front, back].map { try #require(Self.colours[$0])[theme.rawValue] }
        let bright = colours.map(luminance).sorted()
        return (bright[1] + 0.05) / (bright[0] + 0.05)
    }

    @Test("text has 4.5 to 1 on every ground", arguments: Theme.allCases)
    func text(theme: Theme) throws {
        for ink in ["ink", "ink-2", "ink-3", "act", "ok", "wait", "stop"] {
            for ground in ["ground", "surface", "sunken", "hover"] {
                #expect(try Self.ratio(ink, ground, theme) >= 4.5, "\(ink) on \(ground)")
            }
        }
        for (ink, ground) in [
            ("act", "act-bg"), ("ok", "ok-bg"), ("wait", "wait-bg"), ("stop", "stop-bg"),
            ("on-act", "act"), ("ink", "act-bg"), ("ink-2", "act-bg"),
        ] { #expect(try Self.ratio(ink, ground, theme) >= 4.5, "\(ink) on \(ground)") }
    }

    @Test("marks and edges of controls have 3 to 1", arguments: Theme.allCases)
    func marks(theme: Theme) throws {
        for mark in ["mark-wait", "mark-stop", "mark-ok", "mark-mute", "edge", "act"] {
            for ground in ["ground", "surface", "sunken"] {
                #expect(try Self.ratio(mark, ground, theme) >= 3, "\(mark) on \(ground)")
            }
        }
    }
}
