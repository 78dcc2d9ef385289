import AppendLog

/// `payment.validated` → `payment.features`, `payment.scored`, `payment.review`.
struct ScoreStage: Stage {
    static let name = "score"
    static let input = TopicID.paymentValidated
    static let outputs = [
        TopicID.paymentFeatures, .paymentScored, .paymentReview, .deadLetter,
    ]

    private var scoring: Scoring
    private let schemaVersion: String
    private let document = JSONDocument()
    private let counters: Counters

    /// - Parameter schemaVersion: the model schema's version, as `payment.features` names it.
    init(scoring: Scoring, schemaVersion: String, counters: Counters) {
        self.scoring = scoring
        self.schemaVersion = schemaVersion
        self.counters = counters
    }

    mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        var outputs: [StageOutput] = []
        var sources: [PlacedRecord] = []
        var events: [PaymentEvent] = []
        for placed in records {
            do {
                events.append(try PaymentEvent(placed.record.value ?? [], using: document))
                sources.append(placed)
            } catch {
                counters.add(.deadLetters)
                outputs.append(.undecodable(placed, stage: Self.name, error))
            }
        }
        let outcomes = scoring.score(events)
        // The snapshot carries the place in the log that it is the state of.
        scoring.features.position =
            records.last.map { $0.place.next.offset.rawValue } ?? scoring.features.position
        for (place, outcome) in outcomes.enumerated() {
            emit(outcome, of: events[place], from: sources[place], into: &outputs)
        }
        return outputs
    }

    func snapshot() -> StageState? {
        let frozen = scoring.features.frozen()
        return StageState { frozen.encoded() }
    }

    private func emit(
        _ outcome: ScoreOutcome, of event: PaymentEvent, from placed: PlacedRecord,
        into outputs: inout [StageOutput]
    ) {
        if outcome.payment == nil { counters.add(.repeated) }
        if let vector = outcome.features {
            let record = FeaturesRecord(
                eventID: event.eventID, objectID: event.objectID, schemaVersion: schemaVersion,
                vector: vector)
            outputs.append(
                derived(.paymentFeatures, SchemaHeader.paymentFeatures, from: placed, event, record))
        }
        if let payment = outcome.payment {
            count(payment, isRescore: outcome.isRescore)
            outputs.append(
                derived(.paymentScored, SchemaHeader.paymentScored, from: placed, event, payment))
        }
        if let review = outcome.review {
            if review.state == .opened { counters.add(.reviewsOpened) }
            outputs.append(
                derived(.paymentReview, SchemaHeader.paymentReview, from: placed, event, review))
        }
    }

    private func derived(
        _ topic: TopicID, _ schema: RecordHeader, from placed: PlacedRecord, _ event: PaymentEvent,
        _ value: some JSONRecord
    ) -> StageOutput {
        .derived(
            topic: topic, from: placed, eventID: event.eventID,
            schema: schema, key: event.orderingKey, value: value.encoded())
    }

    private func count(_ payment: ScoredPayment, isRescore: Bool) {
        counters.add(.scored)
        if isRescore { counters.add(.rescored) }
        switch payment.verdict {
        case .notScored: counters.add(.notScored)
        case .approve: counters.add(.approved)
        case .manualReview: counters.add(.flagged)
        case .block: counters.add(.blocked)
        }
    }
}
