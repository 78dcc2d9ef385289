/// One topic: an append-only run of records, numbered from 0.
public final class Topic: Sendable {
    public let name: TopicName
    init(name: TopicName) { self.name = name }

    /// Appends the records; they are durable when it returns, at consecutive offsets.
    ///
    /// Records of one call that fit into one batch (`batchBytesMax`) survive a crash all or none.
    ///
    /// - Throws: `.queueFull`, `.diskFull` (both retryable), `.recordTooLarge`, `.tooManyRecords`,
    ///   `.poisoned`, `.closed`. Cancellation does not take back an append.
    public func append(_ records: [Record]) async throws(LogError) -> Range<Offset> { throw .closed }

    /// The same without a task: `completion` is called once, on the flusher's thread; be quick there.
    public func append(
        _ records: [Record],
        completion: @escaping @Sendable (Result<Range<Offset>, LogError>) -> Void
    ) { completion(.failure(.closed)) }

    /// Appends what a stage derived from a source topic, each source's outputs exactly once.
    ///
    /// Sources do not decrease, and one call holds all outputs of each of its sources. Records whose
    /// source the log already has from this producer are refused, which is counted and no error.
    /// A source's outputs survive a crash all or none.
    ///
    /// - Throws: as above, and `.sourcesOutOfOrder`, `.outputsTooLarge`.
    public func append(
        _ outputs: [SourcedRecord], producer: ProducerName
    ) async throws(LogError) -> AppendOutcome { throw .closed }

    /// The last source of which this topic durably has outputs by the producer; nil if there is none.
    public func lastSource(of producer: ProducerName) -> Offset? { nil }

    /// The first offset that is still kept.
    public var start: Offset { .zero }
    /// The offset after the last synced record; the next append's offset, unless more are queued.
    public var highWatermark: Offset { .zero }

    /// Synced records from `offset` on, of whole batches up to about `byteCountMax` but at least one.
    ///
    /// Empty at the high watermark.
    ///
    /// - Throws: `.offsetOutOfRange`, `.corrupt`, `.disk`, `.closed`.
    public func read(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredRecord] { throw .closed }

    /// The first offset whose record is stamped `timestamp` or later; nil if there is none.
    public func offset(at timestamp: Timestamp) throws(LogError) -> Offset? { nil }

    /// Returns when there is a record at `offset`, that is when the high watermark is past it.
    ///
    /// - Throws: `.cancelled`, `.closed`, `.poisoned`.
    public func waitForRecords(from offset: Offset) async throws(LogError) { throw .closed }

    /// Deletes segments that retention no longer keeps, and says how many.
    public func applyRetention() async throws(LogError) -> Int { throw .closed }

    /// The files of the topic, oldest first.
    public var segments: [SegmentSummary] { [] }
    /// Batches on disk, in bytes.
    public var byteCount: Int64 { 0 }
}

/// A segment file, as `tillbox log offsets` shows it.
public struct SegmentSummary: Hashable, Sendable {
    public var file: String
    public var baseOffset: Offset
    /// The offset after the segment's last record.
    public var end: Offset
    /// Batches, without preallocated space.
    public var byteCount: Int64
    public init(file: String, baseOffset: Offset, end: Offset, byteCount: Int64) {
        self.file = file
        self.baseOffset = baseOffset
        self.end = end
        self.byteCount = byteCount
    }
}
