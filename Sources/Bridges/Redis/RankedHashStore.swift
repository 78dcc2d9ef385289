/// Hashes that several writers write, of which the highest rank stands.
///
/// Each hash carries its rank in the field `rank`. Writing compares and replaces in one script, so
/// that a writer who comes late, or comes again, cannot put older fields over newer ones.
public struct RankedHashStore: Sendable {
    private let client: RedisClient
    private let prefix: String
    private let lifetimeMilliseconds: Int64

    /// The field that has a hash's rank.
    public static let rankField = "rank"

    /// - Parameters:
    ///   - prefix: before every key, such as `tillbox:features:`.
    ///   - lifetime: how long a hash stands after it was last written.
    public init(_ client: RedisClient, prefix: String, lifetime: Duration) {
        self.client = client
        self.prefix = prefix
        lifetimeMilliseconds = lifetime.lifetimeMillis
    }

    /// A hash to write.
    public struct Entry: Hashable, Sendable {
        public var key: String
        public var rank: UInt64
        /// Without `rank`.
        public var fields: [Field]
        /// A hash that has all of these gives way whatever its rank, as one that nobody can use;
        /// none for none.
        public var replaced: [Field]

        public init(key: String, rank: UInt64, fields: [Field], replaced: [Field] = []) {
            self.key = key
            self.rank = rank
            self.fields = fields
            self.replaced = replaced
        }
    }

    public struct Field: Hashable, Sendable {
        public var name: String
        public var value: [UInt8]

        public init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Writes hashes in one pipeline, each unless one of a higher rank is there that is not
    /// ``Entry/replaced``. What is no hash gives way.
    ///
    /// - Returns: for each whether it stands now; false where a higher rank does.
    public func write(_ entries: [Entry]) async -> [Result<Bool, RedisError>] {
        let calls = entries.map { entry in
            var arguments: [RedisArgument] = [
                .number(entry.rank), .number(lifetimeMilliseconds), .number(entry.replaced.count),
            ]
            for field in entry.replaced { arguments += [.text(field.name), .bytes(field.value)] }
            arguments += [.text(Self.rankField), .number(entry.rank)]
            for field in entry.fields {
                precondition(field.name != Self.rankField, "a field of the store's own name")
                arguments += [.text(field.name), .bytes(field.value)]
            }
            return (keys: [Array((prefix + entry.key).utf8)], arguments: arguments)
        }
        return await client.run(Self.writing, calls).map { result in
            result.flatMap { reply in
                guard let written = reply.integer else {
                    return .failure(.unexpectedReply(to: "EVALSHA"))
                }
                return .success(written == 1)
            }
        }
    }

    /// Reads the same fields of many hashes in one pipeline.
    ///
    /// - Returns: for each key the fields in their order, nil for one that is missing, and nil in
    ///   place of all where there is no such hash.
    public func read(
        _ keys: [String], fields: [String]
    ) async -> [Result<[[UInt8]?]?, RedisError>] {
        let commands = keys.map { key in
            RedisCommand(
                "HMGET",
                [.text(prefix + key), .text(Self.rankField)] + fields.map { .text($0) })
        }
        return await client.send(all: commands).map { result in
            result.flatMap { reply in
                guard let parts = reply.array, parts.count == fields.count + 1 else {
                    return .failure(.unexpectedReply(to: "HMGET"))
                }
                return .success(parts[0] == .null ? nil : parts.dropFirst().map(\.bytes))
            }
        }
    }

    /// Ranks are compared as decimals, digit by digit: a Lua number is exact up to 2^53 only.
    private static let writing = RedisScript(
        """
        if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
        local there = redis.call('HGET', KEYS[1], '\(rankField)')
        local rank = ARGV[1]
        local first = 4 + 2 * ARGV[3]
        local isReplaced = first > 4
        for place = 4, first - 1, 2 do
          if redis.call('HGET', KEYS[1], ARGV[place]) ~= ARGV[place + 1] then isReplaced = false end
        end
        if there and not isReplaced and string.find(there, '^%d+$') then
          if #there > #rank or (#there == #rank and there > rank) then return 0 end
        end
        redis.call('DEL', KEYS[1])
        redis.call('HSET', KEYS[1], unpack(ARGV, first))
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """)
}
