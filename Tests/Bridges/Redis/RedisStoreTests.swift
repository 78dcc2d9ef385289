import Bridges
import Foundation
import TestSupport
import Testing

@Suite("Redis: claims")
struct ClaimStoreTests {
    private let identity = Array("order.made:17".utf8)

    private func store(pending: Duration = .seconds(30)) async throws -> (
        ClaimStore, RedisClient, prefix: String
    ) {
        let client = try await RedisServer.shared().client()
        let prefix = freshKey("gate:")
        return (ClaimStore(client, prefix: prefix, pending: pending), client, prefix)
    }

    @Test("a key is new, then pending, then done, and says whose it is")
    func life() async throws {
        let (store, client, prefix) = try await store()
        let token = ClaimToken()
        #expect(try await store.standing("a") == nil)
        #expect(try await store.claim("a", identity: identity, token: token) == .taken(token))
        let other = Array("order.paid:18".utf8)
        #expect(
            try await store.claim("a", identity: other) == .held(.pending(identity: identity)))
        // The same again, as after an unknown outcome.
        #expect(try await store.claim("a", identity: identity, token: token) == .taken(token))
        let raw = try await client.send(RedisCommand("GET", .text(prefix + "a")))
        #expect(raw == .bulk(Array("pending:\(token.text):order.made:17".utf8)))
        let left = try await client.send(RedisCommand("PTTL", .text(prefix + "a"))).integer
        #expect((1...30_000).contains(left ?? 0))

        try await store.finish("a", identity: identity)
        #expect(
            try await store.claim("a", identity: identity) == .held(.done(identity: identity)))
        let long = try await client.send(RedisCommand("PTTL", .text(prefix + "a"))).integer
        #expect((500_000_000...604_800_000).contains(long ?? 0))
    }

    @Test("done is written whoever claimed it, and nobody takes it back")
    func unconditional() async throws {
        let (store, _, _) = try await store()
        let (mine, theirs) = (ClaimToken(), ClaimToken())
        _ = try await store.claim("a", identity: identity, token: theirs)
        try await store.finish("a", identity: identity)
        for token in [mine, theirs] {
            #expect(try await !store.giveBack("a", identity: identity, token: token))
        }
        #expect(try await store.standing("a") == .done(identity: identity))
        // Nobody had claimed this one.
        try await store.finish("b", identity: identity)
        #expect(try await store.standing("b") == .done(identity: identity))
    }

    @Test("only one's own claim can be given back")
    func givingBack() async throws {
        let (store, _, _) = try await store()
        let (mine, theirs) = (ClaimToken(), ClaimToken())
        _ = try await store.claim("a", identity: identity, token: mine)
        #expect(try await !store.giveBack("a", identity: identity, token: theirs))
        #expect(try await store.standing("a") == .pending(identity: identity))
        #expect(try await store.giveBack("a", identity: identity, token: mine))
        #expect(try await store.standing("a") == nil)
        #expect(try await !store.giveBack("a", identity: identity, token: mine))
    }

    @Test("of many at once, one takes the key")
    func race() async throws {
        let (store, _, _) = try await store()
        let identity = identity
        let answers = try await withThrowingTaskGroup(of: ClaimAnswer.self) { group in
            for _ in 0..<50 {
                group.addTask { try await store.claim("a", identity: identity) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let taken = answers.filter { if case .taken = $0 { true } else { false } }
        #expect(taken.count == 1)
        #expect(answers.count { $0 == .held(.pending(identity: identity)) } == 49)
    }

    @Test("a claim whose owner died runs out")
    func runsOut() async throws {
        let (store, _, _) = try await store(pending: .milliseconds(30))
        _ = try await store.claim("a", identity: identity)
        #expect(try await store.waitUntilDone("a", within: .seconds(20)) == nil)
        guard case .taken = try await store.claim("a", identity: identity) else {
            Issue.record("still held")
            return
        }
    }

    @Test("who waits sees it done, given back, or still pending when the time is over")
    func waiting() async throws {
        let (store, _, _) = try await store()
        for key in ["done", "back", "never"] {
            _ = try await store.claim(key, identity: identity, token: token)
        }
        async let done = store.waitUntilDone("done", within: .seconds(20))
        async let back = store.waitUntilDone("back", within: .seconds(20))
        async let never = store.waitUntilDone("never", within: .milliseconds(50))
        try await store.finish("done", identity: identity)
        try await store.giveBack("back", identity: identity, token: token)
        #expect(try await done == .done(identity: identity))
        #expect(try await back == nil)
        #expect(try await never == .pending(identity: identity))
    }

    private let token = ClaimToken()

    @Test("what is no claim is told apart, and a key of another kind is refused")
    func foreign() async throws {
        let (store, client, prefix) = try await store()
        for value in ["hello", "pending:", "pending:x", ""] {
            _ = try await client.send(RedisCommand("SET", .text(prefix + "a"), .text(value)))
            #expect(
                try await store.claim("a", identity: identity)
                    == .held(.foreign(Array(value.utf8))))
        }
        _ = try await client.send(RedisCommand("LPUSH", .text(prefix + "list"), "x"))
        await #expect(throws: RedisError.self) {
            try await store.claim("list", identity: identity)
        }
    }

    @Test("an identity may be any bytes")
    func anyIdentity() async throws {
        let (store, _, _) = try await store()
        for (index, bytes) in [[], [58], [0, 255, 58, 10], Array("done:x".utf8)].enumerated() {
            _ = try await store.claim("\(index)", identity: bytes)
            #expect(try await store.standing("\(index)") == .pending(identity: bytes))
            try await store.finish("\(index)", identity: bytes)
            #expect(try await store.standing("\(index)") == .done(identity: bytes))
        }
    }

    @Test("a flushed or evicting server forgets claims, answers on and takes new ones")
    func forgetting() async throws {
        let server = try await RedisServer(
            settings: ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"])
        defer { withExtendedLifetime(server) {} }
        let client = try server.client()
        let store = ClaimStore(client, prefix: "gate:")
        _ = try await store.claim("a", identity: identity)
        try await store.finish("a", identity: identity)
        try await server.tool("FLUSHALL")
        guard case .taken = try await store.claim("a", identity: identity) else {
            Issue.record("held after a flush")
            return
        }
        let keys = (0..<200).map { "done \($0)" }
        for key in keys { try await store.finish(key, identity: identity) }
        for start in stride(from: 0, to: 20_000, by: 500) {
            let commands = (start..<start + 500).map {
                RedisCommand("SET", "gate:\($0)", .bytes([UInt8](repeating: 120, count: 200)))
            }
            for result in await client.send(all: commands) {
                #expect(throws: Never.self) { try result.get() }
            }
        }
        let info = try await server.tool("INFO", "stats")
        #expect(!info.contains("evicted_keys:0\r") && info.contains("evicted_keys:"))
        // Which of them it dropped is a matter of chance.
        var forgotten = 0
        for key in keys where try await store.standing(key) == nil {
            forgotten += 1
            guard case .taken = try await store.claim(key, identity: identity) else {
                Issue.record("\(key) is held after its eviction")
                return
            }
        }
        #expect(forgotten > 0)
    }
}

@Suite("Redis: ranked hashes")
struct RankedHashStoreTests {
    private func store() async throws -> (RankedHashStore, RedisClient, prefix: String) {
        let client = try await RedisServer.shared().client()
        let prefix = freshKey("features:")
        return (RankedHashStore(client, prefix: prefix, lifetime: .seconds(60)), client, prefix)
    }

    private func entry(_ key: String, _ rank: UInt64, _ value: String) -> RankedHashStore.Entry {
        .init(key: key, rank: rank, fields: [.init("v0", Array(value.utf8))])
    }

    private func text(_ fields: [[UInt8]?]?) -> [String?]? {
        fields?.map { $0.map { String(decoding: $0, as: UTF8.self) } }
    }

    @Test("a lower rank never replaces a higher one; the same rank does")
    func ranks() async throws {
        let (store, _, _) = try await store()
        let exact: UInt64 = 1 << 53
        let steps: [(UInt64, String, Bool, String)] = [
            (5, "a", true, "a"), (4, "b", false, "a"), (5, "c", true, "c"), (10, "d", true, "d"),
            (9, "e", false, "d"), (exact, "f", true, "f"), (exact + 1, "g", true, "g"),
            (exact, "h", false, "g"), (.max, "i", true, "i"), (.max - 1, "j", false, "i"),
            (0, "k", false, "i"),
        ]
        for (rank, value, isWritten, standing) in steps {
            let results = await store.write([entry("x", rank, value)])
            #expect(try results.map { try $0.get() } == [isWritten], "\(rank)")
            let read = await store.read(["x"], fields: ["v0"])
            #expect(text(try read[0].get()) == [standing])
        }
    }

    @Test("many in one pipeline: each its own, missing fields and missing hashes told apart")
    func many() async throws {
        let (store, client, prefix) = try await store()
        let entries = (0..<300).map { entry("\($0)", UInt64($0), "value \($0)") }
        #expect(await store.write(entries).allSatisfy { (try? $0.get()) == true })
        let keys = (0..<301).map { "\($0)" }
        let read = await store.read(keys, fields: ["v0", "v1"])
        for (index, result) in read.enumerated() {
            let expected: [String?]? = index < 300 ? ["value \(index)", nil] : nil
            #expect(text(try result.get()) == expected)
        }
        let left = try await client.send(RedisCommand("PTTL", .text(prefix + "7"))).integer
        #expect((1...60_000).contains(left ?? 0))
    }

    @Test("a hash is replaced as a whole: no field of the one before stays")
    func whole() async throws {
        let (store, _, _) = try await store()
        _ = await store.write([
            .init(key: "x", rank: 1, fields: [.init("a", [1]), .init("b", [0, 255])])
        ])
        _ = await store.write([.init(key: "x", rank: 2, fields: [.init("a", [2])])])
        let read = await store.read(["x"], fields: ["a", "b", "rank"])
        #expect(try read[0].get() == [[2], nil, [50]])
    }

    @Test("a hash that is to be replaced gives way whatever its rank, as long as it is that one")
    func replaced() async throws {
        let (store, _, _) = try await store()
        _ = await store.write([
            .init(key: "x", rank: 9, fields: [.init("a", [1]), .init("b", [0, 255])])
        ])
        func write(_ replaced: [RankedHashStore.Field]) async throws -> Bool {
            let entry = RankedHashStore.Entry(
                key: "x", rank: 2, fields: [.init("a", [2])], replaced: replaced)
            return try await store.write([entry])[0].get()
        }
        #expect(try await !write([]))
        #expect(try await !write([.init("a", [1]), .init("b", [0])]))
        #expect(try await !write([.init("c", [])]))
        #expect(try await write([.init("a", [1]), .init("b", [0, 255])]))
        let read = await store.read(["x"], fields: ["a", "b", "rank"])
        #expect(try read[0].get() == [[2], nil, [50]])
    }

    @Test("a key of another kind gives way to a hash of whatever rank")
    func otherKind() async throws {
        let (store, client, prefix) = try await store()
        _ = try await client.send(RedisCommand("SET", .text(prefix + "x"), "9"))
        _ = try await client.send(RedisCommand("RPUSH", .text(prefix + "y"), "rank"))
        let written = await store.write(
            ["x", "y"].map { .init(key: $0, rank: 0, fields: [.init("a", [2])]) })
        #expect(try written.map { try $0.get() } == [true, true])
        for result in await store.read(["x", "y"], fields: ["a", "rank"]) {
            #expect(try result.get() == [[2], [48]])
        }
    }

    @Test("writers that race leave the highest rank")
    func race() async throws {
        let (store, _, _) = try await store()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<20 {
                group.addTask {
                    let ranks = (0..<20).map { UInt64(($0 * 7 + writer) % 400) }
                    _ = await store.write(ranks.map { self.entry("x", $0, "\($0)") })
                }
            }
        }
        _ = await store.write([entry("x", 400, "400")])
        let late = await store.write((0..<400).map { entry("x", UInt64($0), "\($0)") })
        #expect(late.allSatisfy { (try? $0.get()) == false })
        let read = await store.read(["x"], fields: ["v0", "rank"])
        #expect(text(try read[0].get()) == ["400", "400"])
    }
}

@Suite("Redis: what waits")
struct WaitingSetTests {
    private func set() async throws -> (WaitingSet, RedisClient, prefix: String) {
        let client = try await RedisServer.shared().client()
        let prefix = freshKey("waiting")
        return (WaitingSet(client, prefix: prefix, lifetime: .seconds(60)), client, prefix)
    }

    /// The server's clock, milliseconds since 1970.
    private func time(_ client: RedisClient) async throws -> Int64 {
        let parts = try await client.send(RedisCommand("TIME")).array ?? []
        let numbers = parts.compactMap {
            $0.bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        }
        try #require(numbers.count == 2)
        return numbers[0] * 1000 + numbers[1] / 1000
    }

    /// Moves an entry's moment.
    private func move(
        _ id: String, to moment: Int64, _ client: RedisClient, _ prefix: String
    ) async throws {
        _ = try await client.send(
            RedisCommand("ZADD", .text(prefix), .number(moment), .text(id)))
    }

    @Test("what was added is listed by its time, the oldest first, until it is removed")
    func oldest() async throws {
        let (set, client, prefix) = try await set()
        try await set.add([("late", [3]), ("first", [0, 255]), ("second", [])])
        for (id, moment) in [("late", Int64(3_000)), ("first", 1_000), ("second", 2_000)] {
            try await move(id, to: moment, client, prefix)
        }
        let entries = [
            WaitingSet.Entry(id: "first", since: 1_000, value: [0, 255]),
            .init(id: "second", since: 2_000, value: []),
            .init(id: "late", since: 3_000, value: [3]),
        ]
        #expect(try await set.count() == 3)
        #expect(try await set.oldest(countMax: 10).entries == entries)
        #expect(try await set.oldest(countMax: 2).entries == Array(entries.prefix(2)))
        #expect(try await set.values(of: ["late", "never was", "first"]) == [[3], nil, [0, 255]])
        #expect(try await set.values(of: []) == [])
        try await set.remove(["first", "never was"])
        #expect(try await set.values(of: ["first"]) == [nil])
        #expect(try await set.oldest(countMax: 10).entries == Array(entries.dropFirst()))
        #expect(try await set.count() == 2)
    }

    @Test("moments are the server's own")
    func serverTime() async throws {
        let (set, client, _) = try await set()
        let before = try await time(client)
        try await set.add([("a", [1])])
        let (entries, now) = try await set.oldest(countMax: 10)
        let after = try await time(client)
        let since = try #require(entries.first?.since)
        #expect(before <= since && since <= now && now <= after)
    }

    @Test("who is added again keeps its moment and takes the new value")
    func again() async throws {
        let (set, client, prefix) = try await set()
        try await set.add([("a", [1])])
        try await move("a", to: 1_795_000_000_123, client, prefix)
        try await set.add([("a", [2])])
        #expect(
            try await set.oldest(countMax: 10).entries
                == [.init(id: "a", since: 1_795_000_000_123, value: [2])])
    }

    @Test("a value that the server dropped leaves its place, so that somebody sees it")
    func dropped() async throws {
        let (set, client, prefix) = try await set()
        try await set.add([("a", [1])])
        _ = try await client.send(RedisCommand("DEL", .text("\(prefix):a")))
        #expect(try await set.values(of: ["a"]) == [nil])
        #expect(try await set.oldest(countMax: 10).entries.map(\.value) == [nil])
    }

    @Test("a thousand in one pipeline")
    func many() async throws {
        let (set, _, _) = try await set()
        let values = (0..<1_000).map { (id: "\($0)", value: Array("\($0)".utf8)) }
        try await set.add(values)
        let found = try await set.oldest(countMax: 2_000).entries
        #expect(Set(found.map(\.id)) == Set(values.map(\.id)))
        #expect(found.allSatisfy { $0.value == Array($0.id.utf8) })
        try await set.remove(values.map(\.id))
        #expect(try await set.count() == 0)
    }
}
