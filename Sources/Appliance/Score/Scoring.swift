import Vocabulary

/// What one event led to. Everything nil means that a verdict on the movement already stands.
struct ScoreOutcome: Hashable, Sendable {
    /// For `payment.features`, from whoever computes them.
    var features: FeatureVector?
    /// For `payment.scored`.
    var payment: ScoredPayment?
    /// The movement had been judged before, and this event knew more.
    var isRescore = false
}

/// The way of payments from validated to scored: their features from the source, then one call of
/// the model for the whole batch, then verdicts in order.
///
/// A movement is scored when first seen, and again by a better informed event or by one that tells
/// of more money. Nothing is remembered of a verdict: which of several stands, and whether a review
/// is open, the ledger alone says (`Standing`).
package struct Scoring<Source: FeatureSource>: Sendable {
    var source: Source
    let verdicts: Verdicts
    /// nil where no model could be loaded: everything goes to review, `model_unavailable`.
    let model: (any RiskModel)?

    package init(source: Source, verdicts: Verdicts, model: (any RiskModel)?) {
        self.source = source
        self.verdicts = verdicts
        self.model = model
    }

    /// One payment on its way to a verdict.
    private struct Judgement {
        var reading: FeatureReading
        var isRescore: Bool
        var decision: Verdicts.Decision
        var score: Double?
        var contributions: [Float]?
    }

    /// Judges a batch, given what the source said to it: as many outcomes as events, in their
    /// order, the same as one by one. Pure.
    func judge(_ events: [PaymentEvent], by answers: [FeatureAnswer]) -> [ScoreOutcome] {
        precondition(
            events.count == answers.count, "\(answers.count) answers to \(events.count) events")
        let scores = predict(answers)
        var judgements = decide(events, answers, scores)
        explain(&judgements)
        return events.indices.map { place in
            switch answers[place] {
            case .repeated: ScoreOutcome()
            case .unscored: Self.passThrough(events[place])
            case .judge: conclude(events[place], judgements[place])
            }
        }
    }

    /// The scores by the place of their event; empty where the model is not there or fails.
    private func predict(_ answers: [FeatureAnswer]) -> [Float?] {
        var scores = [Float?](repeating: nil, count: answers.count)
        var vectors: [FeatureVector] = []
        var places: [Int] = []
        for (place, answer) in answers.enumerated() {
            guard case .judge(let reading, _) = answer, let vector = reading.vector else {
                continue
            }
            vectors.append(vector)
            places.append(place)
        }
        guard let model, !vectors.isEmpty, let found = try? model.predict(vectors) else {
            return scores
        }
        precondition(found.count == places.count, "\(found.count) scores for \(places.count)")
        for (place, score) in zip(places, found) { scores[place] = score }
        return scores
    }

    private func decide(
        _ events: [PaymentEvent], _ answers: [FeatureAnswer], _ scores: [Float?]
    ) -> [Judgement?] {
        events.indices.map { place in
            guard case .judge(let reading, let isRescore) = answers[place] else { return nil }
            let score = scores[place].map(Double.init)
            return Judgement(
                reading: reading, isRescore: isRescore,
                decision: verdicts.decide(events[place], reading: reading, score: score),
                score: score, contributions: nil)
        }
    }

    /// Fills in the contributions of what is not approved, all in one call.
    private func explain(_ judgements: inout [Judgement?]) {
        var vectors: [FeatureVector] = []
        var places: [Int] = []
        for (place, judgement) in judgements.enumerated() {
            guard let judgement, judgement.decision.verdict > .approve, judgement.score != nil,
                let vector = judgement.reading.vector
            else { continue }
            vectors.append(vector)
            places.append(place)
        }
        // Without contributions the verdict stands on its score; only the reasons are shorter.
        guard let model, !vectors.isEmpty, let rows = try? model.contributions(vectors) else {
            return
        }
        for (place, row) in zip(places, rows) { judgements[place]?.contributions = row }
    }

    private func conclude(_ event: PaymentEvent, _ judgement: Judgement?) -> ScoreOutcome {
        guard let judgement else { return ScoreOutcome() }
        let verdict = judgement.decision.verdict
        let vector = judgement.reading.vector
        let reasons = Verdicts.reasons(
            rules: judgement.decision.rules, vector: vector,
            contributions: judgement.contributions)
        let payment = ScoredPayment(
            event: event, verdict: verdict, score: judgement.score, reasons: reasons,
            model: judgement.score == nil ? nil : model?.version, featuresAsOf: vector?.asOf)
        return ScoreOutcome(
            features: vector, payment: payment, isRescore: judgement.isRescore)
    }

    private static func passThrough(_ event: PaymentEvent) -> ScoreOutcome {
        ScoreOutcome(
            payment: ScoredPayment(
                event: event, verdict: .notScored, score: nil, reasons: [], model: nil,
                featuresAsOf: nil))
    }
}

typealias EmbeddedScoring = Scoring<EmbeddedFeatures>

extension Scoring where Source == EmbeddedFeatures {
    package init(
        features: FeatureEngine = FeatureEngine(), verdicts: Verdicts, model: (any RiskModel)?
    ) {
        self.init(source: EmbeddedFeatures(features), verdicts: verdicts, model: model)
    }

    var features: FeatureEngine { source.engine }

    /// Takes a batch in, and judges it.
    mutating func score(_ events: [PaymentEvent]) -> [ScoreOutcome] {
        let answers = source.readings(for: events)
        return judge(events, by: answers)
    }
}
