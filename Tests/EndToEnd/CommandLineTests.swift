import Foundation
import TestSupport
import Testing

/// Contracts §9 from the outside: what every verb says, and where, and how it ends.
@Suite("Command line", .serialized, .timeLimit(.minutes(10)))
struct CommandLineTests {
    typealias Answer = (code: Int32, output: String, errors: String)

    /// Every verb with arguments that are right but for the folder.
    private static let readers: [[String]] = [
        ["log", "topics"], ["log", "cat", "webhook.received"], ["log", "offsets"],
        ["log", "verify"], ["ledger", "balances"], ["ledger", "show", "1"], ["ledger", "verify"],
        ["dead-letter", "list"], ["dead-letter", "show", "0"], ["dead-letter", "redrive"],
        ["reconcile", "list"], ["reconcile", "show", "last"], ["explain", "processor:stripe"],
        ["user", "list"], ["token", "list"], ["audit", "list"], ["audit", "verify"],
        ["model", "backtest"], ["archive", "list"], ["archive", "verify"],
    ]

    /// One sentence, said by this program, and nothing else.
    private static func expectSentence(_ answer: Answer, _ code: Int32, _ what: String) {
        #expect(answer.code == code, "\(what): \(answer)")
        #expect(answer.output.isEmpty, "\(what): \(answer.output)")
        let lines = answer.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(what): \(answer.errors)")
        #expect(lines.first?.hasPrefix("tillbox: ") == true, "\(what): \(answer.errors)")
        // What happened, and what to do.
        let hasAdvice = ["; ", ": ", "?"].contains { answer.errors.dropFirst(9).contains($0) }
        #expect(hasAdvice, "\(what): \(answer.errors)")
    }

    @Test("wrong usage is exit code 2 and one sentence that names the help", arguments: [
        ["fly"], ["log"], ["log", "cat"], ["ledger"], ["ledger", "show"], ["reconcile"],
        ["dead-letter"], ["dead-letter", "show"], ["dead-letter", "show", "x"], ["replay"],
        ["simulate"], ["simulate", "--to", "nowhere"], ["run", "--nonsense"],
        ["run", "--profile", "clown"], ["run", "--role", "none"], ["demo", "--rate", "-1"],
        ["twin", "--port", "70000"], ["user"], ["user", "add", "x"], ["token", "add"],
        ["user", "add", "x", "--role", "king"], ["audit", "list", "--count", "0"],
        ["token", "add", "x", "--role", "admin", "--expires", "soon"],
        ["bench", "nonsense"], ["log", "cat", "x", "--count", "-1"],
        ["log", "cat", "x", "--from", "1", "--since", "0"], ["log", "topics", "--jsn"],
        ["ledger", "balances", "--as-of", "2025-02-29"],
        ["reconcile", "run", "--from", "2025-02-30"],
        ["reconcile", "list", "--limit", "0"], ["dead-letter", "list", "--after", "-1"],
        ["dead-letter", "redrive", "--offset", "-1"], ["replay", "--into", "x", "--to", "-1"],
        ["model"], ["model", "dataset"], ["model", "shadow"],
        ["model", "backtest", "--fees", "usd:1"],
        ["model", "dataset", "--out", "x", "--maturity-days", "0"],
        ["export", "--load", "--json"],
        ["help", "nope"], ["--verison"], ["demo", "--rate", "1000000"], ["demo", "--seed", "-1"],
        ["reconcile", "run", "--from", "2026-02-01", "--to", "2026-01-01"],
        ["review", "approve", "", "--note", "n"], ["review", "show", ""],
        ["review", "decline", String(repeating: "c", count: 70_000), "--note", "n"],
        ["review", "approve", "ch_1", "--note", "a", "--note", "b"],
        ["log", "topics", "--data", "a", "--data=b"],
        ["bridge"], ["bridge", "verify"], ["bridge", "verify", "mysql"], ["bridge", "lst"],
        ["bridge", "list", "--limit", "3"], ["bridge", "pause", "kafka", "--by"],
        ["bridge", "forget", "kafka", "redis"], ["cloud"], ["cloud", "prepare", "--json"],
        ["cloud", "prepare", "--moved-from", "cluster"],
        ["cloud", "prepare", "--profile", "dev"], ["cloud", "features", "--profile", "edge"],
        ["status", "now"], ["status", "--profile", "box"], ["reconcile", "sweep", "--dry-run"],
        ["reconcile", "show"], ["reconcile", "show", "first"],
        ["reconcile", "show", "1", "--json", "--csv"], ["dead-letter", "redrive", "17"],
        ["dead-letter", "redrive", "--offset", "1/x"],
        ["explain"], ["explain", ""], ["explain", "x", "--limit", "0"],
        ["explain", "x", "--after", "-1"], ["explain", "x", "--currency", "dollars"],
        ["explain", "x", "--as-of", "2025-02-29"], ["ledger", "export", "--format", "xml"],
        ["ledger", "export", "--from", "2026-02-01", "--to", "2026-01-01"],
        ["log", "send", "webhook.received", "0", "--to", "x", "--secret-file", "f"],
        ["log", "send", "webhook.received", "-1", "--to", "https://x", "--secret-file", "f"],
        ["archive"], ["archive", "seal"], ["archive", "seal", "2025-13"], ["archive", "move"],
        ["bench", "age", "--payments", "1"], ["bench", "log", "--payments", "1000"],
    ])
    func wrongUsage(arguments: [String]) async throws {
        let answer = try await Child.run(
            Tillbox.executable, arguments, environment: ["TILLBOX_WEBHOOK_SECRET": "whsec_a"])
        Self.expectSentence(answer, 2, "\(arguments)")
    }

    @Test("a mistyped verb, option, topic or date is told what it may have meant", arguments: [
        (["lgo"], "did you mean log?"), (["ledgr", "verify"], "did you mean ledger?"),
        (["log", "verfy"], "did you mean verify?"), (["dead-leter"], "did you mean dead-letter?"),
        (["xyzzy"], "tillbox --help"), (["log"], "topics, cat, offsets, verify, send"),
        (["model"], "dataset, backtest, shadow"),
        (["log", "topics", "--jsn"], "--json"), (["run", "--profil", "dev"], "--profile"),
        (["run", "--profile", "clown"], "'dev', 'edge' or 'cloud'"),
        (["ledger", "balances", "--as-of", "2025-02-29"], "a day that the calendar has"),
        (["--verison"], "'--version'"), (["ledger", "verify", "--hlep"], "'--help'"),
        (["help", "ledgr"], "did you mean ledger?"), (["help", "log", "verfy"], "verify?"),
        (["demo", "--count", "-1"], "--count is -1, and must not be below 0"),
        (["twin", "--seed", "-7"], "--seed is -7"), (["demo", "--loss", "-0.1"], "--loss is -0.1"),
        (["demo", "--rate", "1000000"], "at most 100000"),
        (["review", "approve", "ch_1", "--note", "a", "--note", "b"], "--note is given twice"),
        (
            [
                "warehouse", "check", "--table", "payments", "--table", "reviews", "--folder",
                "/nope",
            ],
            "/nope"
        ),
        (["log", "topics", "--data", "/etc/passwd"], "/etc/passwd is no folder"),
        (["bridge", "verify", "mysql"], "bridges are kafka, redis, postgres"),
        (["bridge", "verfy", "kafka"], "did you mean verify?"),
        (["cloud", "prepar"], "did you mean prepare?"),
        (["cloud", "prepare", "--profile", "dev"], "leave --profile dev away"),
        (["reconcile", "sweep", "--jsn"], "--json"),
        (["bench", "validate", "--quick", "--against", "/nope"], "there is no program /nope"),
        (["export", "--load"], "bigquery.project"),
    ])
    func nearest(arguments: [String], expected: String) async throws {
        let answer = try await Child.run(Tillbox.executable, arguments)
        #expect(answer.errors.contains(expected), "\(answer.errors)")
    }

    @Test("a missing folder and a folder of something else are exit code 3 and one sentence")
    func folders() async throws {
        let data = try await FilledFolder(count: 20)
        for verb in Self.readers {
            for folder in [data.missing, data.foreign] {
                let answer = try await Child.run(
                    Tillbox.executable, verb + ["--data", folder])
                // A ledger that is no database is what `ledger verify` finds.
                let code: Int32 = verb == ["ledger", "verify"] && folder == data.foreign ? 1 : 3
                Self.expectSentence(answer, code, "\(verb) \(folder)")
                #expect(answer.errors.contains(folder) || answer.errors.contains("ledger.sqlite"))
            }
        }
        for folder in [data.missing, data.foreign] {
            let answer = try await Tillbox.run(
                "replay", "--data", folder, "--into", data.file("fresh"))
            Self.expectSentence(answer, 3, "replay \(folder)")
        }
        // Nothing was made where somebody only looked.
        #expect(!FileManager.default.fileExists(atPath: data.missing))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: data.foreign).sorted()
                == ["ledger.sqlite", "log"])
    }

    @Test("no daemon is exit code 3 and one sentence", arguments: [
        ["reconcile", "run"], ["reconcile", "sweep"],
    ])
    func noDaemon(verb: [String]) async throws {
        let data = try await FilledFolder(count: 20)
        let answer = try await Child.run(
            Tillbox.executable, verb + ["--data", data.path],
            environment: ["TILLBOX_ADMIN_PORT": "\(try freePort())"])
        Self.expectSentence(answer, 3, "\(verb)")
    }

    @Test("what is asked for and is not there is exit code 3 and one sentence", arguments: [
        ["ledger", "show", "99999"], ["ledger", "show", "charge:ch_none"],
        ["dead-letter", "show", "99"], ["reconcile", "show", "77"], ["reconcile", "show", "last"],
        ["log", "cat", "payment.scord"], ["log", "cat", "webhook.received", "--from", "99999"],
    ])
    func notThere(verb: [String]) async throws {
        let data = try await FilledFolder(count: 20)
        let answer = try await Child.run(Tillbox.executable, verb + ["--data", data.path])
        Self.expectSentence(answer, 3, "\(verb)")
        // A command in the sentence works as it is pasted, whatever the PATH is.
        for hint in answer.errors.matches(of: /`([^`]+)`/) {
            let pasted = try await Self.shell(String(hint.output.1))
            #expect(pasted.code == 0, "\(hint.output.1): \(pasted)")
        }
    }

    // MARK: Output

    private static func shell(_ script: String) async throws -> Answer {
        try await Child.run("/bin/bash", ["-c", script])
    }

    @Test("an answer that cannot be written is exit code 3 and one sentence")
    func lostOutput() async throws {
        let data = try await FilledFolder()
        let binary = Tillbox.executable
        var commands = Self.readers.filter { $0[0] != "dead-letter" && $0[0] != "reconcile" }
            .map { $0.joined(separator: " ") + " --data \(data.path)" }
        commands += [
            "dead-letter list --data \(data.path)", "dead-letter redrive --data \(data.path)",
        ]
        commands += ["reconcile list --data \(data.path)", "--help", "--version", "log cat --help"]
        commands += commands.filter { $0.hasPrefix("l") && !$0.contains("help") }.map {
            $0 + " --json"
        }
        commands.append("replay --data \(data.path) --into \(data.file("again"))")
        for command in commands {
            let full = try await Self.shell("\(binary) \(command) > /dev/full")
            Self.expectSentence(full, 3, command)
            #expect(full.errors.contains("No space left on device"), "\(command): \(full.errors)")
            try? FileManager.default.removeItem(atPath: data.file("again"))
            let closed = try await Self.shell("\(binary) \(command) >&-")
            Self.expectSentence(closed, 3, command)
            try? FileManager.default.removeItem(atPath: data.file("again"))
        }
        // What was printed to nowhere landed in no file of the folder.
        #expect(try await Tillbox.run("ledger", "verify", "--data", data.path).code == 0)
        #expect(try await Tillbox.run("log", "verify", "--data", data.path).code == 0)
    }

    @Test("a reader that has seen enough ends the command quietly")
    func closedPipe() async throws {
        let data = try await FilledFolder()
        for command in [
            "log cat webhook.received", "ledger balances", "log cat ledger.posted --follow",
        ] {
            let answer = try await Self.shell(
                "\(Tillbox.executable) \(command) --data \(data.path) | head -1; "
                    + "echo ${PIPESTATUS[0]}")
            let lines = answer.output.split(separator: "\n")
            #expect(lines.count == 2 && lines.last == "0", "\(command): \(answer)")
            #expect(answer.errors.isEmpty, "\(command): \(answer.errors)")
        }
        // The demo has no end of its own.
        let demo = try await Self.shell(
            "\(Tillbox.executable) demo --rate 20 | head -3; echo ${PIPESTATUS[0]}")
        #expect(demo.output.hasSuffix("\n0\n"), "\(demo)")
        #expect(demo.errors.isEmpty, "\(demo.errors)")
        // A check that found something says so though nobody reads it.
        let segment = "\(data.path)/log/webhook.received-0/00000000000000000000.log"
        var bytes = try Data(contentsOf: URL(filePath: segment))
        bytes[200] ^= 1
        try bytes.write(to: URL(filePath: segment))
        let verify = try await Self.shell(
            "\(Tillbox.executable) log verify --data \(data.path) | true; echo ${PIPESTATUS[0]}")
        #expect(verify.output == "1\n", "\(verify)")
    }

    @Test("with standard error closed or full a command still answers")
    func lostErrors() async throws {
        let data = try await FilledFolder(count: 20)
        for redirection in ["2>&-", "2>/dev/full"] {
            let answer = try await Self.shell(
                "\(Tillbox.executable) ledger balances --data \(data.path) \(redirection)")
            #expect(answer.code == 0 && answer.output.contains("processor:stripe"))
            let wrong = try await Self.shell("\(Tillbox.executable) fly \(redirection)")
            #expect(wrong.code == 2 && wrong.output.isEmpty)
        }
    }

    // MARK: Answers

    @Test("log cat counts from the end, begins at a time, and picks a key")
    func cat() async throws {
        let data = try await FilledFolder()
        func cat(_ more: String...) async throws -> [[String: Any]] {
            let answer = try await Child.run(
                Tillbox.executable, ["log", "cat", "webhook.received", "--data", data.path] + more)
            #expect(answer.code == 0, "\(more): \(answer.errors)")
            return try answer.output.split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(object as? [String: Any])
            }
        }
        let all = try await cat("--json")
        #expect(all.count == 200)
        // The webhook's body is JSON, so it stands there as an object; its key is the event's id.
        for record in all {
            let event = try #require(record["value"] as? [String: Any])
            #expect(event["id"] as? String == record["key"] as? String)
            let time = try #require(record["time"] as? String)
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time)")
        }
        func offsets(_ records: [[String: Any]]) -> [Int] {
            records.compactMap { $0["offset"] as? Int }
        }
        #expect(offsets(try await cat("--from", "-3")) == [197, 198, 199])
        #expect(offsets(try await cat("--from=-3", "--count", "1")) == [197])
        #expect(offsets(try await cat("--from", "-9223372036854775808")).count == 200)
        let key = try #require(all[77]["key"] as? String)
        #expect(offsets(try await cat("--key", key)) == [77])
        #expect(try await cat("--key", "evt_none").isEmpty)
        let stamp = try #require(all[100]["timestamp"] as? Int)
        let later = try await cat("--since", "\(stamp / 1000)")
        #expect(
            later.count >= 100
                && later.allSatisfy { ($0["timestamp"] as? Int ?? 0) >= stamp / 1000 * 1000 })
        #expect(try await cat("--since", "2100-01-01").isEmpty)
        let outside = try await Tillbox.run(
            "log", "cat", "webhook.received", "--data", data.path, "--from", "201")
        Self.expectSentence(outside, 3, "--from 201")
        let topic = try await Tillbox.run("log", "cat", "payment.score", "--data", data.path)
        #expect(topic.errors.contains("did you mean payment.scored?"), "\(topic.errors)")
    }

    @Test("log offsets of an idle daemon shows every consumer at the end, the ledger too")
    func offsets() async throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let daemon = try Tillbox.start(
            data: folder.file("data"), webhookPort: port, adminPort: try freePort())
        try await daemon.untilListening()
        let idle = try await Tillbox.run("log", "offsets", "--data", folder.file("data"))
        #expect(idle.output.contains(/ledger +payment.scored +0 +0 +0/), "\(idle)")
        let traffic = try await Tillbox.simulate(to: port, count: 150, seed: 9)
        #expect(traffic.code == 0, "\(traffic.errors)")
        var seen = ""
        try await eventually("no consumer lags") {
            let answer = try await Tillbox.run(
                "log", "offsets", "--data", folder.file("data"), "--json")
            seen = answer.output
            let root = try JSONSerialization.jsonObject(with: Data(seen.utf8)) as? [String: Any]
            let rows = root?["cursors"] as? [[String: Any]] ?? []
            let places = Set(rows.compactMap { row in
                (row["group"] as? String).flatMap { group in
                    (row["topic"] as? String).map { "\(group) \($0)" }
                }
            })
            return places.isSuperset(of: [
                "validate webhook.received", "score payment.validated",
                "ledger payment.scored", "ledger payment.review", "redrive dead.letter",
            ]) && rows.allSatisfy { $0["lag"] as? Int == 0 }
                && rows.contains { $0["end"] as? Int == 150 }
        }
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(seen)")
    }

    @Test("truth values are JSON's own, and every document has its stable keys", arguments: [
        (["log", "verify"], "verification", ["topic", "batches", "records", "bytes", "sound"]),
        (["ledger", "verify"], "verification", ["transactions", "entries", "sound", "head"]),
        (["ledger", "balances"], "balances", ["account", "currency", "minor_units", "balance"]),
        (["log", "topics"], "topics", ["topic", "start", "end", "records", "segments", "bytes"]),
        (["log", "offsets"], "cursors", ["group", "topic", "offset", "end", "lag"]),
        (["ledger", "show", "1"], "entries", [
            "id", "movement", "kind", "event", "effective_at", "account", "currency",
            "minor_units", "amount",
        ]),
    ])
    func documents(verb: [String], name: String, keys: [String]) async throws {
        let data = try await FilledFolder(count: 50)
        let answer = try await Child.run(
            Tillbox.executable, verb + ["--data", data.path, "--json"])
        #expect(answer.code == 0, "\(answer.errors)")
        let root = try JSONSerialization.jsonObject(with: Data(answer.output.utf8))
        let rows = try #require((root as? [String: Any])?[name] as? [[String: Any]])
        #expect(!rows.isEmpty && rows.allSatisfy { Set($0.keys).isSuperset(of: keys) })
        if keys.contains("sound") {
            #expect(answer.output.contains(#""sound":true"#))
        }
        let text = try await Child.run(Tillbox.executable, verb + ["--data", data.path])
        let head = text.output.split(separator: "\n").first ?? ""
        #expect(keys.allSatisfy { head.contains($0) }, "\(head)")
    }

    @Test("help offers only what is built")
    func help() async throws {
        let run = try await Tillbox.run("run", "--help")
        #expect(run.code == 0 && run.output.contains("dev, edge") && run.output.contains("--role"))
        let root = try await Tillbox.run("--help")
        let verbs = root.output.split(separator: "\n").compactMap {
            $0.firstMatch(of: /^  ([a-z][a-z-]*) {3,}[A-Z]/).map { String($0.output.1) }
        }
        #expect(verbs.contains("ledger"))
        for verb in verbs {
            #expect(try await Tillbox.run(verb, "--help").code == 0, "\(verb)")
        }
    }
}
