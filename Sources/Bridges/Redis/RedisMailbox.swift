internal import Synchronization

/// A command on its way to a client's thread.
struct RedisCall: Sendable {
    typealias Completion = @Sendable (Result<RedisReply, RedisError>) -> Void

    let bytes: [UInt8]
    let deadline: ContinuousClock.Instant
    /// What to send where the server does not know the script; made when it is needed.
    var fallback: (@Sendable () -> RedisCommand)?
    /// Nil for the client's own sign of life.
    let completion: Completion?
}

/// Between the callers, on any thread, and the one thread of a client.
final class RedisMailbox: Sendable {
    private struct State {
        var calls: [RedisCall] = []
        /// Handed in and not answered yet.
        var commands = 0
        var bytes = 0
        var isAsleep = false
        var isClosing = false
        var isClosed = false
        var closed: [CheckedContinuation<Void, Never>] = []
        var statistics = RedisStatistics()
    }

    private let state = Mutex(State())
    private let commandsMax: Int
    private let bytesMax: Int
    let bell: Bell

    init(commandsMax: Int, bytesMax: Int) throws(StreamError) {
        self.commandsMax = commandsMax
        self.bytesMax = bytesMax
        bell = try Bell()
    }

    var statistics: RedisStatistics { state.withLock { $0.statistics } }

    /// Hands in calls, in order; those that are one too many are answered at once.
    func submit(_ calls: [RedisCall]) {
        let (refused, trouble, rings) = state.withLock { state in
            let accepted = state.isClosing ? 0 : accept(calls, &state)
            let rings = state.isAsleep && accepted > 0
            if rings { state.isAsleep = false }
            let trouble: RedisTrouble =
                state.isClosing ? .shuttingDown : .overloaded(commands: state.commands)
            return (calls[accepted...], trouble, rings)
        }
        if rings { bell.ring() }
        for call in refused { call.completion?(.failure(.notSent(trouble))) }
    }

    private func accept(_ calls: [RedisCall], _ state: inout State) -> Int {
        var accepted = 0
        for call in calls {
            guard state.commands < commandsMax, state.bytes + call.bytes.count <= bytesMax else {
                break
            }
            state.commands += 1
            state.bytes += call.bytes.count
            state.calls.append(call)
            accepted += 1
        }
        return accepted
    }

    // MARK: The client's thread

    func take(_ statistics: RedisStatistics) -> (calls: [RedisCall], isClosing: Bool) {
        state.withLock { state in
            state.statistics = statistics
            var taken: [RedisCall] = []
            swap(&taken, &state.calls)
            state.isAsleep = false
            return (taken, state.isClosing)
        }
    }

    /// Whether there is nothing to do; if so, the next call rings.
    func fallAsleep(_ statistics: RedisStatistics, isClosing: Bool) -> Bool {
        state.withLock { state in
            state.statistics = statistics
            // The end, too, may have been asked for since the last look.
            guard state.calls.isEmpty, state.isClosing == isClosing else { return false }
            state.isAsleep = true
            return true
        }
    }

    /// Answers a call and gives its room back.
    func settle(_ call: RedisCall, _ result: Result<RedisReply, RedisError>) {
        guard let completion = call.completion else { return }
        state.withLock { state in
            state.commands -= 1
            state.bytes -= call.bytes.count
        }
        completion(result)
    }

    // MARK: The end

    /// Takes no more calls.
    func close() {
        state.withLock { state in
            state.isClosing = true
            state.isAsleep = false
        }
        bell.ring()
    }

    /// Returns when the thread has ended.
    func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.closed.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    func didClose(_ statistics: RedisStatistics) {
        let waiting = state.withLock { state in
            state.isClosed = true
            state.statistics = statistics
            return state.closed
        }
        for continuation in waiting { continuation.resume() }
    }
}
