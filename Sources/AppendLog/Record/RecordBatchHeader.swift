/// The fixed part of a record batch, decoded: everything but the records.
public struct RecordBatchHeader: Hashable, Sendable {
    /// The offset from which the records' offsets are counted. Not negative.
    ///
    /// After a compaction the record at this very offset may be gone.
    public var baseOffset: Offset
    /// The whole batch in bytes, with the prefix that holds offset and length. At least 61.
    public var byteCount: Int
    /// Which leader of a replicated partition appended it; 0 in a log that has no replicas.
    public var partitionLeaderEpoch: Int32
    /// The version of the format; always 2 here.
    public var magic: Int8
    /// CRC-32C of everything from the attributes on, as stored; `RecordBatch.verify` compares it.
    public var crc: UInt32
    public var attributes: RecordBatchAttributes
    /// Last offset minus base offset. Not negative; `recordCount` − 1 or, after a compaction, more.
    public var lastOffsetDelta: Int32
    /// What the records' timestamps are counted from: usually the first record's.
    public var baseTimestamp: Timestamp
    /// The latest of the records' timestamps or, with `.logAppend`, that of all of them.
    public var maxTimestamp: Timestamp
    /// nil if the batch came from a producer without an identity.
    public var producer: ProducerStamp?
    /// How many records follow. 0 in a batch that a compaction has emptied.
    public var recordCount: Int

    /// The offset of the last record the batch was written with.
    public var lastOffset: Offset { baseOffset.advanced(by: Int64(lastOffsetDelta)) }

    /// The offset at which the next batch may begin.
    public var nextOffset: Offset { lastOffset.advanced(by: 1) }
}

/// The flags of a batch.
///
/// ```
/// bit    0…2  compression   0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
///          3  timestamps    0 the writers', 1 the log's at the append
///          4  transactional
///          5  control       a marker of Kafka's own, not for applications
///          6  base timestamp is the moment from which tombstones may be deleted
///       7…15  unused; ignored
/// ```
public struct RecordBatchAttributes: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public var compression: CompressionCodec { CompressionCodec(bits: UInt8(rawValue & 0b111)) }

    public var timestampType: TimestampType { rawValue & (1 << 3) == 0 ? .create : .logAppend }

    /// Whether the batch belongs to a transaction, which a control batch later commits or aborts.
    public var isTransactional: Bool { rawValue & (1 << 4) != 0 }

    /// Whether the batch holds Kafka's own commit and abort markers. Readers skip such a batch.
    public var isControl: Bool { rawValue & (1 << 5) != 0 }

    /// Whether a compaction put its delete horizon into the base timestamp (KIP-534). The records'
    /// timestamps are counted from it all the same.
    public var hasDeleteHorizon: Bool { rawValue & (1 << 6) != 0 }
}

/// Whose clock stamped a batch's records.
public enum TimestampType: Hashable, Sendable {
    /// The writer's, record by record.
    case create
    /// The log's, one moment for the whole batch.
    case logAppend
}
