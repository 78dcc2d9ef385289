import Foundation
import TestSupport
import Testing

/// Held money of a whole daemon: released and declined by people, one decision each.
@Suite("Reviews", .serialized)
struct ReviewTests {
    /// What `review list --json` prints.
    private struct List: Decodable {
        struct Review: Decodable { var movement: String, state: String, minor_units: Int }
        var reviews: [Review]
        var next: Int?
    }

    /// What `review approve --json` prints.
    private struct Answer: Decodable {
        struct Review: Decodable { var state: String, by: String?, note: String? }
        var booked: Bool
        var review: Review
    }

    /// Every payment is held.
    private static let holdsAll = [
        "TILLBOX_VERDICT_AMOUNT_LIMITS": "usd:1,eur:1,gbp:1,jpy:1"
    ]

    private func list(_ data: String) async throws -> [String] {
        var movements: [String] = []
        var after = 0
        while true {
            let answer = try await Tillbox.run(
                "review", "list", "--data", data, "--limit", "7", "--after", "\(after)", "--json")
            #expect(answer.code == 0, "\(answer.errors)")
            let page = try JSONDecoder().decode(List.self, from: Data(answer.output.utf8))
            #expect(page.reviews.allSatisfy { $0.state == "open" && $0.minor_units > 0 })
            movements += page.reviews.map(\.movement)
            guard let next = page.next else { return movements }
            after = next
        }
    }

    private func decide(
        _ verb: String, _ movement: String, _ data: String, admin: Int = 1, by: String
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            Tillbox.executable,
            [
                "review", verb, movement, "--data", data, "--note", "as told", "--by", by, "--json",
            ], environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
    }

    /// A decision by a process of its own.
    private func deciding(
        _ verb: String, _ movement: String, _ data: String, admin: Int, by: String
    ) throws -> Child {
        try Child(
            Tillbox.executable,
            ["review", verb, movement, "--data", data, "--note", "as told", "--by", by],
            environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
    }

    @Test("held money is released by one decision, by whom and in whatever moment it is killed")
    func decided() async throws {
        let folder = try TemporaryFolder()
        var daemon = try await RunningDaemon(in: folder, environment: Self.holdsAll)
        let data = daemon.data
        #expect(try await daemon.deliver(160, seed: 3) == 0)
        var open: [String] = []
        try await eventually("payments are held") {
            open = try await list(data)
            return try daemon.counter("booked") > 30 && open.count > 24
        }

        try await oneWins(open[0], daemon)
        try await unread(open[14], daemon)
        try await answers(open[1], daemon)
        let few = open[2..<14]
        try await killed(few, of: open.count, daemon)
        try await withoutDaemon(open[15], data)
        for movement in few {
            let again = try await decide("decline", movement, data, by: "eve")
            #expect([0, 1].contains(again.code), "\(again.errors)")
            let third = try await decide("approve", movement, data, by: "fay")
            #expect(third.code == 1, "\(third.output) \(third.errors)")
        }
        daemon = try await RunningDaemon(in: folder, environment: Self.holdsAll)
        try await eventually("every decision is booked") {
            try await list(data).count == open.count - 16
        }
        try await daemon.stop()
        try await expectSound(folder, data, openCount: open.count - 16)
    }

    /// Of two at once one wins, and the other hears who.
    private func oneWins(_ movement: String, _ daemon: RunningDaemon) async throws {
        let (data, admin) = (daemon.data, daemon.admin)
        let (approving, declining) = (
            try deciding("approve", movement, data, admin: admin, by: "ada"),
            try deciding("decline", movement, data, admin: admin, by: "bob")
        )
        let codes = [await approving.wait(), await declining.wait()]
        #expect(codes.sorted() == [0, 1], "\(approving.standardError) \(declining.standardError)")
        let (loser, winner) = codes[0] == 0 ? (declining, "ada") : (approving, "bob")
        #expect(loser.standardError.contains(winner), "\(loser.standardError)")
        let shown = try await Tillbox.run("review", "show", movement, "--data", data)
        #expect(shown.output.contains("by \(winner)"), "\(shown.output)")
    }

    /// The money moves though nobody can read the answer.
    private func unread(_ movement: String, _ daemon: RunningDaemon) async throws {
        let data = daemon.data
        let unread = try await Child.run(
            "/bin/sh",
            [
                "-c",
                "exec '\(Tillbox.executable)' review approve '\(movement)' --data '\(data)' "
                    + "--note n --by gil >/dev/full",
            ], environment: ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"])
        #expect(unread.code == 3, "\(unread.errors)")
        #expect(unread.errors.contains("\(movement) is approved, and that stands"))
        let stands = try await Tillbox.run("review", "show", movement, "--data", data)
        #expect(stands.output.contains("by gil"), "\(stands.output)")
    }

    /// What the command and the admin port answer about a payment that is declined here, and about
    /// what is none.
    private func answers(_ movement: String, _ daemon: RunningDaemon) async throws {
        let (data, admin) = (daemon.data, daemon.admin)
        let declined = try await decide("decline", movement, data, admin: admin, by: "cy")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(declined.output.utf8))
        #expect(answer.booked && answer.review.state == "declined" && answer.review.by == "cy")
        let unknown = try await decide("approve", "ch_nobody", data, admin: admin, by: "cy")
        #expect(unknown.code == 1 && unknown.errors.contains("ch_nobody"), "\(unknown.errors)")
        #expect(try daemon.read("/api/v1/reviews?limit=2").contains("\"next\":"))
        let request = #"{"decision":"approve","by":"ada","note":"n"}"#
        for (method, path, json, status) in [
            ("GET", "?limit=0", nil, 400), ("GET", "?after=-1", nil, 400),
            ("GET", "?after=9223372036854775807", nil, 200), ("GET", "/ch_nobody", nil, 404),
            ("GET", "/\(movement)", nil, 200), ("POST", "/ch_nobody/decision", request, 404),
            ("POST", "/\(movement)/decision", request, 409),
            ("POST", "/\(movement)/decision", "{}", 400),
            ("POST", "/\(movement)/decision", nil, 415),
        ] as [(String, String, String?, Int)] {
            #expect(
                try daemon.ask(method, "/api/v1/reviews\(path)", json: json) == status,
                "\(method) \(path)")
        }
    }

    /// The daemon is killed while decisions are on their way.
    private func killed(
        _ few: ArraySlice<String>, of count: Int, _ daemon: RunningDaemon
    ) async throws {
        let clients = try few.map { movement in
            try deciding("approve", movement, daemon.data, admin: daemon.admin, by: "dan")
        }
        try await eventually("some are decided") {
            try await list(daemon.data).count < count - 5
                || clients.allSatisfy { !$0.isRunning }
        }
        daemon.daemon.kill(SIGKILL)
        await daemon.daemon.wait()
        for client in clients { await client.wait() }
    }

    /// Of some at once without a daemon too, one wins and the others hear of it.
    private func withoutDaemon(_ movement: String, _ data: String) async throws {
        let racing = try (0..<4).map { number in
            try deciding("approve", movement, data, admin: 1, by: "r\(number)")
        }
        var ends: [Int32] = []
        for child in racing { ends.append(await child.wait()) }
        #expect(ends.sorted() == [0, 1, 1, 1], "\(racing.map(\.standardError))")
        let noted = try await Tillbox.run(
            "audit", "list", "--json", "--count", "1", "--data", data)
        #expect(try JSON(noted.output)["audit"].list.map { $0["what"].text } == ["review decision"])
        let waits = try await Tillbox.run("review", "show", movement, "--data", data)
        #expect(waits.output.contains(/approved by r\d, will be booked when/), "\(waits)")
        let listed = try await Tillbox.run("review", "list", "--data", data)
        #expect(listed.output.contains(/approved by r\d, will be booked when/), "\(listed)")
        // Each of the others is told a command that works as it is pasted.
        for refused in racing where !refused.standardError.isEmpty {
            let hint = try #require(refused.standardError.firstMatch(of: /`([^`]+)`/)).output.1
            let pasted = try await Child.run("/bin/bash", ["-c", String(hint)])
            #expect(pasted.code == 0 && pasted.output == waits.output, "\(hint): \(pasted)")
        }
    }

    /// Whatever became of each, it is decided once.
    private func expectSound(
        _ folder: TemporaryFolder, _ data: String, openCount: Int
    ) async throws {
        let judgement = try await CrashTests.judge(data, acknowledged: "/dev/null")
        #expect(judgement.violations == [])
        #expect(judgement.counts["open_reviews"] == openCount)
        let verified = try await Tillbox.run("ledger", "verify", "--data", data)
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
        let replay = try await Child.run(
            Tillbox.executable, ["replay", "--data", data, "--into", folder.file("fresh")],
            environment: Self.holdsAll)
        #expect(replay.code == 0, "\(replay.output) \(replay.errors)")
    }
}
