import AppendLog
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Thresholds that are tried out")
struct ThresholdForecastTests {
    private static func thresholds(
        _ review: Double, _ block: Double
    ) throws -> ModelSchema.Thresholds {
        try ModelSchema.Thresholds.checked(review: review, block: block)
    }

    private static func payment(
        _ verdict: Verdict, _ score: Double?, hasRule: Bool = false, _ amount: Int64 = 1
    ) throws -> ThresholdForecast.Judged {
        ThresholdForecast.Judged(
            verdict: verdict, score: score, hasRule: hasRule, amount: MinorUnits(amount),
            currency: try #require(Currency("usd")))
    }

    @Test("a payment gets what its score and its rules come to", arguments: [
        (0.29, false, Verdict.approve), (0.3, false, .manualReview), (0.84, false, .manualReview),
        (0.85, false, .block), (0.1, true, .manualReview), (0.9, true, .block),
        (nil, true, .manualReview),
    ] as [(Double?, Bool, Verdict)])
    func verdict(score: Double?, hasRule: Bool, expected: Verdict) throws {
        let payment = try Self.payment(.manualReview, score, hasRule: hasRule)
        let found = ThresholdForecast.verdict(of: payment, try Self.thresholds(0.3, 0.85))
        #expect(found == expected)
    }

    @Test("counts and sums are those of every payment, on both sides")
    func tallies() throws {
        let dollar = try #require(Currency("usd"))
        let payments = [
            try Self.payment(.approve, 0.1, 10), try Self.payment(.approve, 0.2, 20),
            try Self.payment(.manualReview, 0.5, 40), try Self.payment(.block, 0.9, 80),
            try Self.payment(.manualReview, nil, hasRule: true, 160),
        ]
        let forecast = ThresholdForecast(payments, try Self.thresholds(0.2, 0.5))
        #expect((forecast.count, forecast.changedCount, forecast.unscoredCount) == (5, 2, 1))
        let line = try #require(forecast.lines[dollar])
        func tally(_ count: Int64, _ amount: Int64) -> ThresholdForecast.Tally {
            .init(count: count, amount: MinorUnits(amount))
        }
        #expect(
            line.actual == [
                .approve: tally(2, 30), .manualReview: tally(2, 200), .block: tally(1, 80),
            ])
        #expect(
            line.other == [
                .approve: tally(1, 10), .manualReview: tally(2, 180), .block: tally(2, 120),
            ])
        // The thresholds that held change nothing.
        let same = ThresholdForecast(payments, try Self.thresholds(0.3, 0.85))
        #expect(same.changedCount == 0 && same.lines[dollar]?.actual == same.lines[dollar]?.other)
    }
}
