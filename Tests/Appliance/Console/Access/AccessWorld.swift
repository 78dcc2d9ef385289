import AppendLog
import Bridges
import Foundation
import LogSupport
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// An admin port without a socket: its accounts in a folder, its clock in the test's hand.
struct AccessWorld {
    static let folderToken = "folder-token"
    static let password = "correct horse battery"

    let folder: TemporaryFolder
    let clock: ManualLogClock
    let store: any AccountStore
    let desk: AccessDesk
    let responder: AdminResponder
    let rules: [AdminRoutes.Rule]

    /// - Parameters:
    ///   - store: where its accounts are; nil for a file of the folder.
    ///   - cost: of passwords; cheap, where time is not what is tested.
    ///   - proxyCount: of trusted proxies before the port.
    ///   - streamLook: between two looks at who reads a stream.
    ///   - further: routes beside those of the accounts.
    init(
        folder: TemporaryFolder? = nil, store: (any AccountStore)? = nil,
        letsGuestsIn: Bool = false, logN: Int = 4,
        isSecure: Bool = false, proxyCount: Int = 1, clock: ManualLogClock = ManualLogClock(),
        streamLook: Duration = .seconds(AccessLimits.streamLookSeconds),
        _ further: (inout AdminRoutes) -> Void = { _ in }
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        self.clock = clock
        self.store = store ?? FolderAccounts(at: folder.file("accounts.sqlite"))
        desk = AccessDesk(
            store: self.store, folderToken: Self.folderToken, letsGuestsIn: letsGuestsIn,
            clock: clock,
            passwords: PasswordDesk(cost: try #require(Scrypt.Cost(logN: logN, r: 8, p: 1))),
            logger: PipelineFixture.quiet)
        var routes = AdminRoutes()
        SignInRoutes(desk: desk, pages: PlainSignInPages()).add(to: &routes)
        AccountRoutes(desk: desk).add(to: &routes)
        further(&routes)
        rules = routes.rules
        responder = AdminResponder(
            routes: routes, guards: AdminGuard(listensOn: "127.0.0.1"), access: desk,
            isSecure: isSecure, proxyCount: proxyCount, streamLook: streamLook,
            counters: Counters(), logger: PipelineFixture.quiet)
    }

    var now: Int64 { clock.now().milliseconds }

    /// Makes a user with the usual password.
    func add(_ name: String, _ role: Console.Role = .admin) async throws {
        let hash = try await desk.passwords.hash(try Password(new: Self.password))
        try store.addUser(name, role: role, password: hash, at: now)
    }

    func ask(
        _ method: HTTPMethod, _ path: String, _ fields: [(String, String)] = [],
        body: String = "", from address: String = "10.0.0.1"
    ) async -> AccessAnswer {
        await responder.ask(
            method, path, [("X-Forwarded-For", address)] + fields, body: body)
    }

    /// Posts a form as this port's page does.
    func post(
        _ path: String, _ form: [String: String], _ fields: [(String, String)] = [],
        from address: String = "10.0.0.1"
    ) async -> AccessAnswer {
        let letters = CharacterSet.alphanumerics
        let pairs = form.map { name, value in
            "\(name)=" + (value.addingPercentEncoding(withAllowedCharacters: letters) ?? "")
        }
        let own = [("Origin", "http://localhost:9090"), ("Content-Type", PostedForm.type)]
        return await ask(
            .POST, path, own + fields, body: pairs.joined(separator: "&"), from: address)
    }

    /// Has as many people use one setup code at one moment, each at one of the worlds.
    ///
    /// - Returns: how many got an account.
    static func makeFirst(at worlds: [AccessWorld], by code: String) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for (number, world) in worlds.enumerated() {
                group.addTask {
                    await world.post(
                        "/setup",
                        ["code": code, "name": "u\(number)", "password": Self.password]
                    ).status
                }
            }
            return await group.reduce(into: 0) { $0 += $1 == 303 ? 1 : 0 }
        }
    }

    /// Signs a user in.
    func session(
        _ name: String, password: String = Self.password, code: String = ""
    ) async throws -> AccessSession {
        let answer = await post(
            "/login", ["name": name, "password": password, "code": code])
        return try #require(answer.session, "\(answer.text)")
    }
}

/// What a browser keeps.
struct AccessSession {
    var secret: String

    var cookie: (String, String) { ("Cookie", "a=b; \(AccessDesk.cookieName)=\(secret)") }
    var token: String { AccessDesk.csrfToken(of: secret) }

    /// What a page's own request has.
    var fields: [(String, String)] {
        [
            cookie, ("X-CSRF-Token", token), ("Origin", "http://localhost:9090"),
            ("Content-Type", "application/json"),
        ]
    }
}

/// An answer as it goes over the wire.
struct AccessAnswer {
    var text: String

    var status: Int { Int(text.dropFirst(9).prefix(3)) ?? 0 }
    var body: String {
        text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
    }

    func field(_ name: String) -> String? {
        text.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }

    var session: AccessSession? {
        guard let cookie = field("Set-Cookie"),
            let secret = cookie.split(separator: ";").first?.split(separator: "=").last
        else { return nil }
        return AccessSession(secret: String(secret))
    }
}

/// What requests come on, from whichever thread. It has no addresses.
private let accessChannel = NIOAsyncTestingChannel()

extension AdminResponder {
    /// Asks as a port would. An answer that is a stream ends behind its head.
    func ask(
        _ method: HTTPMethod, _ path: String, _ fields: [(String, String)] = [],
        body: String = ""
    ) async -> AccessAnswer {
        let response = await response(method, path, fields, body: body)
        response.stream?.close()
        var buffer = ByteBuffer()
        response.write(into: &buffer, withBody: true, isKeepAlive: true, self.fields)
        return AccessAnswer(text: String(buffer: buffer))
    }

    /// The answer as a port gets it: where it has a stream, somebody must open or close that.
    func response(
        _ method: HTTPMethod, _ path: String, _ fields: [(String, String)] = [],
        body: String = ""
    ) async -> PortResponse {
        var request = PortRequest(
            method: method, uri: path,
            headers: HTTPHeaders([("Host", "localhost:9090")] + fields),
            channel: accessChannel)
        request.body = Array(body.utf8)
        return await withCheckedContinuation { continuation in
            respond(to: request) { continuation.resume(returning: $0) }
        }
    }
}
