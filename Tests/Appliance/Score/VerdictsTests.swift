import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Verdicts")
struct VerdictsTests {
    private static let thresholds = ModelSchema.Thresholds(review: 0.30, block: 0.85)
    private let verdicts = Verdicts(thresholds: Self.thresholds)
    private let vector = FeatureVector(
        values: Array(repeating: 0, count: 8), asOf: Instant(seconds: 1))
    private let event = FeatureFixture.event(1, movement: "m")

    struct Edge: Sendable {
        var score: Double
        var verdict: Verdict
    }

    @Test(
        "change exactly at the thresholds",
        arguments: [
            Edge(score: 0, verdict: .approve),
            Edge(score: 0.30.nextDown, verdict: .approve),
            Edge(score: 0.30, verdict: .manualReview),
            Edge(score: Double(Float(0.30)), verdict: .manualReview),
            Edge(score: Double(Float(0.30).nextDown), verdict: .approve),
            Edge(score: 0.85.nextDown, verdict: .manualReview),
            Edge(score: 0.85, verdict: .block),
            Edge(score: Double(Float(0.85)), verdict: .block),
            Edge(score: Double(Float(0.85).nextDown), verdict: .manualReview),
            Edge(score: 1, verdict: .block),
        ])
    func edges(edge: Edge) {
        let (score, verdict) = (edge.score, edge.verdict)
        let decision = verdicts.decide(event, reading: .fresh(vector), score: score)
        #expect(decision == Verdicts.Decision(verdict: verdict, rules: []))
    }

    @Test("never approve without fresh features, whatever the score")
    func neverAFalseClean() {
        for score in [nil, 0.0, 0.5, 0.99] {
            let missing = verdicts.decide(event, reading: .missing, score: score)
            #expect(missing.verdict == .manualReview)
            #expect(missing.rules == [.featuresMissing])
            let stale = verdicts.decide(event, reading: .stale(vector), score: score)
            #expect(stale.verdict >= .manualReview)
            #expect(stale.rules.first == .featuresStale)
        }
    }

    @Test("never approve without a score that is a probability", arguments: [
        nil, Double.nan, -0.1, 1.1, .infinity,
    ])
    func noScore(score: Double?) {
        let decision = verdicts.decide(event, reading: .fresh(vector), score: score)
        #expect(decision.verdict == .manualReview)
        #expect(decision.rules == [.modelUnavailable])
    }

    @Test("send amounts above the currency's limit to review, and leave a block a block")
    func amountLimit() throws {
        let euro = try #require(Currency("eur"))
        let limited = Verdicts(
            thresholds: Self.thresholds, amountLimits: [euro: MinorUnits(1_000)])
        func decide(_ amount: Int64, _ currency: String, _ score: Double) -> Verdicts.Decision {
            limited.decide(
                FeatureFixture.event(1, movement: "m", amount: amount, currency: currency),
                reading: .fresh(vector), score: score)
        }
        #expect(decide(1_000, "eur", 0.1).verdict == .approve)
        let above = Verdicts.Decision(verdict: .manualReview, rules: [.amountLimit])
        #expect(decide(1_001, "eur", 0.1) == above)
        #expect(decide(1_001, "usd", 0.1).verdict == .approve)
        let blocked = Verdicts.Decision(verdict: .block, rules: [.amountLimit])
        #expect(decide(1_001, "eur", 0.9) == blocked)
    }

    @Test("let configuration tighten the thresholds and refuse to loosen them")
    func tightening() throws {
        let tight = try Self.thresholds.tightened(review: 0.2, block: 0.5)
        #expect(tight == ModelSchema.Thresholds(review: 0.2, block: 0.5))
        #expect(try Self.thresholds.tightened() == Self.thresholds)
        #expect(
            throws: ModelError.thresholdLoosened(name: "review", model: 0.30, configured: 0.31)
        ) { try Self.thresholds.tightened(review: 0.31) }
        #expect(
            throws: ModelError.thresholdLoosened(name: "block", model: 0.85, configured: 0.9)
        ) { try Self.thresholds.tightened(block: 0.9) }
        #expect(throws: ModelError.thresholdsOutOfOrder(review: 0.30, block: 0.2)) {
            try Self.thresholds.tightened(block: 0.2)
        }
        #expect(throws: ModelError.self) { try Self.thresholds.tightened(review: .nan) }
        #expect(throws: ModelError.self) { try Self.thresholds.tightened(review: 0) }
    }

    @Test("give the rules, then the three largest contributions with names and values")
    func reasons() {
        let vector = FeatureVector(
            values: [1, 2, 3, 4, 5, 6, 7, 8], asOf: Instant(seconds: 1))
        let reasons = Verdicts.reasons(
            rules: [.amountLimit], vector: vector,
            contributions: [0.1, -2, 0, 1, 1, 0, -0.5, 0, 99])
        #expect(
            reasons == [
                .rule("amount_limit"),
                .feature(name: "tx_velocity_1h", value: 2, contribution: -2),
                .feature(name: "merchant_risk_score", value: 4, contribution: 1),
                .feature(name: "device_switch_flag", value: 5, contribution: 1),
            ])
        #expect(
            Verdicts.reasons(rules: [.featuresMissing], vector: nil, contributions: nil) == [
                .rule("features_missing")
            ])
    }
}
