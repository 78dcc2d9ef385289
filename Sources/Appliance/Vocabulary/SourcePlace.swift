import AppendLog

/// The topics of contracts §2.
enum TopicID: String, CaseIterable, Sendable {
    case webhookReceived = "webhook.received"
    case paymentValidated = "payment.validated"
    case paymentFeatures = "payment.features"
    case paymentScored = "payment.scored"
    case paymentReview = "payment.review"
    case ledgerPosted = "ledger.posted"
    case deadLetter = "dead.letter"
}

extension TopicID: Comparable {
    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A place among the records of all topics. An offset counts within one partition of one topic, so
/// that alone it names nothing.
struct SourcePlace: Hashable, Comparable, Sendable {
    var topic: TopicID
    /// 0 in the embedded log, whose topics have one.
    var partition: Int32 = 0
    var offset: Offset

    /// The place right behind this one.
    var next: Self { Self(topic: topic, partition: partition, offset: offset.advanced(by: 1)) }

    static func < (left: Self, right: Self) -> Bool {
        (left.topic, left.partition, left.offset) < (right.topic, right.partition, right.offset)
    }
}

extension SourcePlace: CustomStringConvertible {
    var description: String {
        partition == 0 ? "\(topic.rawValue)/\(offset)" : "\(topic.rawValue)/\(partition)/\(offset)"
    }
}

/// A record where it lies.
struct PlacedRecord: Sendable {
    var place: SourcePlace
    var record: Record
}
