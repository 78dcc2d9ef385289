import AppendLog
import Foundation
import Hummingbird
import HummingbirdCore
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Sessions of the console")
struct SessionTests {
    private static func status(_ world: AccessWorld, _ session: AccessSession) async -> Int {
        await world.ask(.GET, "/api/v1/users", [session.cookie]).status
    }

    @Test("the cookie is this host's alone, and no script's or other page's")
    func cookie() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let answer = await world.post(
            "/login", ["name": "ann", "password": AccessWorld.password])
        #expect(answer.status == 303)
        #expect(answer.field("Location") == "/")
        let cookie = try #require(answer.field("Set-Cookie"))
        #expect(cookie.hasPrefix("__Host-tillbox="))
        for word in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
            #expect(cookie.contains(word))
        }
        #expect(!cookie.contains("Domain"))
        let secret = try #require(answer.session).secret
        let kept = try Data(contentsOf: URL(filePath: world.folder.file("accounts.sqlite")))
        #expect(kept.firstRange(of: Data(secret.utf8)) == nil, "only its hash is kept")
    }

    @Test("a login makes a new session, and ends the one that the browser had")
    func rotated() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let first = try await world.session("ann")
        let again = await world.post(
            "/login", ["name": "ann", "password": AccessWorld.password], [first.cookie])
        let second = try #require(again.session)
        #expect(second.secret != first.secret)
        #expect(await Self.status(world, first) == 401)
        #expect(await Self.status(world, second) == 200)
    }

    @Test("a session ends when it idles for half an hour")
    func idle() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        for _ in 0..<4 {
            world.clock.advance(milliseconds: AccessLimits.idleMilliseconds - 1)
            #expect(await Self.status(world, session) == 200, "used, it goes on")
        }
        world.clock.advance(milliseconds: AccessLimits.idleMilliseconds)
        #expect(await Self.status(world, session) == 401)
    }

    @Test("a session ends after twelve hours, however much it is used")
    func absolute() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        let step = AccessLimits.idleMilliseconds / 2
        for _ in 1..<(AccessLimits.sessionMilliseconds / step) {
            world.clock.advance(milliseconds: step)
            #expect(await Self.status(world, session) == 200)
        }
        world.clock.advance(milliseconds: step)
        #expect(await Self.status(world, session) == 401)
    }

    @Test("a clock that was far ahead leaves no session that lives longer")
    func clockSetBack() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        world.clock.advance(milliseconds: -AccessLimits.sessionMilliseconds)
        #expect(await Self.status(world, session) == 401)
    }

    @Test("who signs out is out on the server too")
    func signedOut() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        let answer = await world.post("/logout", ["csrf": session.token], [session.cookie])
        #expect(answer.status == 303)
        #expect(answer.field("Set-Cookie")?.contains("Max-Age=0") == true)
        #expect(await Self.status(world, session) == 401)
    }

    @Test(
        "another password, a switch-off or a removal ends all sessions of that user alone",
        arguments: AccountPlace.allCases)
    func ended(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        for name in ["ann", "bob"] { try await world.add(name) }
        let other = try await world.session("bob")
        let ways: [(any AccountStore) throws -> Void] = [
            { try $0.setPassword("scrypt$", of: "ann", dropsCodes: false) },
            { try $0.setDisabled(1, of: "ann", keepsAdmin: false) },
            { try $0.removeUser("ann", keepsAdmin: false) },
        ]
        for way in ways {
            try? world.store.removeUser("ann", keepsAdmin: false)
            try await world.add("ann")
            let sessions = [try await world.session("ann"), try await world.session("ann")]
            for session in sessions { #expect(await Self.status(world, session) == 200) }
            try way(world.store)
            for session in sessions { #expect(await Self.status(world, session) == 401) }
        }
        #expect(await Self.status(world, other) == 200)
    }

    @Test(
        "one user has only so many sessions; the oldest gives way",
        arguments: AccountPlace.allCases)
    func bounded(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        try await world.add("ann")
        let first = try await world.session("ann")
        for _ in 0..<AccessLimits.sessionsPerUserMax {
            world.clock.advance(milliseconds: 1)
            _ = try await world.session("ann")
        }
        #expect(await Self.status(world, first) == 401)
        let sessions = try world.store.sessions(guest: nil, at: world.now)
        #expect(sessions.count == AccessLimits.sessionsPerUserMax)
        #expect(sessions.map(\.created) == sessions.map(\.created).sorted(by: >))
    }

    @Test("a person who follows an address is sent to the login, a program is told")
    func redirected() async throws {
        let world = try AccessWorld { routes in
            routes.get("/payments", needs: .viewer) { _, _ in .init(status: .ok) }
        }
        let person = await world.ask(.GET, "/payments", [("Accept", "text/html,*/*")])
        #expect(person.status == 303)
        #expect(person.field("Location") == "/login")
        let program = await world.ask(.GET, "/payments")
        #expect(program.status == 401)
        #expect(program.field("WWW-Authenticate") == "Bearer")
    }
}
