import AppendLog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Vocabulary

/// Walks every route that the daemon has, so that none can be added that forgets to ask.
@Suite("Every route of the admin port", .serialized)
struct RouteWalkTests {
    /// The daemon's own routes behind accounts of the test's.
    private struct World {
        let daemon: Daemon
        let access: AccessWorld
        let responder: AdminResponder
        let rules: [AdminRoutes.Rule]

        init() throws {
            let folder = try TemporaryFolder()
            daemon = try StartFixture(folder.file("data")).start()
            access = try AccessWorld(folder: folder)
            let routes = daemon.adminRoutes(daemon.liveBoard())
            rules = routes.rules
            responder = AdminResponder(
                routes: routes, guards: AdminGuard(listensOn: "127.0.0.1"), access: access.desk,
                counters: Counters(), logger: PipelineFixture.quiet)
        }

        /// A name that nothing has stands where the route takes one.
        func ask(
            _ rule: AdminRoutes.Rule, _ fields: [(String, String)]
        ) async throws -> AccessAnswer {
            let path = rule.path.replacing(/:[a-z]+/, with: "nothing")
                .replacing("**", with: "nothing/at/all")
            let method = HTTPMethod(rawValue: rule.method)
            let type = ("Content-Type", "application/json")
            let isTyped = fields.contains { $0.0 == type.0 }
            return await responder.ask(
                method, path, fields + (isTyped ? [] : [type]),
                body: method == .GET ? "" : "{}")
        }
    }

    /// `/setup` wants its code, and `/login` and `/setup` their own form; who asks is all the same.
    private static let ownDoors: Set<String> = ["/login", "/setup"]

    @Test("asks who calls: nobody, each role by session and by token, and the folder's owner")
    func roles() async throws {
        let world = try World()
        #expect(world.rules.count > 25)
        var sessions: [Console.Role: AccessSession] = [:]
        var tokens: [Console.Role: String] = [:]
        for role in Console.Role.allCases {
            try await world.access.add(role.rawValue, role)
            tokens[role] = try world.access.store.addToken(
                role.rawValue, role: role, expires: nil, at: world.access.now)
        }
        for rule in world.rules where !Self.ownDoors.contains(rule.path) {
            let nobody = try await world.ask(rule, []).status
            #expect((nobody == 401) == (rule.needs != nil), "nobody, \(rule)")
            for role in Console.Role.allCases {
                // A route may end the session, or change the user, that asks it.
                if sessions[role] == nil || rule.path == "/logout" {
                    sessions[role] = try await world.access.session(role.rawValue)
                }
                let session = try #require(sessions[role])
                let token = try #require(tokens[role])
                let mayUse = rule.needs.map { role >= $0 } ?? true
                for fields in [session.fields, [("Authorization", "Bearer \(token)")]] {
                    let answer = try await world.ask(rule, fields)
                    #expect((answer.status == 403) == !mayUse, "\(role), \(rule): \(answer.text)")
                    #expect(answer.status != 401, "\(role), \(rule)")
                }
                if rule.path == "/logout" { sessions[role] = nil }
            }
            let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
            let answered = try await world.ask(rule, owner).status
            #expect(answered != 401 && answered != 403, "the folder's owner, \(rule)")
        }
    }

    @Test("takes a change by session only with the page's token and this port's Origin")
    func crossSite() async throws {
        let world = try World()
        try await world.access.add("ann")
        let session = try await world.access.session("ann")
        let other = try await world.access.session("ann")
        let origin = ("Origin", "http://localhost:9090")
        let token = ("X-CSRF-Token", session.token)
        let refused: [(String, [(String, String)])] = [
            ("no token", [session.cookie, origin]),
            ("an empty token", [session.cookie, origin, ("X-CSRF-Token", "")]),
            ("another session's", [session.cookie, origin, ("X-CSRF-Token", other.token)]),
            ("no Origin", [session.cookie, token]),
            ("a foreign Origin", [session.cookie, token, ("Origin", "http://evil.example")]),
            ("another port's", [session.cookie, token, ("Origin", "http://localhost:8080")]),
            ("a hidden one", [session.cookie, token, ("Origin", "null")]),
            ("another site's", [session.cookie, token, origin, ("Sec-Fetch-Site", "cross-site")]),
        ]
        var changes = 0
        for rule in world.rules
        where rule.method != "GET" && !Self.ownDoors.contains(rule.path) {
            changes += 1
            for (what, fields) in refused {
                let status = try await world.ask(rule, fields).status
                #expect(status == 403, "\(what), \(rule)")
            }
        }
        #expect(changes > 10)
        #expect(try world.access.store.users().map(\.name) == ["ann"])
        for rule in world.rules where rule.method == "GET" && rule.needs != nil {
            let status = try await world.ask(rule, [session.cookie]).status
            #expect(status != 401 && status != 403, "reading needs neither: \(rule)")
        }
        let change = AdminRoutes.Rule(method: "POST", path: "/api/v1/users", needs: .admin)
        #expect(try await world.ask(change, [session.cookie, origin, token]).status == 400)
    }

    @Test("every answer tells a browser what it may do with it, errors too")
    func fields() async throws {
        let world = try World()
        let asked: [(HTTPMethod, String, Int)] = [
            (.GET, "/healthz", 200), (.GET, "/api/v1/status", 401), (.GET, "/nowhere", 404),
            (.GET, "/login", 200), (.GET, "/setup?code=x", 403),
        ]
        for (method, path, status) in asked {
            let answer = await world.responder.ask(method, path)
            #expect(answer.status == status, "\(path)")
            #expect(
                answer.field("Content-Security-Policy") == """
                    default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'
                    """)
            #expect(answer.field("X-Content-Type-Options") == "nosniff")
            #expect(answer.field("Referrer-Policy") == "same-origin")
            #expect(answer.field("Cross-Origin-Opener-Policy") == "same-origin")
            #expect(answer.field("Cross-Origin-Resource-Policy") == "same-origin")
            #expect(answer.field("Cache-Control") == "no-store")
            #expect(answer.field("Strict-Transport-Security") == nil)
        }
        let secure = try AccessWorld(isSecure: true) { routes in
            routes.get("/asset", needs: nil) { _, _ in
                .init(status: .ok, headers: [.cacheControl: "max-age=60"])
            }
        }
        let asset = await secure.ask(.GET, "/asset")
        #expect(asset.field("Strict-Transport-Security")?.hasPrefix("max-age=") == true)
        #expect(asset.field("Cache-Control") == "max-age=60", "a route may say otherwise")
        #expect(asset.text.components(separatedBy: "Cache-Control").count == 2)
    }
}
