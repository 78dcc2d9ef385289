import Foundation
import TestSupport
import Testing

/// Restarts under a service manager that keeps the ports' sockets meanwhile.
@Suite("Kept sockets", .serialized)
struct KeptSocketTests {
    /// What `kept_sockets.py` prints.
    private struct Restarts: Decodable {
        struct Clients: Decodable {
            var refused: Int
            var unanswered: Int
        }

        struct Counts: Decodable {
            var acknowledged: Int
            var failures: Int
        }

        var stops: Clients
        var kills: Clients
        var moved: Bool
        var names: [String]
        var counts: Counts
    }

    @Test("no restart refuses a connection, and one in good order leaves no delivery unanswered")
    func restarts() async throws {
        let folder = try TemporaryFolder()
        let (data, acknowledged) = (folder.file("data"), folder.file("acknowledged"))
        let (webhook, admin) = (try freePort(), try freePort())
        let script = Repository.root.appending(path: "Tests/EndToEnd/kept_sockets.py").path
        let answer = try await Child.run(
            try Repository.python(),
            [script, Tillbox.executable, data, "\(webhook)", "\(admin)", acknowledged])
        try #require(answer.code == 0, "\(answer.errors.suffix(2_000))")
        let found = try JSONDecoder().decode(Restarts.self, from: Data(answer.output.utf8))
        #expect(found.stops.refused == 0 && found.kills.refused == 0)
        #expect(found.stops.unanswered == 0)
        #expect(found.counts.failures == 0)
        #expect(found.names == ["admin", "webhook"])
        #expect(found.moved)
        #expect(found.counts.acknowledged >= 400)

        try await CrashTests.drain(data, webhook, admin)
        let judgement = try await CrashTests.judge(data, acknowledged: acknowledged)
        #expect(judgement.violations == [])
        #expect(judgement.counts["acknowledged"] == found.counts.acknowledged)
        #expect(judgement.counts["webhook.received"] == found.counts.acknowledged)
    }
}
