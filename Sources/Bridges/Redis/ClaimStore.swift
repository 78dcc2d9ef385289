/// Claims on keys, for workers that must not do one thing twice at the same time.
///
/// A claim's value reads `pending:<token>:<identity>` while its owner works, and `done:<identity>`
/// when the work is done. The identity is whatever its owner wants to be told when it meets the key
/// again; the token is the owner's alone.
///
///     nothing ── claim ──▶ pending ── finish, by anybody ──▶ done ── its lifetime ──▶ nothing
///        ▲                    │
///        └── giveBack, or its lifetime
///
/// A store that evicts, is flushed or fails over forgets claims: the work is done again then. So a
/// claim spares work, and nothing else may rest on it.
public struct ClaimStore: Sendable {
    private let client: RedisClient
    private let prefix: String
    private let pendingMilliseconds: Int64
    private let doneMilliseconds: Int64

    /// - Parameters:
    ///   - prefix: before every key, such as `tillbox:gate:`.
    ///   - pending: how long a claim holds; longer than the work may take.
    ///   - done: how long it is remembered.
    public init(
        _ client: RedisClient, prefix: String, pending: Duration = .seconds(30),
        done: Duration = .seconds(7 * 86_400)
    ) {
        self.client = client
        self.prefix = prefix
        pendingMilliseconds = pending.lifetimeMillis
        doneMilliseconds = done.lifetimeMillis
    }

    /// Takes the key, unless somebody has it.
    ///
    /// After an unknown outcome it may be called again with the same token: a claim that is one's
    /// own is `taken`.
    ///
    /// - Throws: `RedisError`.
    public func claim(
        _ key: String, identity: [UInt8], token: ClaimToken = ClaimToken()
    ) async throws(RedisError) -> ClaimAnswer {
        let reply = try await client.send(
            RedisCommand(
                "SET", .text(prefix + key), .bytes(Self.pending(token, identity)), "NX", "GET",
                "PX", .number(pendingMilliseconds)))
        switch reply {
        case .null: return .taken(token)
        case .bulk(let bytes):
            let standing = Standing(bytes)
            return standing.token == token ? .taken(token) : .held(standing.standing)
        default: throw .unexpectedReply(to: "SET NX GET")
        }
    }

    /// Says that the work is done, whoever claimed it and whether or not anybody did: it is true.
    ///
    /// - Throws: `RedisError`.
    public func finish(_ key: String, identity: [UInt8]) async throws(RedisError) {
        let reply = try await client.send(
            RedisCommand(
                "SET", .text(prefix + key), .bytes(Self.done(identity)), "PX",
                .number(doneMilliseconds)))
        guard reply == .status("OK") else { throw .unexpectedReply(to: "SET") }
    }

    /// Gives one's own claim back. Not for a work whose outcome is unknown: that may be done.
    ///
    /// - Returns: whether it was still one's own; else nothing has changed.
    /// - Throws: `RedisError`.
    @discardableResult
    public func giveBack(
        _ key: String, identity: [UInt8], token: ClaimToken
    ) async throws(RedisError) -> Bool {
        let value = Self.pending(token, identity)
        let reply = try await client.run(
            Self.compareAndDelete, keys: [Array((prefix + key).utf8)], [.bytes(value)])
        guard let deleted = reply.integer else { throw .unexpectedReply(to: "EVALSHA") }
        return deleted == 1
    }

    /// Who has the key; nil for nobody.
    ///
    /// - Throws: `RedisError`.
    public func standing(_ key: String) async throws(RedisError) -> ClaimStanding? {
        switch try await client.send(RedisCommand("GET", .text(prefix + key))) {
        case .null: return nil
        case .bulk(let bytes): return Standing(bytes).standing
        default: throw .unexpectedReply(to: "GET")
        }
    }

    /// Asks again until the key is no longer pending, first after 5 ms and then ever less often, at
    /// most every 100 ms.
    ///
    /// - Returns: the last standing: `done`, still `pending` where the time is over, nil where the
    ///   claim was given back or has run out, so that one may claim it oneself.
    /// - Throws: `RedisError`; a task that is cancelled gets the last standing at once.
    public func waitUntilDone(
        _ key: String, within time: Duration
    ) async throws(RedisError) -> ClaimStanding? {
        let deadline = ContinuousClock.now + time
        var pause = Duration.milliseconds(5)
        var last = try await standing(key)
        while case .pending = last, .now < deadline {
            let next = min(.now + pause, deadline)
            guard (try? await Task.sleep(until: next, clock: .continuous)) != nil else { break }
            pause = min(pause * 2, .milliseconds(100))
            last = try await standing(key)
        }
        return last
    }

    /// The value of a claim whose work is done.
    public static func done(_ identity: [UInt8]) -> [UInt8] { Array("done:".utf8) + identity }

    private static func pending(_ token: ClaimToken, _ identity: [UInt8]) -> [UInt8] {
        Array("pending:\(token.text):".utf8) + identity
    }

    private static let compareAndDelete = RedisScript(
        """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """)

    /// A claim's value, taken apart.
    struct Standing {
        let standing: ClaimStanding
        let token: ClaimToken?

        init(_ value: [UInt8]) {
            let (pending, done) = (Array("pending:".utf8), ClaimStore.done([]))
            let colon = UInt8(ascii: ":")
            let rest = value.dropFirst(pending.count)
            if value.starts(with: done) {
                (standing, token) = (.done(identity: Array(value.dropFirst(done.count))), nil)
            } else if value.starts(with: pending), let end = rest.firstIndex(of: colon) {
                standing = .pending(identity: Array(rest[rest.index(after: end)...]))
                token = ClaimToken(text: String(decoding: rest[..<end], as: UTF8.self))
            } else {
                (standing, token) = (.foreign(value), nil)
            }
        }
    }
}

/// What a claim came to.
public enum ClaimAnswer: Hashable, Sendable {
    /// The key was free and is one's own now.
    case taken(ClaimToken)
    /// Somebody has it.
    case held(ClaimStanding)
}

/// How a claimed key stands.
public enum ClaimStanding: Hashable, Sendable {
    /// Somebody works on it, or died over it.
    case pending(identity: [UInt8])
    case done(identity: [UInt8])
    /// The key holds what no claim looks like.
    case foreign([UInt8])
}

/// The owner of one claim: 128 random bits.
public struct ClaimToken: Hashable, Sendable {
    /// 32 hexadecimal digits.
    public let text: String

    public init() { text = randomBytes(count: 16).lowercaseHex }

    init(text: String) { self.text = text }
}

extension Duration {
    /// Rounded down, at least one: Redis refuses a lifetime of nothing.
    var lifetimeMillis: Int64 { max(1, Int64(self / .milliseconds(1))) }
}
