import Vocabulary

/// Where scoring takes the features from.
enum FeatureSource: Sendable {
    /// The embedded engine, on the same record.
    case embedded
    /// None. Every payment goes to manual review with the reason `features_missing`.
    case unavailable
}

/// What one event led to. Everything nil means that a verdict on the movement already stands.
struct ScoreOutcome: Hashable, Sendable {
    /// For `payment.features`.
    var features: FeatureVector?
    /// For `payment.scored`.
    var payment: ScoredPayment?
    /// The movement had been judged before, and this event knew more.
    var isRescore = false
}

/// The way of payments from validated to scored: features one by one in log order, then one call
/// of the model for the whole batch, then verdicts in order. Does no input or output.
///
/// A movement is scored when first seen, and again by a better informed event or by one that tells
/// of more money. Nothing is remembered of a verdict: which of several stands, and whether a review
/// is open, the ledger alone says (`Standing`).
struct Scoring: Sendable {
    /// Knows who has been counted even when it is not the source of features.
    var features: FeatureEngine
    let source: FeatureSource
    let verdicts: Verdicts
    /// nil where no model could be loaded: everything goes to review, `model_unavailable`.
    let model: (any RiskModel)?

    init(
        features: FeatureEngine = FeatureEngine(), source: FeatureSource = .embedded,
        verdicts: Verdicts, model: (any RiskModel)?
    ) {
        self.features = features
        self.source = source
        self.verdicts = verdicts
        self.model = model
    }

    /// What an event needs, once its features are known.
    private enum Plan {
        case nothing
        case passThrough
        case judge(FeatureReading, isRescore: Bool)
    }

    /// One payment on its way to a verdict.
    private struct Judgement {
        var reading: FeatureReading
        var isRescore: Bool
        var decision: Verdicts.Decision
        var score: Double?
        var contributions: [Float]?
    }

    /// Scores a batch: as many outcomes as events, in their order, the same as one by one.
    mutating func score(_ events: [PaymentEvent]) -> [ScoreOutcome] {
        let plans = events.map { plan($0) }
        let scores = predict(plans)
        var judgements = judge(events, plans: plans, scores: scores)
        explain(&judgements)
        return events.indices.map { place in
            switch plans[place] {
            case .nothing: ScoreOutcome()
            case .passThrough: Self.passThrough(events[place])
            case .judge: conclude(events[place], judgements[place])
            }
        }
    }

    private mutating func plan(_ event: PaymentEvent) -> Plan {
        let telling = event.kind == .payment ? features.telling(of: event) : .first
        // Not for scoring to decide: the ledger refuses the second of two that do not agree.
        if telling == .conflicting { return .passThrough }
        let observation = features.observe(event)
        guard observation == .alreadyScored else { return plan(observation) }
        guard telling == .larger else { return .nothing }
        // More is captured than was known: judged again, by what was known of it.
        guard let vector = features.vector(of: event.movement) else {
            return .judge(.missing, isRescore: true)
        }
        return plan(.score(vector, isRescore: true))
    }

    private func plan(_ observation: FeatureEngine.Observation) -> Plan {
        switch observation {
        case .alreadyScored: .nothing
        case .counted: .passThrough
        case .missing: .judge(.missing, isRescore: false)
        case .score(let vector, let isRescore):
            .judge(source == .embedded ? .fresh(vector) : .missing, isRescore: isRescore)
        }
    }

    /// The scores by the place of their event; empty where the model is not there or fails.
    private func predict(_ plans: [Plan]) -> [Float?] {
        var scores = [Float?](repeating: nil, count: plans.count)
        var vectors: [FeatureVector] = []
        var places: [Int] = []
        for (place, plan) in plans.enumerated() {
            guard case .judge(let reading, _) = plan, let vector = reading.vector else { continue }
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

    private func judge(
        _ events: [PaymentEvent], plans: [Plan], scores: [Float?]
    ) -> [Judgement?] {
        events.indices.map { place in
            guard case .judge(let reading, let isRescore) = plans[place] else { return nil }
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
