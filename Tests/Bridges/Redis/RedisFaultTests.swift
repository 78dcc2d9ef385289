@testable import Bridges
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Redis: faults")
struct RedisFaultTests {
    @Test("a server that is restarted is connected to again; what waited meanwhile goes through")
    func restart() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        let client = try server.client()
        try await client.untilConnected()
        try await server.kill()
        try await eventually("the loss is seen") { !client.statistics.isConnected }
        async let waiting = client.send(RedisCommand("SET", "k", "v"), within: .seconds(20))
        try await server.start()
        #expect(try await waiting.isOK)
        #expect(client.statistics.connections == 2)
        let trouble = try #require(client.statistics.lastTrouble)
        #expect(trouble.isRetryable && trouble.description.contains("127.0.0.1:\(server.port)"))
    }

    @Test("where nobody listens, a command ends in its time, certainly not sent, with the reason")
    func nobody() async throws {
        var configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(try freePort())")
        configuration.beQuick()
        let client = try RedisClient(configuration)
        let before = ContinuousClock.now
        let error = await client.failure(of: RedisCommand("PING"), within: .milliseconds(300))
        #expect(ContinuousClock.now - before >= .milliseconds(300))
        guard case .notSent(.connection(.system(.connect, ECONNREFUSED), _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.isRetryable == true)
        #expect("\(error, default: "")".contains("Connection refused"))
    }

    @Test("a name that has no address is told by its name")
    func unknownName() async throws {
        var configuration = try RedisConfiguration(url: "redis://nowhere.invalid")
        configuration.beQuick()
        let client = try RedisClient(configuration)
        let trouble = try await client.trouble()
        guard case .connection(.unknownName("nowhere.invalid", _), _) = trouble else {
            // A resolver without a network may only say so after a while.
            #expect(trouble == .connectDeadline(place: "nowhere.invalid:6379", isSecure: false))
            return
        }
        #expect(trouble.description.contains("nowhere.invalid"))
    }

    @Test("a host name is looked up, and all its addresses are tried")
    func names() async throws {
        let server = try await RedisServer.shared()
        var configuration = try RedisConfiguration(url: "redis://localhost:\(server.port)")
        configuration.beQuick()
        let client = try RedisClient(configuration)
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
    }

    @Test("a resolver that hangs holds up nobody's deadline, and is waited for")
    func slowResolver() async throws {
        let server = try await RedisServer.shared()
        var configuration = try RedisConfiguration(url: "redis://cache:\(server.port)")
        configuration.beQuick()
        configuration.connectTimeout = .milliseconds(50)
        let gate = DispatchSemaphore(value: 0)
        let asked = Mutex(0)
        let client = try RedisClient(configuration) { (_, port) throws(StreamError) in
            asked.withLock { $0 += 1 }
            gate.wait()
            return try SocketAddress.lookUp("127.0.0.1", port: port)
        }
        let before = ContinuousClock.now
        let error = await client.failure(of: RedisCommand("PING"), within: .milliseconds(300))
        #expect(ContinuousClock.now - before < .seconds(5))
        let late = RedisTrouble.connectDeadline(place: configuration.place, isSecure: false)
        #expect(error == .notSent(late))
        // However many attempts have passed, one thread hangs.
        #expect(asked.withLock { $0 } == 1)
        // For as many attempts as a busy machine may take, with so little time for each.
        for _ in 0..<1_000 { gate.signal() }
        try await client.untilConnected()
    }

    @Test("an address that swallows everything does not keep us from the next one")
    func deadAddress() async throws {
        let server = try await RedisServer.shared()
        let silent = try ScriptedPeer { $0.read(until: "never") }
        defer { withExtendedLifetime(silent) {} }
        var configuration = try RedisConfiguration(url: "redis://cache")
        configuration.beQuick()
        configuration.connectTimeout = .milliseconds(200)
        let places = [silent.port, server.port].compactMap {
            SocketAddress(number: "127.0.0.1", port: UInt16($0))
        }
        defer { withExtendedLifetime(silent) {} }
        let client = try RedisClient(configuration) { (_, _) in places }
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        #expect(silent.connections >= 1)
    }

    @Test("connections killed under load: what is called done was done, what is called unsent not",
        arguments: [false, true])
    func killedUnderLoad(isSecure: Bool) async throws {
        let certificate = try await TestCertificate()
        let server = try await RedisServer(certificate: certificate)
        defer { withExtendedLifetime(server) {} }
        var configuration = try isSecure
            ? server.secureConfiguration(authorities: certificate.caFile) : server.configuration()
        configuration.commandTimeout = .seconds(20)
        let client = try RedisClient(configuration)
        try await client.untilConnected()
        // Done, unknown, not sent.
        var counts = [0, 0, 0]
        try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 { group.addTask { await Self.count(60, client) } }
            group.addTask {
                for _ in 0..<10 {
                    try await client.untilConnected()
                    try await server.tool("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                }
                return [0, 0, 0]
            }
            for try await more in group { for index in 0..<3 { counts[index] += more[index] } }
        }
        let (done, unknown, notSent) = (counts[0], counts[1], counts[2])
        #expect(done + unknown + notSent == 12_000)
        // Nothing waited so long that it was not sent at all: it went out on the next connection.
        #expect(notSent == 0)
        let reply = try await client.send(RedisCommand("GET", "k"))
        let counted = try #require(Int(String(decoding: reply.bytes ?? [], as: UTF8.self)))
        #expect(done <= counted && counted <= done + unknown, "\(done) \(counted) \(unknown)")
        #expect(client.statistics.connections > 2)
    }

    /// Counts up in batches, and what became of it.
    private static func count(_ batches: Int, _ client: RedisClient) async -> [Int] {
        var counts = [0, 0, 0]
        for _ in 0..<batches {
            let batch = Array(repeating: RedisCommand("INCR", "k"), count: 50)
            for result in await client.send(all: batch) {
                switch result {
                case .success: counts[0] += 1
                case .failure(.unknownOutcome): counts[1] += 1
                case .failure: counts[2] += 1
                }
            }
        }
        return counts
    }

    @Test("a hung server: deadlines hold, what was sent may have run, what was not sent has not")
    func hung() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        var configuration = try server.configuration()
        configuration.pipelineCommandsMax = 10
        configuration.commandTimeout = .milliseconds(700)
        let client = try RedisClient(configuration)
        try await client.untilConnected()
        server.freeze()
        let before = ContinuousClock.now
        let results = await client.send(
            all: (0..<30).map { _ in RedisCommand("INCR", "k") }, within: .milliseconds(300))
        let took = ContinuousClock.now - before
        #expect(took >= .milliseconds(300) && took < .seconds(5))
        for (index, result) in results.enumerated() {
            let expected: RedisError =
                index < 10 ? .unknownOutcome(.deadline) : .notSent(.deadline)
            #expect(result == .failure(expected), "\(index)")
        }
        try await eventually("the connection is given up") {
            client.statistics.lastTrouble == .hung(milliseconds: 700)
        }
        server.thaw()
        // Ten had reached it, and ran when it woke; never one of the others.
        try await eventually("it has answered") {
            try await client.send(RedisCommand("GET", "k"), within: .seconds(10))
                == .bulk(Array("10".utf8))
        }
    }

    @Test("an idle connection to a hung server is found out without a command")
    func idle() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        var configuration = try server.configuration()
        configuration.pingInterval = .milliseconds(50)
        configuration.commandTimeout = .milliseconds(300)
        let client = try RedisClient(configuration)
        try await client.untilConnected()
        server.freeze()
        try await eventually("it is no longer connected") { !client.statistics.isConnected }
        server.thaw()
        try await client.untilConnected()
        #expect(client.statistics.failedCommands == 0 && client.statistics.answeredCommands == 0)
    }

    @Test("a full queue refuses at once, and takes commands again when it has room")
    func overloaded() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        var configuration = try server.configuration()
        configuration.queueCommandsMax = 5
        let client = try RedisClient(configuration)
        try await client.untilConnected()
        server.freeze()
        let command = RedisCommand("INCR", "k")
        let five = Array(repeating: command, count: 5)
        async let taken = client.send(all: five, within: .seconds(20))
        try await eventually("they are under way") { client.statistics.underWayCommands == 5 }
        #expect(await client.failure(of: command) == .notSent(.overloaded(commands: 5)))
        server.thaw()
        for result in await taken { #expect(throws: Never.self) { try result.get() } }
        #expect(try await client.send(command) == .integer(6))
    }

    @Test("answers that come byte by byte are whole answers")
    func byteByByte() async throws {
        let peer = try ScriptedPeer { connection in
            connection.read(until: "PING")
            connection.sendByteByByte("+PONG\r\n")
            connection.read(until: "ECHO")
            connection.sendByteByByte("*2\r\n$3\r\na\r\n\r\n:12\r\n")
            connection.read(until: "never")
        }
        defer { withExtendedLifetime(peer) {} }
        let client = try RedisClient(try peer.configuration())
        #expect(
            try await client.send(RedisCommand("ECHO", "x"))
                == .array([.bulk(Array("a\r\n".utf8)), .integer(12)]))
    }

    @Test("a connection that is thrown away in the middle of an answer: unknown, and then again")
    func reset() async throws {
        let peer = try ScriptedPeer { connection in
            connection.read(until: "PING")
            connection.send("+PONG\r\n")
            connection.read(until: "INCR")
            connection.send("$100\r\nonly the beg")
            connection.reset()
        }
        defer { withExtendedLifetime(peer) {} }
        let client = try RedisClient(try peer.configuration())
        for _ in 0..<2 {
            let error = await client.failure(of: RedisCommand("INCR", "k"))
            guard case .unknownOutcome(.connection(let reason, _)) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason == .system(.read, code: ECONNRESET) || reason == .ended)
            #expect(error?.isRetryable == true)
        }
        try await eventually("it came again") { peer.connections >= 2 }
    }

    @Test("what a server says before it ends the connection is told", arguments: [
        ("-ERR max number of clients reached\r\n", "max number of clients"),
        ("-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "RESP2"),
        ("", "ended the connection before it said a word; if it is a TLS port, use rediss://"),
    ])
    func lastWords(text: String, expected: String) async throws {
        let peer = try ScriptedPeer { connection in
            if text.isEmpty { connection.read(until: "PING") }
            connection.send(text)
        }
        defer { withExtendedLifetime(peer) {} }
        let client = try RedisClient(try peer.configuration())
        try await eventually("\(expected): \(client.statistics)") {
            client.statistics.lastTrouble?.description.contains(expected) == true
        }
    }

    @Test("an answer to nothing ends the connection, and the next one serves")
    func unasked() async throws {
        let peer = try ScriptedPeer { connection in
            connection.read(until: "PING")
            connection.send("+PONG\r\n+WHAT\r\n")
            connection.read(until: "never")
        }
        defer { withExtendedLifetime(peer) {} }
        let client = try RedisClient(try peer.configuration())
        try await eventually("it is seen") {
            client.statistics.lastTrouble == .protocolViolation("an answer to nothing")
        }
        try await eventually("it comes again") { client.statistics.connections >= 2 }
    }

    @Test("an answer larger than allowed costs the connection, and not the memory")
    func largeReply() async throws {
        let server = try await RedisServer.shared()
        var configuration = try server.configuration()
        configuration.replyBytesMax = 10_000
        let client = try RedisClient(configuration)
        let script = RedisCommand("EVAL", "return string.rep('x', 1000000)", 0)
        #expect(
            await client.failure(of: script)
                == .unknownOutcome(.replyTooLarge(bytesMax: 10_000)))
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
    }

    @Test("a server that became a replica is left for a new connection")
    func replica() async throws {
        let server = try await RedisServer()
        defer { withExtendedLifetime(server) {} }
        let client = try server.client()
        try await client.untilConnected()
        // Nobody is its master, so that it only refuses to be written to.
        try await server.tool("REPLICAOF", "127.0.0.1", "1")
        let error = await client.failure(of: RedisCommand("SET", "k", "v"))
        guard case .refused(let reply) = error, reply.code == "READONLY" else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.isRetryable == true)
        try await server.tool("REPLICAOF", "NO", "ONE")
        #expect(try await client.send(RedisCommand("SET", "k", "v")).isOK)
        #expect(client.statistics.connections == 2)
    }
}

extension ScriptedPeer {
    func configuration() throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(port)")
        configuration.beQuick()
        return configuration
    }
}
