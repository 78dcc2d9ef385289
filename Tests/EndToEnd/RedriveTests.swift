import Foundation
import FoundationNetworking
import TestSupport
import Testing

/// Dead letters of a whole daemon: made by a wrong setting, sent back after it was put right.
@Suite("Dead letters", .serialized)
struct DeadLetterTests {
    /// What `dead-letter redrive --json` prints.
    private struct Answer: Decodable {
        struct Line: Decodable { var offset: Int, result: String }
        var letters: [Line]
    }

    private func redrive(
        _ data: String, _ admin: Int, _ arguments: String...
    ) async throws -> [String: Int] {
        let answer = try await Child.run(
            Tillbox.executable, ["dead-letter", "redrive", "--data", data, "--json"] + arguments,
            environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
        let decoded = try? JSONDecoder().decode(Answer.self, from: Data(answer.output.utf8))
        let lines = try #require(decoded, "\(answer.code) \(answer.errors)").letters
        return lines.reduce(into: [:]) { $0[$1.result, default: 0] += 1 }
    }

    @Test("events refused for their livemode are booked once the setting is right, despite kills")
    func livemode() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let (webhook, admin) = (try freePort(), try freePort())
        var daemon = try Tillbox.start(
            data: data, webhookPort: webhook, adminPort: admin,
            environment: ["TILLBOX_WEBHOOK_LIVEMODE": "live"])
        try await daemon.untilListening()
        let traffic = try await Tillbox.simulate(to: webhook, count: 400, seed: 11)
        #expect(traffic.code == 0, "\(traffic.errors)")
        #expect(try await redrive(data, admin, "--dry-run") == ["still_refused": 400])
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(3000))")

        // Half while nobody has the folder, then the rest by a daemon that is killed meanwhile.
        let half = (0..<200).flatMap { ["--offset", "\($0)"] }
        let alone = try await Child.run(
            Tillbox.executable, ["dead-letter", "redrive", "--data", data, "--json"] + half)
        #expect(alone.code == 0, "\(alone.errors)")
        daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let victim = try Child(
            Tillbox.executable, ["dead-letter", "redrive", "--data", data],
            environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
        try await eventually("some letters are redriven") {
            let log = try await Tillbox.run("log", "topics", "--data", data, "--json")
            return log.output.contains("\"topic\":\"webhook.received\",\"start\":0,\"end\":2")
                || !victim.isRunning
        }
        daemon.kill(SIGKILL)
        await daemon.wait()
        await victim.wait()
        daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        _ = try await redrive(data, admin)
        #expect(try await redrive(data, admin) == [:])
        #expect(try await redrive(data, admin, "--offset", "3") == ["already_redriven": 1])
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(3000))")

        let judgement = try await CrashTests.judge(data, acknowledged: "/dev/null")
        #expect(judgement.violations == [])
        #expect(judgement.counts["webhook.received"] == 400)
        #expect(judgement.counts["ledger", default: 0] > 50)
        let list = try await Tillbox.run(
            "dead-letter", "list", "--data", data, "--limit", "400", "--json")
        #expect(!list.output.contains("\"redriven\":\"no\""))
        let shown = try await Tillbox.run("dead-letter", "show", "0", "--data", data)
        #expect(shown.output.hasPrefix("{"))
        try await expectReplay(data, in: folder)
    }

    /// A replay comes to the same under the same settings, and under others to what it lists.
    private func expectReplay(_ data: String, in folder: TemporaryFolder) async throws {
        let replay = try await Tillbox.run(
            "replay", "--data", data, "--into", folder.file("fresh"))
        #expect(replay.code == 0, "\(replay.output) \(replay.errors)")
        let other = try await Child.run(
            Tillbox.executable, ["replay", "--data", data, "--into", folder.file("other")],
            environment: ["TILLBOX_VERDICT_AMOUNT_LIMITS": "usd:1,eur:1,gbp:1,jpy:1"])
        #expect(other.code == 1, "\(other.errors)")
        #expect(other.output.contains("charge:ch_"), "\(other.output.prefix(2000))")
    }

    @Test("a daemon refuses a redrive that is meant for another folder, and a page's form post")
    func otherFolder() async throws {
        let folder = try TemporaryFolder()
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(
            data: folder.file("data"), webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let address = "http://127.0.0.1:\(admin)/api/v1/dead-letters"
        let token = Tillbox.token(of: folder.file("data"))
        func post(_ body: String, type: String) async throws -> (status: Int, body: String) {
            try await Self.answer("\(address)/redrive", token, body, type: type)
        }
        let other = try await post(#"{"data":"/elsewhere"}"#, type: "application/json")
        #expect(other.status == 409)
        #expect(other.body.contains(#""status":409,"detail":"this daemon's data folder is"#))
        #expect(try await post("{}", type: "text/plain").status == 415)
        #expect(try await post(#"{"offset":1}"#, type: "application/json").status == 400)
        let none = try await post("{}", type: "application/json")
        #expect(none.status == 200)
        #expect(none.body == #"{"letters":[],"next":null}"#)
        #expect(try await Self.answer("\(address)?limit=0", token).status == 400)
        #expect(
            try await Self.answer(address, token).body == #"{"dead_letters":[],"next":null}"#)
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(3000))")
    }

    private static func answer(
        _ address: String, _ token: String, _ body: String? = nil, type: String = ""
    ) async throws -> (status: Int, body: String) {
        var request = URLRequest(url: try #require(URL(string: address)))
        request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
        if let body {
            request.httpMethod = "POST"
            request.httpBody = Data(body.utf8)
            request.setValue(type, forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        return (status, String(decoding: data, as: UTF8.self))
    }

    @Test("log cat --follow prints records as they come, each once and in order")
    func follow() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let webhook = try freePort()
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: try freePort())
        try await daemon.untilListening()
        let cat = try Child(
            Tillbox.executable,
            ["log", "cat", "webhook.received", "--data", data, "--follow", "--count", "300"])
        let traffic = try await Tillbox.run(
            "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe", "--secret",
            "whsec_test", "--rate", "300", "--count", "400", "--seed", "4")
        #expect(traffic.code == 0, "\(traffic.errors)")
        #expect(await cat.wait() == 0, "\(cat.standardError)")
        let offsets = cat.standardOutput.split(separator: "\n").compactMap { line in
            line.firstMatch(of: #/^\{"offset":(\d+),/#).flatMap { Int($0.1) }
        }
        #expect(offsets == Array(0..<300))
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(3000))")
    }
}
