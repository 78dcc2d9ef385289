import Foundation
import TestSupport
import Testing

/// What a box is told that copies to servers with TLS and passwords.
struct BridgePlace {
    static let names = ["kafka", "redis", "postgres"]

    let database: String
    var environment: [String: String]

    init(_ servers: SecureServers) throws {
        database = servers.postgres.databaseName()
        _ = try servers.postgres.psql("postgres", "CREATE DATABASE \(database)")
        environment = try servers.environment(database)
        let own = [
            "TILLBOX_BRIDGES": Self.names.joined(separator: ","),
            "TILLBOX_KAFKA_TOPIC_PREFIX": "\(database).", "TILLBOX_KAFKA_PARTITIONS": "2",
            "TILLBOX_REDIS_PREFIX": "\(database):", "TILLBOX_WEBHOOK_LIVEMODE": "any",
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

    func caughtUp(_ daemon: RunningDaemon, _ names: [String] = names) async throws {
        var last: [State] = []
        do {
            try await eventually("the bridges have come to the end", every: .milliseconds(50)) {
                last = try states(daemon).filter { names.contains($0.name) }
                return last.count == names.count
                    && last.allSatisfy { $0.state == "running" && $0.lag == 0 }
            }
        } catch {
            Issue.record("\(last)")
            throw error
        }
    }
}
