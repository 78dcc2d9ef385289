import Bridges
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Redis: a client and a server")
struct RedisClientTests {
    @Test("commands, bytes and numbers go and come back as they are")
    func roundTrip() async throws {
        let client = try await RedisServer.shared().client()
        let key = freshKey()
        let bytes = (0...255).map { UInt8($0) } + Array("\r\n$5\r\n".utf8)
        #expect(try await client.send(RedisCommand("SET", .text(key), .bytes(bytes))).isOK)
        #expect(try await client.send(RedisCommand("GET", .text(key))) == .bulk(bytes))
        #expect(try await client.send(RedisCommand("GET", .text(key + "x"))) == .null)
        #expect(try await client.send(RedisCommand("DEL", .text(key))) == .integer(1))
        #expect(
            try await client.send(RedisCommand("EVAL", "return {1, {'a', false}, 'b'}", 0))
                == .array([.integer(1), .array([.bulk([97]), .null]), .bulk([98])]))
        let statistics = client.statistics
        #expect(statistics.connections == 1 && statistics.failedCommands == 0)
        #expect(statistics.lastTrouble == nil)
    }

    @Test("a large value goes through in parts")
    func large() async throws {
        let client = try await RedisServer.shared().client()
        let key = freshKey()
        let bytes = [UInt8](repeating: 7, count: 5 << 20)
        #expect(try await client.send(RedisCommand("SET", .text(key), .bytes(bytes))).isOK)
        #expect(try await client.send(RedisCommand("GET", .text(key))).bytes?.count == 5 << 20)
        #expect(try await client.send(RedisCommand("DEL", .text(key))) == .integer(1))
    }

    @Test("what is handed in together is answered in its order")
    func order() async throws {
        let client = try await RedisServer.shared().client()
        let key = freshKey()
        let results = await client.send(
            all: (0..<5_000).map { _ in RedisCommand("INCR", .text(key)) })
        #expect(try results.map { try $0.get() } == (1...5_000).map { .integer($0) })
        #expect(try await client.send(RedisCommand("DEL", .text(key))) == .integer(1))
        #expect(await client.send(all: []).isEmpty)
    }

    @Test("many tasks at once each get their own answer")
    func tasks() async throws {
        let client = try await RedisServer.shared().client()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let text = "\(number)"
                    let reply = try await client.send(RedisCommand("ECHO", .text(text)))
                    return reply == .bulk(Array(text.utf8))
                }
            }
            for try await isOwn in group { #expect(isOwn) }
        }
        try await eventually("a round trip is measured") { client.statistics.roundTrip != nil }
        #expect(client.statistics.answeredCommands == 500)
    }

    @Test("the closure form is called once")
    func closure() async throws {
        let client = try await RedisServer.shared().client()
        let calls = Mutex(0)
        client.send(RedisCommand("PING")) { result in
            #expect(try! result.get() == .status("PONG"))
            calls.withLock { $0 += 1 }
        }
        try await eventually("it was called") { calls.withLock { $0 == 1 } }
        await client.shutDown()
        #expect(calls.withLock { $0 } == 1)
    }

    @Test("the server's own error is told with its words, and the connection stays")
    func refused() async throws {
        let client = try await RedisServer.shared().client()
        let key = freshKey()
        _ = try await client.send(RedisCommand("SET", .text(key), "x"))
        let error = try #require(await client.failure(of: RedisCommand("INCR", .text(key))))
        guard case .refused(let reply) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(reply.code == "ERR" && !error.isRetryable)
        #expect(error.description.contains("not an integer"))
        #expect(try await client.send(RedisCommand("GET", .text(key))) == .bulk([120]))
        #expect(client.statistics.connections == 1)
    }

    @Test("a script is sent whole where the server does not know it, and by its digest after that")
    func scripts() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        let client = try server.client()
        let script = RedisScript("return {KEYS[1], ARGV[1], ARGV[2]}")
        for _ in 0..<2 {
            for _ in 0..<3 {
                let reply = try await client.run(
                    script, keys: [Array("k".utf8)], [.bytes([0, 255]), 7])
                #expect(reply == .array([.bulk([107]), .bulk([0, 255]), .bulk([55])]))
            }
            let calls = try await server.tool("INFO", "commandstats")
            #expect(calls.contains("cmdstat_evalsha:calls=3"))
            #expect(calls.contains("cmdstat_eval:calls=1"))
            try await server.tool("SCRIPT", "FLUSH")
            try await server.tool("CONFIG", "RESETSTAT")
        }
    }

    @Test("shutting down answers what is under way, refuses what is new and ends the thread")
    func shutDown() async throws {
        let client = try await RedisServer.shared().client()
        let key = freshKey()
        async let last = client.send(all: (0..<200).map { _ in RedisCommand("INCR", .text(key)) })
        try await eventually("they are there") { client.statistics.answeredCommands > 0 }
        await client.shutDown()
        #expect(try await last.last?.get() == .integer(200))
        #expect(
            await client.failure(of: RedisCommand("PING")) == .notSent(.shuttingDown))
        #expect(!client.statistics.isConnected)
        await client.shutDown()
    }

    @Test("a client that nobody holds any more closes its connection")
    func dropped() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        var client: RedisClient? = try server.client()
        try await client?.untilConnected()
        let connected = try await server.tool("CLIENT", "LIST").split(separator: "\n").count
        client = nil
        try await eventually("the server has a connection less") {
            try await server.tool("CLIENT", "LIST").split(separator: "\n").count < connected
        }
    }

    @Test("a command larger than the queue is refused with its size")
    func tooLarge() async throws {
        var configuration = try await RedisServer.shared().configuration()
        configuration.queueBytesMax = 1_000
        let client = try RedisClient(configuration)
        let command = RedisCommand("ECHO", .bytes([UInt8](repeating: 1, count: 2_000)))
        let error = await client.failure(of: command)
        guard case .notSent(.commandTooLarge(let bytes, 1_000)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(bytes >= 2_000)
    }
}

extension RedisReply {
    var isOK: Bool { self == .status("OK") }
}
