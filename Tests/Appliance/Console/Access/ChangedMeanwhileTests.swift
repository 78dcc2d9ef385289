import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Console
@testable import Vocabulary

/// A password is worked on for a while, in which the account may be changed, removed, or another's.
@Suite("Accounts that change while somebody comes in", .serialized)
struct ChangedMeanwhileTests {
    private static let change: [(String, @Sendable (any AccountStore) throws -> Void)] = [
        ("password", { try $0.setPassword("another hash", of: "eve", dropsCodes: false) }),
        ("codes", { try $0.setCodeSecret([1, 2, 3], of: "eve") }),
        ("disabled", { try $0.setDisabled(1, of: "eve", keepsAdmin: false) }),
        ("removed", { try $0.removeUser("eve", keepsAdmin: false) }),
        (
            "another one of that number",
            {
                try $0.removeUser("eve", keepsAdmin: false)
                try $0.addUser("boss", role: .admin, password: "hash of the boss", at: 2)
            }
        ),
        (
            "another one of that name",
            {
                try $0.removeUser("eve", keepsAdmin: false)
                try $0.addUser("eve", role: .admin, password: "another hash", at: 2)
            }
        ),
    ]

    @Test("nobody has a session of an account that was changed, and changes nothing of it",
        arguments: 0..<change.count)
    func changed(_ number: Int) async throws {
        let (what, change) = Self.change[number]
        let world = try AccessWorld()
        try await world.add("ann")
        try await world.add("eve", .viewer)
        let read = try #require(try world.store.user(named: "eve"))
        try change(world.store)
        let after = try world.store.users()
        #expect(try await world.desk.begin(for: read, insteadOf: nil) == nil, "\(what)")
        #expect(try world.store.sessions(guest: nil, at: world.now).isEmpty, "\(what)")
        #expect(throws: AccountRefusal.changed("eve")) {
            try world.store.setPassword("mine", of: "eve", dropsCodes: false, knowing: read)
        }
        #expect(throws: AccountRefusal.changed("eve")) {
            try world.store.setCodeSecret(nil, of: "eve", knowing: read)
        }
        #expect(try world.store.users() == after, "\(what)")
    }

    @Test("another role and another's changes keep nobody from coming in")
    func others() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        try await world.add("eve", .viewer)
        let read = try #require(try world.store.user(named: "eve"))
        try world.store.setRole(.reviewer, of: "eve", keepsAdmin: false)
        try world.store.setPassword("another hash", of: "ann", dropsCodes: false)
        #expect(try await world.desk.begin(for: read, insteadOf: nil) != nil)
        let sessions = try world.store.sessions(guest: nil, at: world.now)
        #expect(sessions.map(\.name) == ["eve"] && sessions.map(\.role) == [.reviewer])
        try world.store.setPassword("mine", of: "eve", dropsCodes: false, knowing: read)
        #expect(try world.store.user(named: "eve")?.password == "mine")
    }

    @Test("of logins with the old password while it is changed none leaves a session")
    func logins() async throws {
        // Dear enough that the change comes in the middle of them.
        let world = try AccessWorld(logN: 14)
        try await world.add("ann")
        try await world.add("eve", .viewer)
        let change = Task {
            await world.ask(
                .POST, "/api/v1/users/eve/password",
                [
                    ("Authorization", "Bearer \(AccessWorld.folderToken)"),
                    ("Content-Type", "application/json"),
                ], body: #"{"password":"another password!"}"#
            ).status
        }
        let statuses = await withTaskGroup(of: Int.self) { group in
            for number in 0..<4 {
                group.addTask {
                    await world.post(
                        "/login", ["name": "eve", "password": AccessWorld.password],
                        from: "10.7.0.\(number)").status
                }
            }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(await change.value == 204)
        #expect(statuses.isSubset(of: [303, 401, 503]))
        #expect(try world.store.sessions(guest: nil, at: world.now).isEmpty)
    }
}
