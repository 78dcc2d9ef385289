import AppendLog
package import Vocabulary

/// `dead.letter` → the topic that a failed record came from: every order becomes one record there.
///
///     redrive ─▶ order in dead.letter ─▶ RedriveStage ─▶ webhook.received · payment.validated
///                (one a letter)          (one an order)   payment.scored · payment.review
///
/// An order's offset is the source of its record, and orders come in the order of their offsets,
/// whichever letters they are for. So the log itself refuses a second record of one order, however
/// often this stage repeats itself after a crash.
package struct RedriveStage: Stage {
    package init() {}

    package static let name = "redrive"
    package static let input = TopicID.deadLetter
    package static let outputs = [
        TopicID.webhookReceived, .paymentValidated, .paymentScored, .paymentReview,
    ]

    package mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        records.compactMap { placed in
            let stored = StoredRecord(offset: placed.place.offset, record: placed.record)
            guard let order = RedriveOrder(stored), let target = TopicID(rawValue: order.target),
                Self.outputs.contains(target)
            else { return nil }
            var record = placed.record
            record.headers.removeAll {
                $0.name == RedriveHeader.to || $0.name == SourcedRecord.headerName
                    || $0.name == "schema"
            }
            record.headers.append(RecordHeader("schema", Self.schema(of: target)))
            return StageOutput(topic: target, source: .record(placed.place), record: record)
        }
    }

    private static func schema(of target: TopicID) -> String {
        switch target {
        case .paymentValidated: "\(PaymentEvent.schema)"
        case .paymentScored: "\(ScoredPayment.schema)"
        case .paymentReview: "\(ReviewRecord.schema)"
        default: "\(target.rawValue)/1"
        }
    }
}
