import AppendLog
import Foundation
import TestSupport
import Testing

/// `tillbox archive` from the outside, on a folder whose payments are all of this month.
@Suite("Archive commands", .serialized, .timeLimit(.minutes(5)))
struct ArchiveCommandTests {
    @Test("a month is sealed once, with a word where Stripe was not asked; list and verify see it")
    func sealed() async throws {
        let data = try await FilledFolder(count: 40)
        func tillbox(_ words: String...) async throws -> (
            code: Int32, output: String, errors: String
        ) {
            try await Child.run(
                Tillbox.executable, ["archive"] + words + ["--data", data.path])
        }
        let refused = try await tillbox("seal", "2024-03")
        #expect(refused.code == 1 && refused.errors.contains("--unreconciled"), "\(refused)")
        let later = try await tillbox("seal", "2999-01")
        #expect(later.code == 3 && later.errors.contains("is not over"), "\(later)")
        #expect(try await tillbox("list").output == "nothing to show\n")

        let sealed = try await tillbox("seal", "2024-03", "--unreconciled", "--json")
        #expect(sealed.code == 0 && sealed.output.contains(#""new":true"#), "\(sealed)")
        #expect(sealed.output.contains(#""transactions":0"#), "\(sealed)")
        let again = try await tillbox("seal", "2024-03", "--json")
        #expect(again.code == 0 && again.output.contains(#""new":false"#), "\(again)")
        let skipped = try await tillbox("seal", "2024-05", "--unreconciled")
        #expect(skipped.code == 3 && skipped.errors.contains("seal 2024-04 first"), "\(skipped)")
        let list = try await tillbox("list", "--json")
        #expect(list.code == 0 && list.output.contains("2024-03"), "\(list)")
        #expect(try await tillbox("verify").code == 0)

        // Nothing of that month is there to be moved; a second folder would be as good.
        let cold = data.file("cold")
        let moved = try await tillbox("move", cold, "--json")
        #expect(moved.code == 0 && moved.output.contains(#""copied":0"#), "\(moved)")
        let told = try await tillbox("move", cold)
        #expect(told.code == 0 && told.output.hasPrefix("nothing was to be moved"), "\(told)")
        #expect(try await tillbox("return").code == 0)

        // What was moved is away: the list says so, and still has all the rest.
        let log = try Log.openReadOnly(at: "\(data.path)/log")
        var index = ColdIndex(log: try #require(log.identity))
        let away = data.file("away")
        index.add([
            ColdSegment(
                topic: try TopicName("webhook.received"), baseOffset: .zero, end: Offset(5),
                byteCount: 100, digest: "00", folder: away)
        ])
        try index.write(toLog: "\(data.path)/log")
        let lacking = try await tillbox("list")
        #expect(lacking.code == 1 && lacking.errors.contains("missing, or cut, in \(away)"))
        #expect(lacking.output.contains("2024-03") && lacking.output.contains(away), "\(lacking)")
        let document = try await tillbox("list", "--json")
        #expect(document.code == 1 && document.output.contains(#""there":false"#), "\(document)")
        try FileManager.default.removeItem(atPath: "\(data.path)/log/cold")

        // Somebody rewrites the seal.
        let file = "\(data.path)/archive/2024-03.json"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacing(#""reconciled":false"#, with: #""reconciled":true"#)
            .write(toFile: file, atomically: true, encoding: .utf8)
        let found = try await tillbox("verify")
        #expect(found.code == 1 && found.errors.contains("2024-03"), "\(found)")
    }

    @Test("a cold folder that hangs holds up no start, no payment and no stop")
    func hangingFolder() async throws {
        let data = try await FilledFolder(count: 20)
        let log = try Log.openReadOnly(at: "\(data.path)/log")
        let name = try TopicName("webhook.received")
        let first = try #require(log.topic(name)?.segments.first)
        let cold = ColdSegment(
            topic: name, baseOffset: first.baseOffset, end: first.end, byteCount: first.byteCount,
            digest: "00", folder: data.file("hanging"))
        try FileManager.default.createDirectory(
            atPath: cold.topicFolder, withIntermediateDirectories: true)
        // Whoever opens a pipe that nobody writes to waits for ever.
        #expect(mkfifo(cold.file, 0o600) == 0)
        var index = ColdIndex(log: try #require(log.identity))
        index.add([cold])
        try index.write(toLog: "\(data.path)/log")
        let port = try freePort()
        let daemon = try Tillbox.start(
            data: data.path, webhookPort: port, adminPort: try freePort())
        try await daemon.untilListening()
        let traffic = try await Tillbox.simulate(to: port, count: 20, seed: 6)
        #expect(traffic.code == 0, "\(traffic.errors)")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
    }
}
