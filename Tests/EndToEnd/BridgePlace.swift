import Foundation
import TestSupport
import Testing

/// What a box is told that copies to servers.
struct BridgePlace {
    static let names = ["kafka", "redis", "postgres"]

    let database: String
    var environment: [String: String]

    /// To servers with TLS and passwords.
    init(_ servers: SecureServers) throws {
        try self.init(servers.postgres, partitions: 2) { try servers.environment($0) }
    }

    /// To servers that let everybody in.
    init(kafka: KafkaServer, redis: RedisServer, postgres: PostgresServer) throws {
        try self.init(postgres, partitions: 3) { database in
            [
                "TILLBOX_KAFKA_BOOTSTRAP": kafka.bootstrap, "TILLBOX_REDIS_URL": redis.url,
                "TILLBOX_POSTGRES_URL": postgres.uri(database),
            ]
        }
    }

    /// Makes a database, whose name is the prefix of everything else.
    private init(
        _ postgres: PostgresServer, partitions: Int,
        servers: (_ database: String) throws -> [String: String]
    ) throws {
        database = postgres.databaseName()
        try postgres.sql("postgres", "CREATE DATABASE \(database)")
        environment = try servers(database)
        let own = [
            "TILLBOX_BRIDGES": Self.names.joined(separator: ","),
            "TILLBOX_KAFKA_TOPIC_PREFIX": "\(database).",
            "TILLBOX_KAFKA_PARTITIONS": "\(partitions)", "TILLBOX_REDIS_PREFIX": "\(database):",
            "TILLBOX_WEBHOOK_LIVEMODE": "any",
        ]
        environment.merge(own) { $1 }
    }

    /// A command on a daemon's folder and ports.
    func run(
        _ words: String..., on daemon: RunningDaemon
    ) async throws -> (code: Int32, output: String, errors: String) {
        let own = ["TILLBOX_DATA": daemon.data, "TILLBOX_ADMIN_PORT": "\(daemon.admin)"]
        return try await Child.run(
            Tillbox.executable, words, environment: environment.merging(own) { $1 })
    }

    /// How a bridge is.
    struct State: Decodable {
        var name, state: String
        var lag: Int
        var last_error: String?
    }

    func states(_ daemon: RunningDaemon) throws -> [State] {
        struct All: Decodable { var bridges: [State] }
        return try JSONDecoder().decode(
            All.self, from: Data(try daemon.read("/api/v1/bridges").utf8)
        ).bridges
    }

    /// Waits until these bridges have copied all that there is.
    func caughtUp(
        _ daemon: RunningDaemon, _ names: [String] = names, within seconds: Double = 60
    ) async throws {
        var last: [State] = []
        try await eventually(
            "\(names) have come to the end: \(last)", within: seconds, every: .milliseconds(50)
        ) {
            last = try states(daemon).filter { names.contains($0.name) }
            return last.count == names.count
                && last.allSatisfy { $0.state == "running" && $0.lag == 0 }
        }
    }

    /// Both sides of every bridge are the same.
    func expectEqual(_ daemon: RunningDaemon) async throws {
        for name in Self.names {
            let found = try await run("bridge", "verify", name, on: daemon)
            #expect(found.code == 0, "\(name): \(found.output)\(found.errors)")
        }
    }
}
