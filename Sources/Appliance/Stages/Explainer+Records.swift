import AppendLog
import Vocabulary

/// Which records led to a transaction.
extension Explainer {
    typealias Found = (
        received: RecordFinder.Search, validated: RecordFinder.Search, scored: RecordFinder.Search
    )

    /// Where each record names the one that it follows from.
    func records(
        of event: String, _ keys: [MovementKey], stampedBy moment: Timestamp
    ) throws -> Found {
        let isMovement: (StoredRecord) -> RecordFinder.Fit = { fit($0, event, keys) }
        let scored = try finder.find(
            in: .paymentScored, of: event, stampedBy: moment, isMovement)
        let validated = try scored.record.map {
            try finder.source(
                of: $0.record, in: .paymentValidated, stampedBy: moment, isMovement)
        } ?? (try finder.find(in: .paymentValidated, of: event, stampedBy: moment, isMovement))
        let received = try validated.record.map {
            try finder.source(
                of: $0.record, in: .webhookReceived, stampedBy: moment, Self.isOf(event))
        } ?? (try finder.find(
            in: .webhookReceived, of: event, stampedBy: moment, Self.isOf(event)))
        return (received, validated, scored)
    }

    /// Where partitions are found by keys: the webhook's is the event, and its bytes tell the key
    /// of what was made of it.
    func keyedRecords(
        of event: String, _ keys: [MovementKey], stampedBy moment: Timestamp
    ) throws -> Found {
        let received = try finder.find(
            in: .webhookReceived, of: event, stampedBy: moment, Self.isOf(event))
        let movements = received.record.map { told.movements(in: $0.record.value ?? []) } ?? []
        let own = movements.first { keys.contains($0.event.movement) } ?? movements.first
        // Without the webhook: what has neither customer nor card is under its own id.
        let id = keys.first?.rawValue.split(separator: ":").last.map { String($0) }
        let key = own?.event.orderingKey ?? id ?? event
        let isMovement: (StoredRecord) -> RecordFinder.Fit = { fit($0, event, keys) }
        return (
            received,
            try finder.find(in: .paymentValidated, of: key, stampedBy: moment, isMovement),
            try finder.find(in: .paymentScored, of: key, stampedBy: moment, isMovement)
        )
    }

    private static func isOf(_ event: String) -> (StoredRecord) -> RecordFinder.Fit {
        { $0.record.key?.elementsEqual(event.utf8) == true ? .exactly : .not }
    }

    /// How well a record of a movement fits: both the event and the movement, or the event alone.
    func fit(
        _ stored: StoredRecord, _ event: String, _ keys: [MovementKey]
    ) -> RecordFinder.Fit {
        guard stored.record.header("event-id")?.elementsEqual(event.utf8) == true else {
            return .not
        }
        let movement = try? document.parse(stored.record.value ?? [])["movement"]?.string
        return keys.contains { $0.rawValue == movement } ? .exactly : .perhaps
    }

    /// The movements under which an event may have told what was booked.
    static func keysTold(by posting: Posting) -> [MovementKey] {
        let key = posting.movement.rawValue
        guard posting.kind.isInternal else { return [posting.movement] }
        let rest = key.dropFirst(posting.kind.name.count + 1).prefix { $0 != "#" }
        return rest.contains(":")
            ? [MovementKey(String(rest))]
            : ["refund:", "refund_failed:"].map { MovementKey($0 + rest) }
    }

    // MARK: Decisions

    /// The decision that a transaction books, with its record.
    func decision(
        behind posting: Posting, _ faults: inout [String]
    ) throws -> ExplainedDecision? {
        let state: ReviewState
        switch posting.kind {
        case .reviewApproved: state = .approved
        case .reviewDeclined: state = .declined
        default: return nil
        }
        guard let payment = Self.keysTold(by: posting).first,
            let placed = try ledger.decisions(on: payment).first(where: {
                $0.tookEffect && $0.record.state == state
            })
        else { return nil }
        let offset = Offset(placed.place.decision)
        let lane = SourceLane(topic: .paymentReview, partition: placed.place.partition)
        var point = TrailPoint(
            topic: lane.topic, partition: finder.isKeyed ? lane.partition : nil, state: .noLog)
        if let reader = try finder.reader(lane) {
            let record = try reader.record(at: offset)
            point.state =
                record != nil
                ? .at(offset)
                : offset < reader.start ? .removed(begins: reader.start) : .missing
            let told = record.flatMap { try? ReviewRecord($0.value ?? [], using: document) }
            let agrees =
                told.map {
                    $0.movement == payment && $0.state == state && $0.by == placed.record.by
                } ?? (record == nil)
            if point.state == .missing || !agrees {
                faults.append(
                    "payment.review/\(offset) does not hold the decision on \(payment) that the "
                        + "ledger took from there")
            }
        }
        return ExplainedDecision(record: placed.record, point: point)
    }
}
