import TestSupport
import Testing

/// Dead letters at the console role: by reason, one of them, and back behind a dry run.
extension CloudConsoleTests {
    /// Two deliveries that are no events: one stays, the other goes back edited, once.
    func expectLetters(
        _ place: CloudPlace, _ consoles: [Console], admin: String, reviewer: String
    ) async throws {
        for body in ["not JSON", "{\"id\":\"no event\"}"] {
            _ = try Ask.deliver(body, to: place.port)
        }
        var letters: [JSON] = []
        try await eventually("both consoles list them", every: .milliseconds(100)) {
            letters = try consoles[0].get("/api/v1/dead-letters")["dead_letters"].list
            return try letters.count == 2
                && consoles[1].get("/api/v1/dead-letters")["dead_letters"].list.count == 2
        }
        // An object without a type comes as far as the step that validates.
        #expect(Set(letters.map { $0["stage"].text }).isSubset(of: ["gate", "validate"]))
        #expect(letters.allSatisfy { $0["redriven"].text == "no" }, "\(letters)")
        let paged = try consoles[0].get("/api/v1/dead-letters?limit=1")
        #expect(paged["dead_letters"].list.count == 1 && paged["behind"].int == 0, "\(paged)")
        let next = paged["next"].text
        #expect(next == letters[0]["letter"].text)
        let rest = try consoles[1].get("/api/v1/dead-letters?limit=5&after=\(next)")
        #expect(rest["dead_letters"].list.map { $0["letter"].text } == [letters[1]["letter"].text])

        let letter = letters[0]
        let page = "/log/letters/\(letter["offset"].int)?partition=\(letter["partition"].int)"
        let all = try consoles[1].browse("/log/letters", cookie: reviewer)
        #expect(all.content.contains("dry run"), "\(all.text)")
        for reason in Set(letters.map { $0["reason"].text }) {
            #expect(all.content.contains(reason), "\(all.text)")
        }
        #expect(try consoles[0].browse("/log", cookie: reviewer).content.contains("2 dead letters"))
        let seen = try consoles[0].browse(page, cookie: reviewer)
        #expect(seen.status == 200 && seen.content.contains("It would stay"), "\(seen.text)")
        #expect(!seen.content.contains("<textarea"), "redriving needs the role admin")
        try expectRefused(consoles[0], page, reviewer, letter)
        try await expectEdited(consoles, page, admin, letter)
    }

    /// A reviewer sends nothing back, by a form or as a program.
    private func expectRefused(
        _ console: Console, _ page: String, _ reviewer: String, _ letter: JSON
    ) throws {
        let own = try #require(try console.browse("/settings", cookie: reviewer).token)
        let form = ["csrf": own, "act": "send", "value": "{}", "judged": ""]
        #expect(try console.browse(page, form: form, cookie: reviewer).status == 403)
        #expect(try console.browse(page, form: ["act": "send"], cookie: reviewer).status == 403)
        let asked = try console.ask(
            "POST", "/api/v1/dead-letters/redrive",
            json: "{\"letters\":[\"\(letter["letter"].text)\"]}")
        #expect(asked.status == 403 && asked.body["code"].text == "forbidden", "\(asked)")
    }

    /// What somebody has made of it is judged first, and goes back through the gate once.
    private func expectEdited(
        _ consoles: [Console], _ page: String, _ admin: String, _ letter: JSON
    ) async throws {
        let value = Ask.payment("redriven")
        var form = ["act": "send", "value": value, "judged": "", "csrf": ""]
        let shown = try consoles[0].browse(page, cookie: admin)
        let token = try #require(shown.token, "\(shown.text)")
        form["csrf"] = token
        let unseen = try consoles[0].browse(page, form: form, cookie: admin)
        #expect(unseen.status == 409 && unseen.content.contains("Nothing was sent"))
        form["act"] = "look"
        let judged = try consoles[0].browse(page, form: form, cookie: admin)
        #expect(judged.status == 200 && judged.content.contains("It would go back"))
        let mark = judged.content.firstMatch(of: /name="judged" value="([0-9a-f]+)"/)
        let judgedAs = try #require(mark?.1, "\(judged.text)")
        form["judged"] = String(judgedAs)
        form["act"] = "send"
        let sent = try consoles[0].browse(page, form: form, cookie: admin)
        #expect(sent.status == 303 && sent.location?.hasSuffix("sent=1") == true, "\(sent.text)")
        let name = letter["letter"].text
        for console in consoles {
            try await eventually("it has gone back", every: .milliseconds(100)) {
                let lines = try console.get("/api/v1/dead-letters")["dead_letters"].list
                return lines.first { $0["letter"].text == name }?["redriven"].text == "passed"
            }
        }
        let again = try consoles[1].browse(page, form: form, cookie: admin)
        #expect(again.status == 409, "\(again.text)")
        try await eventually("its payment is there", every: .milliseconds(100)) {
            try consoles[1].ask("GET", "/api/v1/payments/ch_redriven").status == 200
        }
        let audit = try consoles[1].browse("/settings/audit", cookie: admin)
        #expect(audit.content.contains("/log/letters/"), "\(audit.text.prefix(4_000))")
    }
}
