import Foundation
import TestSupport
import Testing

/// A cloud of a test's own: the servers, a ledger, and what its roles are told.
final class CloudPlace: @unchecked Sendable {
    // `@unchecked Sendable`: used from one test at a time.

    /// For what is not part of every run: `make cloud-kills`.
    static let campaign = ConditionTrait.enabled(
        if: ProcessInfo.processInfo.environment["TILLBOX_CLOUD_KILLS"] != nil,
        "not seen to end well each time beside noida-db; docs/CLOUD.md says what was seen")

    let folder: TemporaryFolder
    let broker: KafkaServer
    let redis: RedisServer
    let postgres: PostgresServer
    let database: String
    private let prefix: String
    /// Of the webhook role; the admin ports are free ones.
    let port: Int
    var environment: [String: String]
    private(set) var roles: [Instance] = []

    struct Instance {
        var role: String
        var admin: Int
        var child: Child
    }

    /// - Parameters:
    ///   - broker, redis, postgres: nil for a fresh one.
    ///   - prefix: of topics and keys, where servers are shared.
    ///   - settings: further ones, or others, for a database of that name.
    init(
        broker: KafkaServer? = nil, redis: RedisServer? = nil, postgres: PostgresServer? = nil,
        prefix: String = "", partitions: Int = 3,
        settings: (_ database: String) -> [String: String] = { _ in [:] }
    ) async throws {
        folder = try TemporaryFolder()
        self.broker = if let broker {
            broker
        } else {
            try await KafkaServer(behind: KafkaProxy())
        }
        self.redis = if let redis { redis } else { try await RedisServer() }
        self.postgres = if let postgres { postgres } else { try PostgresServer() }
        database = self.postgres.databaseName()
        self.prefix = prefix
        port = try freePort()
        try self.postgres.sql("postgres", "CREATE DATABASE \(database)")
        environment = [
            "TILLBOX_PROFILE": "cloud", "TILLBOX_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "TILLBOX_KAFKA_PARTITIONS": "\(partitions)", "TILLBOX_REDIS_URL": self.redis.url,
            "TILLBOX_POSTGRES_URL": self.postgres.uri(database),
            "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_LIVEMODE": "any",
            "TILLBOX_DATA": folder.file("data"), "TILLBOX_LOGGING_FORMAT": "json",
        ]
        if !prefix.isEmpty {
            environment["TILLBOX_KAFKA_TOPIC_PREFIX"] = prefix
            environment["TILLBOX_REDIS_PREFIX"] = "tillbox:" + prefix
        }
        environment.merge(settings(database)) { $1 }
        let prepared = try await run("cloud", "prepare")
        guard prepared.code == 0 else { throw RoleFailed(words: prepared.errors) }
    }

    deinit { for instance in roles { instance.child.kill(SIGKILL) } }

    func run(_ words: String...) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(Tillbox.executable, words, environment: environment)
    }

    // MARK: Roles

    /// Starts one more instance of a role; the webhook role is one, since it has the port.
    func start(_ role: String) throws {
        let admin = try freePort()
        var own = ["TILLBOX_ADMIN_PORT": "\(admin)"]
        if role == "webhook" { own["TILLBOX_WEBHOOK_PORT"] = "\(port)" }
        let words = role == "features" ? ["cloud", "features"] : ["run", "--role", role]
        let child = try Child(
            Tillbox.executable, words, environment: environment.merging(own) { $1 })
        roles.append(Instance(role: role, admin: admin, child: child))
    }

    func untilWebhooksAreTaken() async throws {
        try await eventually("the webhook port is open") {
            (try? RawConnection(port: port)) != nil
        }
    }

    /// Waits until an instance of a role says that it is not ready.
    func untilTroubled(_ role: String) async throws {
        let ports = roles.filter { $0.role == role }.map(\.admin)
        try await eventually("\(role) is not ready", within: 60, every: .milliseconds(100)) {
            ports.contains { port in
                guard let connection = try? RawConnection(port: port) else { return false }
                connection.send(
                    "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.readStatus() == 503
            }
        }
    }

    /// Kills an instance, and starts another in its place.
    func replace(_ place: Int) async throws {
        let instance = roles[place]
        try #require(
            instance.child.isRunning,
            "\(instance.role) ended by itself: \(instance.child.standardError.suffix(800))")
        await kill(place)
        try start(instance.role)
    }

    /// Stops every instance of a role in good order, and starts as many.
    func restart(_ role: String) async throws {
        let ending = roles.filter { $0.role == role }.map(\.child)
        roles.removeAll { $0.role == role }
        for child in ending { child.kill(SIGTERM) }
        for child in ending { await child.wait() }
        for _ in ending { try start(role) }
    }

    /// Starts anew what ended by itself, as a platform does; it has to have said why.
    func revive(_ reason: String) throws {
        for place in roles.indices.reversed() where !roles[place].child.isRunning {
            let ended = roles.remove(at: place)
            let words = ended.child.standardError
            #expect(words.contains(reason), "\(ended.role) ended: \(words.suffix(800))")
            try start(ended.role)
        }
    }

    /// Kills the first instance of a role.
    func kill(_ role: String) async {
        guard let place = roles.firstIndex(where: { $0.role == role }) else { return }
        await kill(place)
    }

    private func kill(_ place: Int) async {
        let child = roles.remove(at: place).child
        child.kill(SIGKILL)
        await child.wait()
    }

    /// Whether every instance is still there.
    func expectRunning() {
        for instance in roles where !instance.child.isRunning {
            Issue.record(
                "\(instance.role) ended by itself: \(instance.child.standardError.suffix(1_500))")
        }
    }

    /// Stops all in good order, the webhook role first.
    func stop() async {
        for role in ["webhook", "score", "features", "ledger", "console"] {
            let ending = roles.filter { $0.role == role }.map(\.child)
            for child in ending { child.kill(SIGTERM) }
            for child in ending {
                #expect(await child.wait() == 0, "\(role): \(child.standardError.suffix(1_500))")
            }
        }
        roles = []
    }

    // MARK: Traffic and judgement

    var acknowledged: String { folder.file("acknowledged") }

    var acknowledgedCount: Int {
        let text = (try? String(contentsOfFile: acknowledged, encoding: .utf8)) ?? ""
        return text.utf8.count { $0 == UInt8(ascii: "\n") }
    }

    /// Signed traffic until each event is acknowledged, and then until the ledger has all of it.
    ///
    /// - Parameter proves: whether it waits for the ledger.
    func traffic(count: Int, rate: Int, seed: UInt64, proves: Bool = true) throws -> Child {
        try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(port)/webhooks/stripe", "--secret",
                "whsec_test", "--rate", "\(rate)", "--count", "\(count)", "--seed", "\(seed)",
                "--templates", "--duplicates", "0.1", "--reorder", "0.1", "--fraud", "0.05",
                "--bad-signatures", "0.02", "--acknowledged", acknowledged, "--json",
                "--until-acknowledged",
            ] + (proves ? ["--prove-cloud"] : []), environment: environment)
    }

    /// What the simulator says at its end, as far as a judgement needs it.
    private struct Report: Decodable {
        struct Ledger: Decodable { var missing, different: Int }
        var differences: [String: Int]
        var ledger: Ledger
    }

    /// Traffic has come to its end and the ledger to all of it; then the oracle judges.
    ///
    /// - Parameter claimsAreLost: whether a copy may have been taken for a new event, since Redis
    ///   has forgotten the first one. It is booked once all the same.
    func judge(
        _ traffic: Child, _ what: String, claimsAreLost: Bool = false
    ) async throws {
        try await eventually("\(what): the traffic ends", within: 180) { !traffic.isRunning }
        let words = traffic.standardOutput
        let report = try? JSONDecoder().decode(Report.self, from: Data(words.utf8))
        let roles = roles.map { "\($0.role): \($0.child.standardError.suffix(1_500))" }
        let all = "\(what): \(words.suffix(1_500)) \(traffic.standardError.suffix(800)) \(roles)"
        let allowed: Set<String> = claimsAreLost ? ["accepted_twice"] : []
        #expect(report?.ledger.missing == 0 && report?.ledger.different == 0, "\(all)")
        let differences = report.map { Set($0.differences.keys) } ?? ["no report"]
        #expect(differences.isSubset(of: allowed), "\(all)")
        expectRunning()
        await stop()
        let counts = try await oracle(what, acknowledged: acknowledged)
        #expect(counts["acknowledged", default: 0] > 100)
        #expect(counts["ledger", default: 0] > 20)
        print("\(what): \(counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
    }

    /// What a reader that shares no code with Tillbox finds, and `ledger verify`.
    ///
    /// - Returns: what it counted.
    func oracle(_ what: String, acknowledged: String?) async throws -> [String: Int] {
        let script = Repository.root.appending(path: "Tests/EndToEnd/cloud_oracle.py").path
        let told = acknowledged.map { ["--acknowledged", $0] } ?? []
        let answer = try await Child.run(
            try Repository.python(),
            [script, broker.toolBootstrap, "", postgres.uri(database)] + told)
        guard
            let judgement = try? JSONDecoder().decode(
                CrashTests.Judgement.self, from: Data(answer.output.utf8))
        else { throw OracleFailed(errors: answer.errors) }
        #expect(judgement.violations == [], "\(what)")
        let verified = try await run("ledger", "verify")
        #expect(verified.code == 0, "\(what): \(verified.output)\(verified.errors)")
        return judgement.counts
    }

    /// What the ledger reads next of each partition of `payment.scored`.
    func ledgerPositions() throws -> [Substring: Int] {
        let found = try postgres.sql(
            database,
            "SELECT partition || ' ' || next_offset FROM tillbox.positions "
                + "WHERE topic = 'payment.scored'")
        var positions: [Substring: Int] = [:]
        for line in found.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { positions[words[0]] = Int(words[1]) }
        }
        return positions
    }

    func ledgerCount() throws -> Int {
        let found = try postgres.sql(database, "SELECT count(*) FROM tillbox.transactions")
        return try #require(Int(found))
    }
}

/// A role, or the command that prepares them, does not run.
struct RoleFailed: Error, CustomStringConvertible {
    var words: String
    var description: String { words }
}
