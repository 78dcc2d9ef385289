/// What became of a command that has no answer, or a bad one.
public enum RedisError: Error, Hashable, Sendable {
    /// The server has certainly not executed it.
    case notSent(RedisTrouble)
    /// It went out, and no answer came: perhaps it was executed.
    case unknownOutcome(RedisTrouble)
    /// The server's own error: it did not execute it, or only a part of a script.
    case refused(RedisErrorReply)
    /// The answer has another form than the command has: not the server that was expected.
    case unexpectedReply(to: String)

    /// Whether the same may succeed later without anybody mending anything.
    public var isRetryable: Bool {
        switch self {
        case .notSent(let trouble), .unknownOutcome(let trouble): trouble.isRetryable
        case .refused(let reply): reply.isRetryable
        case .unexpectedReply: false
        }
    }
}

extension RedisError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notSent(.deadline): "Redis was not asked: there was no connection in time"
        case .notSent(let trouble): "\(trouble)"
        case .unknownOutcome(let trouble): "Redis may have executed the command: \(trouble)"
        case .refused(let reply): "Redis refused the command\(reply.advice): \(reply.text)"
        case .unexpectedReply(let name):
            "Redis answered \(name) with something else; it must be Redis 7.0, Valkey or newer"
        }
    }
}

/// Why there is no connection, or why it does not take or answer a command.
public enum RedisTrouble: Error, Hashable, Sendable {
    // The caller's side.
    /// So many commands wait already.
    case overloaded(commands: Int)
    case commandTooLarge(bytes: Int, bytesMax: Int)
    /// The command's own time is over.
    case deadline
    case shuttingDown

    // Passing.
    /// The connection did not come about, or broke.
    case connection(StreamError, place: String)
    case connectDeadline(place: String, isSecure: Bool)
    /// The server ended the connection before it said a word, as one does that expects TLS.
    case endedAtOnce(place: String, isSecure: Bool)
    /// The server owed an answer for so long, or did not take a command.
    case hung(milliseconds: Int)
    /// It answers, but loads its data, has too many clients or lost its master.
    case notReady(RedisErrorReply)
    case protocolViolation(String)
    case replyTooLarge(bytesMax: Int)
    /// Whoever hands the password out cannot now; in their words.
    case passwordUnreadable(reason: String)

    // Permanent, until somebody mends it.
    case passwordMissing(place: String)
    /// The user or the password is wrong, or the server knows none.
    case passwordRefused(RedisErrorReply, place: String)
    case databaseRefused(Int, RedisErrorReply)
    /// The server refuses us for another reason.
    case refused(RedisErrorReply, place: String)

    /// Whether it may go away without anybody mending anything.
    public var isRetryable: Bool {
        switch self {
        case .overloaded, .deadline, .connectDeadline, .endedAtOnce, .hung, .notReady: true
        case .protocolViolation, .passwordUnreadable: true
        case .connection(let error, _): error.isRetryable
        case .shuttingDown, .commandTooLarge, .replyTooLarge: false
        case .passwordMissing, .passwordRefused, .databaseRefused, .refused: false
        }
    }
}

extension RedisTrouble {
    /// Whether the server does not let us in until somebody mends something, so that no command
    /// need wait for the next attempt.
    var keepsOut: Bool {
        switch self {
        case .passwordMissing, .passwordRefused, .passwordUnreadable, .databaseRefused, .refused:
            true
        case .connection(let error, _): !error.isRetryable
        default: false
        }
    }
}

extension RedisTrouble: CustomStringConvertible {
    public var description: String {
        switch self {
        case .overloaded(let commands): "\(commands) commands wait for Redis already"
        case .commandTooLarge(let bytes, let bytesMax):
            "a command of \(bytes) bytes is larger than \(bytesMax)"
        case .deadline: "its time is over"
        case .shuttingDown: "the Redis client is being shut down"
        case .connection(let error, let place): "no connection to Redis at \(place): \(error)"
        case .connectDeadline(let place, let isSecure):
            "Redis at \(place) did not answer in time"
                + (isSecure ? "; if it is no TLS port, use redis://" : "")
        case .endedAtOnce(let place, let isSecure):
            "Redis at \(place) ended the connection before it said a word"
                + (isSecure ? "" : "; if it is a TLS port, use rediss://")
        case .hung(let milliseconds): "Redis has owed an answer for \(milliseconds) ms"
        case .notReady(let reply): "Redis is not ready\(reply.advice): \(reply.text)"
        case .protocolViolation(let words):
            "what answers is not Redis, or speaks another protocol than RESP2 (\(words))"
        case .replyTooLarge(let bytesMax): "an answer of Redis is larger than \(bytesMax) bytes"
        case .passwordMissing(let place):
            "Redis at \(place) wants a password; add it to the Redis address, or name its file"
        case .passwordUnreadable(let reason): "there is no password for Redis: \(reason)"
        case .passwordRefused(let reply, let place):
            "Redis at \(place) refuses the user or password (\(reply.text)); mend the Redis "
                + "address, or the file with the password"
        case .databaseRefused(let number, let reply):
            "Redis refuses database \(number) (\(reply.text)); name another in the Redis address"
        case .refused(let reply, let place):
            "Redis at \(place) refuses the connection (\(reply.text)); mend the server or the user"
        }
    }
}
