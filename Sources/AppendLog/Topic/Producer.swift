/// The name of a producer: a stage that appends what it derives from another topic.
public struct ProducerName: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// - Throws: `.invalidName` unless it has 1 to 255 bytes.
    public init(_ rawValue: String) throws(LogError) {
        guard (1...Limits.nameBytesMax).contains(rawValue.utf8.count) else {
            throw .invalidName(rawValue)
        }
        self.rawValue = rawValue
    }

    /// The producer id in batch headers: FNV-1a of the name, 63 bits.
    ///
    /// A pure function of the name, so that a log alone tells what each producer has written.
    public var id: Int64 {
        Int64(bitPattern: FNV1a.digest(of: rawValue.utf8) & 0x7FFF_FFFF_FFFF_FFFF)
    }

    public var description: String { rawValue }
}

/// A record and the offset of the source record that it was derived from.
///
/// The log adds the header `source-offset`, in decimal digits, unless the record has one.
public struct SourcedRecord: Hashable, Sendable {
    public var source: Offset
    public var record: Record

    public init(source: Offset, record: Record) {
        self.source = source
        self.record = record
    }

    /// The name of the header that carries the source offset, in decimal digits.
    public static let headerName = "source-offset"
}

/// What became of an append by a producer.
public struct AppendOutcome: Hashable, Sendable {
    /// The offsets of the records that were appended; empty, at the high watermark, if none was.
    public var appended: Range<Offset>
    /// How many records were refused because the log had their sources already.
    public var refusedCount: Int

    public init(appended: Range<Offset>, refusedCount: Int) {
        self.appended = appended
        self.refusedCount = refusedCount
    }
}
