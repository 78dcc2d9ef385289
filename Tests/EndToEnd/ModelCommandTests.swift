import Foundation
import TestSupport
import Testing

/// `tillbox model` over a folder that a daemon filled, and beside one that runs.
@Suite("The model's commands", .serialized, .timeLimit(.minutes(5)))
struct ModelCommandTests {
    private static let model = Repository.root.appending(path: "model").path

    /// A backtest's or a shadow's answer, as far as it is asked here.
    private struct Answer: Decodable {
        struct Verdicts: Decodable {
            var live: String
            var other: String
            var payments: Int
        }
        var version: String
        var payments: Int
        var agreeing: Int
        var verdicts: [Verdicts]

        init(_ text: String) throws {
            self = try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
        }
    }

    private static func run(_ words: String...) async throws -> String {
        let answer = try await Child.run(Tillbox.executable, ["model"] + words)
        #expect(answer.code == 0, "\(words): \(answer.errors)")
        return answer.output
    }

    @Test("data set, backtest and shadow of what a daemon did; it runs on, and nothing is changed")
    func whole() async throws {
        let folder = try await FilledFolder(count: 80)
        let out = folder.file("payments.ndjson")
        let manifest = try await Self.run(
            "dataset", "--data", folder.path, "--out", out, "--as-of", "2100-01-01",
            "--allow-future", "--json")
        let rows = try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n")
        #expect(!rows.isEmpty)
        #expect(manifest.contains("\"rows\":\(rows.count),\"mature\":\(rows.count),"))
        #expect(
            try String(contentsOfFile: out + ".manifest.json", encoding: .utf8) == manifest)

        let before = try Self.content(of: folder.path)
        let back = try Answer(
            try await Self.run("backtest", Self.model, "--data", folder.path, "--json"))
        #expect(back.version == "tillbox-fraud-2" && back.payments >= rows.count)
        #expect(back.agreeing == back.payments)
        let held = try Answer(
            try await Self.run(
                "backtest", "--data", folder.path, "--review-from", "1e-9", "--block-from", "1",
                "--json"))
        #expect(held.verdicts.allSatisfy { $0.other == "manual_review" })
        #expect(held.agreeing < held.payments && held.payments == back.payments)
        let text = try await Self.run(
            "backtest", "--data", folder.path, "--fees", "usd:1500:200:300", "--fees",
            "eur:2000:200:300")
        #expect(text.contains("both verdicts agree on \(back.payments) of \(back.payments)"))
        #expect(try Self.content(of: folder.path) == before)
        for kept in [
            "ledger.sqlite", "log/identity", "log/payment.scored-0/x", "archive/2026-10.json",
        ] {
            let refused = try await Child.run(
                Tillbox.executable,
                ["model", "dataset", "--data", folder.path, "--out", "\(folder.path)/\(kept)"])
            #expect(refused.code == 3 && refused.errors.contains("is kept in the data folder"))
        }
        #expect(try Self.content(of: folder.path) == before)
        let future = try await Child.run(
            Tillbox.executable,
            ["model", "dataset", "--data", folder.path, "--out", out, "--as-of", "2100-01-01"])
        #expect(future.code == 2 && future.errors.contains("--as-of lies in the future"))
        try await Self.noModel(folder)
        try await Self.beside(folder, payments: back.payments)
        try await Self.unkept(folder)
    }

    /// A report that cannot be kept is told all the same.
    private static func unkept(_ folder: FilledFolder) async throws {
        let place = "\(folder.path)/shadow.json"
        try FileManager.default.removeItem(atPath: place)
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: false)
        let told = try await Child.run(
            Tillbox.executable,
            ["model", "shadow", model, "--data", folder.path, "--from", "0", "--payments", "1"])
        #expect(told.code == 0 && told.output.contains("other: tillbox-fraud-2"), "\(told.errors)")
        #expect(
            told.errors.contains(
                "the report is not kept for the console: \(place) could not be written: Is a "
                    + "directory; with --discard none is kept"), "\(told.errors)")
    }

    /// Follows a daemon: first what is there, then five payments that are still to come.
    private static func beside(_ folder: FilledFolder, payments: Int) async throws {
        let port = try freePort()
        let daemon = try Tillbox.start(
            data: folder.path, webhookPort: port, adminPort: try freePort())
        try await daemon.untilListening()
        let shadow = try Child(
            Tillbox.executable,
            [
                "model", "shadow", model, "--data", folder.path, "--from", "0", "--payments",
                "\(payments + 5)", "--json",
            ])
        let endless = try Child(
            Tillbox.executable, ["model", "shadow", model, "--data", folder.path, "--discard"])
        let traffic = try await Tillbox.simulate(
            to: port, count: 80, seed: 6, "--prove", folder.path)
        #expect(traffic.code == 0, "\(traffic.errors)")
        #expect(await shadow.wait() == 0, "\(shadow.standardError)")
        let found = try Answer(shadow.standardOutput)
        #expect(found.payments == payments + 5 && found.agreeing == found.payments)
        let kept = try String(contentsOfFile: "\(folder.path)/shadow.json", encoding: .utf8)
        #expect(
            kept.hasPrefix("{\"format\":1,")
                && kept.contains("\"payments\":\(found.payments),")
                && kept.contains("\"first_offset\":0,"))
        // An interruption is the usual end. Until it is caught it would kill.
        try await eventually("it catches SIGINT") {
            try String(contentsOfFile: "/proc/\(endless.processID)/status", encoding: .utf8)
                .split(separator: "\n").contains { line in
                    guard line.hasPrefix("SigCgt:") else { return false }
                    let mask = UInt64(line.split(separator: "\t").last ?? "", radix: 16) ?? 0
                    return mask & (1 << UInt64(SIGINT - 1)) != 0
                }
        }
        endless.kill(SIGINT)
        #expect(await endless.wait() == 0, "\(endless.standardError)")
        #expect(endless.standardOutput.contains("other: tillbox-fraud-2, review from 0.3"))
        #expect(
            try String(contentsOfFile: "\(folder.path)/shadow.json", encoding: .utf8) == kept,
            "it was told to keep none")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }

    /// Every file of the log and the ledger, by its name.
    private static func content(of path: String) throws -> [String: Data] {
        var content: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path)
        where name.hasPrefix("log/") || name == "ledger.sqlite" {
            content[name] = FileManager.default.contents(atPath: "\(path)/\(name)")
        }
        return content
    }

    /// One sentence, exit code 3.
    private static func noModel(_ folder: FilledFolder) async throws {
        for (file, sentence) in [
            ("/nowhere", "there is no /nowhere; name a candidate's folder"),
            (folder.path, "fraud.ubj cannot be read"),
        ] {
            let answer = try await Child.run(
                Tillbox.executable, ["model", "backtest", file, "--data", folder.path])
            #expect(answer.code == 3 && answer.errors.contains(sentence), "\(answer.errors)")
            #expect(answer.errors.split(separator: "\n").count == 1)
        }
    }
}
