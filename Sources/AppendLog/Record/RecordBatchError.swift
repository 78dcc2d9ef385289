/// Why some bytes cannot be read as a record batch.
///
/// Positions count bytes from the start of the batch.
public enum RecordBatchError: Error, Hashable, Sendable {
    /// The batch is longer than the bytes that are there.
    case truncated(needed: Int, available: Int)
    /// A batch of another version; 0 and 1 are Kafka's message sets from before version 0.11.
    case unsupportedMagic(Int8)
    /// The bytes are not those that were written.
    case checksumMismatch(stored: UInt32, computed: UInt32)
    /// The records are compressed. Nothing is wrong with the batch.
    case unsupportedCompression(CompressionCodec)
    /// A field says something that cannot be, at that byte.
    case malformed(RecordBatchField, at: Int)

    /// Whether the same call can succeed with more bytes of the same file. The others never do.
    public var isRetryable: Bool {
        if case .truncated = self { return true }
        return false
    }
}

/// A field of a record batch, as docs/formats/log.md names it.
public enum RecordBatchField: String, Hashable, Sendable, CaseIterable {
    // Of the batch.
    case baseOffset, batchLength, lastOffsetDelta, producerID, recordCount
    // Of a record.
    case recordLength, timestampDelta, offsetDelta, keyLength, valueLength, headerCount
    // Of a record's header.
    case headerNameLength, headerName, headerValueLength
    /// Bytes after the last record.
    case trailingBytes
}

/// How the records of a batch are compressed: bits 0…2 of its attributes.
public enum CompressionCodec: Hashable, Sendable, CustomStringConvertible {
    case none, gzip, snappy, lz4, zstd
    /// 5, 6 or 7, to which Kafka has given no meaning.
    case unassigned(UInt8)

    init(bits: UInt8) {
        switch bits {
        case 0: self = .none
        case 1: self = .gzip
        case 2: self = .snappy
        case 3: self = .lz4
        case 4: self = .zstd
        default: self = .unassigned(bits)
        }
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        case .unassigned(let bits): "unassigned codec \(bits)"
        }
    }
}
