import AppendLog
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Relay
@testable import Vocabulary

@Suite("The settings' pages")
struct SettingsPagesTests {
    private static let password = PageFixture.password.replacing(" ", with: "+")

    @Test("accounts, tokens and the audit log are an admin's; the rest is everybody's")
    func roles() async throws {
        try await PageFixture.opened { pages in
            let own = ["users", "users/vera", "tokens", "audit"].map { "/settings/\($0)" }
            for path in own {
                #expect(try await pages.ask(path).status == 200, "\(path)")
                let answer = try await pages.ask(path, as: PageFixture.reviewer)
                #expect(answer.status == 403, "\(path)")
            }
            let shown = try await pages.ask("/settings", as: PageFixture.viewer)
            for path in own where !path.hasSuffix("vera") {
                #expect(!shown.text.contains("href=\"\(path)\""), "\(path)")
            }
            for path in ["endpoints", "model", "bridges", "backups"] {
                let answer = try await pages.ask("/settings/\(path)", as: PageFixture.viewer)
                #expect(answer.status == 200, "\(path)")
                #expect(shown.text.contains("href=\"/settings/\(path)\""), "\(path)")
            }
            for path in ["users", "users/vera", "users/vera/password", "tokens", "tokens/ci",
                "bridges/redis"]
            {
                let answer = try await pages.ask(
                    "/settings/\(path)", form: "act=pause", as: PageFixture.reviewer)
                #expect(answer.status == 403, "\(path)")
            }
        }
    }

    // MARK: Users

    @Test("a user is added, changed and removed; what cannot be is told on the page")
    func users() async throws {
        try await PageFixture.opened { pages in
            func post(_ path: String, _ form: String) async throws -> PageFixture.Answer {
                try await pages.ask("/settings/users\(path)", form: form)
            }
            func role(_ name: String) throws -> Console.Role? {
                try pages.desk.store.user(named: name)?.role
            }
            let made = try await post("", "name=bob&role=viewer&password=\(Self.password)")
            #expect(made.status == 303)
            #expect(made.headers[.location] == "/settings/users/bob?done=added")
            #expect(try role("bob") == .viewer)
            let short = try await post("", "name=eve&role=viewer&password=short")
            #expect(short.status == 400 && short.text.contains("at least 15 characters"))
            #expect(short.text.contains(#"name="name" value="eve""#), "what was typed stays")
            let taken = try await post("", "name=bob&role=viewer&password=\(Self.password)")
            #expect(taken.status == 409 && taken.text.contains("there is bob already"))

            #expect(try await post("/bob", "act=role&role=reviewer").status == 303)
            #expect(try role("bob") == .reviewer)
            let bob = try #require(try pages.desk.store.user(named: "bob"))
            #expect(
                try pages.desk.store.beginSession(
                    [UInt8](repeating: 7, count: 32), of: bob, at: pages.desk.now))
            let page = try await pages.ask("/settings/users/bob")
            #expect(page.text.contains("1 session<"))
            #expect(try await post("/bob", "act=end").status == 303)
            #expect(
                try pages.desk.store.sessions(guest: nil, at: pages.desk.now).isEmpty)
            #expect(try await post("/bob", "act=disable").status == 303)
            #expect(try pages.desk.store.user(named: "bob")?.disabled != nil)
            #expect(try await post("/bob", "act=enable").status == 303)
            #expect(try pages.desk.store.user(named: "bob")?.disabled == nil)

            #expect(try await post("/bob", "act=remove").status == 400, "not without being sure")
            #expect(try await post("/bob", "act=remove&sure=yes").status == 303)
            #expect(try role("bob") == nil)
            #expect(try await post("/bob", "act=end").status == 404)
        }
    }

    @Test("the last admin cannot lock everybody out")
    func lastAdmin() async throws {
        try await PageFixture.opened { pages in
            for form in ["act=role&role=viewer", "act=disable", "act=remove&sure=yes"] {
                let answer = try await pages.ask("/settings/users/ada", form: form)
                #expect(answer.status == 409, "\(form)")
                #expect(answer.text.contains("nobody else has the role admin"), "\(form)")
            }
            let ada = try #require(try pages.desk.store.user(named: "ada"))
            #expect(ada.role == .admin && ada.disabled == nil)
        }
    }

    // MARK: Tokens

    @Test("a token is shown once, opens the port, and opens nothing once it is removed")
    func tokens() async throws {
        try await PageFixture.opened { pages in
            let made = try await pages.ask(
                "/settings/tokens", form: "name=ci&role=viewer&expires=30")
            #expect(made.status == 200)
            let token = String(
                try #require(made.text.firstMatch(of: #/tillbox_[\w-]+/#)).output)
            let now = pages.desk.now
            let found = try #require(try pages.desk.store.token(token, at: now))
            #expect(found.role == .viewer)
            let days = (try #require(found.expires) - now) / 86_400_000
            #expect((29...30).contains(days))
            let list = try await pages.ask("/settings/tokens")
            #expect(list.text.contains(">ci<") && !list.text.contains(token))
            let again = try await pages.ask(
                "/settings/tokens", form: "name=ci&role=viewer&expires=never")
            #expect(again.status == 409 && !again.text.contains("tillbox_"))
            let strange = try await pages.ask(
                "/settings/tokens", form: "name=cd&role=viewer&expires=31")
            #expect(strange.status == 400)
            #expect(try await pages.ask("/settings/tokens/ci", form: "x=").status == 303)
            #expect(try pages.desk.store.token(token, at: now) == nil)
        }
    }

    // MARK: One's own account

    @Test("one's own password needs the old one, twice the new one, and ends one's sessions")
    func ownPassword() async throws {
        try await PageFixture.opened { pages in
            let store = pages.desk.store
            let vera = try #require(try store.user(named: "vera"))
            #expect(
                try store.beginSession(
                    [UInt8](repeating: 7, count: 32), of: vera, at: pages.desk.now))
            func change(_ current: String, _ new: String, _ again: String) async throws -> Int {
                try await pages.ask(
                    "/settings/password", form: "current=\(current)&password=\(new)&again=\(again)",
                    as: PageFixture.viewer
                ).status
            }
            let new = "battery+staple+horse"
            #expect(try await change("wrong,+wrong,+wrong", new, new) == 403)
            #expect(try await change(Self.password, new, new + "x") == 400)
            #expect(try await change(Self.password, "short", "short") == 400)
            #expect(try store.sessions(guest: nil, at: pages.desk.now).count == 1)
            #expect(try await change(Self.password, new, new) == 303)
            #expect(try store.sessions(guest: nil, at: pages.desk.now).isEmpty)
            #expect(try await change(Self.password, new, new) == 403)
        }
    }

    @Test("codes are asked for once one was shown with the password, and no more on demand")
    func codes() async throws {
        try await PageFixture.opened { pages in
            func post(_ path: String, _ form: String) async throws -> PageFixture.Answer {
                try await pages.ask("/settings/codes\(path)", form: form, as: PageFixture.viewer)
            }
            func asks() throws -> Bool {
                try pages.desk.store.user(named: "vera")?.hasCodes ?? false
            }
            let page = try await pages.ask("/settings/codes", as: PageFixture.viewer)
            let shown = try #require(page.text.firstMatch(of: #/name="secret" value="(\w+)"/#))
            let text = String(shown.output.1)
            #expect(
                page.text.contains("otpauth://totp/Tillbox:vera?secret=\(text)&amp;issuer=Tillbox"))
            let secret = try #require(OneTimeCode.secret(of: text))
            func code(_ steps: Int64) -> String {
                let now = OneTimeCode.step(atMilliseconds: pages.desk.now)
                return OneTimeCode.code(secret, step: now + steps)
            }
            let form = "secret=\(text)&current=\(Self.password)"
            let wrong = try await post("", "\(form)&code=\(code(9))")
            #expect(wrong.status == 400)
            #expect(wrong.text.contains("value=\"\(text)\""), "the secret stays the same")
            let stranger = try await post(
                "", "secret=\(text)&current=wrong,+wrong,+wrong&code=\(code(0))")
            #expect(stranger.status == 403)
            #expect(try !asks())
            #expect(try await post("", "secret=short&current=x&code=1").status == 400)
            #expect(try await post("", "\(form)&code=\(code(0))").status == 303)
            #expect(try asks())
            #expect(try pages.desk.store.user(named: "vera")?.codeSecret == secret)
            #expect(try await post("/off", "current=wrong,+wrong,+wrong").status == 403)
            #expect(try asks())
            #expect(try await post("/off", "current=\(Self.password)").status == 303)
            #expect(try !asks())
        }
    }

    @Test("one ends one's own sessions, and nobody else's")
    func ownSessions() async throws {
        try await PageFixture.opened { pages in
            let (store, now) = (pages.desk.store, pages.desk.now)
            for (byte, name) in [(UInt8(1), "vera"), (2, "vera"), (3, "vera"), (4, "rita")] {
                let user = try #require(try store.user(named: name))
                #expect(
                    try store.beginSession(
                        [UInt8](repeating: byte, count: 32), of: user, at: now))
            }
            func end(_ id: String) async throws -> Int {
                try await pages.ask(
                    "/settings/sessions", form: "id=\(id)", as: PageFixture.viewer
                ).status
            }
            func left() throws -> [String] {
                try store.sessions(guest: nil, at: now).map(\.name).sorted()
            }
            #expect(try await end("0404040404040404") == 404, "another's")
            #expect(try await end("0101010101010101") == 303)
            #expect(try left() == ["rita", "vera", "vera"])
            #expect(try await end("others") == 303)
            #expect(try left() == ["rita"])
        }
    }

    // MARK: What runs

    @Test("endpoints tell how many secrets are active, and no byte of one")
    func endpoints() async throws {
        try await PageFixture.opened { pages in
            for path in ["", "/endpoints", "/model", "/bridges", "/backups", "/audit"] {
                let page = try await pages.ask("/settings\(path)")
                #expect(!page.text.contains(PageFixture.secret), "\(path)")
            }
            let page = try await pages.ask("/settings/endpoints")
            #expect(page.text.contains("2 secrets, being rotated"))
            #expect(page.text.contains("TILLBOX_WEBHOOK_SECRET=OLD,NEW"))
            for event in SubscribedEvents.names { #expect(page.text.contains(event), "\(event)") }
        }
    }

    @Test("a bridge is paused and resumed by an admin, under their name")
    func bridges() async throws {
        try await PageFixture.opened { pages in
            #expect(
                try await pages.ask("/settings/bridges/redis", form: "act=pause").status == 303)
            guard case .paused(let pause) = pages.bridge.report().state else {
                Issue.record("it is not paused")
                return
            }
            #expect(pause.by == "ada")
            let page = try await pages.ask("/settings/bridges", as: PageFixture.viewer)
            #expect(page.text.contains("Paused") && page.text.contains("by ada on"))
            #expect(!page.text.contains("action=\"/settings/bridges/"), "a viewer changes nothing")
            #expect(
                try await pages.ask("/settings/bridges/redis", form: "act=resume").status == 303)
            #expect(pages.bridge.report().state == .starting)
            #expect(try await pages.ask("/settings/bridges/redis", form: "act=x").status == 400)
            #expect(try await pages.ask("/settings/bridges/kafka", form: "act=pause").status == 404)
        }
    }

    @Test("other thresholds are tried on what came, beside what it got")
    func model() async throws {
        try await PageFixture.opened { pages in
            let own = try await pages.ask("/settings/model?of=last")
            #expect(own.text.contains("None of 6 payments"))
            let open = try await pages.ask("/settings/model?of=last&review=1&block=1")
            #expect(open.text.contains("may only be lowered"))
            let strict = try await pages.ask("/settings/model?of=last&review=0.1&block=0.2")
            #expect(
                strict.text.contains(
                    "TILLBOX_VERDICT_REVIEW_FROM=0.1 TILLBOX_VERDICT_BLOCK_FROM=0.2"))
            let card = try await pages.ask("/settings/model/card")
            #expect(card.text.contains("<h1 id=\"mc\">Model card: tillbox-fraud"))
            #expect(card.text.contains("<td>card testing</td>"))
            #expect(!card.text.contains("**") && !card.text.contains("| ---"))
        }
    }

    @Test("another model's last report stands beside the model in use; a damaged one is told of")
    func shadow() async throws {
        try await PageFixture.opened { pages in
            let none = try await pages.ask("/settings/model")
            #expect(none.text.contains("No other model was tried"))
            var writer = JSONWriter()
            try KeptShadowTests.report().encode(into: &writer)
            let file = "\(pages.dataPath)/\(ShadowReport.fileName)"
            try Data(writer.bytes).write(to: URL(filePath: file))
            let page = try await pages.ask("/settings/model")
            #expect(page.text.contains("Both say the same of 6 of 10 payments, 60.00 %."))
            #expect(page.text.contains("would be let through"))
            #expect(!page.text.contains("model-candidates/<b>"))
            try Data(writer.bytes.dropLast(9)).write(to: URL(filePath: file))
            let damaged = try await pages.ask("/settings/model")
            #expect(damaged.status == 200)
            #expect(damaged.text.contains("cannot be shown: shadow.json is damaged"))
            #expect(damaged.text.contains("Other thresholds, tried on what came"))
        }
    }

    // MARK: The audit log

    @Test("the audit log is paged and filtered, and says whether its chain holds")
    func audit() async throws {
        try await PageFixture.opened { pages in
            for number in 1...60 {
                try pages.desk.store.note(
                    who: number.isMultiple(of: 2) ? "ada" : PageFixture.hostile, what: "login",
                    place: "here", detail: "number \(number)", at: Int64(number))
            }
            let first = try await pages.ask("/settings/audit")
            #expect(first.text.contains("The chain of 60 entries was followed now, and holds."))
            #expect(first.text.contains("number 60<") && !first.text.contains("number 10<"))
            let second = try await pages.ask("/settings/audit?before=11&who=&what=")
            #expect(second.text.contains("number 10<") && !second.text.contains("number 11<"))
            let one = try await pages.ask("/settings/audit?who=AD&what=number+8")
            #expect(one.text.contains("number 8<") && !one.text.contains("number 7<"))
            #expect(try await pages.ask("/settings/audit?whom=x").status == 400)
        }
    }
}
