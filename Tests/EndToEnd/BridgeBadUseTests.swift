import Foundation
import TestSupport
import Testing

/// A box whose bridges find something wrong: each says it in one sentence, and holds up neither the
/// webhooks nor another bridge.
@Suite("Bad use of Kafka, Redis and Postgres by bridges", .serialized)
struct BridgeBadUseTests {
    /// What is wrong at all three at once, and what each has to say of it.
    private struct Row {
        var wrong: String
        var settings: [String: String]
        var says: [String: String]
        /// Tried again by itself; else it stops until a person resumes it.
        var passes = false
    }

    @Test("each is one sentence, the box takes webhooks meanwhile, and once mended all is copied")
    func table() async throws {
        let servers = try await SecureServers()
        let misnamedKafka = try await KafkaProxy(certificate: servers.other)
        let misnamedRedis = try await RedisServer(certificate: servers.other)
        let rows = try rows(servers, misnamedKafka, misnamedRedis)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for row in rows {
                group.addTask { try await Self.check(row, BridgePlace(servers)) }
            }
            try await group.waitForAll()
        }
        try await otherShape(servers)
    }

    private func rows(
        _ servers: SecureServers, _ kafka: KafkaProxy, _ redis: RedisServer
    ) throws -> [Row] {
        let wrong = try servers.file("wrong", SecureServers.wrongPassword)
        let other = servers.other.caFile
        let database = servers.postgres
        return [
            Row(
                wrong: "absence",
                settings: [
                    "TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:\(try freePort())",
                    "TILLBOX_REDIS_URL": "rediss://ann@127.0.0.1:\(try freePort())",
                    "TILLBOX_POSTGRES_URL":
                        servers.postgresURL("any").replacing(
                            ":\(database.port)/", with: ":\(try freePort())/"),
                ],
                says: [
                    "kafka": "no Kafka broker answers at 127.0.0.1",
                    "redis": "no connection to Redis at 127.0.0.1",
                    "postgres": "cannot connect to Postgres",
                ], passes: true),
            Row(
                wrong: "password",
                settings: [
                    "TILLBOX_KAFKA_PASSWORD_FILE": wrong, "TILLBOX_REDIS_PASSWORD_FILE": wrong,
                    "TILLBOX_POSTGRES_PASSWORD_FILE": wrong,
                ],
                says: [
                    "kafka": "check kafka.username and kafka.password_file",
                    "redis": "refuses the user or password (WRONGPASS)",
                    "postgres": "check the user, the password",
                ]),
            Row(
                wrong: "authority",
                settings: [
                    "TILLBOX_KAFKA_CA_FILE": other, "TILLBOX_REDIS_CA_FILE": other,
                    "TILLBOX_POSTGRES_URL":
                        servers.postgresURL("any").replacing("/ca.pem", with: "/other.pem"),
                ],
                says: [
                    "kafka": "check kafka.ca_file", "redis": "certificate is not trusted",
                    "postgres": "check sslmode, sslrootcert",
                ]),
            Row(
                wrong: "name",
                settings: [
                    "TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:\(kafka.port)",
                    "TILLBOX_KAFKA_CA_FILE": other, "TILLBOX_REDIS_CA_FILE": other,
                    "TILLBOX_REDIS_URL": Ask.asAnn(redis.secureURL),
                    "TILLBOX_POSTGRES_URL": servers.postgresURL("any", host: "db.example"),
                ],
                says: [
                    "kafka": "the names in kafka.bootstrap",
                    "redis": "is for DNS:elsewhere.example and not for 127.0.0.1",
                    "postgres": "does not match host name",
                ]),
        ]
    }

    private static func check(_ row: Row, _ place: BridgePlace) async throws {
        var wrong = place
        wrong.environment.merge(row.settings) { $1 }
        let daemon = try await RunningDaemon(environment: wrong.environment)
        #expect(try await daemon.deliver(20) == 0)
        try await daemon.drained("the wrong \(row.wrong) holds up nothing")
        try await expect(row, wrong, daemon)
        try await daemon.expectHealthy()
        let listed = try await wrong.run("bridge", "list", on: daemon)
        SecureServers.expectNoSecret(
            listed.output + listed.errors + daemon.daemon.standardError, row.wrong)
        for name in BridgePlace.names {
            let verified = try await wrong.run("bridge", "verify", name, on: daemon)
            #expect(verified.code == 3, "\(name): \(verified.output)\(verified.errors)")
            let lines = verified.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(name), wrong \(row.wrong): \(lines)")
        }
        try await daemon.stop()

        let mended = try await RunningDaemon(in: daemon.folder, environment: place.environment)
        try await place.caughtUp(mended)
        try await place.expectEqual(mended)
        try await mended.stop()
    }

    private static func expect(
        _ row: Row, _ place: BridgePlace, _ daemon: RunningDaemon
    ) async throws {
        let expected: Set = row.passes ? ["backing_off", "circuit_open"] : ["stopped"]
        var found: [BridgePlace.State] = []
        do {
            try await eventually("each says it", within: 120, every: .milliseconds(100)) {
                found = try place.states(daemon)
                return found.count == 3
                    && found.allSatisfy { bridge in
                        expected.contains(bridge.state)
                            && bridge.last_error?.contains(row.says[bridge.name] ?? "?") == true
                    }
            }
        } catch {
            Issue.record("the wrong \(row.wrong): \(found)")
        }
    }

    /// Topics of another partition count, and a ledger of a newer program; a person mends them and
    /// resumes the bridge.
    private func otherShape(_ servers: SecureServers) async throws {
        let place = try BridgePlace(servers)
        var first = try await RunningDaemon(environment: place.environment)
        #expect(try await first.deliver(20) == 0)
        try await place.caughtUp(first)
        try await first.stop()
        try servers.postgres.sql(
            place.database, "INSERT INTO tillbox.schema_version VALUES (99)")
        var other = place
        other.environment["TILLBOX_KAFKA_PARTITIONS"] = "3"
        first = try await RunningDaemon(in: first.folder, environment: other.environment)
        #expect(try await first.deliver(20, seed: 6) == 0)
        try await other.caughtUp(first, ["redis"])
        try await eventually("both stop", every: .milliseconds(100)) {
            try other.states(first).filter { $0.state == "stopped" }.count == 2
        }
        let states = try other.states(first)
        let said = states.compactMap(\.last_error).joined(separator: "\n")
        #expect(said.contains("has 2 partitions and not 3"), "\(said)")
        #expect(said.contains("a ledger of schema 99, and this program knows"), "\(said)")
        try servers.postgres.sql(
            place.database, "DELETE FROM tillbox.schema_version WHERE version = 99")
        let resumed = try await other.run("bridge", "resume", "postgres", on: first)
        #expect(resumed.code == 0, "\(resumed.errors)")
        try await other.caughtUp(first, ["redis", "postgres"])
        try await first.stop()
    }

    @Test("a record that is too large, or too large by now, is told of, and nothing waits for it")
    func tooLarge() async throws {
        let servers = try await SecureServers()
        var place = try BridgePlace(servers)
        place.environment["TILLBOX_WEBHOOK_BODY_BYTES_MAX"] = "\(4 << 20)"
        place.environment["TILLBOX_BRIDGES"] = "kafka"
        var daemon = try await RunningDaemon(environment: place.environment)
        #expect(try Ask.deliver(Ask.payment("large", largerBy: 3 << 20), to: daemon.webhook) == 200)
        #expect(try Ask.deliver(Ask.payment("behind"), to: daemon.webhook) == 200)
        try await daemon.drained("both are booked")
        try await place.caughtUp(daemon, ["kafka"])
        try await servers.broker.bound("\(place.database).webhook.received", bytes: 20_000)
        #expect(try Ask.deliver(Ask.payment("late", largerBy: 50_000), to: daemon.webhook) == 200)
        #expect(try Ask.deliver(Ask.payment("last"), to: daemon.webhook) == 200)
        try await daemon.drained("all four are booked")
        try await place.caughtUp(daemon, ["kafka"])
        let letters = try await Self.lettersInstead(place, servers)
        #expect(letters == 2, "\(letters)")

        // At the next start the bound is one of the settings that are looked at.
        try await daemon.stop()
        daemon = try await RunningDaemon(in: daemon.folder, environment: place.environment)
        #expect(try await daemon.deliver(20) == 0)
        try await eventually("the bridge stops", every: .milliseconds(100)) {
            try place.states(daemon).first?.state == "stopped"
        }
        let said = try place.states(daemon).first?.last_error ?? ""
        #expect(said.contains("set max.message.bytes=2097152"), "\(said)")
        try await servers.broker.bound("\(place.database).webhook.received", bytes: 2 << 20)
        #expect(try await place.run("bridge", "resume", "kafka", on: daemon).code == 0)
        try await place.caughtUp(daemon, ["kafka"])
        let verified = try await place.run("bridge", "verify", "kafka", on: daemon)
        #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
        try await daemon.stop()
    }

    /// How many records of Kafka's `dead.letter` stand there in place of one that is too large.
    private static func lettersInstead(
        _ place: BridgePlace, _ servers: SecureServers
    ) async throws -> Int {
        let program = """
            import sys
            from kafka import KafkaConsumer
            reader = KafkaConsumer(
                sys.argv[2], bootstrap_servers=sys.argv[1], isolation_level="read_committed",
                auto_offset_reset="earliest", consumer_timeout_ms=2000)
            print(sum(1 for record in reader if "tillbox-instead" in dict(record.headers)))
            """
        let ran = try await Child.run(
            try Repository.python(),
            [
                "-c", program, servers.broker.toolBootstrap, "\(place.database).dead.letter",
            ])
        #expect(ran.code == 0, "\(ran.errors)")
        return Int(ran.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }
}
