import AppendLog
import Foundation
import TestSupport
import Testing

/// The daemon is killed at random moments under load; then a reader that shares no code with it
/// judges.
@Suite("Crashes", .serialized)
struct CrashTests {
    /// What `oracle.py` prints.
    struct Judgement: Decodable {
        var counts: [String: Int]
        var violations: [String]
    }

    static let killCount = 50

    @Test("50 SIGKILLs under load, duplicates and reordering lose nothing and book nothing twice")
    func killed() async throws {
        let seed = UInt64.random(in: 1...1_000_000)
        print("crash test: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let acknowledged = folder.file("acknowledged")
        let (webhook, admin) = (try freePort(), try freePort())

        let traffic = try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe",
                "--secret", "whsec_test", "--rate", "400", "--count", "8000", "--seed", "\(seed)",
                "--templates", "--prove", data,
                "--duplicates", "0.1", "--reorder", "0.2", "--fraud", "0.05",
                "--bad-signatures", "0.02", "--acknowledged", acknowledged, "--json",
                "--until-acknowledged",
            ])
        for kill in 0..<Self.killCount {
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await Self.untilMoment(kill, of: daemon, acknowledged, &random)
            #expect(daemon.isRunning, "it stopped by itself: \(daemon.standardError.suffix(800))")
            daemon.kill(SIGKILL)
            await daemon.wait()
        }
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let code = await traffic.wait()
        #expect(
            code == 0, "simulate: \(traffic.standardOutput) \(traffic.standardError.suffix(800))")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        try await Self.drain(data, webhook, admin)

        let judgement = try await Self.judge(data, acknowledged: acknowledged)
        #expect(judgement.violations == [], "seed \(seed)")
        #expect(judgement.counts["acknowledged", default: 0] > 5_000)
        #expect(judgement.counts["ledger", default: 0] > 1_000)
        #expect(judgement.counts["webhook.received"] == judgement.counts["acknowledged"])
        let verified = try await Tillbox.run("ledger", "verify", "--data", data)
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
        let log = try await Tillbox.run("log", "verify", "--data", data)
        #expect(log.code == 0, "\(log.output) \(log.errors)")
        let replay = try await Tillbox.run(
            "replay", "--data", data, "--into", folder.file("replayed"), "--json")
        #expect(replay.code == 0, "seed \(seed): \(replay.output.prefix(2000)) \(replay.errors)")
        #expect(replay.output.contains("\"equal\":true"))
    }

    @Test("SIGTERM under load drains and stops within 5 s, with nothing lost")
    func terminated() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let acknowledged = folder.file("acknowledged")
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let traffic = try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe",
                "--secret", "whsec_test", "--rate", "1000", "--count", "3000", "--seed", "3",
                "--templates",
                "--acknowledged", acknowledged, "--until-acknowledged",
            ])
        try await eventually("some events are acknowledged") {
            let text = (try? String(contentsOfFile: acknowledged, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").count > 500
        }
        let began = ContinuousClock.now
        daemon.kill(SIGTERM)
        let code = await daemon.wait()
        let took = ContinuousClock.now - began
        #expect(code == 0, "\(daemon.standardError.suffix(800))")
        #expect(took < .seconds(5), "took \(took)")

        let again = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
        again.kill(SIGTERM)
        #expect(await again.wait() == 0)
        try await Self.drain(data, webhook, admin)
        let judgement = try await Self.judge(data, acknowledged: acknowledged)
        #expect(judgement.violations == [])
        #expect(judgement.counts["acknowledged"] == 3000)
    }

    /// Waits for one of the moments at which the daemon is killed: at once, in the middle of its
    /// recovery, when it listens, or when so many events are acknowledged as this kill's place
    /// among all of them says: the traffic never ends before the kills do.
    private static func untilMoment(
        _ kill: Int, of daemon: Child, _ acknowledged: String, _ random: inout SeededGenerator
    ) async throws {
        func size() -> UInt64 {
            let attributes = try? FileManager.default.attributesOfItem(atPath: acknowledged)
            return attributes?[.size] as? UInt64 ?? 0
        }
        switch random.next() % 8 {
        case 0: return
        case 1:
            try await eventually("the daemon writes its first line") {
                !daemon.isRunning || !daemon.standardError.isEmpty
            }
        case 2: try await daemon.untilListening()
        default:
            // A line holds one event id of about thirty bytes; there are more than 6,000.
            let share = UInt64(6_000 * 25 / Self.killCount)
            let enough = UInt64(kill) * share + random.next() % share
            try await eventually("deliveries are acknowledged") {
                !daemon.isRunning || size() >= enough
            }
        }
    }

    /// Starts and stops once more: what was still in the topics at SIGTERM is processed at a start.
    static func drain(_ data: String, _ webhook: Int, _ admin: Int) async throws {
        for _ in 0..<2 {
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await daemon.untilListening()
            daemon.kill(SIGTERM)
            #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        }
    }

    static func judge(_ data: String, acknowledged: String) async throws -> Judgement {
        let script = Repository.root.appending(path: "Tests/EndToEnd/oracle.py").path
        let answer = try await Child.run(
            try Repository.python(), [script, data, "--acknowledged", acknowledged])
        guard let judgement = try? JSONDecoder().decode(
            Judgement.self, from: Data(answer.output.utf8))
        else { throw OracleFailed(errors: answer.errors) }
        return judgement
    }
}

/// The oracle could not even read the folder.
struct OracleFailed: Error, CustomStringConvertible {
    var errors: String
    var description: String { "the oracle failed: \(errors)" }
}
