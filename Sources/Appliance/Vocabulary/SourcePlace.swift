package import AppendLog

/// The topics of contracts §2.
package enum TopicID: String, CaseIterable, Sendable {
    case webhookReceived = "webhook.received"
    case paymentValidated = "payment.validated"
    case paymentFeatures = "payment.features"
    case paymentScored = "payment.scored"
    case paymentReview = "payment.review"
    case ledgerPosted = "ledger.posted"
    case deadLetter = "dead.letter"
}

extension TopicID: Comparable {
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A place among the records of all topics. An offset counts within one partition of one topic, so
/// that alone it names nothing.
package struct SourcePlace: Hashable, Comparable, Sendable {
    package var topic: TopicID
    /// 0 in the embedded log, whose topics have one.
    package var partition: Int32 = 0
    package var offset: Offset

    package init(topic: TopicID, partition: Int32 = 0, offset: Offset) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    package var lane: SourceLane { SourceLane(topic: topic, partition: partition) }

    /// The place right behind this one.
    package var next: Self {
        Self(topic: topic, partition: partition, offset: offset.advanced(by: 1))
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.topic, left.partition, left.offset) < (right.topic, right.partition, right.offset)
    }
}

extension SourcePlace: CustomStringConvertible {
    package var description: String {
        partition == 0 ? "\(topic.rawValue)/\(offset)" : "\(topic.rawValue)/\(partition)/\(offset)"
    }
}

/// One partition of one topic: what has an order, and what one instance of a step reads at a time.
package struct SourceLane: Hashable, Comparable, Sendable {
    package var topic: TopicID
    package var partition: Int32

    package init(topic: TopicID, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}
