package import AppendLog
package import Vocabulary

/// The local log as bridges see it: topics to read and to wait for, and where a position is noted
/// so that retention keeps what is still to be copied.
package struct RelaySource: Sendable {
    /// Which log it is; stands on everything that is copied from it.
    package let log: String
    private let followed: @Sendable (TopicID) -> FollowedTopic
    private let notedPlaces: @Sendable (BridgeName) -> [TopicID: Offset]
    private let noting: @Sendable (BridgeName, [TopicID: Offset]) -> Void
    private let forgetting: @Sendable (BridgeName) async throws(RelayFailure) -> Void
    private let renewing: @Sendable () -> Void

    /// - Parameters:
    ///   - noted: what was noted last.
    ///   - note: notes positions; not waited for, since the target has the true ones.
    ///   - forget: lets what was noted go; durable when it returns.
    ///   - renew: reads anew where the topics end, where they do not say so by themselves.
    package init(
        log: String, followed: @escaping @Sendable (TopicID) -> FollowedTopic,
        noted: @escaping @Sendable (BridgeName) -> [TopicID: Offset] = { _ in [:] },
        note: @escaping @Sendable (BridgeName, [TopicID: Offset]) -> Void = { _, _ in },
        forget: @escaping @Sendable (BridgeName) async throws(RelayFailure) -> Void = { _ in },
        renew: @escaping @Sendable () -> Void = {}
    ) {
        self.log = log
        self.followed = followed
        notedPlaces = noted
        noting = note
        forgetting = forget
        renewing = renew
    }

    package subscript(topic: TopicID) -> TopicReader { followed(topic).reader }

    package func noted(_ bridge: BridgeName) -> [TopicID: Offset] { notedPlaces(bridge) }

    package func note(_ places: [TopicID: Offset], of bridge: BridgeName) {
        noting(bridge, places)
    }

    func forget(_ bridge: BridgeName) async throws(RelayFailure) { try await forgetting(bridge) }

    /// Returns when there is a record at `offset`, or the task is cancelled.
    func waitForRecords(_ topic: TopicID, from offset: Offset) async {
        try? await followed(topic).waitForRecords(from: offset)
    }

    /// The record at `offset`; nil where it is not kept.
    func record(_ topic: TopicID, at offset: Offset) throws(RelayFailure) -> Record? {
        if offset >= self[topic].end { renewing() }
        do throws(StoreFailure) {
            return try self[topic].record(at: offset)
        } catch {
            throw RelayFailure(error)
        }
    }

    /// Where a topic ends now, also where it does not say so by itself.
    func renewedEnd(of topic: TopicID) -> Offset {
        renewing()
        return self[topic].end
    }

    /// What comes next of a topic.
    ///
    /// - Parameter limit: nothing from there on.
    func records(
        _ topic: TopicID, from offset: Offset, limit: Offset?
    ) throws(RelayFailure) -> [StoredRecord] {
        let reader = self[topic]
        guard offset < min(limit ?? reader.end, reader.end) else { return [] }
        do throws(StoreFailure) {
            let records = try reader.read(from: offset, byteCountMax: RelayLimits.runByteCount)
            guard let limit, let last = records.last, last.offset >= limit else { return records }
            return Array(records.prefix { $0.offset < limit })
        } catch {
            throw RelayFailure(error)
        }
    }

    /// Hands every record of a topic from `offset` up to `end` to `body`.
    func scan(
        _ topic: TopicID, from offset: Offset, upTo end: Offset,
        _ body: (StoredRecord) throws(RelayFailure) -> Void
    ) throws(RelayFailure) {
        var next = offset
        while next < end {
            let records = try records(topic, from: next, limit: end)
            guard let last = records.last else { return }
            for stored in records { try body(stored) }
            next = last.offset.advanced(by: 1)
        }
    }

    /// Whether a position that a target keeps fits this log.
    ///
    /// - Throws: `.permanent` where the log ends before it, or has removed what comes next.
    func check(_ offset: Offset, of topic: TopicID, at target: String) throws(RelayFailure) {
        // Beside a daemon the target goes on while it is looked at, and so does the log.
        if offset > self[topic].end { renewing() }
        let reader = self[topic]
        let (start, end) = (reader.start, reader.end)
        guard offset <= end else {
            throw .permanent(
                "\(target) has \(topic.rawValue) of this log up to \(offset), and the log ends at "
                    + "\(end): it was set back or restored since; restore the newer folder, or "
                    + "begin \(target) anew")
        }
        guard offset >= start || start == .zero else {
            throw .permanent(
                "\(target) has \(topic.rawValue) up to \(offset), and retention has removed what "
                    + "comes next: the log begins at \(start); begin \(target) anew to copy what "
                    + "is left")
        }
    }
}

extension RelayFailure {
    /// What the local log cannot give now. The daemon watches over its log itself.
    init(_ failure: StoreFailure) { self = .passing("the log cannot be read now: \(failure)") }
}
