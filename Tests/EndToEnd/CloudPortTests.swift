import Foundation
import TestSupport
import Testing

@Suite("A cloud role whose port is taken", .serialized)
struct CloudPortTests {
    @Test("says so and ends with 3, and its group has seen no member")
    func taken() async throws {
        let kafka = try await KafkaProxy()
        let place = try await CloudPlace(broker: try await KafkaServer(behind: kafka))
        // Anything that listens.
        let holder = try PostgresProxy(to: place.postgres.port)
        defer { holder.close() }
        for role in ["score", "ledger", "webhook"] {
            let ports = [
                "TILLBOX_ADMIN_PORT": "\(holder.port)", "TILLBOX_WEBHOOK_PORT": "\(try freePort())",
            ]
            let child = try Child(
                Tillbox.executable, ["run", "--role", role],
                environment: place.environment.merging(ports) { $1 })
            #expect(await child.wait() == 3, "\(role): \(child.standardError.suffix(800))")
            #expect(
                child.standardError.contains("is in use by another program"),
                "\(role): \(child.standardError.suffix(800))")
        }
        #expect(try kafka.joins == 0)
        for role in ["score", "ledger"] { try place.start(role) }
        try await eventually("both groups have a member", within: 30) { try kafka.joins >= 2 }
        await place.stop()
    }
}
