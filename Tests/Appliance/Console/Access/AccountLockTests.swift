import Bridges
import Foundation
import GRDB
import LogSupport
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// Somebody else has the accounts locked, or their disk is full.
@Suite("Accounts that cannot be written")
struct AccountLockTests {
    /// Somebody's sqlite3, in a transaction.
    private struct Shell {
        private let queue: DatabaseQueue

        init(_ folder: TemporaryFolder) throws {
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            queue = try DatabaseQueue(
                path: folder.file("accounts.sqlite"), configuration: configuration)
        }

        func execute(_ sql: String) throws {
            try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        }
    }

    /// Less than one wait for a lock that once was five seconds; on a busy machine the passwords
    /// alone take seconds.
    private static let most = Duration.milliseconds(4_800)

    private static func timed(
        _ body: () async throws -> Int
    ) async throws -> (status: Int, took: Duration) {
        let began = ContinuousClock.now
        return (try await body(), .now - began)
    }

    @Test("while somebody has the file locked all is read, and a login is told so within a second")
    func locked() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        let token = try world.store.addToken("ci", role: .admin, expires: nil, at: world.now)
        let shell = try Shell(world.folder)
        try shell.execute("BEGIN IMMEDIATE")
        world.clock.advance(milliseconds: AccessLimits.noteMilliseconds)
        let reads = try await Self.timed {
            var worst = 0
            for fields in [[session.cookie], [("Authorization", "Bearer \(token)")]] {
                for _ in 0..<3 {
                    worst = max(worst, await world.ask(.GET, "/api/v1/users", fields).status)
                }
            }
            return worst
        }
        #expect(reads.status == 200 && reads.took < Self.most, "\(reads)")
        let form = ["name": "ann", "password": AccessWorld.password]
        let logins = try await Self.timed {
            // All of them wait in one line, and for one second together.
            await withTaskGroup(of: AccessAnswer.self) { group in
                for _ in 0..<4 { group.addTask { await world.post("/login", form) } }
                return await group.reduce(into: 503) { status, answer in
                    let isTold = answer.body.contains("end that, and try again")
                    if answer.status != 503 || !isTold { status = isTold ? answer.status : 0 }
                }
            }
        }
        #expect(logins.status == 503 && logins.took < Self.most, "\(logins)")
        try shell.execute("ROLLBACK")
        try await eventually("somebody signs in again") {
            await world.post("/login", form).status == 303
        }
        #expect(await world.ask(.GET, "/api/v1/users", [session.cookie]).status == 200)
        let noted = try world.store.sessions(guest: nil, at: world.now).map(\.lastSeen)
        #expect(
            noted.count > 1 && noted.allSatisfy { $0 == world.now },
            "what was lost is noted at the next request")
    }

    @Test("a start does not wait for whoever has the file locked, nor call it damaged")
    func lockedAtTheStart() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("accounts.sqlite")
        let first = FolderAccounts(at: path)
        try first.addUser("ann", role: .admin, password: "", at: 1)
        first.close()
        let shell = try Shell(folder)
        try shell.execute("BEGIN IMMEDIATE")
        let store = FolderAccounts(at: path)
        #expect(store.trouble == nil)
        #expect(try store.users().map(\.name) == ["ann"])
        #expect(throws: AccountsFailure.self) { try store.removeUser("ann", keepsAdmin: false) }
        #expect(store.trouble == nil)
        try shell.execute("ROLLBACK")
        store.close()
    }

    @Test("a lock in Postgres keeps nobody from reading, and a change for a second")
    func lockedInPostgres() async throws {
        let database = try AccountDatabase()
        let world = try AccessWorld(store: try database.store())
        try await world.add("ann")
        let session = try await world.session("ann")
        let other = try PostgresConnection.connect(database.configuration())
        defer { other.close() }
        try other.execute("BEGIN; LOCK TABLE tillbox_console.sessions IN EXCLUSIVE MODE")
        world.clock.advance(milliseconds: AccessLimits.noteMilliseconds)
        let read = try await Self.timed {
            await world.ask(.GET, "/api/v1/users", [session.cookie]).status
        }
        #expect(read.status == 200 && read.took < Self.most, "\(read)")
        let login = await world.post(
            "/login", ["name": "ann", "password": AccessWorld.password])
        #expect(login.status == 503, "\(login.text)")
        #expect(login.body.contains("end that, and try again"), "\(login.body)")
        try other.execute("ROLLBACK")
        #expect(try await world.session("ann").secret.isEmpty == false)
    }

    /// A store whose disk is full, as long as the test says so.
    private final class FullStore: AccountStore {
        private let inner: any AccountStore
        private let full = Mutex(false)

        init(_ inner: any AccountStore) { self.inner = inner }

        var isFull: Bool {
            get { full.withLock { $0 } }
            set { full.withLock { $0 = newValue } }
        }

        private func check() throws {
            guard !isFull else { throw AccountsFailure(description: "the disk is full") }
        }

        var trouble: String? { inner.trouble }
        var remedy: String { inner.remedy }
        var throttle: any LoginThrottling { inner.throttle }

        func read<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
            try inner.read(body)
        }

        func write<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
            try check()
            return try inner.write(body)
        }

        func writeAtOnce(_ body: (any AccountTables) throws -> Void) throws {
            try check()
            try inner.writeAtOnce(body)
        }

        func close() { inner.close() }

        func offerSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
            try inner.offerSetup(hash, at: now)
        }

        func knowsSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
            try inner.knowsSetup(hash, at: now)
        }

        func useSetup(
            _ hash: [UInt8], at now: Int64, _ body: (any AccountTables) throws -> Void
        ) throws -> Bool {
            try check()
            return try inner.useSetup(hash, at: now, body)
        }
    }

    @Test("a logout on a full disk ends the session, says how far, and is stored later")
    func logoutOnFullDisk() async throws {
        let folder = try TemporaryFolder()
        let store = FullStore(FolderAccounts(at: folder.file("accounts.sqlite")))
        let world = try AccessWorld(folder: folder, store: store)
        try await world.add("ann")
        let session = try await world.session("ann")
        let other = try await world.session("ann")
        func status(_ session: AccessSession) async -> Int {
            await world.ask(.GET, "/api/v1/users", [session.cookie]).status
        }
        store.isFull = true
        let out = await world.ask(.POST, "/logout", session.fields)
        #expect(out.status == 503, "\(out.text)")
        #expect(out.body.contains("You are signed out here"), "\(out.body)")
        #expect(out.body.contains("the disk is full"), "\(out.body)")
        #expect(out.field("Set-Cookie")?.contains("Max-Age=0") == true)
        #expect(await status(session) == 401)
        #expect(await status(other) == 200)
        #expect(try store.sessions(guest: nil, at: world.now).count == 2)
        store.isFull = false
        #expect(await world.ask(.POST, "/logout", other.fields).status == 303)
        #expect(try store.sessions(guest: nil, at: world.now).isEmpty)
        #expect(await status(session) == 401)
    }
}
