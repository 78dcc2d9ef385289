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

/// Where accounts are kept in a test of what holds in both places.
enum AccountPlace: String, CaseIterable, Sendable {
    case folder, postgres

    /// Without an account so far.
    func store(_ folder: TemporaryFolder) throws -> any AccountStore {
        switch self {
        case .folder: FolderAccounts(at: folder.file("accounts.sqlite"))
        case .postgres: try AccountDatabase().store()
        }
    }
}

extension AccessWorld {
    init(_ place: AccountPlace) throws {
        let folder = try TemporaryFolder()
        try self.init(folder: folder, store: try place.store(folder))
    }
}

/// Accounts in a database of their own, on the server of this test process.
struct AccountDatabase: TemplatedDatabase {
    /// The role that serves, and owns nothing.
    static let role = "tillbox_console"

    static let schema = "tillbox_console"
    static let template = PostgresTemplate("console_template", role: role) { configuration in
        try ConsoleSchema.migrate(configuration)
        try ConsoleSchema.migrate(configuration)
        try ConsoleSchema.grant(to: role, configuration)
    }

    let server: PostgresServer
    let name: String

    init() throws { (server, name) = try Self.template.copy() }

    /// One more instance's.
    func store() throws -> PostgresAccounts { try PostgresAccounts(configuration()) }
}

@Suite("Accounts in Postgres")
struct PostgresAccountsTests {
    /// Two instances of the console, with one clock.
    private static func instances(
        _ database: AccountDatabase
    ) throws -> (AccessWorld, AccessWorld) {
        let clock = ManualLogClock()
        return (
            try AccessWorld(store: try database.store(), clock: clock),
            try AccessWorld(store: try database.store(), clock: clock)
        )
    }

    @Test("who signs in at one instance is known at the other, until any of them ends it")
    func shared() async throws {
        let (first, second) = try Self.instances(try AccountDatabase())
        try await first.add("ann")
        let session = try await first.session("ann")
        func statuses() async -> [Int] {
            await [first, second].asyncMap {
                await $0.ask(.GET, "/api/v1/users", session.fields).status
            }
        }
        #expect(await statuses() == [200, 200])
        let out = await second.ask(.POST, "/logout", session.fields)
        #expect(out.status == 303, "\(out.text)")
        #expect(await statuses() == [401, 401])
        let idle = try await second.session("ann")
        first.clock.advance(milliseconds: AccessLimits.idleMilliseconds)
        for world in [first, second] {
            #expect(await world.ask(.GET, "/api/v1/users", idle.fields).status == 401)
        }
        let token = try first.store.addToken("ci", role: .admin, expires: nil, at: first.now)
        let shown = [("Authorization", "Bearer \(token)")]
        #expect(await second.ask(.GET, "/api/v1/users", shown).status == 200)
        try second.store.removeToken("ci")
        for world in [first, second] {
            #expect(await world.ask(.GET, "/api/v1/users", shown).status == 401)
        }
    }

    @Test("the first instance offers the link, the others none, and it is good at all of them")
    func setup() async throws {
        let database = try AccountDatabase()
        let (first, second) = try Self.instances(database)
        let path = try #require(first.desk.setupPath)
        #expect(second.desk.setupPath == nil)
        #expect(await second.ask(.GET, path).status == 200)
        let later = ManualLogClock()
        later.advance(
            milliseconds: first.now - later.now().milliseconds
                + PostgresAccounts.setupMilliseconds)
        let third = try AccessWorld(store: try database.store(), clock: later)
        let newer = try #require(third.desk.setupPath, "an old one gives way")
        #expect(await first.ask(.GET, path).status == 403)
        let code = String(newer.dropFirst("/setup?code=".count))
        let made = await AccessWorld.makeFirst(
            at: [first, second, third, first, second, third], by: code)
        #expect(made == 1)
        #expect(try second.store.users().map(\.role) == [.admin])
        #expect(try AccessWorld(store: try database.store()).desk.setupPath == nil)
    }

    @Test(
        "the first account and the used code are stored together, or neither",
        arguments: AccountPlace.allCases)
    func firstAtOnce(_ place: AccountPlace) throws {
        let world = try AccessWorld(place)
        let path = try #require(world.desk.setupPath)
        let code = AccessSecret.hash(String(path.dropFirst("/setup?code=".count)))
        struct Broken: Error {}
        #expect(throws: Broken.self) {
            try world.store.useSetup(code, at: world.now) { tables in
                try tables.change(
                    "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?)",
                    [.text("ann"), .text("admin"), .text("x"), .integer(world.now)])
                throw Broken()
            }
        }
        #expect(try world.store.users().isEmpty)
        #expect(try world.store.knowsSetup(code, at: world.now))
        try world.store.addUser("zoe", role: .viewer, password: "", at: world.now)
        #expect(throws: AccountRefusal.notFirst) {
            try world.store.addFirst("ann", password: "x", using: code, at: world.now)
        }
        #expect(try world.store.knowsSetup(code, at: world.now), "a refusal leaves it good")
        try world.store.removeUser("zoe", keepsAdmin: false)
        let made = try world.store.addFirst("ann", password: "x", using: code, at: world.now)
        #expect(made?.role == .admin)
        #expect(try !world.store.knowsSetup(code, at: world.now))
        let second = try world.store.addFirst("bob", password: "x", using: code, at: world.now)
        #expect(second == nil)
        #expect(try world.store.users().map(\.name) == ["ann"])
    }

    @Test("guesses at several instances count together, and wait as those at one")
    func throttled() async throws {
        let (first, second) = try Self.instances(try AccountDatabase())
        try await first.add("ann")
        let alone = LoginThrottle()
        for number in 0..<40 {
            let attempt = LoginThrottle.Attempt(
                account: number % 3 == 0 ? "ann" : "ANN", address: "10.0.\(number % 2).1")
            let moment = Int64(1_000_000 + number * 700)
            let world = number % 2 == 0 ? first : second
            #expect(
                try world.store.throttle.begin(attempt, atMilliseconds: moment)
                    == alone.begin(attempt, atMilliseconds: moment), "\(number)")
            if number == 21 {
                try second.store.throttle.succeeded(attempt, atMilliseconds: moment)
                alone.succeeded(attempt, atMilliseconds: moment)
            }
        }
    }

    @Test("two instances write one chain, whose every change by another hand is found")
    func audit() async throws {
        let database = try AccountDatabase()
        let stores = [try database.store(), try database.store()]
        await withTaskGroup(of: Void.self) { group in
            for (number, store) in stores.enumerated() {
                group.addTask {
                    for entry in 0..<20 {
                        #expect(throws: Never.self) {
                            try store.note(
                                who: "u\(number)", what: "test", place: "here",
                                detail: "\(entry)", at: 1)
                        }
                    }
                }
            }
        }
        #expect(try stores[0].verifyAudit() == 40)
        let found = try stores[1].auditEntries(before: nil, limit: 50, who: "U1", what: "TEST")
        #expect(found.count == 20)
        for change in [
            "UPDATE audit SET detail = '' WHERE seq = 4", "DELETE FROM audit WHERE seq = 40",
            "TRUNCATE audit", "UPDATE audit_end SET last = 39", "DELETE FROM audit_end",
        ] {
            #expect(!(try database.psql(change, user: AccountDatabase.role).errors.isEmpty))
        }
        for change in ["DELETE FROM audit WHERE seq = 40", "TRUNCATE audit"] {
            let slip = try database.psql(change)
            #expect(slip.errors.contains("only appended to"), "\(slip.errors)")
        }
        let rid = try database.psql(
            "SET session_replication_role = replica; DELETE FROM audit WHERE seq = 40")
        #expect(rid.errors.isEmpty)
        #expect(throws: AuditBreak(seq: 40)) { try stores[0].verifyAudit() }
    }

    @Test("a connection that was lost is made anew at the next request, and loses no change")
    func lost() throws {
        let database = try AccountDatabase()
        let store = try database.store()
        try store.addUser("ann", role: .admin, password: "", at: 1)
        func cut() throws {
            try database.server.sql(
                "postgres",
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = '\(database.name)'
                """)
        }
        try cut()
        #expect(try store.users().map(\.name) == ["ann"])
        try cut()
        try store.addUser("bob", role: .viewer, password: "", at: 2)
        #expect(try store.users().map(\.name) == ["ann", "bob"])
    }

    @Test("rights that are taken back while it runs are told as rights, not as an old schema")
    func takenBack() throws {
        let database = try AccountDatabase()
        let store = try database.store()
        #expect(try store.users().isEmpty)
        try database.sql("REVOKE USAGE ON SCHEMA tillbox_console FROM \(AccountDatabase.role)")
        let error = #expect(throws: AccountsFailure.self) { try store.users() }
        #expect(error.map { "\($0)" }?.contains("migrations/postgres-console/grants.sql") == true)
        try database.sql("GRANT USAGE ON SCHEMA tillbox_console TO \(AccountDatabase.role)")
        #expect(try store.users().isEmpty)
    }

    @Test("what is missing, newer or not granted is one sentence that says what to do")
    func refused() throws {
        // With it comes the role, too.
        let database = try AccountDatabase()
        let server = try PostgresServer.common()
        let name = server.databaseName()
        try server.sql("postgres", "CREATE DATABASE \(name)")
        func sentence(_ database: String, _ user: String) -> String {
            do {
                let uri = server.networkURI(database, user: user)
                _ = try PostgresAccounts(PostgresConfiguration(uri: uri)).users()
                return ""
            } catch { return "\(error)" }
        }
        #expect(sentence(name, AccountDatabase.role).contains("run `tillbox cloud prepare`"))
        _ = try database.psql("REVOKE SELECT ON users FROM \(AccountDatabase.role)")
        #expect(sentence(database.name, AccountDatabase.role).contains("grants.sql"))
        for newer in [
            "INSERT INTO schema_version VALUES (98)", "UPDATE schema_version SET version = 99",
        ] {
            _ = try database.psql(newer)
            #expect(
                sentence(database.name, AccountDatabase.role).contains("start a newer tillbox"),
                "\(newer)")
        }
    }

    /// `rowid`, which SQLite has of itself, and what only several instances need.
    @Test("both places have the same tables, columns and types")
    func description() throws {
        let types = ["bigint": "INTEGER", "text": "TEXT", "bytea": "BLOB"]
        let own: Set = ["schema_version", "audit_end", "attempts", "known_places", "setup"]
        let rows = try AccountDatabase().psql(
            """
            SELECT table_name, column_name, data_type, is_nullable, coalesce(collation_name, '')
            FROM information_schema.columns WHERE table_schema = 'tillbox_console'
            ORDER BY table_name, ordinal_position
            """
        ).output.split(separator: "\n").map {
            $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        }.filter { !own.contains($0[0]) && $0[1] != "rowid" }
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        FolderAccounts(at: path).close()
        let expected = try DatabaseQueue(path: path).read { database in
            try ["audit", "refunds", "sessions", "tokens", "users"].flatMap { table in
                try Row.fetchAll(database, sql: "PRAGMA table_info(\(table))").map { row in
                    // A primary key is never null, whether or not SQLite says so.
                    let isRequired = (row["notnull"] as Int) == 1 || (row["pk"] as Int) > 0
                    return "\(table) \(row["name"] as String) \(row["type"] as String) "
                        + "\(isRequired)"
                }
            }
        }
        #expect(
            rows.map { "\($0[0]) \($0[1]) \(types[$0[2]] ?? $0[2]) \($0[3] == "NO")" } == expected)
        #expect(rows.allSatisfy { $0[2] != "text" || $0[4] == "C" })
    }

    @Test("the binary carries migrations/postgres-console byte for byte")
    func embedded() throws {
        let folder = Repository.root.appending(path: "migrations/postgres-console")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        ).sorted { $0.lastPathComponent < $1.lastPathComponent }
        #expect(
            try files.map { try String(contentsOf: $0, encoding: .utf8) }
                == ConsoleSchema.migrations + [ConsoleSchema.grants])
    }
}

extension Sequence {
    /// One after the other.
    fileprivate func asyncMap<Value>(_ body: (Element) async -> Value) async -> [Value] {
        var values: [Value] = []
        for element in self { values.append(await body(element)) }
        return values
    }
}
