internal import Synchronization

/// Where each group of consumers is in each topic: the offset of the record it reads next.
///
/// The cursors live in a topic of their own, `__cursors`, so they are durable, checked and
/// recovered as any record is. A record's key is `<topic>/<group>`, its value the offset in decimal
/// digits, or null once the group is removed; the last record of a key counts. When that topic has
/// grown by a segment, all cursors are written once more and what lies before is deleted.
public final class CursorStore: Sendable {
    struct Key: Hashable, Sendable, Comparable {
        var topic: TopicName
        var group: GroupName

        static func < (left: Self, right: Self) -> Bool {
            (left.topic, left.group) < (right.topic, right.group)
        }
    }

    private struct State {
        /// What is durable.
        var cursors: [Key: Offset] = [:]
        /// What is on its way, in the order in which it was appended.
        var pending: [UInt64: [(key: Key, offset: Offset?)]] = [:]
        var ticket: UInt64 = 0
        var isCompacting = false
    }

    private let topic: Topic
    private let clock: any LogClock
    /// The high watermark of a topic; nil if there is none of that name.
    private let highWatermark: @Sendable (TopicName) -> Offset?
    private let state: Mutex<State>

    init(
        topic: Topic, clock: any LogClock,
        highWatermark: @escaping @Sendable (TopicName) -> Offset?
    ) throws(LogError) {
        self.topic = topic
        self.clock = clock
        self.highWatermark = highWatermark
        var next = topic.start
        var loaded = State()
        while next < topic.highWatermark {
            for stored in try topic.read(from: next) {
                next = stored.offset.advanced(by: 1)
                guard let (key, offset) = Self.decode(stored.record) else { continue }
                loaded.cursors[key] = offset
            }
        }
        state = Mutex(loaded)
    }

    /// Durable when it returns. A first commit registers the group, which retention then respects.
    ///
    /// Cursors may go back as well as forward.
    ///
    /// - Throws: `.offsetOutOfRange` beyond the topic's high watermark or in a topic that is not
    ///   there,
    ///   and what an append throws.
    public func commit(
        _ offset: Offset, group: GroupName, topic: TopicName
    ) async throws(LogError) {
        // SAFETY: `commit(_:group:topic:completion:)` calls its completion exactly once.
        let result: Result<Void, LogError> = await withUnsafeContinuation { continuation in
            commit(offset, group: group, topic: topic) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// The same without a task.
    public func commit(
        _ offset: Offset, group: GroupName, topic: TopicName,
        completion: @escaping @Sendable (Result<Void, LogError>) -> Void
    ) {
        let end = highWatermark(topic) ?? .zero
        guard offset >= .zero, offset <= end else {
            return completion(
                .failure(.offsetOutOfRange(requested: offset, start: .zero, highWatermark: end)))
        }
        write([(Key(topic: topic, group: group), offset)], completion)
    }

    /// Forgets the group; retention no longer waits for it. Nothing happens if there is none.
    public func remove(group: GroupName) async throws(LogError) {
        // SAFETY: `remove(group:completion:)` calls its completion exactly once.
        let result: Result<Void, LogError> = await withUnsafeContinuation { continuation in
            remove(group: group) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// The same without a task.
    public func remove(
        group: GroupName, completion: @escaping @Sendable (Result<Void, LogError>) -> Void
    ) {
        let keys = state.withLock { $0.cursors.keys.filter { $0.group == group } }.sorted()
        guard !keys.isEmpty else { return completion(.success(())) }
        write(keys.map { ($0, nil) }, completion)
    }

    public func committed(group: GroupName, topic: TopicName) -> Offset? {
        state.withLock { $0.cursors[Key(topic: topic, group: group)] }
    }

    /// In the order of their names.
    public var groups: [GroupName] {
        Set(state.withLock { Array($0.cursors.keys) }.map(\.group)).sorted()
    }

    /// The group's cursors and how many records it has not read yet.
    public func positions(of group: GroupName) -> [TopicName: GroupPosition] {
        let cursors = state.withLock { $0.cursors.filter { $0.key.group == group } }
        var positions: [TopicName: GroupPosition] = [:]
        for (key, offset) in cursors {
            let end = highWatermark(key.topic) ?? offset
            positions[key.topic] = GroupPosition(
                committed: offset, lagRecords: max(0, offset.distance(to: end)))
        }
        return positions
    }

    /// The smallest cursor any group has in the topic.
    public func smallest(in topic: TopicName) -> Offset? {
        state.withLock { $0.cursors.filter { $0.key.topic == topic }.values.min() }
    }

    // MARK: The topic behind it

    private func write(
        _ changes: [(key: Key, offset: Offset?)],
        _ completion: @escaping @Sendable (Result<Void, LogError>) -> Void
    ) {
        let records = changes.map { Self.encode($0.key, $0.offset, clock.now()) }
        // Held for both, so that changes are appended in the order in which they are noted.
        // `enqueue` completes nothing on this thread, which would then take the lock again.
        let refusal = state.withLock { state -> LogError? in
            state.ticket += 1
            let ticket = state.ticket
            let refusal = enqueue(records) { result in
                self.didWrite(ticket, result)
                completion(result.map { _ in })
            }
            if refusal == nil { state.pending[ticket] = changes }
            return refusal
        }
        if let refusal { completion(.failure(refusal)) }
    }

    private func enqueue(
        _ records: [Record],
        _ completion: @escaping @Sendable (Result<AppendOutcome, LogError>) -> Void
    ) -> LogError? {
        do {
            let byteCount = try PendingAppend.byteCount(of: records)
            return topic.enqueue(
                PendingAppend(records: records, byteCount: byteCount, completion: completion))
        } catch {
            return error
        }
    }

    private func didWrite(_ ticket: UInt64, _ result: Result<AppendOutcome, LogError>) {
        // Asked before the lock is taken: the topic has a lock of its own.
        let hasGrown = topic.segmentCount > 1
        state.withLock { state in
            let changes = state.pending.removeValue(forKey: ticket) ?? []
            guard case .success = result else { return }
            for change in changes { state.cursors[change.key] = change.offset }
            if hasGrown, !state.isCompacting { compact(&state) }
        }
    }

    /// Writes every cursor once more, then deletes the segments before.
    private func compact(_ state: inout State) {
        var records = state.cursors.sorted { $0.key < $1.key }.map {
            Self.encode($0.key, $0.value, clock.now())
        }
        // What was appended already but is not known to be durable would otherwise be undone.
        for (_, changes) in state.pending.sorted(by: { $0.key < $1.key }) {
            records += changes.map { Self.encode($0.key, $0.offset, clock.now()) }
        }
        guard !records.isEmpty else { return }
        let refusal = enqueue(records) { result in
            if case .success(let outcome) = result {
                _ = self.topic.deleteSegments(before: outcome.appended.lowerBound)
            }
            self.state.withLock { $0.isCompacting = false }
        }
        state.isCompacting = refusal == nil
    }

    private static func encode(_ key: Key, _ offset: Offset?, _ now: Timestamp) -> Record {
        Record(
            key: Array("\(key.topic)/\(key.group)".utf8)[...],
            value: offset.map { Array($0.description.utf8)[...] }, timestamp: now)
    }

    /// - Returns: nil for a record that is no cursor's.
    static func decode(_ record: Record) -> (Key, Offset?)? {
        guard let bytes = record.key, let slash = bytes.firstIndex(of: UInt8(ascii: "/")),
            let topic = try? TopicName(String(decoding: bytes[..<slash], as: UTF8.self)),
            let group = try? GroupName(
                String(decoding: bytes[bytes.index(after: slash)...], as: UTF8.self))
        else { return nil }
        let key = Key(topic: topic, group: group)
        guard let value = record.value else { return (key, nil) }
        guard
            let offset = Int64(String(decoding: value, as: UTF8.self)).flatMap(Offset.init(named:))
        else { return nil }
        return (key, offset)
    }
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
