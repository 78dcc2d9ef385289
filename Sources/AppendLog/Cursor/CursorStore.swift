internal import Synchronization

/// Where each group of consumers is in each topic: the offset of the record it reads next.
///
/// The cursors live in a topic of their own, `__cursors`, so they are durable, checked and
/// recovered as any record is. A record's key is `<topic>/<group>`, its value the offset in decimal
/// digits, or null once the group is removed; the last record of a key counts. When that topic has
/// grown by a segment, all cursors are written once more and what lies before is deleted.
///
/// Beside each change of a cursor, in the same batch, stand the marks of the topics that have grown
/// since: a record with the key `<topic>/` and a `TopicMark` as its value.
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
        var pending: [UInt64: Changes] = [:]
        /// The marks as they are durable, or on their way.
        var marks: [TopicName: TopicMark] = [:]
        var ticket: UInt64 = 0
        var isCompacting = false
    }

    private struct Changes: Sendable {
        var cursors: [(key: Key, offset: Offset?)]
        var marks: [TopicName: TopicMark] = [:]
    }

    private let topic: Topic
    private let clock: any LogClock
    /// The high watermark of a topic; nil if there is none of that name.
    private let highWatermark: @Sendable (TopicName) -> Offset?
    /// Where every other topic ends now.
    private let ends: @Sendable () -> [TopicName: TopicMark]
    private let state: Mutex<State>

    init(
        topic: Topic, clock: any LogClock,
        highWatermark: @escaping @Sendable (TopicName) -> Offset?,
        ends: @escaping @Sendable () -> [TopicName: TopicMark]
    ) throws(LogError) {
        self.topic = topic
        self.clock = clock
        self.highWatermark = highWatermark
        self.ends = ends
        var next = topic.start
        var loaded = State()
        while next < topic.highWatermark {
            for stored in try topic.read(from: next) {
                next = stored.offset.advanced(by: 1)
                if let (topic, mark) = Self.decodeMark(stored.record) { loaded.marks[topic] = mark }
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

    /// Sets cursors to places behind what was lost, and notes that the topics end where they do.
    ///
    /// A mark only goes forward otherwise, so that the loss is known until somebody makes up for
    /// it. Both are one write: after a crash the loss is still marked, or every cursor stands where
    /// what is missing is derived again.
    ///
    /// - Throws: as `commit(_:group:topic:)` does.
    public func setBack(_ cursors: [GroupCursor]) async throws(LogError) {
        for cursor in cursors {
            let end = highWatermark(cursor.topic) ?? .zero
            guard cursor.next >= .zero, cursor.next <= end else {
                throw .offsetOutOfRange(
                    requested: cursor.next, start: .zero, highWatermark: end)
            }
        }
        let changes = cursors.map {
            (key: Key(topic: $0.topic, group: $0.group), offset: Optional($0.next))
        }
        // SAFETY: `write` calls its completion exactly once.
        let result: Result<Void, LogError> = await withUnsafeContinuation { continuation in
            write(changes, takesMarksBack: true) { continuation.resume(returning: $0) }
        }
        try result.get()
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

    /// Notes where every topic ends now, for a start that compares. Durable when it returns;
    /// nothing is written if no topic has grown.
    ///
    /// - Throws: what an append throws.
    public func mark() async throws(LogError) {
        // SAFETY: `mark(_:)` calls its completion exactly once.
        let result: Result<Void, LogError> = await withUnsafeContinuation { continuation in
            mark { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// The same without a task.
    public func mark(_ completion: @escaping @Sendable (Result<Void, LogError>) -> Void) {
        write([], completion)
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

    /// - Parameter takesMarksBack: whether a topic that ends before its mark gets a new one.
    private func write(
        _ changes: [(key: Key, offset: Offset?)], takesMarksBack: Bool = false,
        _ completion: @escaping @Sendable (Result<Void, LogError>) -> Void
    ) {
        // Asked before the lock is taken: the topics have locks of their own.
        let ends = ends()
        // Held for both, so that changes are appended in the order in which they are noted.
        // `enqueue` completes nothing on this thread, which would then take the lock again.
        let (refusal, isEmpty) = state.withLock { state -> (LogError?, Bool) in
            let grown = ends.filter { topic, end in
                let known = state.marks[topic] ?? TopicMark(end: .zero, checksum: nil)
                return known != end && (end.end >= known.end || takesMarksBack)
            }
            if changes.isEmpty, grown.isEmpty { return (nil, true) }
            let records = records(Changes(cursors: changes, marks: grown))
            state.ticket += 1
            let ticket = state.ticket
            let refusal = enqueue(records) { result in
                self.didWrite(ticket, result)
                completion(result.map { _ in })
            }
            if refusal == nil {
                state.pending[ticket] = Changes(cursors: changes, marks: grown)
                state.marks.merge(grown) { $1 }
            }
            return (refusal, false)
        }
        if let refusal { return completion(.failure(refusal)) }
        if isEmpty { completion(.success(())) }
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
            let changes = state.pending.removeValue(forKey: ticket) ?? Changes(cursors: [])
            guard case .success = result else {
                // What did not get there is written with the next change.
                for topic in changes.marks.keys { state.marks[topic] = nil }
                return
            }
            for change in changes.cursors { state.cursors[change.key] = change.offset }
            if hasGrown, !state.isCompacting { compact(&state) }
        }
    }

    /// Writes every cursor once more, then deletes the segments before.
    private func compact(_ state: inout State) {
        var records = records(
            Changes(
                cursors: state.cursors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
                marks: state.marks))
        // What was appended already but is not known to be durable would otherwise be undone.
        for (_, changes) in state.pending.sorted(by: { $0.key < $1.key }) {
            records += self.records(Changes(cursors: changes.cursors))
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

    private func records(_ changes: Changes) -> [Record] {
        changes.cursors.map { Self.encode($0.key, $0.offset, clock.now()) }
            + changes.marks.sorted { $0.key < $1.key }.map { topic, mark in
                Record(
                    key: Array("\(topic)/".utf8)[...], value: Array(mark.encoded.utf8)[...],
                    timestamp: clock.now())
            }
    }

    private static func encode(_ key: Key, _ offset: Offset?, _ now: Timestamp) -> Record {
        Record(
            key: Array("\(key.topic)/\(key.group)".utf8)[...],
            value: offset.map { Array($0.description.utf8)[...] }, timestamp: now)
    }

    /// - Returns: nil for a record that is no mark.
    static func decodeMark(_ record: Record) -> (TopicName, TopicMark)? {
        guard let key = record.key, key.last == UInt8(ascii: "/"), let value = record.value,
            let topic = TopicName(stored: String(decoding: key.dropLast(), as: UTF8.self)),
            let mark = TopicMark(String(decoding: value, as: UTF8.self))
        else { return nil }
        return (topic, mark)
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

/// The offset of the record that a group reads next in a topic.
public struct GroupCursor: Hashable, Sendable {
    public var group: GroupName
    public var topic: TopicName
    public var next: Offset

    public init(group: GroupName, topic: TopicName, next: Offset) {
        self.group = group
        self.topic = topic
        self.next = next
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
