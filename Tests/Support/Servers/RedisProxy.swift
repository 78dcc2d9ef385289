import Synchronization

/// Stands between a client and a Redis server and keeps one command, or its answer, for ever: who
/// sent it waits, and a test can kill it at exactly that step.
public final class RedisProxy: Sendable {
    public enum Kept: Sendable {
        /// The command does not reach the server.
        case command
        /// The server has done it, and the answer does not come back.
        case answer
    }

    fileprivate struct State {
        var kept: Kept?
        var words: [UInt8] = []
        /// The connection whose next answer is kept.
        var asking: Int?
        var count = 0
    }

    private final class Plan: Sendable {
        let state = Mutex(State())
    }

    private let plan: Plan
    private let proxy: LoopbackProxy

    /// - Parameter target: the server's plain port on loopback.
    public init(to target: Int) throws {
        let plan = Plan()
        self.plan = plan
        proxy = try LoopbackProxy(to: target) { piece, isQuestion, connection in
            plan.state.withLock { $0.verdict(on: piece, isQuestion, connection) }
        }
    }

    public var url: String { "redis://127.0.0.1:\(proxy.port)" }

    /// Keeps the next command in which `words` stand, or the answer to it.
    public func keepOnce(_ kept: Kept, of words: String) {
        plan.state.withLock { ($0.kept, $0.words) = (kept, Array(words.utf8)) }
    }

    /// How many were kept so far.
    public var keptCount: Int { plan.state.withLock { $0.count } }

    public func close() { proxy.close() }
}

extension RedisProxy.State {
    mutating func verdict(
        on piece: ArraySlice<UInt8>, _ isQuestion: Bool, _ connection: Int
    ) -> LoopbackProxy.Verdict {
        if !isQuestion {
            guard asking == connection else { return .pass }
            asking = nil
            count += 1
            return .keep
        }
        guard let kept, piece.firstRange(of: words) != nil else { return .pass }
        self.kept = nil
        switch kept {
        case .command:
            count += 1
            return .keep
        case .answer:
            asking = connection
            return .pass
        }
    }
}
