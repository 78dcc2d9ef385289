import Foundation
import TestSupport
import Testing

/// The role `console` over Kafka with several partitions and a ledger in Postgres.
@Suite("The console role of the cloud plane", .serialized, .timeLimit(.minutes(5)))
struct CloudConsoleTests {
    private static let token = "token-of-the-console"

    /// What a console role answers to one request.
    private struct Console {
        let port: Int

        func ask(
            _ method: String, _ path: String, json: String = "", token: String? = token
        ) throws -> (status: Int?, body: JSON) {
            let socket = try RawConnection(port: port, patienceSeconds: 30)
            let shown = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
            socket.send(
                "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(shown)"
                    + "Connection: close\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(json.utf8.count)\r\n\r\n\(json)")
            let answer = socket.readAnswer()
            let body = answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) }
            let status = answer.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return (status, (try? JSON(body ?? "")) ?? JSON.null)
        }

        func get(_ path: String) throws -> JSON {
            let answer = try ask("GET", path)
            try #require(answer.status == 200, "\(path): \(answer)")
            return answer.body
        }
    }

    @Test("tells what the ledger has, takes a decision, and has no route that it could not answer")
    func whole() async throws {
        let place = try await CloudPlace()
        place.environment["TILLBOX_ADMIN_TOKEN"] = Self.token
        for role in ["ledger", "score", "webhook", "console", "console"] { try place.start(role) }
        try await place.untilWebhooksAreTaken()
        let consoles = place.roles.filter { $0.role == "console" }.map { Console(port: $0.admin) }
        try await eventually("the consoles are ready", every: .milliseconds(50)) {
            consoles.allSatisfy { (try? $0.ask("GET", "/readyz").status) == 200 }
        }
        // Nobody computes vectors here: whoever pays is looked at by a person.
        let sent = try await Tillbox.simulate(to: place.port, count: 200, seed: 4)
        #expect(sent.code == 0, "\(sent.errors)")
        var movement = ""
        try await eventually("a review is open", every: .milliseconds(50)) {
            let open = try consoles[0].get("/api/v1/reviews?limit=5")["reviews"].list
            movement = open.first?["movement"].text ?? ""
            return !movement.isEmpty
        }
        let note = #"{"decision":"approve","note":"a good one"}"#
        let path = "/api/v1/reviews/\(movement)/decision"
        let other = try consoles[0].ask(
            "POST", path, json: #"{"decision":"approve","by":"ann","note":"a good one"}"#)
        #expect(other.status == 400 && other.body["code"].text == "name_refused", "\(other)")
        let decided = try consoles[0].ask("POST", path, json: note)
        #expect(decided.status == 200 || decided.status == 202, "\(decided)")
        try await eventually("the other console tells of it", every: .milliseconds(50)) {
            try consoles[1].get("/api/v1/reviews/\(movement)")["state"].text == "approved"
        }
        let late = try consoles[1].ask("POST", path, json: note)
        #expect(late.status == 409 && late.body["detail"].text.contains("admin.token"), "\(late)")

        try await expectLedger(of: place, consoles[0])
        try expectHonest(consoles[0])
        place.postgres.stop(.fast)
        let unread = try consoles[0].ask("GET", "/api/v1/accounts")
        #expect(unread.status == 503, "\(unread)")
        try place.postgres.start()
        try await eventually("it reads again", every: .milliseconds(100)) {
            try consoles[0].ask("GET", "/api/v1/accounts").status == 200
        }
        place.expectRunning()
        await place.stop()
    }

    /// Balances are those of the command line, and every account's entries make up its balance.
    private func expectLedger(of place: CloudPlace, _ console: Console) async throws {
        try await eventually("the ledger has come to rest", every: .milliseconds(200)) {
            let before = try Self.lines(console)
            let told = try JSON(try await place.run("ledger", "balances", "--json").output)
            let named = Set(told["balances"].list.map(Self.line))
            let after = try Self.lines(console)
            return !named.isEmpty && named == before && named == after
        }
        for account in try console.get("/api/v1/accounts")["accounts"].list {
            let path = "/api/v1/accounts/\(account["account"].text)/entries"
            let entries = try console.get(
                "\(path)?currency=\(account["currency"].text)&limit=1000")["entries"].list
            let sum = entries.reduce(0) { $0 + $1["minor_units"].int }
            #expect(sum == account["minor_units"].int, "\(account)")
        }
    }

    private static func lines(_ console: Console) throws -> Set<String> {
        Set(try console.get("/api/v1/accounts")["accounts"].list.map(line))
    }

    private static func line(_ balance: JSON) -> String {
        let units = balance["minor_units"].int
        return "\(balance["account"].text) \(balance["currency"].text) \(units)"
    }

    /// What it describes it answers, and what it does not it refuses.
    private func expectHonest(_ console: Console) throws {
        let paths = try console.get("/openapi.json")["paths"]
        #expect(paths.has("/api/v1/accounts") && paths.has("/api/v1/transactions"))
        let absent = [
            "/", "/payments", "/api/v1/payments", "/api/v1/topics", "/api/v1/reports/revenue",
            "/api/v1/explain/charge:ch_1", "/api/v1/dead-letters", "/api/v1/events",
        ]
        for path in absent {
            #expect(!paths.has(path), "\(path)")
            #expect(try console.ask("GET", path).status == 404, "\(path)")
        }
        for token in [nil, "another"] {
            #expect(try console.ask("GET", "/api/v1/accounts", token: token).status == 401)
            let decision = try console.ask(
                "POST", "/api/v1/reviews/ch_1/decision", json: "{}", token: token)
            #expect(decision.status == 401)
        }
    }
}
