import AppendLog
import Foundation
import LogSupport
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Requests about accounts")
struct AccountRequestTests {
    struct Refused: Sendable {
        var path: String
        var body: String
        var words: String
    }

    private static let password = "\"password\":\"\(AccessWorld.password)\""

    static let refused: [Refused] = [
        Refused(
            path: "users", body: #"{"name":"bob","role":"viewer",\#(password),"admin":true}"#,
            words: "there is no member admin here; there are: name, role, password"),
        Refused(
            path: "users", body: #"{"name":"bob","role":"viewer","role":"admin",\#(password)}"#,
            words: "role is given twice"),
        Refused(
            path: "users", body: #"{"name":7,"role":"viewer",\#(password)}"#,
            words: "name must be a text"),
        Refused(
            path: "users/ann", body: #"{"role":"viewer","disabled":"no"}"#,
            words: "disabled must be true or false"),
        Refused(path: "users/ann/password", body: "{\(password),\"role\":1}", words: "role"),
        Refused(path: "users/ann/totp", body: #"{"enable":true}"#, words: "enable "),
        Refused(
            path: "tokens", body: #"{"name":"ci","role":"viewer","expires":1}"#,
            words: "there is no member expires here"),
        Refused(
            path: "tokens", body: #"{"name":"ci","role":"viewer","expires_at":1.5}"#,
            words: "expires_at must be a whole number"),
        Refused(
            path: "password", body: #"{"current":"x",\#(password),"user":"ann"}"#, words: "user "),
        Refused(path: "users", body: "[]", words: "no JSON object"),
    ]

    @Test("what a route does not know is refused, and nothing is done", arguments: refused)
    func strict(row: Refused) async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let session = try await world.session("ann")
        let before = try world.store.users()
        let answer = await world.ask(
            .POST, "/api/v1/\(row.path)", session.fields, body: row.body)
        #expect(answer.status == 400, "\(answer.text)")
        #expect(answer.body.contains(row.words), "\(answer.body)")
        #expect(try world.store.users() == before)
        #expect(try world.store.tokens().isEmpty)
    }

    @Test("their descriptions say so", arguments: [
        "NewUser", "UserChange", "NewPassword", "OwnPassword", "CodesChange", "NewToken",
    ])
    func described(name: String) throws {
        let schema = try #require(DescribedSchemas.all.first { $0.0 == name }?.1)
        var writer = JSONWriter()
        schema.encode(into: &writer)
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(text.contains(#""additionalProperties":false"#), "\(text)")
    }

    @Test("the first account that is made over the port is an admin's, and the last stays one")
    func lockedOut() async throws {
        let world = try AccessWorld()
        let owner = [
            ("Authorization", "Bearer \(AccessWorld.folderToken)"),
            ("Content-Type", "application/json"),
        ]
        func make(_ name: String, _ role: String) async -> Int {
            await world.ask(
                .POST, "/api/v1/users", owner,
                body: #"{"name":"\#(name)","role":"\#(role)",\#(Self.password)}"#
            ).status
        }
        #expect(await make("bob", "viewer") == 409)
        #expect(try world.store.users().isEmpty)
        #expect(await make("ann", "admin") == 201)
        #expect(await make("bob", "viewer") == 201)
        func change(_ body: String) async -> Int {
            await world.ask(.POST, "/api/v1/users/ann", owner, body: body).status
        }
        #expect(await change(#"{"role":"reviewer"}"#) == 409)
        #expect(await change(#"{"disabled":true}"#) == 409)
        #expect(await world.ask(.DELETE, "/api/v1/users/ann", owner).status == 409)
        #expect(try world.store.user(named: "ann")?.role == .admin)
        #expect(await world.ask(.DELETE, "/api/v1/users/bob", owner).status == 204)
        #expect(
            try world.store.auditEntries(before: nil, limit: 9).map(\.detail).contains(
                "/api/v1/users 201 bob viewer"), "who was made is told, and no password")
    }

    @Test("where the command line left no admin, others can still be removed")
    func withoutAdmin() throws {
        let folder = try TemporaryFolder()
        let store = FolderAccounts(at: folder.file("accounts.sqlite"))
        try store.addUser("bob", role: .viewer, password: "", at: 1)
        try store.addUser("eve", role: .viewer, password: "", at: 1, keepsAdmin: true)
        try store.removeUser("bob", keepsAdmin: true)
        #expect(try store.users().map(\.name) == ["eve"])
    }
}
