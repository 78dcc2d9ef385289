public import AppendLog

/// One partition of a topic.
public struct KafkaPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var topic: String
    /// From 0.
    public var number: Int32

    public init(_ topic: String, _ number: Int32) {
        self.topic = topic
        self.number = number
    }

    public static func < (one: Self, other: Self) -> Bool {
        (one.topic, one.number) < (other.topic, other.number)
    }

    public var description: String { "\(topic)[\(number)]" }
}

/// Where reading a partition begins.
public enum KafkaStart: Hashable, Sendable {
    /// The next to read. One that the partition does not have is an error, never a jump.
    case offset(Offset)
    /// The oldest record that is kept.
    case beginning
    /// What is written from now on.
    case end
}

/// Records of one partition, in order. Their keys, values and headers share one piece of memory.
///
/// Offsets need not be dense: transactions leave markers between them.
public struct KafkaBatch: Sendable {
    public var partition: KafkaPartition
    public var records: [StoredRecord]
    /// Keys, values and values of headers together.
    public var byteCount: Int

    /// The offset behind the last record: what a consumer of this batch commits.
    public var next: Offset {
        records.last.map { $0.offset.advanced(by: 1) } ?? .zero
    }
}

/// A record on its way to Kafka.
public struct KafkaOutgoing: Sendable {
    public var record: Record
    public var topic: String
    /// nil lets `KafkaPartitioner` choose by the key.
    public var partition: Int32?
    /// Headers beside the record's own, behind them, so that a record that was read is passed on
    /// without being taken apart.
    public var extraHeaders: [RecordHeader]

    public init(
        _ record: Record, to topic: String, partition: Int32? = nil,
        extraHeaders: [RecordHeader] = []
    ) {
        self.record = record
        self.topic = topic
        self.partition = partition
        self.extraHeaders = extraHeaders
    }
}
