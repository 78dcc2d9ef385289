import Foundation
import TestSupport
import Testing

/// What stands outside is wrong from the beginning: each role and command says so in one sentence
/// that shows no secret, ends with 3, or waits for what passes by itself.
@Suite("Bad use of Kafka, Redis and Postgres by roles and commands", .serialized)
struct OutsideBadUseTests {
    /// One role or command, what is wrong, and what has to be said.
    private struct Row {
        var words: [String]
        var wrong: String
        var settings: [String: String]
        /// One of the sentence's parts.
        var says: String
        /// Stays, and says it in `/readyz`; else it ends with 3.
        var waits = false

        static func role(
            _ name: String, _ wrong: String, _ settings: [String: String], says: String,
            waits: Bool = false
        ) -> Row {
            Row(
                words: ["run", "--role", name], wrong: wrong, settings: settings, says: says,
                waits: waits)
        }
    }

    /// Servers, and what is beside them that nobody should use.
    private struct World {
        let servers: SecureServers
        let place: CloudPlace
        /// Whose certificates are another name's.
        let misnamedKafka: KafkaProxy
        let misnamedRedis: RedisServer
        let wrong: String

        init() async throws {
            servers = try await SecureServers()
            place = try await servers.cloud()
            misnamedKafka = try await KafkaProxy(certificate: servers.other)
            misnamedRedis = try await RedisServer(certificate: servers.other)
            wrong = try servers.file("wrong", SecureServers.wrongPassword)
        }

        /// A database with what `cloud prepare` makes; the topics are those of `prefix`.
        func prepared(
            _ prefix: String
        ) async throws -> (database: String, settings: [String: String]) {
            let database = servers.postgres.databaseName()
            try servers.postgres.sql("postgres", "CREATE DATABASE \(database)")
            let settings = [
                "TILLBOX_KAFKA_TOPIC_PREFIX": prefix,
                "TILLBOX_POSTGRES_URL": servers.postgresURL(database),
            ]
            let ran = try await Child.run(
                Tillbox.executable, ["cloud", "prepare"],
                environment: place.environment.merging(settings) { $1 })
            #expect(ran.code == 0, "\(ran.errors)")
            return (database, settings)
        }
    }

    @Test("each is one sentence, with what to do")
    func table() async throws {
        let world = try await World()
        let rows = try await kafkaRows(world) + postgresRows(world) + redisRows(world)
            + commandRows(world)
        // A few at a time: each mostly waits.
        for start in stride(from: 0, to: rows.count, by: 9) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for row in rows[start..<min(start + 9, rows.count)] {
                    group.addTask { try await Self.check(row, world.place) }
                }
                try await group.waitForAll()
            }
        }
        withExtendedLifetime(world) {}
    }

    private func kafkaRows(_ world: World) throws -> [Row] {
        let (other, wrong) = (world.servers.other.caFile, world.wrong)
        let changes: [(wrong: String, settings: [String: String], says: String)] = [
            (
                "password", ["TILLBOX_KAFKA_PASSWORD_FILE": wrong],
                "refuses these credentials; check kafka.username and kafka.password_file"
            ),
            ("authority", ["TILLBOX_KAFKA_CA_FILE": other], "check kafka.ca_file and the names"),
            (
                "name",
                [
                    "TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:\(world.misnamedKafka.port)",
                    "TILLBOX_KAFKA_CA_FILE": other,
                ], "the names in kafka.bootstrap"
            ),
            ("partition count", ["TILLBOX_KAFKA_PARTITIONS": "3"], "has 2 partitions and not 3"),
            (
                "topic", ["TILLBOX_KAFKA_TOPIC_PREFIX": "nowhere."],
                "the Kafka topic nowhere.webhook.received does not exist; run `"
            ),
        ]
        return try ["webhook", "score", "ledger"].flatMap { role in
            let absence = ["TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:\(try freePort())"]
            var rows = changes.map { change in
                Row.role(role, "Kafka's \(change.wrong)", change.settings, says: change.says)
            }
            rows.append(
                .role(
                    role, "Kafka's absence", absence,
                    says: "no Kafka broker answers at 127.0.0.1", waits: true))
            return rows
        }
    }

    private func postgresRows(_ world: World) async throws -> [Row] {
        let servers = world.servers
        let empty = servers.postgres.databaseName()
        try servers.postgres.sql("postgres", "CREATE DATABASE \(empty)")
        let newer = try await world.prepared("newer.")
        try servers.postgres.sql(
            newer.database, "INSERT INTO tillbox.schema_version VALUES (99)")
        let url = "TILLBOX_POSTGRES_URL"
        let right = world.place.environment[url] ?? ""
        func ledger(
            _ wrong: String, _ settings: [String: String], _ says: String, waits: Bool = false
        ) -> Row {
            .role("ledger", "Postgres' \(wrong)", settings, says: says, waits: waits)
        }
        return [
            ledger(
                "password", ["TILLBOX_POSTGRES_PASSWORD_FILE": world.wrong],
                "check the user, the password and the server's pg_hba.conf"),
            ledger(
                "authority",
                [url: right.replacing("/ca.pem", with: "/other.pem")],
                "check sslmode, sslrootcert"),
            ledger(
                "name", [url: right.replacing("@localhost:", with: "@db.example:")],
                "does not match host name"),
            ledger("newer schema", newer.settings, "a ledger of schema 99, and this program knows"),
            ledger(
                "missing ledger", [url: servers.postgresURL(empty)],
                "the Postgres database has no ledger; run `"),
            ledger(
                "missing database", [url: servers.postgresURL("nowhere")], "create the database"),
            ledger(
                "absence",
                [url: right.replacing(":\(servers.postgres.port)/", with: ":\(try freePort())/")],
                "cannot connect to Postgres", waits: true),
        ]
    }

    private func redisRows(_ world: World) async throws -> [Row] {
        let redis = world.servers.redis
        let url = "TILLBOX_REDIS_URL"
        func webhook(_ wrong: String, _ settings: [String: String], _ says: String) -> Row {
            .role("webhook", "Redis' \(wrong)", settings, says: says, waits: true)
        }
        let password = ["TILLBOX_REDIS_PASSWORD_FILE": world.wrong]
        let absence = [url: "rediss://ann@127.0.0.1:\(try freePort())"]
        return [
            webhook("password", password, "refuses the user or password (WRONGPASS)"),
            webhook(
                "authority", ["TILLBOX_REDIS_CA_FILE": world.servers.other.caFile],
                "certificate is not trusted"),
            webhook(
                "name",
                [
                    url: Ask.asAnn(world.misnamedRedis.secureURL),
                    "TILLBOX_REDIS_CA_FILE": world.servers.other.caFile,
                ], "is for DNS:elsewhere.example and not for 127.0.0.1"),
            webhook(
                "plain port", [url: "rediss://ann@127.0.0.1:\(redis.port)"], "use redis://"),
            webhook("absence", absence, "no connection to Redis at 127.0.0.1"),
            .role(
                "score", "Redis' password",
                password.merging(try await world.prepared("score1.").settings) { $1 },
                says: "refuses the user or password (WRONGPASS)"),
            .role(
                "score", "Redis' absence",
                absence.merging(try await world.prepared("score2.").settings) { $1 },
                says: "no connection to Redis at 127.0.0.1", waits: true),
        ]
    }

    private func commandRows(_ world: World) throws -> [Row] {
        let kafka = ["TILLBOX_KAFKA_PASSWORD_FILE": world.wrong]
        let postgres = ["TILLBOX_POSTGRES_PASSWORD_FILE": world.wrong]
        let refuses = (
            kafka: "the Kafka broker refuses these credentials",
            postgres: "password authentication failed"
        )
        func command(
            _ words: [String], _ what: String, _ settings: [String: String], _ says: String
        ) -> Row {
            Row(words: words, wrong: what, settings: settings, says: says)
        }
        let approve = ["review", "approve", "charge:ch_1", "--note", "n"]
        let absence = ["TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:\(try freePort())"]
        let silence = "no Kafka broker answers at 127.0.0.1"
        return [
            command(["cloud", "prepare"], "Kafka's absence", absence, silence),
            command(["dead-letter", "redrive"], "Kafka's absence", absence, silence),
            command(["dead-letter", "show", "0/0"], "Kafka's absence", absence, silence),
            command(["cloud", "prepare"], "Kafka's password", kafka, refuses.kafka),
            command(["cloud", "prepare"], "Postgres' password", postgres, refuses.postgres),
            command(
                ["cloud", "prepare"], "the partition count", ["TILLBOX_KAFKA_PARTITIONS": "3"],
                "set kafka.partitions to what the topic has"),
            command(["cloud", "features"], "Kafka's password", kafka, refuses.kafka),
            command(approve, "Kafka's password", kafka, refuses.kafka),
            command(approve, "Postgres' password", postgres, refuses.postgres),
            command(["review", "list"], "Postgres' password", postgres, refuses.postgres),
            command(["ledger", "balances"], "Postgres' password", postgres, refuses.postgres),
            command(["reconcile", "list"], "Postgres' password", postgres, refuses.postgres),
            command(["status"], "no role runs", [:], "no role answers at 127.0.0.1"),
            command(["bridge", "list"], "there is none", [:], "the profile cloud has no bridges"),
            command(
                ["explain", "processor:stripe"], "there is none", [:],
                "the profile cloud has no explain so far"),
            command(
                ["reconcile", "sweep"], "no key for Stripe", [:],
                "set stripe.api_key or stripe.api_key_file, which a daemon reads when it starts"),
        ]
    }

    // MARK: One row

    private static func check(_ row: Row, _ place: CloudPlace) async throws {
        let what = "\(row.words.joined(separator: " ")), wrong: \(row.wrong)"
        let admin = try freePort()
        let own = [
            "TILLBOX_ADMIN_PORT": "\(admin)", "TILLBOX_WEBHOOK_PORT": "\(try freePort())",
        ]
        let child = try Child(
            Tillbox.executable, row.words,
            environment: place.environment.merging(own) { $1 }.merging(row.settings) { $1 })
        if row.waits {
            try await waits(child, admin, row, what)
        } else {
            try await ends(child, row, what)
        }
        SecureServers.expectNoSecret(child.standardError + child.standardOutput, what)
    }

    private static func ends(_ child: Child, _ row: Row, _ what: String) async throws {
        try await eventually("\(what): it ends", within: 120, every: .milliseconds(50)) {
            !child.isRunning
        }
        #expect(await child.wait() == 3, "\(what)")
        let lines = child.standardError.split(separator: "\n")
        let sentences = lines.filter { $0.hasPrefix("tillbox: ") }
        #expect(sentences.count == 1 && lines.last == sentences.first, "\(what): \(lines)")
        #expect(sentences.first?.contains(row.says) == true, "\(what): \(sentences)")
        // A command says nothing else; a role's log tells what it began with.
        if row.words.first != "run", row.words != ["cloud", "features"] {
            #expect(lines.count == 1, "\(what): \(lines)")
        }
        if row.words == ["cloud", "prepare"] {
            let first = child.standardOutput.split(separator: "\n").first ?? ""
            #expect(first.hasPrefix("asking Kafka at 127.0.0.1:"), "\(what): \(first)")
        }
    }

    private static func waits(
        _ child: Child, _ admin: Int, _ row: Row, _ what: String
    ) async throws {
        var answer = ""
        do {
            try await eventually("\(what): it says so", within: 120, every: .milliseconds(50)) {
                answer = Ask.readiness(admin)
                return !child.isRunning
                    || (answer.hasPrefix("HTTP/1.1 503") && answer.contains(row.says))
            }
        } catch {
            Issue.record("\(what): \(answer) \(child.standardError.suffix(800))")
        }
        #expect(child.isRunning, "\(what): \(child.standardError.suffix(800))")
        // The log says it too, though the role has nothing to do.
        try await eventually("\(what): the log says so", within: 10, every: .milliseconds(50)) {
            child.standardError.contains(row.says)
        }
        SecureServers.expectNoSecret(answer, what)
        child.kill(SIGTERM)
        #expect(await child.wait() == 0, "\(what): \(child.standardError.suffix(800))")
    }

    // MARK: The library that the ledger is kept by

    @Test("a SQLite that is too old is refused, with the one that is needed")
    func oldSQLite() async throws {
        let folder = try TemporaryFolder()
        try "int sqlite3_libversion_number(void) { return 3037002; }\n".write(
            toFile: folder.file("old.c"), atomically: true, encoding: .utf8)
        let built = try await Child.run(
            "/usr/bin/env",
            ["cc", "-shared", "-fPIC", "-o", folder.file("old.so"), folder.file("old.c")])
        try #require(built.code == 0, "\(built.errors)")
        let ran = try await Child.run(
            Tillbox.executable, ["run", "--data", folder.file("data")],
            environment: [
                "LD_PRELOAD": folder.file("old.so"), "TILLBOX_WEBHOOK_SECRET": "whsec_test",
                "TILLBOX_WEBHOOK_PORT": "\(try freePort())",
                "TILLBOX_ADMIN_PORT": "\(try freePort())",
            ])
        #expect(ran.code == 3, "\(ran.errors)")
        let sentence = "tillbox: the SQLite library here is 3.37.2, and the ledger needs 3.39.0"
        let last = ran.errors.split(separator: "\n").last ?? ""
        #expect(last.hasPrefix(sentence), "\(ran.errors)")
    }
}
