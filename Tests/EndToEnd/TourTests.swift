import Foundation
import TestSupport
import Testing

/// The tour, walked as it is written there: its own lines in a shell, on ports of its own.
@Suite("docs/TOUR.md", .serialized)
struct TourTests {
    /// The blocks of shell in the tour, in order.
    private static func blocks() throws -> [String] {
        let tour = try String(
            contentsOf: Repository.root.appending(path: "docs/TOUR.md"), encoding: .utf8)
        return tour.components(separatedBy: "```sh\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }

    private struct Ground {
        let folder: TemporaryFolder
        let webhook: Int, admin: Int, twin: Int

        init() throws {
            folder = try TemporaryFolder()
            (webhook, admin, twin) = (try freePort(), try freePort(), try freePort())
            try FileManager.default.createDirectory(
                atPath: folder.file(".build/release"), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: folder.file(".build/release/tillbox"),
                withDestinationPath: Tillbox.executable)
        }

        /// The page's ports are the usual ones; another daemon may stand on them here.
        func here(_ block: String) -> String {
            let moved = block.replacing("127.0.0.1:8080", with: "127.0.0.1:\(webhook)")
                .replacing("127.0.0.1:9090", with: "127.0.0.1:\(admin)")
                .replacing("127.0.0.1:12111", with: "127.0.0.1:\(twin)")
                .replacing("tillbox twin", with: "tillbox twin --port \(twin)")
            return "cd '\(folder.path)'\n\(moved)"
        }

        func start(_ block: String) throws -> Child {
            try Child(
                "/bin/bash", ["-c", here(block).replacing(".build/", with: "exec .build/")],
                environment: [
                    "TILLBOX_WEBHOOK_PORT": "\(webhook)", "TILLBOX_ADMIN_PORT": "\(admin)",
                ])
        }

        /// Runs blocks in one shell, as a person would in one terminal: what fails is not the end.
        ///
        /// - Parameter failing: words of the lines that are to fail, in their order; no other may.
        func run(_ blocks: [String], failing: [String] = []) async throws -> (
            code: Int32, output: String, errors: String
        ) {
            let told = "TOUR FAILED: "
            let script = "trap 'echo \"\(told)$BASH_COMMAND\" >&2' ERR\n"
                + blocks.map(here).joined(separator: "\n")
            let answer = try await Child.run(
                "/bin/bash", ["-c", script], environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
            let failed = answer.errors.split(separator: "\n").filter { $0.hasPrefix(told) }
            #expect(
                failed.count == failing.count
                    && zip(failed, failing).allSatisfy { $0.contains($1) },
                "\(failed): \(answer.errors)")
            return answer
        }
    }

    @Test("every promise of the tour is kept, line by line")
    func walk() async throws {
        let blocks = try Self.blocks()
        try #require(blocks.count == 7, "the tour has other blocks now: look at each below")
        let ground = try Ground()
        let daemon = try ground.start(blocks[0])
        try await daemon.untilListening()
        let twin = try ground.start(blocks[1])
        try await eventually("the world ends: \(twin.standardError)", within: 120) {
            twin.standardOutput.contains("The world has ended") || !twin.isRunning
        }
        #expect(twin.isRunning, "\(twin.standardError)")
        try await deliverByHand(ground, blocks[2])
        try await lookAround(ground, blocks[3])

        let proof = try await ground.run(["tillbox=\(Self.program)", blocks[4]])
        #expect(proof.code == 0, "\(proof.output) \(proof.errors)")
        #expect(!proof.output.contains(" 0 of them had never arrived"))
        let verdicts = proof.output.split(separator: "\n").filter { $0.hasPrefix("run ") }
        #expect(verdicts == ["run 1: clean", "run 2: clean"], "\(proof.output)")
        let runs = Self.runs(in: proof.output)
        try #require(runs.count == 2, "\(proof.output)")
        for run in runs { Self.expectAgreement(run, proof.output) }
        let booked = try runs.map { try $0.reduce(0) { $0 + (try #require(Int($1[9]))) } }
        #expect(booked[0] > 100 && booked[1] == 0, "\(proof.output)")
        try expectExport(ground, proof.output)
        try await pay(ground, blocks[5])

        try await killAndReplay(ground, daemon, start: blocks[0], replay: blocks[6])
        twin.kill(SIGTERM)
        await twin.wait()
    }

    /// What was exported sums up to what was reconciled.
    private func expectExport(_ ground: Ground, _ output: String) throws {
        #expect(output.contains(" rows written in "), "\(output)")
        let folder = ground.folder.file("tour/warehouse")
        let table = "\(folder)/ledger_entries"
        var sums: [String: Int64] = [:]
        for day in try FileManager.default.contentsOfDirectory(atPath: table) {
            let text = try String(
                contentsOfFile: "\(table)/\(day)/ledger_entries.ndjson", encoding: .utf8)
            for line in text.split(separator: "\n") {
                let row = try JSONSerialization.jsonObject(with: Data(line.utf8))
                let entry = try #require(row as? [String: Any])
                let currency = try #require(entry["currency"] as? String)
                sums[currency, default: 0] += Int64(try #require(entry["amount"] as? Int))
            }
        }
        #expect(!sums.isEmpty && sums.values.allSatisfy { $0 == 0 }, "\(sums)")
        for name in ["payments", "settlements", "stripe/charge", "stripe/balance_transaction"] {
            let days = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")
            #expect(!days.isEmpty, "\(name)")
        }
    }

    private func deliverByHand(_ ground: Ground, _ block: String) async throws {
        let byHand = try await ground.run([block])
        let answers = byHand.output.split(separator: "\n").map(String.init)
        #expect(byHand.code == 0, "\(byHand.errors)")
        try #require(answers.count == 3, "\(byHand.output)")
        #expect(answers[0] == #"{"received":true}"#)
        #expect(answers[1] == #"{"received":true,"duplicate":true}"#)
        #expect(answers[2].contains("signature_no_match"))
    }

    private func lookAround(_ ground: Ground, _ block: String) async throws {
        try await eventually("the pipeline has drained") {
            try await ground.run(["\(Self.program) dead-letter list --data ./tour"]).output
                .contains("bad_amount")
        }
        let look = try await ground.run(
            [block], failing: ["dead-letter redrive --dry-run", "UPDATE entries"])
        #expect(look.code == 0, "\(look.errors)")
        for promised in [
            "webhook.received", "ledger.posted", "country_mismatch_flag", "bad_amount",
            "processor:stripe", "would only fail again", "append-only", "ready",
        ] {
            #expect((look.output + look.errors).contains(promised), "\(promised): \(look.output)")
        }
    }

    private func pay(_ ground: Ground, _ block: String) async throws {
        let paid = try await ground.run(["tillbox=\(Self.program)", block])
        #expect(paid.code == 0, "\(paid.errors)")
        #expect(
            paid.output.contains(#""status":"succeeded""#)
                || paid.output.contains(#""status": "succeeded""#))
        let intent = try #require(
            paid.output.firstMatch(of: #/"id": ?"(pi_[A-Za-z0-9]+)"/#)?.output.1)
        try await eventually("the payment is booked") {
            try await ground.run(["\(Self.program) log cat webhook.received --data ./tour"]).output
                .contains(intent)
        }
    }

    /// The page says in words: kill it, start it again, ask again.
    private func killAndReplay(
        _ ground: Ground, _ first: Child, start: String, replay: String
    ) async throws {
        let before = try await ground.run(["\(Self.program) ledger balances --data ./tour"]).output
        first.kill(SIGKILL)
        await first.wait()
        let daemon = try ground.start(start)
        try await daemon.untilListening()
        let after = try await ground.run(["\(Self.program) ledger balances --data ./tour"]).output
        #expect(before == after)
        // What was paid by hand is among it once the second in which it was paid is over: a run
        // reads up to the second in which it is asked for, and accounts for what is younger.
        try await eventually("a run has what was paid by hand") {
            let again = try await ground.run(["\(Self.program) reconcile run --data ./tour"])
            #expect(again.code == 0, "\(again.output) \(again.errors)")
            let rows = Self.runs(in: again.output).flatMap(\.self)
            for row in rows {
                #expect(Double(row[12]) == 0, "\(row.joined(separator: " "))")
            }
            return rows.count > 3 && rows.allSatisfy { $0[10] == $0[11] }
        }
        // The world lives in another month than this machine: nothing of that is an alarm.
        for alarm in ["clock was ahead", "found late", #""level":"error""#] {
            for log in [first.standardError, daemon.standardError] {
                #expect(!log.contains(alarm), "\(alarm): \(log)")
            }
        }
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
        let replayed = try await ground.run(["tillbox=\(Self.program)", replay])
        #expect(replayed.code == 0, "\(replayed.output) \(replayed.errors)")
    }

    /// The rows of each run's table, by their words:
    /// `own usd 12 12 100.00 % 100.00 % 4000.00 12 4000.00 4000.00 0.00`, where the tenth is what
    /// was booked and the last three are what the ledger has, what Stripe has, and what is left.
    private static func runs(in output: String) -> [[[Substring]]] {
        output.components(separatedBy: "\nrun ").dropLast().map { part in
            part.split(separator: "\n").map { $0.split(separator: " ") }
                .filter { $0.count == 13 && $0[1].count == 3 }
        }
    }

    /// The ledger is what Stripe has, in every account and currency, and nothing is left over.
    private static func expectAgreement(_ rows: [[Substring]], _ output: String) {
        #expect(rows.count > 3, "\(output)")
        for row in rows {
            #expect(row[10] == row[11] && Double(row[12]) == 0, "\(row.joined(separator: " "))")
        }
    }

    private static let program = ".build/release/tillbox"
}
