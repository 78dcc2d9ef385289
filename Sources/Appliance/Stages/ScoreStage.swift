import AppendLog
import Vocabulary

/// `payment.validated` → `payment.features`, `payment.scored`.
struct ScoreStage: Stage {
    static let name = "score"
    static let input = TopicID.paymentValidated
    static let outputs = [TopicID.paymentFeatures, .paymentScored, .deadLetter]

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

    mutating func process(_ records: [StoredRecord]) -> [StageOutput] {
        var outputs: [StageOutput] = []
        var sources: [StoredRecord] = []
        var events: [PaymentEvent] = []
        for stored in records {
            do {
                events.append(try PaymentEvent(stored.record.value ?? [], using: document))
                sources.append(stored)
            } catch {
                counters.add(.deadLetters)
                outputs.append(.undecodable(stored, topic: Self.input, stage: Self.name, error))
            }
        }
        let outcomes = scoring.score(events)
        // The snapshot carries the place in the log that it is the state of.
        scoring.features.position =
            records.last.map { $0.offset.rawValue + 1 } ?? scoring.features.position
        for (place, outcome) in outcomes.enumerated() {
            emit(outcome, of: events[place], from: sources[place], into: &outputs)
        }
        return outputs
    }

    func snapshot() -> [UInt8]? { scoring.features.snapshot() }

    private func emit(
        _ outcome: ScoreOutcome, of event: PaymentEvent, from stored: StoredRecord,
        into outputs: inout [StageOutput]
    ) {
        if outcome.payment == nil { counters.add(.repeated) }
        if let vector = outcome.features {
            let record = FeaturesRecord(
                eventID: event.eventID, objectID: event.objectID, schemaVersion: schemaVersion,
                vector: vector)
            outputs.append(
                derived(.paymentFeatures, SchemaHeader.paymentFeatures, from: stored, event, record))
        }
        if let payment = outcome.payment {
            count(payment, isRescore: outcome.isRescore)
            outputs.append(
                derived(.paymentScored, SchemaHeader.paymentScored, from: stored, event, payment))
        }
    }

    private func derived(
        _ topic: TopicID, _ schema: RecordHeader, from stored: StoredRecord, _ event: PaymentEvent,
        _ value: some JSONRecord
    ) -> StageOutput {
        .derived(
            topic: topic, from: stored, eventID: event.eventID,
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

extension StageOutput {
    /// A dead letter for a record of ours that cannot be read: damage, or a newer writer.
    static func undecodable(
        _ stored: StoredRecord, topic: TopicID, stage: String, _ error: RecordCodecError
    ) -> StageOutput {
        let letter = DeadLetter(
            topic: topic.rawValue, offset: stored.offset, stage: stage, reason: "record_malformed",
            detail: "\(error)")
        return StageOutput(
            topic: .deadLetter, source: stored.offset,
            record: letter.record(of: stored))
    }
}
