import Foundation
import TestSupport
import Testing

/// Dead letters of the cloud roles: made by a wrong setting, sent back after it was put right.
@Suite("Dead letters of the cloud plane", .serialized)
struct CloudDeadLetterTests {
    /// What `dead-letter redrive --json` prints in the profile cloud.
    private struct Answer: Decodable {
        struct Line: Decodable { var partition: Int, offset: Int, result: String }
        var letters: [Line]
    }

    private func lines(
        _ answer: (code: Int32, output: String, errors: String)
    ) throws -> [Answer.Line] {
        let decoded = try? JSONDecoder().decode(Answer.self, from: Data(answer.output.utf8))
        return try #require(decoded, "\(answer.code) \(answer.errors)").letters
    }

    private func results(_ lines: [Answer.Line]) -> [String: Int] {
        lines.reduce(into: [:]) { $0[$1.result, default: 0] += 1 }
    }

    @Test("events refused for their livemode are booked once the setting is right, despite a kill")
    func livemode() async throws {
        let proxy = try await KafkaProxy()
        let place = try await CloudPlace(
            broker: try await KafkaServer(behind: proxy), partitions: 3)
        place.environment["TILLBOX_WEBHOOK_LIVEMODE"] = "live"
        try place.start("webhook")
        try await place.untilWebhooksAreTaken()
        let count = 120
        let traffic = try await Tillbox.simulate(to: place.port, count: count, seed: 11)
        #expect(traffic.code == 0, "\(traffic.errors)")
        let refused = try await place.run("dead-letter", "redrive", "--dry-run", "--json")
        #expect(refused.code == 1, "\(refused.errors)")
        #expect(try results(lines(refused)) == ["still_refused": count])
        await place.stop()

        place.environment["TILLBOX_WEBHOOK_LIVEMODE"] = "any"
        let foretold = try await place.run("dead-letter", "redrive", "--dry-run", "--json")
        let letters = try lines(foretold)
        #expect(foretold.code == 0 && results(letters) == ["would_send": count])
        #expect(Set(letters.map(\.partition)).count > 1)
        let name = "\(letters[count - 1].partition)/\(letters[count - 1].offset)"
        let shown = try await place.run("dead-letter", "show", name)
        #expect(shown.code == 0 && shown.output.hasPrefix("{"), "\(shown.errors)")
        let one = try await place.run("dead-letter", "redrive", "--offset", name, "--json")
        #expect(try one.code == 0 && results(lines(one)) == ["admitted": 1], "\(one.errors)")

        try await killOne(place, proxy)
        let rest = try await place.run("dead-letter", "redrive", "--json")
        #expect(rest.code == 0, "\(rest.errors)")
        let found = results(try lines(rest))
        #expect(Set(found.keys).isSubset(of: ["admitted", "duplicate"]))
        // At most one had been admitted and not marked when the other run was killed.
        #expect(found["duplicate", default: 0] <= 1)
        let last = try await place.run("dead-letter", "redrive", "--json")
        #expect(try last.code == 0 && lines(last).isEmpty, "\(last.errors)")
        let again = try await place.run("dead-letter", "redrive", "--offset", name, "--json")
        #expect(try results(lines(again)) == ["already_redriven": 1])
        try await judge(place, count)
    }

    /// Kills a run that waits for the answer to the end of a transaction, which is ended.
    private func killOne(_ place: CloudPlace, _ proxy: KafkaProxy) async throws {
        try proxy.hold(at: KafkaKey.endTxn)
        let victim = try Child(
            Tillbox.executable, ["dead-letter", "redrive"], environment: place.environment)
        try await eventually("it waits for that answer", every: .milliseconds(20)) {
            try proxy.isHeld || !victim.isRunning
        }
        #expect(victim.isRunning, "it was over before it was killed")
        victim.kill(SIGKILL)
        await victim.wait()
        try proxy.cut()
        try proxy.go()
    }

    /// All that came back is booked, each event once.
    private func judge(_ place: CloudPlace, _ count: Int) async throws {
        for role in ["ledger", "score"] { try place.start(role) }
        // Rest is five equal looks, 8 s in all: a role that was only slow is not at rest.
        var (before, equal) = (-1, 0)
        try await eventually("the ledger has come to rest", within: 120, every: .seconds(2)) {
            let now = try place.ledgerCount()
            equal = now == before ? equal + 1 : 0
            before = now
            return equal >= 4 && now > 20
        }
        await place.stop()
        let counts = try await place.oracle("redriven", acknowledged: nil)
        #expect(counts["webhook.received"] == count)
        #expect(counts["received_twice"] == 0)
        #expect(counts["ledger", default: 0] > 20)
        let list = try await place.run("dead-letter", "list")
        #expect(list.code == 3 && list.errors.contains("redrive --dry-run"), "\(list.errors)")
    }
}
