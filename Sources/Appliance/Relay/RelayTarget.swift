package import AppendLog
package import Vocabulary

/// Why a target does not take records now.
package enum RelayFailure: Error, Hashable, Sendable {
    /// It may by itself later; opening it again finds out what arrived.
    case passing(String)
    /// It will not before somebody has mended something: the sentence says what.
    case permanent(String)
}

/// Records of the local log on their way to a target: of each topic those that come next.
package struct RelayRun: Sendable {
    package var records: [TopicID: [StoredRecord]] = [:]

    package init(_ records: [TopicID: [StoredRecord]] = [:]) { self.records = records }

    package var isEmpty: Bool { records.values.allSatisfy(\.isEmpty) }
    package var count: Int { records.values.reduce(0) { $0 + $1.count } }

    /// Where reading goes on.
    package var next: [TopicID: Offset] {
        records.compactMapValues { $0.last?.offset.advanced(by: 1) }
    }
}

/// What a target asks, and tells, while a call of its bridge's lasts.
package struct RelayAttempt: Sendable {
    /// Whether to give up what it is at.
    let isStopping: @Sendable () -> Bool
    /// Tells what it waits for, and goes on with the call.
    let waits: @Sendable (_ because: String) -> Void

    package init(
        isStopping: @escaping @Sendable () -> Bool = { false },
        waits: @escaping @Sendable (_ because: String) -> Void = { _ in }
    ) {
        self.isStopping = isStopping
        self.waits = waits
    }
}

/// One outside system that the local log is copied to. It keeps the position itself, together with
/// what it has taken, so that both are there or neither.
///
///     open ─▶ the positions ─▶ deliver ─▶ deliver … ─▶ close
///       ▲                          │
///       └── anything thrown ◀──────┘  what arrived is found out by opening it again
///
/// Called from one thread, the bridge's own, and may block it; but no longer than a few seconds
/// a call without asking whether to stop.
package protocol RelayTarget: AnyObject {
    /// What it takes, in the order in which it wants to be asked for `limit`s and be given records.
    var topics: [TopicID] { get }

    /// Connects, checks what is there, and finds out what it has.
    ///
    /// - Returns: by topic, the offset of the local log to go on at; all of `topics`.
    func open(
        _ source: RelaySource, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset]

    /// Up to where records of a topic may be taken now; nil where that is the topic's end.
    func limit(of topic: TopicID) throws(RelayFailure) -> Offset?

    /// Takes records over, with the position behind them. They are durable there when it returns.
    ///
    /// - Returns: by topic, where to go on; that may be before the end of the run.
    func deliver(
        _ run: RelayRun, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset]

    /// Drops every connection. Not an error where there is none.
    func close() async

    /// Compares what the target has with the local log, up to the position.
    func verify(_ source: RelaySource) async throws(RelayFailure) -> BridgeVerification
}

extension RelayTarget {
    package func limit(of topic: TopicID) throws(RelayFailure) -> Offset? { nil }
}
