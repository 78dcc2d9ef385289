/// What waits for something, with the moment since when: a value under a key of its own, and a
/// sorted set of all ids by that moment.
///
/// A value lives for its lifetime, or shorter where the server evicts; its place in the set stays
/// until it is removed, so that whoever lists what is due sees that something is gone.
///
/// Moments are the server's own: the clocks of those who add and of those who look may differ.
public struct WaitingSet: Sendable {
    private let client: RedisClient
    private let prefix: String
    private let lifetimeMilliseconds: Int64

    /// - Parameters:
    ///   - prefix: the sorted set's key, such as `tillbox:waiting`; a value's key is the prefix, a
    ///     colon and its id.
    ///   - lifetime: how long a value stands.
    public init(_ client: RedisClient, prefix: String, lifetime: Duration) {
        self.client = client
        self.prefix = prefix
        lifetimeMilliseconds = lifetime.lifetimeMillis
    }

    /// One that waits.
    public struct Entry: Hashable, Sendable {
        public var id: String
        /// Milliseconds since 1970, by the server's clock.
        public var since: Int64
        /// Nil where the server has dropped it.
        public var value: [UInt8]?

        public init(id: String, since: Int64, value: [UInt8]?) {
            self.id = id
            self.since = since
            self.value = value
        }
    }

    /// Adds values in one pipeline, each in one piece; what waits already keeps its moment.
    ///
    /// - Throws: the first `RedisError`; the others may be there.
    public func add(_ values: [(id: String, value: [UInt8])]) async throws(RedisError) {
        let calls = values.map { id, value in
            (
                keys: [valueKey(id), Array(prefix.utf8)],
                arguments: [
                    .bytes(value), .number(lifetimeMilliseconds), .text(id),
                ] as [RedisArgument]
            )
        }
        for result in await client.run(Self.adding, calls) { _ = try result.get() }
    }

    /// The values of some that wait, in one pipeline; nil where one does not, or where the server
    /// has dropped it.
    ///
    /// - Returns: as many values as ids, in their order.
    /// - Throws: `RedisError`.
    public func values(of ids: [String]) async throws(RedisError) -> [[UInt8]?] {
        let answers = await client.send(all: ids.map { RedisCommand("GET", .bytes(valueKey($0))) })
        var values: [[UInt8]?] = []
        values.reserveCapacity(ids.count)
        for answer in answers {
            switch try answer.get() {
            case .null: values.append(nil)
            case .bulk(let bytes): values.append(bytes)
            default: throw .unexpectedReply(to: "GET")
            }
        }
        return values
    }

    /// Those who have waited the longest, at most so many, the longest first.
    ///
    /// - Returns: with the server's time then, milliseconds since 1970.
    /// - Throws: `RedisError`.
    public func oldest(
        countMax: Int
    ) async throws(RedisError) -> (entries: [Entry], now: Int64) {
        let reply = try await client.run(
            Self.listing, keys: [Array(prefix.utf8)], [.number(countMax)])
        guard let answer = reply.array, answer.count == 2, let now = answer[0].integer,
            let parts = answer[1].array, parts.count.isMultiple(of: 2)
        else { throw .unexpectedReply(to: "EVALSHA") }
        var entries: [Entry] = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            guard let id = parts[index].bytes, let score = parts[index + 1].bytes,
                let since = Double(String(decoding: score, as: UTF8.self)),
                let since = Int64(exactly: since.rounded())
            else { throw .unexpectedReply(to: "EVALSHA") }
            let text = String(decoding: id, as: UTF8.self)
            entries.append(Entry(id: text, since: since, value: nil))
        }
        let reads = entries.map { RedisCommand("GET", .bytes(valueKey($0.id))) }
        for (index, result) in await client.send(all: reads).enumerated() {
            entries[index].value = try result.get().bytes
        }
        return (entries, now)
    }

    /// Takes entries out in one pipeline, whether or not they are there.
    ///
    /// - Throws: the first `RedisError`; the others may be out.
    public func remove(_ ids: [String]) async throws(RedisError) {
        let calls = ids.map { id in
            (
                keys: [valueKey(id), Array(prefix.utf8)],
                arguments: [.text(id)] as [RedisArgument]
            )
        }
        for result in await client.run(Self.removing, calls) { _ = try result.get() }
    }

    /// How many wait.
    ///
    /// - Throws: `RedisError`.
    public func count() async throws(RedisError) -> Int {
        let reply = try await client.send(RedisCommand("ZCARD", .text(prefix)))
        guard let count = reply.integer else { throw .unexpectedReply(to: "ZCARD") }
        return Int(count)
    }

    private func valueKey(_ id: String) -> [UInt8] { Array("\(prefix):\(id)".utf8) }

    /// Lines of a script that set `now` to the server's time, milliseconds since 1970.
    public static let timeInScript = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        """

    private static let adding = RedisScript(
        timeInScript + """

        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return redis.call('ZADD', KEYS[2], 'NX', now, ARGV[3])
        """)

    private static let listing = RedisScript(
        timeInScript + """

        return {now, redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')}
        """)

    private static let removing = RedisScript(
        """
        redis.call('DEL', KEYS[1])
        return redis.call('ZREM', KEYS[2], ARGV[1])
        """)
}
