import Bridges
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Redis: who may come in, and whom one trusts")
struct RedisAccessTests {
    @Test("a password alone, and a user with a password")
    func credentials() async throws {
        let server = try await RedisServer(settings: [
            "--requirepass", "open sesame",
            "--user", "ann", "on", ">hunter2", "~tillbox:*", "+@all",
        ])
        defer { withExtendedLifetime(server) {} }
        for credentials in [
            RedisCredentials(password: Secret("open sesame")),
            RedisCredentials(user: "ann", password: Secret("hunter2")),
        ] {
            let client = try RedisClient(try server.configuration(credentials, database: 3))
            #expect(try await client.send(RedisCommand("SET", "tillbox:a", "1")).isOK)
        }
        let ann = RedisCredentials(user: "ann", password: Secret("hunter2"))
        let client = try RedisClient(try server.configuration(ann))
        let error = try #require(await client.failure(of: RedisCommand("SET", "other", "1")))
        guard case .refused(let reply) = error, reply.code == "NOPERM" else {
            Issue.record("\(error)")
            return
        }
    }

    @Test("a wrong password, user or database, and no password: one sentence each, at once")
    func refusals() async throws {
        let server = try await RedisServer(settings: ["--requirepass", "open sesame"])
        defer { withExtendedLifetime(server) {} }
        let right = Secret("open sesame")
        let rows: [(RedisCredentials?, Int, String)] = [
            (RedisCredentials(password: Secret("hunter2")), 0, "refuses the user or password"),
            (RedisCredentials(user: "bob", password: right), 0, "refuses the user or password"),
            (nil, 0, "wants a password; add it to the Redis address"),
            (RedisCredentials(password: right), 99, "refuses database 99"),
        ]
        for (credentials, database, sentence) in rows {
            let client = try RedisClient(
                try server.configuration(credentials, database: database))
            let trouble = try await client.trouble()
            #expect(trouble.description.contains(sentence) && !trouble.isRetryable)
            #expect(!trouble.description.contains("hunter2"))
            #expect(!trouble.description.contains("sesame"))
            // Between two attempts, a command need not wait for its time.
            let before = ContinuousClock.now
            let error = await client.failure(of: RedisCommand("PING"), within: .seconds(60))
            #expect(error == .notSent(trouble))
            #expect(ContinuousClock.now - before < .seconds(30))
        }
    }

    @Test("a server that knows no password says so")
    func noPassword() async throws {
        let server = try await RedisServer.shared()
        let credentials = RedisCredentials(password: Secret("hunter2"))
        let client = try RedisClient(try server.configuration(credentials))
        let trouble = try await client.trouble()
        guard case .passwordRefused = trouble else {
            Issue.record("\(trouble)")
            return
        }
    }

    @Test("when the password is mended at the server, the client comes in by itself")
    func mended() async throws {
        let server = try await RedisServer(settings: ["--requirepass", "old"])
        defer { withExtendedLifetime(server) {} }
        let client = try RedisClient(
            try server.configuration(RedisCredentials(password: Secret("new"))))
        _ = try await client.trouble()
        try await server.tool("-a", "old", "CONFIG", "SET", "requirepass", "new")
        try await client.untilConnected()
    }

    @Test("a password is asked for at each connect, so that a new one needs no new client")
    func askedAgain() async throws {
        let server = try await RedisServer(settings: ["--requirepass", "sesame"])
        defer { withExtendedLifetime(server) {} }
        let password = Mutex<String?>(nil)
        var configuration = try server.configuration()
        configuration.password = {
            guard let word = password.withLock({ $0 }) else { throw NoSecret() }
            return Secret(word)
        }
        let client = try RedisClient(configuration)
        let trouble = try await client.trouble()
        #expect(trouble == .passwordUnreadable(reason: "no secret here"))
        #expect(trouble.isRetryable)
        #expect("\(trouble)" == "there is no password for Redis: no secret here")
        password.withLock { $0 = "hunter2" }
        try await eventually("it is refused") {
            if case .passwordRefused = client.statistics.lastTrouble { true } else { false }
        }
        password.withLock { $0 = "sesame" }
        try await client.untilConnected()
        try await server.tool("-a", "sesame", "CONFIG", "SET", "requirepass", "new")
        password.withLock { $0 = "new" }
        try await server.tool("-a", "new", "CLIENT", "KILL", "TYPE", "normal")
        try await eventually("it connects again") { client.statistics.connections >= 2 }
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
    }

    private struct NoSecret: Error, CustomStringConvertible {
        var description: String { "no secret here" }
    }

    @Test("TLS: an address among the names, a host name, and several authorities in one file")
    func secure() async throws {
        let server = try await RedisServer.shared()
        let stranger = try await TestCertificate()
        let folder = try TemporaryFolder()
        let bundle = folder.file("bundle.pem")
        let both = try [stranger.caFile, #require(server.authorities)]
            .map { try String(contentsOfFile: $0, encoding: .utf8) }
        try both.joined(separator: "\n").write(
            toFile: bundle, atomically: true, encoding: .utf8)
        for host in ["127.0.0.1", "localhost"] {
            for file in [server.authorities, bundle] {
                let client = try RedisClient(
                    try server.secureConfiguration(host: host, authorities: file))
                let results = await client.send(
                    all: Array(repeating: RedisCommand("ECHO", "hello"), count: 1_000))
                #expect(results.allSatisfy { (try? $0.get()) == .bulk(Array("hello".utf8)) })
            }
        }
    }

    @Test("TLS: a large value goes both ways")
    func secureLarge() async throws {
        let server = try await RedisServer.shared()
        let client = try RedisClient(
            try server.secureConfiguration(authorities: server.authorities))
        let bytes = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let echo = RedisCommand("ECHO", .bytes(bytes))
        for result in await client.send(all: [echo, echo, echo], within: .seconds(20)) {
            #expect(try result.get() == .bulk(bytes))
        }
    }

    @Test("TLS: an address that is only the common name counts where there are no other names")
    func commonName() async throws {
        let named = try await TestCertificate(names: nil, commonName: "127.0.0.1")
        let server = try await RedisServer(certificate: named)
        defer { withExtendedLifetime(server) {} }
        let client = try RedisClient(
            try server.secureConfiguration(authorities: named.caFile))
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))

        // The other names, where there are any, are all that counts.
        let other = try await TestCertificate(names: "DNS:elsewhere", commonName: "127.0.0.1")
        try await server.restart(with: other)
        let second = try RedisClient(try server.secureConfiguration(authorities: other.caFile))
        let trouble = try await second.trouble()
        #expect(trouble.description.contains("is for DNS:elsewhere and not for 127.0.0.1"))
        #expect(!trouble.isRetryable)
    }

    @Test("TLS: a stranger's authority, another's name, an expired certificate: one sentence each")
    func untrusted() async throws {
        let stranger = try await TestCertificate()
        let good = try await TestCertificate(names: "IP:127.0.0.1,DNS:localhost")
        let expired = try await TestCertificate(days: -1)
        let elsewhere = try await TestCertificate(names: "IP:10.0.0.3,DNS:*.example")
        let rows: [(TestCertificate, String, String, String)] = [
            (good, stranger.caFile, "127.0.0.1", "is not trusted"),
            (expired, expired.caFile, "127.0.0.1", "certificate has expired"),
            (elsewhere, elsewhere.caFile, "127.0.0.1", "not for 127.0.0.1; connect by a name"),
            (elsewhere, elsewhere.caFile, "localhost", "not for localhost; connect by a name"),
            (good, "/nowhere/ca.pem", "127.0.0.1", "/nowhere/ca.pem cannot be used"),
            (good, good.keyFile, "127.0.0.1", "cannot be used"),
        ]
        let server = try await RedisServer(certificate: good)
        defer { withExtendedLifetime(server) {} }
        var shown = good
        for (certificate, authorities, host, sentence) in rows {
            if certificate !== shown { try await server.restart(with: certificate) }
            shown = certificate
            let client = try RedisClient(
                try server.secureConfiguration(host: host, authorities: authorities))
            let trouble = try await client.trouble()
            #expect(trouble.description.contains(sentence), "\(trouble)")
            #expect(!trouble.isRetryable && !trouble.description.contains("\n"))
            #expect(
                await client.failure(of: RedisCommand("PING"), within: .seconds(60))
                    == .notSent(trouble))
        }
    }

    @Test("TLS on a plain port, and plain on a TLS port, say which address to use")
    func wrongPort() async throws {
        let server = try await RedisServer.shared()
        var plain = try RedisConfiguration(url: "redis://127.0.0.1:\(server.securePort)")
        plain.beQuick()
        let trouble = try await RedisClient(plain).trouble()
        #expect(trouble.description.contains("use rediss://"), "\(trouble)")

        var secure = try RedisConfiguration(
            url: "rediss://127.0.0.1:\(server.port)", authorities: server.authorities)
        secure.beQuick()
        secure.connectTimeout = .seconds(1)
        let other = try await RedisClient(secure).trouble()
        #expect(
            other.description.contains("use redis://")
                || other.description.contains("does not speak TLS"), "\(other)")
    }

    @Test("a certificate that changes while connected: the next connection trusts the new one")
    func changedCertificate() async throws {
        let (old, new) = try await (TestCertificate(), TestCertificate())
        let folder = try TemporaryFolder()
        let bundle = folder.file("bundle.pem")
        func trust(_ files: [String]) throws {
            try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
                .joined(separator: "\n").write(toFile: bundle, atomically: true, encoding: .utf8)
        }
        try trust([old.caFile])
        let server = try await RedisServer(certificate: old)
        defer { withExtendedLifetime(server) {} }
        let client = try RedisClient(try server.secureConfiguration(authorities: bundle))
        try await client.untilConnected()

        try await server.tool(
            "CONFIG", "SET", "tls-cert-file", new.certificateFile, "tls-key-file", new.keyFile)
        // The connection that stands is not touched by it.
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        try await server.tool("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try await eventually("the new one is not trusted yet") {
            client.statistics.lastTrouble?.description.contains("is not trusted") == true
        }
        try trust([old.caFile, new.caFile])
        try await client.untilConnected()
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        #expect(client.statistics.connections == 2)
    }
}
