import AppendLog
import Foundation
import GRDB
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("The audit log")
struct AuditTests {
    @Test(
        "tells who did what, and from where; no secret is in it",
        arguments: AccountPlace.allCases)
    func told(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        try await world.add("ann")
        _ = await world.post("/login", ["name": "ann", "password": "wrong, wrong, wrong"])
        let session = try await world.session("ann")
        let made = await world.ask(
            .POST, "/api/v1/users", session.fields,
            body: #"{"name":"bob","role":"viewer","password":"\#(AccessWorld.password) 2"}"#)
        #expect(made.status == 201, "\(made.text)")
        let changed = await world.ask(
            .POST, "/api/v1/users/bob", session.fields, body: #"{"role":"reviewer"}"#)
        #expect(changed.status == 200)
        let missing = await world.ask(.DELETE, "/api/v1/tokens/none", session.fields)
        #expect(missing.status == 404)
        _ = await world.ask(.GET, "/api/v1/users", session.fields)
        let entries = try world.store.auditEntries(before: nil, limit: 100)
        #expect(entries.map(\.what) == [
            "DELETE /api/v1/tokens/:name", "POST /api/v1/users/:name", "POST /api/v1/users",
            "login", "login refused",
        ])
        #expect(Set(entries.map(\.who)) == ["ann"])
        #expect(Set(entries.map(\.place)) == ["10.0.0.1"])
        #expect(Set(entries.map(\.at)) == [world.now])
        #expect(entries[0].detail == "/api/v1/tokens/none 404")
        #expect(entries[1].detail == #"/api/v1/users/bob 200 {"role":"reviewer"}"#)
        #expect(!entries.contains { $0.detail.contains(AccessWorld.password) })
        #expect(try world.store.verifyAudit() == 5)
        let page = await world.ask(.GET, "/api/v1/audit?limit=2", session.fields)
        #expect(page.body.contains(#""next":"4","broken_at":null"#), "\(page.body)")
        let rest = await world.ask(.GET, "/api/v1/audit?limit=4&after=4", session.fields)
        #expect(rest.body.contains(#""seq":3"#) && !rest.body.contains(#""seq":4"#))
    }

    @Test("a name that is typed at the login stands for nobody where nobody can have it")
    func typedName() async throws {
        let world = try AccessWorld()
        for name in ["daemon", "local (command line)"] {
            let answer = await world.post("/login", ["name": name, "password": "x"])
            #expect(answer.status == 401, "\(answer.text)")
        }
        let entries = try world.store.auditEntries(before: nil, limit: 100)
        #expect(entries.map(\.who) == ["unknown", "unknown"])
        #expect(entries.first?.detail.hasSuffix(": local (command line)") == true)
    }

    @Test("of a form all is noted but the page's token; of a secret one what the route says")
    func forms() async throws {
        let world = try AccessWorld { routes in
            routes.post("/open", needs: .viewer) { _, _ in .init(status: .ok) }
            routes.post("/secret", needs: .viewer, isSecret: true) { _, context in
                context.remark("the red one")
                return .init(status: .ok)
            }
        }
        try await world.add("ann", .viewer)
        let session = try await world.session("ann")
        for path in ["/open", "/secret"] {
            let form = ["csrf": session.token, "note": "hidden"]
            #expect(await world.post(path, form, [session.cookie]).status == 200)
        }
        let entries = try world.store.auditEntries(before: nil, limit: 2)
        #expect(entries.map(\.detail) == ["/secret 200 the red one", "/open 200 note=hidden"])
    }

    /// SQLite ends a text at its first NUL, and Postgres takes none.
    @Test("nobody breaks the chain by what they type", arguments: AccountPlace.allCases)
    func hostileTexts(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        try await world.add("ann")
        let marks = String(repeating: "\u{301}", count: 900)
        for name in ["ann\0x", "\0", "\u{202E}ann\u{1B}[2J", "a" + marks] {
            let answer = await world.post(
                "/login", ["name": name, "password": AccessWorld.password])
            #expect(answer.status == 401, "\(name.debugDescription)")
        }
        #expect(try world.store.verifyAudit() == 4)
        let who = try world.store.auditEntries(before: nil, limit: 4).map(\.who)
        #expect(who.suffix(2) == ["\u{FFFD}", "ann\u{FFFD}x"])
        let long = "e" + String(repeating: "\u{301}", count: 3 * AccessLimits.auditCharactersMax)
        for _ in 0..<2 { world.desk.noteConfiguration("a\0" + long) }
        #expect(try world.store.verifyAudit() == 5, "the same settings are noted once")
        let last = try #require(try world.store.auditEntries(before: nil, limit: 1).first)
        #expect(last.detail.unicodeScalars.count == AccessLimits.auditCharactersMax)
    }

    @Test("another configuration is noted, the same one is not")
    func configuration() throws {
        let world = try AccessWorld()
        let long = "b" + String(repeating: "x", count: 3 * AccessLimits.auditCharactersMax)
        for summary in ["a", "a", long, long, "a"] { world.desk.noteConfiguration(summary) }
        let entries = try world.store.auditEntries(before: nil, limit: 10)
        #expect(entries.map { $0.detail.first } == ["a", "b", "a"])
        #expect(Set(entries.map(\.what)) == ["configuration"])
        #expect(try world.store.verifyAudit() == 3)
    }

    /// What somebody with the file may try, past the triggers.
    @Test("a change by another hand is found, and where", arguments: [
        ("UPDATE audit SET detail = 'nothing' WHERE seq = 4", 4),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", 2),
        ("UPDATE audit SET who = who || what, what = '' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq > 4", 5),
        ("UPDATE audit SET seq = -1 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 5;"
            + "UPDATE audit SET seq = 5 WHERE seq = -1", 5),
    ] as [(String, Int64)])
    func tampered(change: String, seq: Int64) async throws {
        let world = try AccessWorld()
        for number in 0..<6 {
            try world.store.note(
                who: "ann", what: "test", place: "here", detail: "\(number)", at: Int64(number))
        }
        #expect(try world.store.verifyAudit() == 6)
        let stranger = try DatabaseQueue(path: world.folder.file("accounts.sqlite"))
        #expect(throws: DatabaseError.self) {
            try stranger.write { try $0.execute(sql: change) }
        }
        #expect(try world.store.verifyAudit() == 6, "the triggers hold against a slip")
        try await stranger.write {
            try $0.execute(
                sql: "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened;"
                    + change)
        }
        #expect(throws: AuditBreak(seq: seq)) { try world.store.verifyAudit() }
        let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
        let page = await world.ask(.GET, "/api/v1/audit", owner)
        #expect(page.body.contains("\"broken_at\":\(seq)}"))
        try world.store.note(who: "ann", what: "test", place: "here", detail: "", at: 9)
        #expect(throws: AuditBreak(seq: seq), "what comes after mends nothing") {
            try world.store.verifyAudit()
        }
    }
}
