/// A log folder seen from outside: no lock, no writes.
public struct ReadOnlyLog: Sendable {
    public var topics: [ReadOnlyTopic] { [] }
    public func topic(_ name: TopicName) -> ReadOnlyTopic? { nil }
    /// The groups' cursors, read from the folder.
    public var cursors: [GroupName: [TopicName: Offset]] { [:] }

    /// Checks every batch of every topic: checksums, dense offsets, agreement of the indexes, and
    /// that each producer's sources increase.
    ///
    /// - Returns: counts, and the first bad place of each topic that has one.
    public func verify(
        progress: (VerificationProgress) -> Void = { _ in }
    ) throws(LogError) -> VerificationReport { throw .closed }
}

/// A topic seen from outside.
public final class ReadOnlyTopic: Sendable {
    public let name: TopicName
    init(name: TopicName) { self.name = name }
    public var start: Offset { .zero }
    /// The offset after the last whole batch found; a running writer may not have synced it yet.
    public var end: Offset { .zero }
    public var segments: [SegmentSummary] { [] }
    public func read(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredRecord] { [] }
    public func offset(at timestamp: Timestamp) throws(LogError) -> Offset? { nil }
    /// Looks for batches that were appended since.
    public func refresh() throws(LogError) {}
}

public struct VerificationProgress: Sendable {
    public var topic: TopicName
    public var bytesDone: Int64
    public var bytesTotal: Int64
}

public struct VerificationReport: Sendable {
    public var batchCount = 0
    public var recordCount = 0
    public var byteCount: Int64 = 0
    /// Empty if all is well.
    public var corruptions: [Corruption] = []
}
