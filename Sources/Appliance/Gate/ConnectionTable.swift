import DequeModule
import NIOCore
import Synchronization

/// A connection of a port, as whoever must make room for another one sees it.
final class PortConnection: Sendable {
    /// What it is doing. Those first in this order are given up first.
    enum Phase: UInt8, CaseIterable {
        /// It has not sent a whole header yet.
        case fresh
        /// It does not read the answers that it got.
        case unread
        /// It waits between two requests.
        case quiet
        /// A request has begun and has not arrived whole.
        case receiving
        /// Its request is being answered; it is never given up.
        case answering
        case closed
    }

    let channel: any Channel
    private let stored = Atomic<UInt8>(Phase.fresh.rawValue)

    init(_ channel: any Channel) { self.channel = channel }

    var phase: Phase {
        get { Phase(rawValue: stored.load(ordering: .relaxed)) ?? .closed }
        // What is closed stays so, although its handler may not know it yet.
        set { if phase != .closed { stored.store(newValue.rawValue, ordering: .relaxed) } }
    }
}

/// The open connections of one port, capped. A new one is always let in while an older one can be
/// given up: who opens thousands and sends nothing only pushes out his own.
///
///     accepted ─▶ room? ─▶ served
///                  └─ no ─▶ the oldest fresh one, else unread, quiet, receiving: closed for it
///                            └─ all are being answered: the new one is closed at once
final class ConnectionTable: Sendable {
    let countMax: Int
    private let state = Mutex(State())

    private struct State {
        /// In the order of their opening; those that are closed leave it now and then.
        var connections: Deque<PortConnection> = []
        var openCount = 0
        /// Of these, those that stream an answer.
        var streamCount = 0
        /// Told when the last one has closed.
        var whenEmpty: [@Sendable () -> Void] = []
    }

    /// How a new connection was taken.
    enum Entry: Equatable {
        case entered
        /// In the place of another one.
        case enteredInstead
        case refused
    }

    /// Beyond the cap by as many as may be closing at one time.
    private static let closingCountMax = 64

    init(countMax: Int) { self.countMax = countMax }

    /// Enters a connection that was accepted; the table sees to its leaving.
    func enter(_ connection: PortConnection) -> Entry {
        let (entry, given) = state.withLock { state -> (Entry, PortConnection?) in
            state.openCount += 1
            state.connections.append(connection)
            Self.tidy(&state)
            guard state.openCount > countMax else { return (.entered, nil) }
            guard state.openCount <= countMax + Self.closingCountMax,
                let oldest = Self.expendable(state.connections, sparing: connection)
            else { return (.refused, connection) }
            oldest.phase = .closed
            return (.enteredInstead, oldest)
        }
        connection.channel.closeFuture.whenComplete { _ in self.leave(connection) }
        given?.phase = .closed
        given?.channel.close(promise: nil)
        return entry
    }

    /// Lets a connection stream its answer, until it closes.
    ///
    /// - Returns: false where as many do already as may.
    func enterStream(_ connection: PortConnection) -> Bool {
        let isLet = state.withLock { state in
            // Half of a small port is left to those who only ask.
            guard state.streamCount < min(GateLimits.streamCountMax, countMax / 2) else {
                return false
            }
            state.streamCount += 1
            return true
        }
        guard isLet else { return false }
        connection.channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.streamCount -= 1 }
        }
        return true
    }

    /// Closes one for the memory that it holds: the oldest that does not read its answers, else the
    /// one that has been receiving for longest.
    func giveUpMemory(sparing connection: PortConnection) {
        let oldest = state.withLock { state -> PortConnection? in
            for phase in [PortConnection.Phase.unread, .receiving] {
                let first = state.connections.first { $0.phase == phase && $0 !== connection }
                if let first { return first }
            }
            return nil
        }
        oldest?.phase = .closed
        oldest?.channel.close(promise: nil)
    }

    var openCount: Int { state.withLock { $0.openCount } }

    /// Tells every connection that the server shuts down, and `completion` when all are closed.
    func shutDown(_ completion: @escaping @Sendable () -> Void) {
        let open = state.withLock { state -> [PortConnection]? in
            guard state.openCount > 0 else { return nil }
            state.whenEmpty.append(completion)
            return Array(state.connections)
        }
        guard let open else { return completion() }
        for connection in open {
            connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Ends all of them, answered or not.
    func closeAll() {
        for connection in state.withLock({ Array($0.connections) }) {
            connection.channel.close(promise: nil)
        }
    }

    private func leave(_ connection: PortConnection) {
        connection.phase = .closed
        let completions = state.withLock { state -> [@Sendable () -> Void] in
            state.openCount -= 1
            Self.tidy(&state)
            guard state.openCount == 0 else { return [] }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for completion in completions { completion() }
    }

    private static func expendable(
        _ connections: Deque<PortConnection>, sparing newest: PortConnection
    ) -> PortConnection? {
        for phase in [PortConnection.Phase.fresh, .unread, .quiet, .receiving] {
            let oldest = connections.first { $0.phase == phase && $0 !== newest }
            if let oldest { return oldest }
        }
        return nil
    }

    /// Drops the closed ones once they are half of all, so that each costs a constant time.
    private static func tidy(_ state: inout State) {
        while state.connections.first?.phase == .closed { state.connections.removeFirst() }
        guard state.connections.count > 2 * state.openCount + closingCountMax else { return }
        state.connections.removeAll { $0.phase == .closed }
    }
}
