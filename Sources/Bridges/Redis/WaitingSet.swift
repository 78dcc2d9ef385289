/// What waits for something, with the moment since when: a value under a key of its own, and a
/// sorted set of all ids by that moment.
///
/// A value lives for its lifetime, or shorter where the server evicts; its place in the set stays
/// until it is removed, so that whoever lists what is due sees that something is gone.
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
        /// Milliseconds since 1970.
        public var since: Int64
        /// Nil where the server has dropped it.
        public var value: [UInt8]?

        public init(id: String, since: Int64, value: [UInt8]?) {
            self.id = id
            self.since = since
            self.value = value
        }
    }

    /// Adds entries in one pipeline, each in one piece; one that waits already keeps its moment.
    ///
    /// - Parameter entries: each with a value; moments within ±2^53.
    /// - Throws: the first `RedisError`; the others may be there.
    public func add(_ entries: [Entry]) async throws(RedisError) {
        let calls = entries.map { entry in
            (
                keys: [valueKey(entry.id), Array(prefix.utf8)],
                arguments: [
                    .bytes(entry.value ?? []), .number(lifetimeMilliseconds),
                    .number(entry.since), .text(entry.id),
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

    /// Those who have waited since `moment` or longer, the longest first.
    ///
    /// - Parameters:
    ///   - moment: milliseconds since 1970.
    ///   - countMax: at most so many.
    /// - Throws: `RedisError`.
    public func due(
        since moment: Int64, countMax: Int
    ) async throws(RedisError) -> [Entry] {
        let reply = try await client.send(
            RedisCommand(
                "ZRANGEBYSCORE", .text(prefix), "-inf", .number(moment), "WITHSCORES", "LIMIT", 0,
                .number(countMax)))
        guard let parts = reply.array, parts.count.isMultiple(of: 2) else {
            throw .unexpectedReply(to: "ZRANGEBYSCORE")
        }
        var entries: [Entry] = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            guard let id = parts[index].bytes, let score = parts[index + 1].bytes,
                let since = Double(String(decoding: score, as: UTF8.self)),
                let since = Int64(exactly: since.rounded())
            else { throw .unexpectedReply(to: "ZRANGEBYSCORE") }
            let text = String(decoding: id, as: UTF8.self)
            entries.append(Entry(id: text, since: since, value: nil))
        }
        let reads = entries.map { RedisCommand("GET", .bytes(valueKey($0.id))) }
        for (index, result) in await client.send(all: reads).enumerated() {
            entries[index].value = try result.get().bytes
        }
        return entries
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

    private static let adding = RedisScript(
        """
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[4])
        """)

    private static let removing = RedisScript(
        """
        redis.call('DEL', KEYS[1])
        return redis.call('ZREM', KEYS[2], ARGV[1])
        """)
}
