import AppendLog
import Foundation
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("The setup link")
struct SetupLinkTests {
    private static func code(_ world: AccessWorld) throws -> String {
        let path = try #require(world.desk.setupPath)
        #expect(path.hasPrefix("/setup?code="))
        return String(path.dropFirst("/setup?code=".count))
    }

    @Test("it makes the first admin, once", arguments: AccountPlace.allCases)
    func once(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        let code = try Self.code(world)
        let page = await world.ask(.GET, "/setup?code=\(code)")
        #expect(page.status == 200)
        #expect(page.body.contains(code))
        let form = ["code": code, "name": "ann", "password": AccessWorld.password]
        let short = await world.post("/setup", form.merging(["password": "short"]) { $1 })
        #expect(short.status == 400, "which leaves the link good")
        let made = await world.post("/setup", form)
        #expect(made.status == 303)
        let session = try #require(made.session)
        #expect(await world.ask(.GET, "/api/v1/users", [session.cookie]).status == 200)
        #expect(try world.store.users().map(\.role) == [.admin])
        #expect(await world.post("/setup", form.merging(["name": "bob"]) { $1 }).status == 403)
        let late = await world.ask(.GET, "/setup?code=\(code)")
        #expect(late.status == 403)
        #expect(late.body.contains("this link was used"), "told on the page to sign in")
        #expect(try world.store.users().count == 1)
    }

    @Test("of many at once one makes an account", arguments: AccountPlace.allCases)
    func race(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        let code = try Self.code(world)
        let made = await AccessWorld.makeFirst(
            at: Array(repeating: world, count: 8), by: code)
        #expect(made == 1)
        #expect(try world.store.users().count == 1)
    }

    @Test(
        "a wrong code lets nobody in, and guessing is throttled",
        arguments: AccountPlace.allCases)
    func guessed(place: AccountPlace) async throws {
        let world = try AccessWorld(place)
        var statuses: [Int] = []
        for number in 0..<12 {
            statuses.append(
                await world.post(
                    "/setup",
                    ["code": "guess\(number)", "name": "eve", "password": AccessWorld.password]
                ).status)
        }
        #expect(Set(statuses) == [403, 429])
        #expect(try world.store.users().isEmpty)
    }

    @Test("each start without an account has another one, and none where there is one")
    func anew() async throws {
        let first = try AccessWorld()
        let code = try Self.code(first)
        let second = try AccessWorld(folder: first.folder)
        #expect(try Self.code(second) != code)
        #expect(await second.ask(.GET, "/setup?code=\(code)").status == 403)
        try await second.add("ann")
        #expect(await second.ask(.GET, "/setup?code=\(try Self.code(second))").status == 200)
        let made = await second.post(
            "/setup",
            ["code": try Self.code(second), "name": "bob", "password": AccessWorld.password])
        #expect(made.status == 409, "an account that was made meanwhile is the first")
        #expect(try AccessWorld(folder: first.folder).desk.setupPath == nil)
    }

    @Test("in the profile dev it signs in without an account, once, until there is one")
    func guest() async throws {
        let world = try AccessWorld(letsGuestsIn: true)
        let code = try Self.code(world)
        let answer = await world.ask(.GET, "/setup?code=\(code)")
        #expect(answer.status == 303)
        let session = try #require(answer.session)
        #expect(await world.ask(.GET, "/api/v1/users", [session.cookie]).status == 200)
        #expect(await world.ask(.GET, "/setup?code=\(code)").status == 403)
        #expect(try world.store.users().isEmpty)
        let again = try AccessWorld(folder: world.folder, letsGuestsIn: true)
        #expect(
            await again.ask(.GET, "/api/v1/users", [session.cookie]).status == 200,
            "a restart ends no session")
        try await again.add("ann")
        #expect(await again.ask(.GET, "/api/v1/users", [session.cookie]).status == 401)
    }

    @Test("a guest of the profile dev is nobody in another")
    func guestElsewhere() async throws {
        let world = try AccessWorld(letsGuestsIn: true)
        let answer = await world.ask(.GET, "/setup?code=\(try Self.code(world))")
        let session = try #require(answer.session)
        let edge = try AccessWorld(folder: world.folder)
        #expect(await edge.ask(.GET, "/api/v1/users", [session.cookie]).status == 401)
    }
}
