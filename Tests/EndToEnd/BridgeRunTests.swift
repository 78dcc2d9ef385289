import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// An edge daemon as a process that copies to real servers of the test's own.
@Suite("The bridges of a running daemon", .serialized)
struct BridgeRunTests {
    private static let names = ["kafka", "redis", "postgres"]

    /// Where a daemon copies to, and what its processes are told of it.
    private struct Place {
        let kafka: KafkaServer
        let redis: RedisServer
        let postgres: PostgresServer
        let database: String
        var environment: [String: String]

        init(kafka: KafkaServer, redis: RedisServer, postgres: PostgresServer) throws {
            (self.kafka, self.redis, self.postgres) = (kafka, redis, postgres)
            database = postgres.databaseName()
            _ = try postgres.psql("postgres", "CREATE DATABASE \(database)")
            environment = [
                "TILLBOX_BRIDGES": BridgeRunTests.names.joined(separator: ","),
                "TILLBOX_KAFKA_BOOTSTRAP": kafka.bootstrap,
                "TILLBOX_KAFKA_TOPIC_PREFIX": "\(database).", "TILLBOX_KAFKA_PARTITIONS": "3",
                "TILLBOX_REDIS_URL": redis.url, "TILLBOX_REDIS_PREFIX": "\(database):",
                "TILLBOX_POSTGRES_URL": postgres.uri(database),
                "TILLBOX_WEBHOOK_LIVEMODE": "any",
            ]
        }

        static func shared() async throws -> Place {
            try Place(
                kafka: try await .shared(), redis: try await .shared(), postgres: .common())
        }
    }

    /// A command on a daemon's folder and ports.
    private static func run(
        _ words: String..., on daemon: RunningDaemon, _ place: Place
    ) async throws -> (code: Int32, output: String, errors: String) {
        let own = ["TILLBOX_DATA": daemon.data, "TILLBOX_ADMIN_PORT": "\(daemon.admin)"]
        return try await Child.run(
            Tillbox.executable, words, environment: place.environment.merging(own) { $1 })
    }

    /// By bridge: `state`, `lag` and the rest of what `bridge list --json` prints.
    private static func list(_ daemon: RunningDaemon) throws -> [String: [String: Any]] {
        try bridges(in: try daemon.read("/api/v1/bridges"))
    }

    private static func bridges(in text: String) throws -> [String: [String: Any]] {
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let bridges = try #require(json?["bridges"] as? [[String: Any]])
        return bridges.reduce(into: [:]) { $0[$1["name"] as? String ?? ""] = $1 }
    }

    private static func caughtUp(
        _ daemon: RunningDaemon, _ names: [String] = names, within: Double = 60
    ) async throws {
        try await eventually("\(names) have come to the end", within: within) {
            let bridges = try list(daemon)
            for (name, bridge) in bridges where bridge["state"] as? String == "stopped" {
                throw Stopped(words: "\(name): \(bridge["last_error"] ?? "")")
            }
            return names.allSatisfy {
                bridges[$0]?["lag"] as? Int == 0 && bridges[$0]?["state"] as? String == "running"
            }
        }
    }

    private struct Stopped: Error, CustomStringConvertible {
        var words: String
        var description: String { "a bridge stopped: \(words)" }
    }

    private static func expectEqual(_ daemon: RunningDaemon, _ place: Place) async throws {
        for name in names {
            let found = try await run("bridge", "verify", name, on: daemon, place)
            #expect(found.code == 0, "\(name): \(found.output)\(found.errors)")
        }
    }

    // MARK: The commands

    @Test("list, verify, pause, resume, status and forget, beside a running daemon")
    func commands() async throws {
        let place = try await Place.shared()
        var daemon = try await RunningDaemon(environment: place.environment)
        let sent = try await Tillbox.simulate(
            to: daemon.webhook, count: 1_500, "--duplicates", "0.1", "--reorder", "0.2")
        #expect(sent.code == 0, "\(sent.errors)")
        try await daemon.drained("the first traffic is booked")
        try await Self.caughtUp(daemon)

        let list = try await Self.run("bridge", "list", on: daemon, place)
        #expect(list.code == 0 && Self.names.allSatisfy { list.output.contains($0) })
        let json = try await Self.run("bridge", "list", "--json", on: daemon, place)
        #expect(try Self.bridges(in: json.output).keys.sorted() == Self.names.sorted())
        let status = try await Self.run("status", on: daemon, place)
        #expect(status.code == 0, "\(status.output)\(status.errors)")
        #expect(status.output.contains("is ready") && status.output.contains("postgres"))
        let ready = try daemon.read("/readyz")
        #expect(ready.contains("\"name\":\"redis\",\"state\":\"running\""), "\(ready)")
        try await Self.expectEqual(daemon, place)
        try await differences(daemon, place)
        daemon = try await pauses(daemon, place)
        try await Self.expectEqual(daemon, place)
        try await forgets(daemon, place)
    }

    /// What a target lacks, or has otherwise, is named, and the exit code says so.
    private func differences(_ daemon: RunningDaemon, _ place: Place) async throws {
        let key = try await place.redis.tool("--raw", "KEYS", "\(place.database):gate:*")
            .split(separator: "\n").first.map(String.init) ?? ""
        let value = try await place.redis.tool("--raw", "GET", key)
        try await place.redis.tool("DEL", key)
        let lacking = try await Self.run("bridge", "verify", "redis", on: daemon, place)
        #expect(lacking.code == 1 && lacking.errors.contains("Redis has no claims of"))
        try await place.redis.tool("SET", key, value)
        let json = try await Self.run("bridge", "verify", "redis", "--json", on: daemon, place)
        #expect(json.code == 0 && json.output.contains("\"agrees\":true"), "\(json.output)")

        func change(_ sql: String) throws {
            _ = try place.postgres.psql(
                place.database, "SET session_replication_role = replica; SET search_path = tillbox;"
                    + sql)
        }
        try change("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
        let other = try await Self.run("bridge", "verify", "postgres", on: daemon, place)
        #expect(other.code == 1 && other.errors.contains("in the copy"), "\(other.errors)")
        try change("UPDATE accounts SET balance = balance - 1 WHERE id = 1")
        let unknown = try await Self.run("bridge", "verify", "mysql", on: daemon, place)
        #expect(unknown.code == 2 && unknown.errors.contains("kafka, redis, postgres"))
    }

    /// - Returns: the daemon, started anew.
    private func pauses(_ old: RunningDaemon, _ place: Place) async throws -> RunningDaemon {
        let paused = try await Self.run(
            "bridge", "pause", "postgres", "--by", "ada", on: old, place)
        #expect(paused.code == 0 && paused.output.contains("postgres is paused"))
        #expect(try await Tillbox.simulate(to: old.webhook, count: 300, seed: 2).code == 0)
        try await old.drained("the traffic during the pause is booked")
        try await Self.caughtUp(old, ["kafka", "redis"])
        try await old.stop()

        let offline = try await Self.run("bridge", "pause", "redis", on: old, place)
        #expect(offline.code == 0 && offline.output.contains("from the next start on"))
        let daemon = try await RunningDaemon(
            in: old.folder, environment: place.environment)
        try await Self.caughtUp(daemon, ["kafka"])
        let bridges = try Self.list(daemon)
        #expect(bridges["postgres"]?["state"] as? String == "paused")
        #expect(bridges["postgres"]?["paused_by"] as? String == "ada")
        #expect(bridges["postgres"]?["lag"] as? Int ?? 0 > 0)
        #expect(bridges["redis"]?["state"] as? String == "paused")
        for name in ["postgres", "redis"] {
            let resumed = try await Self.run("bridge", "resume", name, on: daemon, place)
            #expect(resumed.code == 0, "\(resumed.errors)")
        }
        try await Self.caughtUp(daemon)
        return daemon
    }

    /// A bridge that is taken out of the settings holds the log until a person lets it go.
    private func forgets(_ old: RunningDaemon, _ place: Place) async throws {
        let listed = try await Self.run("bridge", "forget", "kafka", on: old, place)
        #expect(listed.code == 3 && listed.errors.contains("is configured"), "\(listed.errors)")
        try await old.stop()
        var fewer = place
        fewer.environment["TILLBOX_BRIDGES"] = "kafka"
        let daemon = try await RunningDaemon(in: old.folder, environment: fewer.environment)
        let status = try await Self.run("status", on: daemon, fewer)
        #expect(status.code == 1)
        for name in ["redis", "postgres"] {
            #expect(
                status.output.contains("the bridge \(name) is not configured any more"),
                "\(status.output)")
        }
        let list = try await Self.run("bridge", "list", on: daemon, fewer)
        #expect(list.code == 0 && list.output.contains(" bridge forget redis"))
        // The daemon refuses by its own settings, whatever the command believes.
        var wrong = fewer
        wrong.environment["TILLBOX_BRIDGES"] = ""
        let refused = try await Self.run("bridge", "forget", "kafka", on: daemon, wrong)
        #expect(refused.code == 3 && refused.errors.contains("is configured"), "\(refused.errors)")
        let online = try await Self.run("bridge", "forget", "redis", on: daemon, fewer)
        #expect(online.code == 0, "\(online.errors)")
        #expect(online.output.contains("redis is forgotten"))
        let twice = try await Self.run("bridge", "forget", "redis", on: daemon, fewer)
        #expect(twice.code == 3 && twice.errors.contains("keeps nothing"), "\(twice.errors)")
        try await daemon.stop()
        let offline = try await Self.run("bridge", "forget", "postgres", on: daemon, fewer)
        #expect(offline.code == 0, "\(offline.errors)")
        let again = try await RunningDaemon(in: old.folder, environment: fewer.environment)
        let well = try await Self.run("status", on: again, fewer)
        #expect(well.code == 0, "\(well.output)\(well.errors)")
        let offsets = try await Self.run("log", "offsets", on: again, fewer)
        #expect(offsets.output.contains("bridge-kafka"))
        #expect(!offsets.output.contains("bridge-redis"))
        #expect(!offsets.output.contains("bridge-postgres"))
    }

    // MARK: Days offline

    @Test("what piles up while every target is gone arrives once when they are back",
        .timeLimit(.minutes(10)))
    func offline() async throws {
        let place = try Place(
            kafka: try await KafkaServer(), redis: try await RedisServer(),
            postgres: try PostgresServer())
        try await place.kafka.stop()
        try await place.redis.kill()
        place.postgres.stop(.fast)
        let daemon = try await RunningDaemon(environment: place.environment)
        let sent = try await Tillbox.simulate(to: daemon.webhook, count: 20_000, "--json")
        #expect(sent.code == 0, "\(sent.errors)")
        try await daemon.drained("what came meanwhile is booked")
        let bridges = try Self.list(daemon)
        for name in Self.names {
            #expect(bridges[name]?["lag"] as? Int ?? 0 > 5_000, "\(name)")
            #expect(bridges[name]?["state"] as? String != "running", "\(name)")
        }
        #expect(try await Self.run("status", on: daemon, place).code == 1)
        try await daemon.expectHealthy()

        try await place.kafka.start()
        try await place.redis.start()
        try place.postgres.start()
        for name in Self.names {
            #expect(try await Self.run("bridge", "resume", name, on: daemon, place).code == 0)
        }
        try await Self.caughtUp(daemon, within: 240)
        try await Self.expectEqual(daemon, place)
        try await daemon.stop()
        place.postgres.stop(.immediate)
    }

    // MARK: With and without

    /// What both of two ledgers must have; when something was booked is each one's own.
    private struct Books: Equatable {
        var transactions: [String]
        var balances: [AccountBalance]
        var reviews: [ReviewRecord]
        var waiting: [WaitingMovement]

        init(of daemon: RunningDaemon) throws {
            let ledger = try SQLiteLedgerReader.open(path: "\(daemon.data)/ledger.sqlite")
            defer { try? ledger.close() }
            transactions = try ledger.posted(after: TransactionID(0), limit: 100_000)
                .map { "\($0.id) \($0.posting.movement) \(String(hex: $0.hash))" }
            balances = try ledger.balances()
            reviews = try ledger.reviewChanges(after: 0, limit: 100_000).map(\.record)
            waiting = try ledger.waiting()
        }
    }

    /// The events of the cases, each told a second time in another order.
    private static func cases() throws -> [String] {
        let folder = Repository.root.appending(path: "Tests/Appliance/Fixtures/cases")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        ).filter { $0.pathExtension == "json" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        var events: [String] = []
        for file in files {
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
            for event in (json as? [String: Any])?["events"] as? [Any] ?? [] {
                let bytes = try JSONSerialization.data(
                    withJSONObject: event, options: [.sortedKeys])
                events.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        return events + events.reversed()
    }

    @Test(
        "the same events, doubled and out of order, come to the same with bridges and without",
        .timeLimit(.minutes(10)))
    func equal() async throws {
        let place = try await Place.shared()
        let with = try await RunningDaemon(environment: place.environment)
        let without = try await RunningDaemon(
            environment: ["TILLBOX_WEBHOOK_LIVEMODE": "any"])
        let events = try Self.cases()
        #expect(events.count > 400)
        let now = Int64(Date().timeIntervalSince1970)
        for daemon in [with, without] {
            // One connection, so that both are told in one order.
            let sent = try await Tillbox.simulate(
                to: daemon.webhook, count: 9_500, seed: 9, "--connections", "1",
                "--duplicates", "0.15", "--reorder", "0.15")
            #expect(sent.code == 0, "\(sent.errors)")
            for event in events { _ = try daemon.deliver(body: event, signedAt: now) }
        }
        // Every topic keeps its order: once the last payment is booked, so is everything before it.
        for daemon in [with, without] {
            #expect(try daemon.deliver(body: Self.last(at: now), signedAt: now) == 200)
            try await eventually("all is booked", within: 60) {
                try await Tillbox.run("ledger", "show", "charge:ch_last", "--data", daemon.data)
                    .code == 0
            }
        }
        try await Self.caughtUp(with)
        let (one, other) = (try Books(of: with), try Books(of: without))
        #expect(one.transactions.count > 2_000)
        #expect(one.transactions == other.transactions)
        #expect(one == other)
        try await Self.expectEqual(with, place)
    }

    private static func last(at now: Int64) -> String {
        """
        {"id":"evt_last","object":"event","type":"charge.succeeded","created":\(now),\
        "livemode":false,"data":{"object":{"id":"ch_last","object":"charge","amount":2000,\
        "amount_captured":2000,"currency":"usd","captured":true,"created":\(now),\
        "status":"succeeded","paid":true,"customer":"cus_last"}}}
        """
    }
}
