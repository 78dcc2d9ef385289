import AppendLog
import Bridges
import Foundation
import GRDB
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Accounts")
struct AccountStoreTests {
    @Test("the file is its owner's alone, and two processes see each other's changes")
    func file() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        let (daemon, command) = (FolderAccounts(at: path), FolderAccounts(at: path))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(try daemon.hasUsers == false)
        try command.addUser("ann", role: .viewer, password: "", at: 1)
        #expect(try daemon.users().map(\.name) == ["ann"])
        try daemon.setRole(.admin, of: "ann", keepsAdmin: false)
        #expect(try command.user(named: "ANN")?.role == .admin, "names know no case")
    }

    @Test("what cannot be used says so at each call, and keeps nothing from starting")
    func unusable() async throws {
        let folder = try TemporaryFolder()
        try Data("no database, but long enough to be looked at".utf8)
            .write(to: URL(filePath: folder.file("accounts.sqlite")))
        let world = try AccessWorld(folder: folder)
        #expect(world.store.trouble?.contains("accounts.sqlite") == true)
        #expect(world.desk.warning?.contains("move console/accounts.sqlite away") == true)
        #expect(world.desk.setupPath == nil)
        let answer = await world.post(
            "/login", ["name": "ann", "password": AccessWorld.password])
        #expect(answer.status == 503)
        let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
        #expect(await world.ask(.GET, "/api/v1/users", owner).status == 503)
        #expect(await world.ask(.GET, "/login", owner).status == 200)
        let browser = [("Cookie", "\(AccessDesk.cookieName)=of-better-days")]
        #expect(await world.ask(.GET, "/login", browser).status == 200, "it is open to all")
        let refused = await world.ask(.GET, "/api/v1/users", browser)
        #expect(refused.status == 503 && !refused.body.contains("PRAGMA"), "\(refused.body)")
    }

    @Test("a newer Tillbox's accounts are not to be moved away")
    func newer() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        let queue = try DatabaseQueue(path: path)
        try queue.write { try $0.execute(sql: "PRAGMA user_version = 99") }
        try queue.close()
        let accounts = FolderAccounts(at: path)
        #expect(accounts.trouble?.contains("they are a newer Tillbox's") == true)
        #expect(accounts.remedy == "start that one")
    }

    @Test("looked at, an older file stays that; opened, it is brought forward, and kept as it was")
    func older() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        FolderAccounts(at: path).close()
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction {
            try $0.execute(sql: "DROP TABLE refunds; PRAGMA user_version = 1")
        }
        try queue.close()
        func version(_ path: String) throws -> Int? {
            let queue = try DatabaseQueue(path: path)
            defer { try? queue.close() }
            return try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
        }
        let copy = SchemaCopy.path(of: path, schema: 1)
        let looked = FolderAccounts(readingAt: path)
        #expect(try looked.verifyAudit() == 0)
        looked.close()
        #expect(try version(path) == 1)
        #expect(!FileManager.default.fileExists(atPath: copy))
        FolderAccounts(at: path).close()
        #expect(try version(path) == AccountSchema.version)
        #expect(try version(copy) == 1)
    }

    @Test("damage that is found when they are read is told like any other")
    func damaged() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        let former = FolderAccounts(at: path)
        try former.addUser("ann", role: .viewer, password: "", at: 1)
        former.close()
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let end = try file.seekToEnd()
        // Behind the first page, which says what tables there are.
        try file.seek(toOffset: 4_096)
        try file.write(contentsOf: Data(repeating: 0xff, count: Int(end) - 4_096))
        try file.close()
        let accounts = FolderAccounts(at: path)
        #expect(accounts.trouble == nil, "it can be opened")
        #expect(throws: AccountsFailure.self) { try accounts.users() }
        #expect(accounts.trouble?.contains("SQLite error 11") == true)
    }

    struct Refused: Sendable {
        var what: String
        var refusal: AccountRefusal
        var change: @Sendable (any AccountStore) throws -> Void
    }

    static let refused: [Refused] = [
        Refused(what: "a name is taken", refusal: .nameTaken("ANN")) {
            try $0.addUser("ANN", role: .admin, password: "", at: 1)
        },
        Refused(what: "a name cannot be", refusal: .nameUnusable) {
            try $0.addUser("an n", role: .admin, password: "", at: 1)
        },
        Refused(what: "a name is the expiry's", refusal: .nameReserved("Expiry")) {
            try $0.addUser("Expiry", role: .viewer, password: "", at: 1)
        },
        Refused(what: "a token has the scoring's name", refusal: .nameReserved("scoring")) {
            _ = try $0.addToken("scoring", role: .viewer, expires: nil, at: 1)
        },
        Refused(what: "a name is the folder's", refusal: .nameReserved("local")) {
            try $0.addUser("local", role: .viewer, password: "", at: 1)
        },
        Refused(what: "the last admin goes", refusal: .lastAdmin) {
            try $0.removeUser("ann", keepsAdmin: true)
        },
        Refused(what: "the last admin is no more", refusal: .lastAdmin) {
            try $0.setRole(.viewer, of: "ann", keepsAdmin: true)
        },
        Refused(what: "the last admin is kept out", refusal: .lastAdmin) {
            try $0.setDisabled(1, of: "ann", keepsAdmin: true)
        },
        Refused(what: "nobody has that name", refusal: .unknown("bob")) {
            try $0.removeUser("bob", keepsAdmin: false)
        },
        Refused(what: "nobody has a name with a NUL", refusal: .unknown("ann\0")) {
            try $0.removeUser("ann\0", keepsAdmin: false)
        },
        Refused(what: "no token has that name", refusal: .unknown("t")) {
            try $0.removeToken("t")
        },
    ]

    @Test(
        "a change that cannot be is refused, and changes nothing", arguments: refused,
        AccountPlace.allCases)
    func refusals(row: Refused, place: AccountPlace) throws {
        let folder = try TemporaryFolder()
        let store = try place.store(folder)
        try store.addUser("ann", role: .admin, password: "", at: 1)
        let before = try store.users()
        #expect(throws: row.refusal, "\(row.what)") { try row.change(store) }
        #expect(try store.users() == before, "\(row.what)")
    }

    @Test(
        "a token opens what its role may until it expires or is removed",
        arguments: AccountPlace.allCases)
    func tokens(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        let token = try world.store.addToken(
            "ci", role: .admin, expires: world.now + 1_000, at: world.now)
        let fields = [("Authorization", "bearer \(token)")]
        #expect(await world.ask(.GET, "/api/v1/tokens", fields).status == 200)
        let found = try #require(try world.store.tokens().first)
        #expect(found.lastUsed == world.now)
        let list = await world.ask(.GET, "/api/v1/tokens", fields)
        #expect(!list.body.contains(token), "it is shown once")
        if place == .folder {
            let kept = try Data(contentsOf: URL(filePath: world.folder.file("accounts.sqlite")))
            #expect(kept.firstRange(of: Data(token.utf8)) == nil, "only its hash is kept")
        }
        world.clock.advance(milliseconds: 1_000)
        #expect(await world.ask(.GET, "/api/v1/tokens", fields).status == 401)
        let second = try world.store.addToken("cd", role: .admin, expires: nil, at: world.now)
        let others = [("Authorization", "Bearer \(second)")]
        #expect(await world.ask(.GET, "/api/v1/tokens", others).status == 200)
        try world.store.removeToken("cd")
        #expect(await world.ask(.GET, "/api/v1/tokens", others).status == 401)
        for shown in ["", "Bearer", "Basic YTpi", "Bearer x y"] {
            let status = await world.ask(.GET, "/healthz", [("Authorization", shown)]).status
            #expect(status == 401, "\(shown)")
        }
    }

    @Test("a command of another folder is told so, and nothing of this one")
    func otherFolder() async throws {
        let world = try AccessWorld()
        let asked = [(DataFolderCheck.headerName, "/elsewhere")]
        for fields in [asked, asked + [("Authorization", "Bearer of-elsewhere")]] {
            let answer = await world.ask(.GET, "/api/v1/users", fields)
            #expect(answer.status == 409)
            #expect(answer.body.contains("another data folder than /elsewhere"))
        }
    }

    @Test(
        "one's own password needs the old one, and ends one's sessions",
        arguments: AccountPlace.allCases)
    func ownPassword(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        try await world.add("ann", .viewer)
        let session = try await world.session("ann")
        func change(_ current: String, _ new: String) async -> Int {
            await world.ask(
                .POST, "/api/v1/password", session.fields,
                body: #"{"current":"\#(current)","password":"\#(new)"}"#
            ).status
        }
        let new = "battery staple horse"
        #expect(await change("wrong, wrong, wrong", new) == 403)
        #expect(await change(AccessWorld.password, "short") == 400)
        #expect(await change(AccessWorld.password, new) == 204)
        #expect(await change(AccessWorld.password, new) == 401)
        _ = try await world.session("ann", password: new)
    }

    @Test("a secret of codes that an admin sets is shown once, as authenticators take it")
    func codes() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        let answer = await world.ask(
            .POST, "/api/v1/users/ann/totp", session.fields, body: #"{"enabled":true}"#)
        #expect(answer.status == 200)
        let secret = try #require(try world.store.user(named: "ann")?.codeSecret)
        #expect(secret.count == OneTimeCode.secretByteCount)
        let text = OneTimeCode.text(of: secret)
        #expect(answer.body.contains("otpauth://totp/Tillbox:ann?secret=\(text)&issuer=Tillbox"))
        let entries = try world.store.auditEntries(before: nil, limit: 10)
        #expect(!entries.contains { $0.detail.contains(text) })
    }
}

@Suite("Passwords")
struct PasswordTests {
    @Test("15 characters are enough, 14 are not; how a letter was typed does not matter")
    func lengths() throws {
        #expect(throws: AccountRefusal.passwordTooShort) {
            try Password(new: String(repeating: "é", count: 14))
        }
        let composed = try Password(new: String(repeating: "\u{e9}", count: 15))
        let decomposed = try Password(new: String(repeating: "e\u{301}", count: 15))
        #expect(composed.bytes == decomposed.bytes)
        #expect(throws: AccountRefusal.passwordTooLong) {
            try Password(new: String(repeating: "x", count: 1_025))
        }
    }

    @Test("what is kept has the usual cost, another salt each time, and fits its password alone")
    func kept() async throws {
        let desk = PasswordDesk()
        let password = try Password(new: AccessWorld.password)
        let hash = try await desk.hash(password)
        #expect(hash.hasPrefix("scrypt$17$8$1$"))
        #expect(try await desk.hash(password) != hash)
        #expect(try await desk.matches(password, hash))
        #expect(try await !desk.matches(try Password(new: AccessWorld.password + "."), hash))
        #expect(try await !desk.matches(nil, hash))
        #expect(try await !desk.matches(password, nil))
    }

    @Test("a hash that no version wrote fits nothing", arguments: [
        "", "scrypt$", "scrypt$17$8$1$AA==$AA==", "scrypt$40$8$1$AAAA$AAAA", "bcrypt$1$1$1$a$b",
        "scrypt$17$8$1$$",
    ])
    func strange(text: String) {
        #expect(PasswordHash(text) == nil)
    }
}
