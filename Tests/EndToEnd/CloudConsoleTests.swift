import Foundation
import TestSupport
import Testing

/// The role `console` over Kafka with several partitions and a ledger in Postgres.
@Suite("The console role of the cloud plane", .serialized, .timeLimit(.minutes(5)))
struct CloudConsoleTests {
    static let token = "token-of-the-console"

    /// What a console role answers to one request.
    struct Console {
        let port: Int

        struct Answer {
            var status: Int?
            var text: String
            var body: JSON { (try? JSON(content)) ?? JSON.null }
            var content: String {
                text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
            }
            var location: String? {
                text.firstMatch(of: /[Ll]ocation: (\S+)/).map { String($0.1) }
            }
            /// The cookie of a session that begins.
            var cookie: String? {
                text.firstMatch(of: /__Host-tillbox=([A-Za-z0-9_-]+)/).map {
                    "__Host-tillbox=\($0.1)"
                }
            }
            /// What a form of the page carries.
            var token: String? {
                content.firstMatch(of: /name="csrf" value="([^"]+)"/).map { String($0.1) }
            }
        }

        func ask(
            _ method: String, _ path: String, json: String = "", token: String? = token
        ) throws -> Answer {
            let shown = token.map { ["Authorization: Bearer \($0)"] } ?? []
            return try ask(method, path, json, shown + ["Content-Type: application/json"])
        }

        /// As a browser does that somebody has signed in with, or nobody.
        func browse(
            _ path: String, form: [String: String]? = nil, cookie: String? = nil
        ) throws -> Answer {
            let letters = CharacterSet.alphanumerics
            let body = (form ?? [:]).map { name, value in
                "\(name)=" + (value.addingPercentEncoding(withAllowedCharacters: letters) ?? "")
            }.joined(separator: "&")
            var fields = ["Accept: text/html", "Sec-Fetch-Site: same-origin"]
            if let cookie { fields.append("Cookie: \(cookie)") }
            guard form != nil else { return try ask("GET", path, "", fields) }
            fields += [
                "Origin: http://localhost", "Content-Type: application/x-www-form-urlencoded",
            ]
            return try ask("POST", path, body, fields)
        }

        private func ask(
            _ method: String, _ path: String, _ body: String, _ fields: [String]
        ) throws -> Answer {
            let socket = try RawConnection(port: port, patienceSeconds: 30)
            let lines = [
                "\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close",
                "Content-Length: \(body.utf8.count)",
            ]
            socket.send((lines + fields).joined(separator: "\r\n") + "\r\n\r\n" + body)
            let text = socket.readAnswer()
            let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return Answer(status: status, text: text)
        }

        func get(_ path: String) throws -> JSON {
            let answer = try ask("GET", path)
            try #require(answer.status == 200, "\(path): \(answer)")
            return answer.body
        }

        /// Signs somebody in, and returns their cookie.
        func session(_ name: String) throws -> String {
            let answer = try browse(
                "/login", form: ["name": name, "password": CloudConsoleTests.password])
            return try #require(answer.cookie, "\(answer.text)")
        }
    }

    static let password = "correct horse battery"

    @Test("people sign in at any of several consoles, and decide there under their own name")
    func people() async throws {
        let place = try await CloudPlace()
        place.environment["TILLBOX_ADMIN_TOKEN"] = Self.token
        for role in ["ledger", "score", "webhook"] { try place.start(role) }
        let consoles = try await Self.consoles(place)
        try await place.untilWebhooksAreTaken()
        try await eventually("one of them logs the link", every: .milliseconds(50)) {
            Self.codes(place).contains { $0 != nil }
        }
        let admin = try Self.firstAdmin(place, consoles)
        try Self.addUser("rita", "reviewer", admin, consoles[1])
        try Self.addUser("vera", "viewer", admin, consoles[0])
        let movement = try await Self.reviewOpened(place, consoles[0])
        let rita = try consoles[0].session("rita")
        try await Self.untilIndexed(consoles)
        try await expectPages(consoles, rita, movement)
        try await expectDecision(consoles, rita, movement)
        try await expectLetters(place, consoles, admin: admin, reviewer: rita)
        try await expectVerification(consoles, rita, admin)
        try await expectEnds(place, consoles, admin)
        #expect(!FileManager.default.fileExists(atPath: place.folder.file("data")))
        place.expectRunning()
        await place.stop()
    }

    private static func consoles(_ place: CloudPlace) async throws -> [Console] {
        for _ in 0..<2 { try place.start("console") }
        let consoles = place.roles.filter { $0.role == "console" }.map { Console(port: $0.admin) }
        try await eventually("the consoles are ready", every: .milliseconds(50)) {
            consoles.allSatisfy { (try? $0.ask("GET", "/readyz").status) == 200 }
        }
        return consoles
    }

    /// Takes payments until one waits for a person, and returns its movement.
    private static func reviewOpened(
        _ place: CloudPlace, _ console: Console
    ) async throws -> String {
        let sent = try await Tillbox.simulate(to: place.port, count: 200, seed: 4)
        #expect(sent.code == 0, "\(sent.errors)")
        var movement = ""
        try await eventually("a review is open", every: .milliseconds(50)) {
            let open = try console.get("/api/v1/reviews?limit=5")["reviews"].list
            movement = open.first?["movement"].text ?? ""
            return !movement.isEmpty
        }
        return movement
    }

    /// Each of them has read all that the topics hold.
    static func untilIndexed(_ consoles: [Console]) async throws {
        try await eventually("payments are indexed", every: .milliseconds(100)) {
            try consoles.allSatisfy { console in
                let page = try console.get("/api/v1/payments?limit=1")
                return page["index_lag"].int == 0 && !page["payments"].list.isEmpty
            }
        }
    }

    /// What each of the instances has logged of the link.
    private static func codes(_ place: CloudPlace) -> [String?] {
        place.roles.filter { $0.role == "console" }.map { instance in
            instance.child.standardError.firstMatch(of: /setup\?code=([A-Za-z0-9_-]+)/)
                .map { String($0.1) }
        }
    }

    /// By the link that one of the instances has logged, at the other.
    ///
    /// - Returns: the cookie.
    private static func firstAdmin(
        _ place: CloudPlace, _ consoles: [Console]
    ) throws -> String {
        let told = codes(place)
        try #require(told.compactMap { $0 }.count == 1, "one of them makes the link: \(told)")
        let other = consoles[told[0] == nil ? 0 : 1]
        let code = told.compactMap { $0 }[0]
        #expect(try other.browse("/setup?code=\(code)").status == 200)
        let form = ["code": code, "name": "ann", "password": password]
        let made = try other.browse("/setup", form: form)
        let cookie = try #require(made.cookie, "\(made.text)")
        for console in consoles {
            #expect(try console.browse("/setup", form: form).status == 403, "it is good once")
            #expect(try console.browse("/settings/users", cookie: cookie).status == 200)
        }
        return cookie
    }

    private static func addUser(
        _ name: String, _ role: String, _ admin: String, _ console: Console
    ) throws {
        let page = try console.browse("/settings/users", cookie: admin)
        let form = [
            "csrf": try #require(page.token, "\(page.text)"), "name": name, "role": role,
            "password": password,
        ]
        let made = try console.browse("/settings/users", form: form, cookie: admin)
        #expect(made.status == 303, "\(made.text)")
    }

    /// What is in the menu is there, and what is not is a page that says what does it instead.
    func expectPages(_ consoles: [Console], _ cookie: String, _ movement: String) async throws {
        for path in [
            "/review", "/review/\(movement)", "/review/\(movement)/sheet", "/ledger",
            "/ledger/waiting", "/ledger/transactions", "/ledger/transactions/1",
            "/ledger/verify", "/ledger/export", "/ledger/explain?of=\(movement)", "/settings",
            "/reports", "/reports/revenue", "/reports/fees", "/reports/payouts",
            "/reports/verdicts", "/reports/chargebacks", "/reports/reviews",
            "/reports/decisions?state=approved&currency=usd", "/reports/reconciliation",
            "/log/letters", "/payments", "/payments/\(movement)", "/",
        ] {
            let page = try consoles[1].browse(path, cookie: cookie)
            #expect(page.status == 200, "\(path): \(page.text.prefix(2_000))")
            expectOwnWords(page, path)
            for absent in ["/reports/bank", "/reports/month", "/send"] {
                #expect(!page.content.contains("href=\"\(absent)"), "\(path) leads to \(absent)")
            }
        }
        try expectLog(consoles[1], cookie)
        try await expectOverview(consoles[0], cookie)
        for (path, words) in [
            ("/payments/ch_nobody", "There is no payment"),
            ("/log/letters/999999", "no dead letter at offset"),
            ("/log/letters/0?partition=3", "its partition, 0 to 2"),
            ("/reports/reconciliation/01", "There is no run 01"),
            ("/reports/bank", "no statements of a bank"), ("/reports/month", "closes no month"),
            ("/settings/model", "Other roles"), ("/ledger/explain?of=ch_nobody", "Nothing found"),
        ] {
            let page = try consoles[0].browse(path, cookie: cookie)
            #expect(page.status == 404 && page.content.contains(words), "\(path): \(page.text)")
        }
        #expect(try consoles[0].browse("/ledger").location == "/login")
        #expect(try consoles[0].browse("/settings/users", cookie: cookie).status == 403)
    }

    /// Each partition of a topic has its own records, and every link leads on within it.
    private func expectLog(_ console: Console, _ cookie: String) throws {
        let index = try console.browse("/log", cookie: cookie)
        #expect(index.status == 200, "\(index.text)")
        var seen = 0
        for partition in 0..<3 {
            let path = "/log/webhook.received?partition=\(partition)"
            #expect(index.content.contains("href=\"\(path)\""), "\(path)")
            let page = try console.browse("\(path)&from=0", cookie: cookie)
            #expect(page.status == 200, "\(page.text.prefix(2_000))")
            let links = page.content.matches(
                of: /href="(\/log\/webhook\.received\/[0-9]+\?partition=([0-9]+))"/)
            #expect(links.allSatisfy { Int($0.2) == partition }, "\(path)")
            seen += links.count
            guard let first = links.first else { continue }
            let record = try console.browse(String(first.1), cookie: cookie)
            #expect(record.status == 200, "\(record.text)")
            #expect(record.content.contains("received-at"), "\(record.text)")
            let tail = try console.browse(
                "/log/webhook.received/tail?partition=\(partition)", cookie: cookie)
            #expect(tail.status == 200 && tail.content.contains("data-tail="), "\(tail.text)")
        }
        #expect(seen >= 100, "of 200 payments each partition shows 40 at most: \(seen)")
        let beyond = try console.browse("/log/webhook.received?partition=3", cookie: cookie)
        #expect(beyond.status == 404, "\(beyond.text)")
    }

    /// A viewer decides nothing; a reviewer does, by a record at Kafka that bears their name.
    private func expectDecision(
        _ consoles: [Console], _ rita: String, _ movement: String
    ) async throws {
        let path = "/review/\(movement)"
        let page = try consoles[1].browse(path, cookie: rita)
        var form = [
            "csrf": try #require(page.token, "\(page.text)"), "decision": "approve",
            "note": "asked the customer",
        ]
        let vera = try consoles[1].session("vera")
        let own = try #require(try consoles[0].browse("/settings", cookie: vera).token)
        let viewed = try consoles[0].browse(
            path, form: form.merging(["csrf": own]) { $1 }, cookie: vera)
        #expect(viewed.status == 403, "\(viewed.text)")
        let decided = try consoles[0].browse(path, form: form, cookie: rita)
        #expect(decided.status == 303, "\(decided.text)")
        try await eventually("the other console tells of it", every: .milliseconds(50)) {
            try consoles[1].get("/api/v1/reviews/\(movement)")["state"].text == "approved"
        }
        form["decision"] = "decline"
        let late = try consoles[1].browse(path, form: form, cookie: rita)
        #expect(late.status == 409 && late.content.contains("rita"), "\(late.text)")
        let listed = try consoles[1].browse("/review", cookie: rita)
        #expect(listed.content.contains("asked the customer"), "\(listed.text)")
        try await expectReported(consoles, rita, movement)
    }

    /// The decision that was made is counted by both, on its day, and listed with its note.
    private func expectReported(
        _ consoles: [Console], _ cookie: String, _ movement: String
    ) async throws {
        let currency = try consoles[0].get("/api/v1/reviews/\(movement)")["currency"].text
        for console in consoles {
            try await eventually("the report counts it", every: .milliseconds(100)) {
                let days = try console.get("/api/v1/reports/reviews")["days"].list
                    .filter { $0["currency"].text == currency }
                return days.reduce(0) { $0 + $1["approved"].int } == 1
                    && days.reduce(0) { $0 + $1["declined"].int } == 0
            }
            let list = try console.browse(
                "/reports/decisions?state=approved&currency=\(currency)", cookie: cookie)
            #expect(list.content.contains("title=\"\(movement)\""), "\(list.text)")
            #expect(list.content.contains("asked the customer"), "\(list.text)")
            for other in ["state=declined&currency=\(currency)", "state=approved&currency=jpy"] {
                let none = try console.browse("/reports/decisions?\(other)", cookie: cookie)
                #expect(none.status == 200 && none.content.contains("No decision"), "\(other)")
            }
        }
    }

    /// What one of them verifies is in the audit log that both show.
    private func expectVerification(
        _ consoles: [Console], _ rita: String, _ admin: String
    ) async throws {
        let page = try consoles[0].browse("/ledger/verify", cookie: rita)
        let form = ["csrf": try #require(page.token, "\(page.text)")]
        let begun = try consoles[0].browse("/ledger/verify", form: form, cookie: rita)
        #expect(begun.status == 303, "\(begun.text)")
        try await eventually("the other one's audit log has it", every: .milliseconds(100)) {
            let audit = try consoles[1].browse("/settings/audit", cookie: admin)
            expectOwnWords(audit, "/settings/audit")
            return audit.content.contains("ledger verified")
        }
    }

    /// What ends a session or a token at one place ends it at both.
    private func expectEnds(
        _ place: CloudPlace, _ consoles: [Console], _ admin: String
    ) async throws {
        let made = try await place.run("token", "add", "ci", "--role", "viewer")
        let token = try #require(made.output.firstMatch(of: /tillbox_[A-Za-z0-9_-]+/)).output
        for console in consoles {
            #expect(
                try console.ask("GET", "/api/v1/accounts", token: String(token)).status == 200)
        }
        let gone = try await place.run("token", "remove", "ci")
        #expect(gone.code == 0, "\(gone.errors)")
        try place.postgres.sql(
            place.database, "UPDATE tillbox_console.sessions SET last_seen = last_seen - 1800000")
        for console in consoles {
            #expect(
                try console.ask("GET", "/api/v1/accounts", token: String(token)).status == 401)
            #expect(try console.browse("/ledger", cookie: admin).location == "/login")
        }
        let chain = try await place.run("audit", "verify")
        #expect(chain.code == 0, "\(chain.output) \(chain.errors)")
    }

    @Test("tells what the ledger has, takes a decision, and has no route that it could not answer")
    func whole() async throws {
        let place = try await CloudPlace()
        place.environment["TILLBOX_ADMIN_TOKEN"] = Self.token
        for role in ["ledger", "score", "webhook"] { try place.start(role) }
        let consoles = try await Self.consoles(place)
        try await place.untilWebhooksAreTaken()
        let watching = try Watching(consoles[1])
        // Nobody computes vectors here: whoever pays is looked at by a person.
        let movement = try await Self.reviewOpened(place, consoles[0])
        // Of a burst of reviews an open page is told of some; this one comes alone.
        try await expectLedger(of: place, consoles[0])
        let note = #"{"decision":"approve","note":"a good one"}"#
        let path = "/api/v1/reviews/\(movement)/decision"
        let other = try consoles[0].ask(
            "POST", path, json: #"{"decision":"approve","by":"ann","note":"a good one"}"#)
        #expect(other.status == 400 && other.body["code"].text == "name_refused", "\(other)")
        let decided = try consoles[0].ask("POST", path, json: note)
        #expect(decided.status == 200 || decided.status == 202, "\(decided)")
        try expectTold(watching, movement, consoles[1])
        try await eventually("the other console tells of it", every: .milliseconds(50)) {
            try consoles[1].get("/api/v1/reviews/\(movement)")["state"].text == "approved"
        }
        let late = try consoles[1].ask("POST", path, json: note)
        #expect(late.status == 409 && late.body["detail"].text.contains("admin.token"), "\(late)")
        try await expectLedger(of: place, consoles[0])
        try await expectPayments(consoles)
        try expectStories(consoles[1])
        try expectHistory(consoles[0])
        try expectHonest(consoles[0])
        let onlooker = try Watching(consoles[0])
        _ = try onlooker.next("hello")
        try await expectHang(place, consoles[0])
        place.postgres.stop(.fast)
        let unread = try consoles[0].ask("GET", "/api/v1/accounts")
        #expect(unread.status == 503, "\(unread)")
        try await eventually("it says that Postgres is in the way", every: .milliseconds(100)) {
            let ready = try consoles[0].ask("GET", "/readyz", token: nil)
            return ready.status == 503
                && ready.body["reasons"].list.contains { $0.text.contains("Postgres") }
        }
        // Who has a page open is told of it too, and the stream goes on.
        _ = try onlooker.next("figures") { !$0["reasons"].list.isEmpty }
        try place.postgres.start()
        try await eventually("it reads again", every: .milliseconds(100)) {
            try consoles[0].ask("GET", "/api/v1/accounts").status == 200
                && consoles[0].ask("GET", "/readyz", token: nil).status == 200
        }
        try await expectRestart(place, consoles[0])
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
        for path in [
            "/api/v1/accounts", "/api/v1/transactions", "/api/v1/payments", "/api/v1/events",
        ] {
            #expect(paths.has(path), "\(path)")
        }
        let absent = "/api/v1/topics"
        #expect(!paths.has(absent))
        let answer = try console.ask("GET", absent)
        #expect(answer.status == 404, "\(answer)")
        #expect(answer.body["code"].text == "not_on_this_plane", "\(answer)")
        for path in ["/api/v1/dead-letters", "/api/v1/reconciliations", "/api/v1/sweeps"] {
            #expect(paths.has(path), "\(path)")
            #expect(try console.ask("GET", path).status == 200, "\(path)")
        }
        // Runs are begun by commands.
        let run = try console.ask("POST", "/api/v1/reconciliations", json: "{}")
        #expect(run.status == 405 && run.body["detail"].text.contains("tillbox reconcile run"))
        for token in [nil, "another"] {
            #expect(try console.ask("GET", "/api/v1/accounts", token: token).status == 401)
            let decision = try console.ask(
                "POST", "/api/v1/reviews/ch_1/decision", json: "{}", token: token)
            #expect(decision.status == 401)
        }
    }
}
