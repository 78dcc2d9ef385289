package import AppendLog
package import Vocabulary

/// `dead.letter` → the topic that a failed record came from: every order becomes one record there.
///
///     redrive ─▶ order in dead.letter ─▶ RedriveStage ─▶ webhook.received · payment.validated
///                (one a letter)          (one an order)   payment.scored · payment.review
///
/// An order's offset is the source of its record, and orders come in the order of their offsets,
/// whichever letters they are for. So the log itself refuses a second record of one order, however
/// often this stage repeats itself after a crash. At Kafka there is no such step: whoever writes an
/// order writes its record with it.
package struct RedriveStage: Stage {
    package init() {}

    package static let name = "redrive"
    package static let input = TopicID.deadLetter
    package static let outputs = [
        TopicID.webhookReceived, .paymentValidated, .paymentScored, .paymentReview,
    ]

    package mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        records.compactMap { placed in
            guard let (topic, record) = Self.returned(by: placed.record, to: Self.outputs) else {
                return nil
            }
            return StageOutput(topic: topic, source: .record(placed.place), record: record)
        }
    }

    /// Nothing waits for it: an order's record follows from its own bytes.
    package mutating func finished() {}

    /// What an order sends back, still without its source; nil for what is no order to one of these
    /// topics: a dead letter, or the mark of a delivery that went through the admission.
    package static func returned(
        by order: Record, to targets: [TopicID]
    ) -> (topic: TopicID, record: Record)? {
        guard RedriveHeader.letter(of: order) != nil,
            let target = order.text(RedriveHeader.to).flatMap({ TopicID(rawValue: $0) }),
            targets.contains(target)
        else { return nil }
        var record = order
        record.headers.removeAll {
            $0.name == RedriveHeader.to || $0.name == SourcedRecord.headerName
                || $0.name == "schema"
        }
        record.headers.append(RecordHeader("schema", schema(of: target)))
        return (target, record)
    }

    private static func schema(of target: TopicID) -> String {
        switch target {
        case .paymentValidated: "\(PaymentEvent.schema)"
        case .paymentFeatures: "\(FeaturesRecord.schema)"
        case .paymentScored: "\(ScoredPayment.schema)"
        case .paymentReview: "\(ReviewRecord.schema)"
        default: "\(target.rawValue)/1"
        }
    }
}
