/// Where each group of consumers is in each topic: the offset of the record it reads next.
public final class CursorStore: Sendable {
    init() {}

    /// Durable when it returns. A first commit registers the group, which retention then respects.
    ///
    /// - Throws: `.offsetOutOfRange` beyond the topic's high watermark, and what an append throws.
    public func commit(_ offset: Offset, group: GroupName, topic: TopicName) async throws(LogError) {
        throw .closed
    }

    public func committed(group: GroupName, topic: TopicName) -> Offset? { nil }

    /// In the order of their names.
    public var groups: [GroupName] { [] }

    /// The group's cursors and how many records it has not read yet.
    public func positions(of group: GroupName) -> [TopicName: GroupPosition] { [:] }

    /// The smallest cursor any group has in the topic.
    public func smallest(in topic: TopicName) -> Offset? { nil }

    /// Forgets the group; retention no longer waits for it. Nothing happens if there is none.
    public func remove(group: GroupName) async throws(LogError) { throw .closed }
}

/// A group's place in a topic.
public struct GroupPosition: Hashable, Sendable {
    /// The offset of the record the group reads next.
    public var committed: Offset
    /// Records from there to the high watermark.
    public var lagRecords: Int64
    public init(committed: Offset, lagRecords: Int64) {
        self.committed = committed
        self.lagRecords = lagRecords
    }
}
