import Testing

@testable import Appliance
@testable import Vocabulary

/// A model whose score is one feature's value, so that a test chooses the verdict.
private struct EchoModel: RiskModel {
    var feature = Feature.countryMismatch
    /// What a value of 0, 1 scores.
    var scores: [Float] = [0.1, 0.5]
    var failure: ModelError?
    let version = "echo"

    func predict(_ vectors: [FeatureVector]) throws(ModelError) -> [Float] {
        if let failure { throw failure }
        return vectors.map { scores[Int($0.values[feature.rawValue])] }
    }

    func contributions(_ vectors: [FeatureVector]) throws(ModelError) -> [[Float]] {
        if let failure { throw failure }
        return vectors.map { _ in [8, 7, 6, 5, 4, 3, 2, 1, 0] }
    }
}

@Suite("Scoring")
struct ScoringTests {
    private static let verdicts = Verdicts(
        thresholds: ModelSchema.Thresholds(review: 0.30, block: 0.85))
    private let now = FeatureFixture.midnight

    private func scoring(
        _ model: EchoModel? = EchoModel()
    ) -> EmbeddedScoring {
        Scoring(verdicts: Self.verdicts, model: model)
    }

    /// A payment intent without a card, and the charge that has one.
    private var intent: PaymentEvent {
        FeatureFixture.event(
            now, movement: "m", object: "pi_m", card: nil, cardCountry: nil, country: nil,
            device: nil)
    }

    private func charge(country: String) -> PaymentEvent {
        FeatureFixture.event(now, movement: "m", country: country)
    }

    @Test("approves without reasons and holds with them")
    func verdicts() throws {
        var scoring = scoring()
        let good = try #require(scoring.score([FeatureFixture.event(now, movement: "1")]).first)
        #expect(good.payment?.verdict == .approve)
        #expect(good.payment?.reasons == [])
        #expect(good.payment?.model == "echo")
        #expect(good.payment?.featuresAsOf == Instant(seconds: now))
        let odd = try #require(
            scoring.score([FeatureFixture.event(now + 1, movement: "2", country: "FR")]).first)
        #expect(odd.payment?.verdict == .manualReview)
        #expect(odd.payment?.reasons.count == 3)
        #expect(odd.features?.values.count == 8)
    }

    @Test("lets every kind without risk pass, unscored")
    func otherKinds() {
        var scoring = scoring()
        for kind in PaymentKind.allCases where kind != .payment {
            let outcome = scoring.score([FeatureFixture.event(now, kind: kind, movement: "x")])[0]
            #expect(outcome.payment?.verdict == .notScored)
            #expect(outcome.payment?.score == nil)
            #expect(outcome.features == nil)
        }
    }

    @Test("sends a payment whose vector is missing to review, unscored")
    func missingVector() {
        let event = FeatureFixture.event(now, movement: "1")
        let outcome = scoring().judge([event], by: [.judge(.missing, isRescore: false)])[0]
        #expect(outcome.payment?.verdict == .manualReview)
        #expect(outcome.payment?.reasons == [.rule("features_missing")])
        #expect(outcome.payment?.score == nil)
    }

    @Test("sends everything to review when the model is not there or fails")
    func noModel() {
        let failing = EchoModel(failure: .predictionFailed(detail: "test"))
        for model in [nil, failing] {
            var scoring = scoring(model)
            let outcome = scoring.score([FeatureFixture.event(now, movement: "1")])[0]
            #expect(outcome.payment?.verdict == .manualReview)
            #expect(outcome.payment?.reasons == [.rule("model_unavailable")])
            #expect(outcome.payment?.model == nil)
        }
    }

    @Test(
        "sends a payment of nobody to review, and approves it when a better informed event is mild")
    func nobody() {
        var scoring = scoring()
        var nobody = intent
        nobody.customer = nil
        let first = scoring.score([nobody])[0]
        #expect(first.payment?.reasons == [.rule("features_missing")])
        let second = scoring.score([charge(country: "DE")])[0]
        #expect(second.payment?.verdict == .approve)
        #expect(second.isRescore)
        #expect(scoring.score([charge(country: "DE")])[0] == ScoreOutcome())
    }

    @Test("judges a better informed event again, once")
    func stricter() {
        var scoring = scoring()
        #expect(scoring.score([intent])[0].payment?.verdict == .approve)
        let second = scoring.score([charge(country: "FR")])[0]
        #expect(second.payment?.verdict == .manualReview)
        #expect(scoring.score([intent, charge(country: "FR")]) == [ScoreOutcome(), ScoreOutcome()])
    }

    @Test("remembers no verdict: the same event and vector give the same again")
    func forgets() throws {
        let model = EchoModel(scores: [0.9, 0.9])
        let fresh = scoring(model)
        var (first, second) = (fresh, fresh)
        let event = charge(country: "FR")
        #expect(first.score([event]) == second.score([event]))
        #expect(first.features.snapshot() == second.features.snapshot())
        // What is kept of a movement does not depend on the verdict it was given.
        var mild = scoring(EchoModel(scores: [0.1, 0.1]))
        _ = mild.score([event])
        #expect(mild.features.snapshot() == first.features.snapshot())
    }

    @Test("a larger amount is judged again, a conflict passed on, and a repetition dropped")
    func tellings() {
        var scoring = scoring(EchoModel(scores: [0.1, 0.1, 0.1]))
        let first = charge(country: "DE")
        #expect(scoring.score([first])[0].payment != nil)
        #expect(scoring.score([first])[0].payment == nil)
        var larger = first
        larger.amount = MinorUnits(first.amount.rawValue + 1)
        let again = scoring.score([larger])[0]
        #expect(again.isRescore && again.payment?.event.amount == larger.amount)
        #expect(scoring.score([first, larger]).allSatisfy { $0.payment == nil })
        var conflict = first
        conflict.merchant = MerchantID("somebody_else")
        #expect(scoring.score([conflict])[0].payment?.verdict == .notScored)
    }

    @Test("gives a batch what it gives one by one, and across snapshots", arguments: UInt64(1)...6)
    func batches(seed: UInt64) throws {
        var stream = RandomStream(seed: seed)
        // Tellings of one movement agree on whose it is and in which currency.
        let events = stream.events(700).map { event in
            var event = event
            event.currency = Given.eur
            event.merchant = MerchantID("acct_\(event.movement.rawValue.utf8.count % 3)")
            return event
        }
        let model = try ModelLocation.embedded.load()
        func fresh(_ engine: FeatureEngine = FeatureEngine()) -> EmbeddedScoring {
            Scoring(
                features: engine,
                verdicts: Verdicts(
                    thresholds: ModelSchema.Thresholds(review: 0.01, block: 0.05)),
                model: model)
        }
        var single = fresh()
        let expected = events.flatMap { single.score([$0]) }
        var batched = fresh()
        var found: [ScoreOutcome] = []
        var rest = events[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...90, using: &stream.generator)
            found += batched.score(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            batched = fresh(try FeatureEngine(snapshot: batched.features.snapshot()))
        }
        #expect(found == expected, "seed \(seed)")
        // The stream must reach every verdict, or it proves less than it says.
        let verdicts = Set(expected.compactMap(\.payment?.verdict))
        #expect(verdicts == [.notScored, .approve, .manualReview, .block])
        #expect(expected.contains { $0.isRescore })
    }
}
