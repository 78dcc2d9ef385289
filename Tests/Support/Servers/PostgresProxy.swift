import Synchronization

/// Stands between a client and a Postgres server and cuts the line where a test wants it: before a
/// COMMIT reaches the server, or before its answer reaches the client. It can also hang, as a
/// server does whose kernel still takes connections.
public final class PostgresProxy: Sendable {
    /// Where a connection is cut.
    public enum Cut: Sendable {
        case beforeCommit, afterCommit
    }

    private final class Plan: Sendable {
        struct State {
            var cut: Cut?
            var cuts = 0
            var hangs = false
            /// Connections that have asked something.
            var connections = 0
        }

        let state = Mutex(State())
    }

    private let plan: Plan
    private let proxy: LoopbackProxy

    /// - Parameter target: the server's port on loopback; without TLS.
    public init(to target: Int) throws {
        let plan = Plan()
        self.plan = plan
        // Client and server each send COMMIT in one piece: it is far smaller than a packet.
        proxy = try LoopbackProxy(to: target) { piece, isQuestion, connection in
            plan.state.withLock { state in
                state.connections = max(state.connections, connection)
                if state.hangs { return .keep }
                guard let cut = state.cut, (cut == .beforeCommit) == isQuestion,
                    piece.firstRange(of: Array("COMMIT\0".utf8)) != nil
                else { return .pass }
                (state.cut, state.cuts) = (nil, state.cuts + 1)
                return .cut
            }
        }
    }

    public var port: Int { proxy.port }

    /// The next COMMIT, of any connection, ends it there.
    public func cutOnce(_ cut: Cut) { plan.state.withLock { $0.cut = cut } }

    /// Lets nothing through any more, on these connections nor on new ones, which are taken.
    public func hang() { plan.state.withLock { $0.hangs = true } }

    /// How many connections have asked something so far.
    public var connectionCount: Int { plan.state.withLock { $0.connections } }

    public var cutCount: Int { plan.state.withLock { $0.cuts } }

    /// Ends the listener and all connections.
    public func close() { proxy.close() }
}
