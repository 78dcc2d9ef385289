internal import Foundation
internal import Synchronization

/// A Redis client: one connection, on a thread of its own, for callers on any thread.
///
/// What is handed in while answers are due goes out together (pipelining). The client connects at
/// once, and again whenever the connection is lost, for as long as it lives; meanwhile commands
/// wait, at most until their time is over. Where the server refuses us (password, certificate) they
/// fail at once.
///
/// Nothing is ever sent twice by itself, except that a command of which the server has certainly
/// not got the whole goes out again on the next connection.
public final class RedisClient: Sendable {
    public let configuration: RedisConfiguration
    private let mailbox: RedisMailbox

    /// Starts the thread.
    ///
    /// - Throws: `system`, where the process has no descriptor left.
    public convenience init(_ configuration: RedisConfiguration) throws(StreamError) {
        try self.init(configuration) { (host, port) throws(StreamError) in
            try SocketAddress.lookUp(host, port: port)
        }
    }

    init(
        _ configuration: RedisConfiguration, resolver: @escaping NameLookup.Resolver
    ) throws(StreamError) {
        self.configuration = configuration
        let mailbox = try RedisMailbox(
            commandsMax: configuration.queueCommandsMax, bytesMax: configuration.queueBytesMax)
        self.mailbox = mailbox
        Thread.detachNewThread { RedisSession(configuration, mailbox, resolver).run() }
    }

    deinit { mailbox.close() }

    public var statistics: RedisStatistics { mailbox.statistics }

    /// Takes no more commands, waits for the answers that are due, at most until their time is
    /// over, and ends the connection and the thread.
    public func shutDown() async {
        mailbox.close()
        await mailbox.waitUntilClosed()
    }

    /// Hands in a command.
    ///
    /// - Parameters:
    ///   - time: how long the answer may take; the configuration's where there is none.
    ///   - completion: called once, on the client's thread, which it must not hold up, or on this
    ///     one where the command is not even taken.
    public func send(
        _ command: RedisCommand, within time: Duration? = nil,
        completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        guard let bytes = encoded(command, completion) else { return }
        let call = RedisCall(bytes: bytes, deadline: deadline(time), completion: completion)
        mailbox.submit([call])
    }

    /// Sends a command and waits for its answer.
    ///
    /// - Throws: every case of `RedisError` but `unexpectedReply`.
    public func send(
        _ command: RedisCommand, within time: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        try await withCheckedContinuation { continuation in
            send(command, within: time) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Sends commands together, in their order, and waits for all answers.
    ///
    /// - Returns: as many results as there are commands, in their order.
    public func send(
        all commands: [RedisCommand], within time: Duration? = nil
    ) async -> [Result<RedisReply, RedisError>] {
        guard !commands.isEmpty else { return [] }
        let deadline = deadline(time)
        return await withCheckedContinuation { continuation in
            let answers = Answers(count: commands.count, continuation)
            var calls: [RedisCall] = []
            calls.reserveCapacity(commands.count)
            for (index, command) in commands.enumerated() {
                let completion: RedisCall.Completion = { answers.take($0, at: index) }
                guard let bytes = encoded(command, completion) else { continue }
                calls.append(RedisCall(bytes: bytes, deadline: deadline, completion: completion))
            }
            mailbox.submit(calls)
        }
    }

    /// Runs a script.
    ///
    /// - Throws: every case of `RedisError` but `unexpectedReply`.
    public func run(
        _ script: RedisScript, keys: [[UInt8]], _ arguments: [RedisArgument],
        within time: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        try await run(script, [(keys, arguments)], within: time)[0].get()
    }

    /// Runs a script several times in one pipeline.
    ///
    /// - Returns: as many results as there are calls, in their order. Where the server did not know
    ///   the script, some may have run after a later one.
    public func run(
        _ script: RedisScript, _ calls: [(keys: [[UInt8]], arguments: [RedisArgument])],
        within time: Duration? = nil
    ) async -> [Result<RedisReply, RedisError>] {
        guard !calls.isEmpty else { return [] }
        let deadline = deadline(time)
        return await withCheckedContinuation { continuation in
            let answers = Answers(count: calls.count, continuation)
            var prepared: [RedisCall] = []
            for (index, (keys, arguments)) in calls.enumerated() {
                let completion: RedisCall.Completion = { answers.take($0, at: index) }
                let short = script.command(byDigest: true, keys: keys, arguments: arguments)
                guard let bytes = encoded(short, completion) else { continue }
                var call = RedisCall(bytes: bytes, deadline: deadline, completion: completion)
                call.fallback = {
                    script.command(byDigest: false, keys: keys, arguments: arguments)
                }
                prepared.append(call)
            }
            mailbox.submit(prepared)
        }
    }

    private func deadline(_ time: Duration?) -> ContinuousClock.Instant {
        .now + (time ?? configuration.commandTimeout)
    }

    /// The command as bytes, on the caller's thread; nil, and the caller answered, where it is too
    /// large.
    private func encoded(
        _ command: RedisCommand, _ completion: RedisCall.Completion
    ) -> [UInt8]? {
        let (bytes, bytesMax) = (command.byteCount, configuration.queueBytesMax)
        guard bytes <= bytesMax else {
            let trouble = RedisTrouble.commandTooLarge(bytes: bytes, bytesMax: bytesMax)
            completion(.failure(.notSent(trouble)))
            return nil
        }
        return command.encoded()
    }
}

/// The answers to one pipeline, until all are there.
private final class Answers: Sendable {
    private struct State {
        var results: [Result<RedisReply, RedisError>?]
        var missing: Int
    }

    private let state: Mutex<State>
    private let continuation: CheckedContinuation<[Result<RedisReply, RedisError>], Never>

    init(
        count: Int, _ continuation: CheckedContinuation<[Result<RedisReply, RedisError>], Never>
    ) {
        state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
        self.continuation = continuation
    }

    func take(_ result: Result<RedisReply, RedisError>, at index: Int) {
        let all: [Result<RedisReply, RedisError>]? = state.withLock { state in
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.results.compactMap { $0 } : nil
        }
        if let all { continuation.resume(returning: all) }
    }
}
