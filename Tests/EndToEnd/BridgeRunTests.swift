import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// An edge daemon as a process that copies to real servers of the test's own.
@Suite("The bridges of a running daemon", .serialized)
struct BridgeRunTests {
    private static let names = BridgePlace.names

    /// Where a daemon copies to, and what its processes are told of it.
    private struct Place {
        let kafka: KafkaServer
        let redis: RedisServer
        let postgres: PostgresServer
        var box: BridgePlace

        init(kafka: KafkaServer, redis: RedisServer, postgres: PostgresServer) throws {
            (self.kafka, self.redis, self.postgres) = (kafka, redis, postgres)
            box = try BridgePlace(kafka: kafka, redis: redis, postgres: postgres)
        }

        static func shared() async throws -> Place {
            try Place(
                kafka: try await .shared(), redis: try await .shared(), postgres: .common())
        }
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

    // MARK: The commands

    @Test("list, verify, pause, resume, status and forget, beside a running daemon")
    func commands() async throws {
        let place = try await Place.shared()
        var daemon = try await RunningDaemon(environment: place.box.environment)
        let sent = try await Tillbox.simulate(
            to: daemon.webhook, count: 1_500, "--duplicates", "0.1", "--reorder", "0.2")
        #expect(sent.code == 0, "\(sent.errors)")
        try await daemon.drained("the first traffic is booked")
        try await place.box.caughtUp(daemon)

        let list = try await place.box.run("bridge", "list", on: daemon)
        #expect(list.code == 0 && Self.names.allSatisfy { list.output.contains($0) })
        let json = try await place.box.run("bridge", "list", "--json", on: daemon)
        #expect(try Self.bridges(in: json.output).keys.sorted() == Self.names.sorted())
        let status = try await place.box.run("status", on: daemon)
        #expect(status.code == 0, "\(status.output)\(status.errors)")
        #expect(status.output.contains("is ready") && status.output.contains("postgres"))
        let ready = try daemon.read("/readyz")
        #expect(ready.contains("\"name\":\"redis\",\"state\":\"running\""), "\(ready)")
        try await place.box.expectEqual(daemon)
        try await differences(daemon, place)
        daemon = try await pauses(daemon, place)
        try await place.box.expectEqual(daemon)
        try await forgets(daemon, place)
    }

    /// What a target lacks, or has otherwise, is named, and the exit code says so.
    private func differences(_ daemon: RunningDaemon, _ place: Place) async throws {
        let key = try await place.redis.tool("--raw", "KEYS", "\(place.box.database):gate:*")
            .split(separator: "\n").first.map(String.init) ?? ""
        let value = try await place.redis.tool("--raw", "GET", key)
        try await place.redis.tool("DEL", key)
        let lacking = try await place.box.run("bridge", "verify", "redis", on: daemon)
        #expect(lacking.code == 1 && lacking.errors.contains("Redis has no claims of"))
        try await place.redis.tool("SET", key, value)
        let json = try await place.box.run("bridge", "verify", "redis", "--json", on: daemon)
        #expect(json.code == 0 && json.output.contains("\"agrees\":true"), "\(json.output)")

        func change(_ sql: String) throws {
            try place.postgres.sql(
                place.box.database,
                "SET session_replication_role = replica; SET search_path = tillbox;" + sql)
        }
        try change("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
        let other = try await place.box.run("bridge", "verify", "postgres", on: daemon)
        #expect(other.code == 1 && other.errors.contains("in the copy"), "\(other.errors)")
        try change("UPDATE accounts SET balance = balance - 1 WHERE id = 1")
        let unknown = try await place.box.run("bridge", "verify", "mysql", on: daemon)
        #expect(unknown.code == 2 && unknown.errors.contains("kafka, redis, postgres"))
    }

    /// - Returns: the daemon, started anew.
    private func pauses(_ old: RunningDaemon, _ place: Place) async throws -> RunningDaemon {
        let paused = try await place.box.run(
            "bridge", "pause", "postgres", "--by", "ada", on: old)
        #expect(paused.code == 0 && paused.output.contains("postgres is paused"))
        #expect(try await Tillbox.simulate(to: old.webhook, count: 300, seed: 2).code == 0)
        try await old.drained("the traffic during the pause is booked")
        try await place.box.caughtUp(old, ["kafka", "redis"])
        try await old.stop()

        let offline = try await place.box.run("bridge", "pause", "redis", on: old)
        #expect(offline.code == 0 && offline.output.contains("from the next start on"))
        let daemon = try await RunningDaemon(
            in: old.folder, environment: place.box.environment)
        try await place.box.caughtUp(daemon, ["kafka"])
        let bridges = try Self.list(daemon)
        #expect(bridges["postgres"]?["state"] as? String == "paused")
        #expect(bridges["postgres"]?["paused_by"] as? String == "ada")
        #expect(bridges["postgres"]?["lag"] as? Int ?? 0 > 0)
        #expect(bridges["redis"]?["state"] as? String == "paused")
        for name in ["postgres", "redis"] {
            let resumed = try await place.box.run("bridge", "resume", name, on: daemon)
            #expect(resumed.code == 0, "\(resumed.errors)")
        }
        try await place.box.caughtUp(daemon)
        return daemon
    }

    /// A bridge that is taken out of the settings holds the log until a person lets it go.
    private func forgets(_ old: RunningDaemon, _ place: Place) async throws {
        let listed = try await place.box.run("bridge", "forget", "kafka", on: old)
        #expect(listed.code == 3 && listed.errors.contains("is configured"), "\(listed.errors)")
        try await old.stop()
        var fewer = place
        fewer.box.environment["TILLBOX_BRIDGES"] = "kafka"
        let daemon = try await RunningDaemon(in: old.folder, environment: fewer.box.environment)
        let status = try await fewer.box.run("status", on: daemon)
        #expect(status.code == 1)
        for name in ["redis", "postgres"] {
            #expect(
                status.output.contains("the bridge \(name) is not configured any more"),
                "\(status.output)")
        }
        let list = try await fewer.box.run("bridge", "list", on: daemon)
        #expect(list.code == 0 && list.output.contains(" bridge forget redis"))
        // The daemon refuses by its own settings, whatever the command believes.
        var wrong = fewer
        wrong.box.environment["TILLBOX_BRIDGES"] = ""
        let refused = try await wrong.box.run("bridge", "forget", "kafka", on: daemon)
        #expect(refused.code == 3 && refused.errors.contains("is configured"), "\(refused.errors)")
        let online = try await fewer.box.run("bridge", "forget", "redis", on: daemon)
        #expect(online.code == 0, "\(online.errors)")
        #expect(online.output.contains("redis is forgotten"))
        let twice = try await fewer.box.run("bridge", "forget", "redis", on: daemon)
        #expect(twice.code == 3 && twice.errors.contains("keeps nothing"), "\(twice.errors)")
        try await daemon.stop()
        let offline = try await fewer.box.run("bridge", "forget", "postgres", on: daemon)
        #expect(offline.code == 0, "\(offline.errors)")
        let again = try await RunningDaemon(in: old.folder, environment: fewer.box.environment)
        let well = try await fewer.box.run("status", on: again)
        #expect(well.code == 0, "\(well.output)\(well.errors)")
        let offsets = try await fewer.box.run("log", "offsets", on: again)
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
        let daemon = try await RunningDaemon(environment: place.box.environment)
        let sent = try await Tillbox.simulate(to: daemon.webhook, count: 20_000, "--json")
        #expect(sent.code == 0, "\(sent.errors)")
        try await daemon.drained("what came meanwhile is booked")
        let bridges = try Self.list(daemon)
        for name in Self.names {
            #expect(bridges[name]?["lag"] as? Int ?? 0 > 5_000, "\(name)")
            #expect(bridges[name]?["state"] as? String != "running", "\(name)")
        }
        #expect(try await place.box.run("status", on: daemon).code == 1)
        try await daemon.expectHealthy()

        try await place.kafka.start()
        try await place.redis.start()
        try place.postgres.start()
        for name in Self.names {
            #expect(try await place.box.run("bridge", "resume", name, on: daemon).code == 0)
        }
        try await place.box.caughtUp(daemon, within: 240)
        try await place.box.expectEqual(daemon)
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
        let with = try await RunningDaemon(environment: place.box.environment)
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
        try await place.box.caughtUp(with)
        let (one, other) = (try Books(of: with), try Books(of: without))
        #expect(one.transactions.count > 2_000)
        #expect(one.transactions == other.transactions)
        #expect(one == other)
        try await place.box.expectEqual(with)
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
