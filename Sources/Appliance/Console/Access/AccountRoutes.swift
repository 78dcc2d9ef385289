import AppendLog
import HTTPTypes
import Hummingbird
import Vocabulary

/// Users, tokens, sessions and the audit log on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/users` | who may sign in |
/// | `POST /api/v1/users` `{"name","role","password"}` | 201, the user |
/// | `POST /api/v1/users/{name}` `{"role","disabled"}` | 200, the user as it then is |
/// | `POST /api/v1/users/{name}/password` `{"password"}` | 204; their sessions end |
/// | `POST /api/v1/users/{name}/totp` `{"enabled"}` | 200, the new secret; or none |
/// | `DELETE /api/v1/users/{name}` | 204; their sessions end |
/// | `GET /api/v1/tokens` | tokens, without what is shown |
/// | `POST /api/v1/tokens` `{"name","role","expires_at"}` | 201, with the token, this once |
/// | `DELETE /api/v1/tokens/{name}` | 204 |
/// | `GET /api/v1/sessions` | who is signed in |
/// | `DELETE /api/v1/sessions/{id}` | 204 |
/// | `POST /api/v1/password` `{"current","password"}` | 204; the caller's sessions end |
/// | `GET /api/v1/audit?limit&after` | the audit log, newest first |
///
/// All but the password of one's own are an admin's. Times are milliseconds since 1970. A change
/// says `Content-Type: application/json`; the last admin is not taken away (409).
package struct AccountRoutes: Sendable {
    let desk: AccessDesk

    package init(desk: AccessDesk) { self.desk = desk }

    private static let limitMax = 1000

    package func add(to routes: inout AdminRoutes) {
        addUsers(to: &routes)
        addOneUser(to: &routes)
        addPasswords(to: &routes)
        addTokens(to: &routes)
        addSessions(to: &routes)
        routes.get("/api/v1/audit", needs: .admin) { request, _ in try await audit(request) }
    }

    // MARK: Users

    private func addUsers(to routes: inout AdminRoutes) {
        routes.get("/api/v1/users", needs: .admin) { _, _ in
            let users = try await desk.run { try $0.users() }
            return Response.jsonObject(.ok) { writer in
                writer.list("users", users) { $1.encode(into: &$0) }
            }
        }
        routes.post("/api/v1/users", needs: .admin, isSecret: true) { request, context in
            try await answering {
                let asked = try await AccountRequest(request, of: ["name", "role", "password"])
                let (name, role) = (try asked.text("name"), try asked.role())
                context.remark("\(name) \(role.rawValue)")
                try await desk.addUser(name, role, password: try asked.text("password"))
                return try await user(name, .created)
            }
        }
    }

    private func addOneUser(to routes: inout AdminRoutes) {
        routes.post("/api/v1/users/:name", needs: .admin) { request, context in
            try await answering {
                let asked = try await AccountRequest(request, of: ["role", "disabled"])
                let (name, now) = (context.word("name"), desk.now)
                let (role, isDisabled) = (try asked.roleIfAny(), asked.isDisabled)
                guard role != nil || isDisabled != nil else {
                    throw Problem(.badRequest, "say a role, or whether it is disabled")
                }
                try await desk.change { store in
                    if let role { try store.setRole(role, of: name, keepsAdmin: true) }
                    if let isDisabled {
                        try store.setDisabled(isDisabled ? now : nil, of: name, keepsAdmin: true)
                    }
                }
                return try await user(name, .ok)
            }
        }
        routes.on(.delete, "/api/v1/users/:name", needs: .admin) { _, context in
            try await answering {
                let name = context.word("name")
                try await desk.change { try $0.removeUser(name, keepsAdmin: true) }
                return Response(status: .noContent)
            }
        }
    }

    private func addPasswords(to routes: inout AdminRoutes) {
        routes.post(
            "/api/v1/users/:name/password", needs: .admin, isSecret: true
        ) { request, context in
            try await answering {
                let asked = try await AccountRequest(request, of: ["password"])
                try await desk.setPassword(
                    try asked.text("password"), of: context.word("name"), dropsCodes: true)
                return Response(status: .noContent)
            }
        }
        routes.post("/api/v1/users/:name/totp", needs: .admin) { request, context in
            try await answering {
                let asked = try await AccountRequest(request, of: ["enabled"])
                let name = context.word("name")
                let secret = asked.isEnabled == false ? nil : OneTimeCode.secret()
                try await desk.change { try $0.setCodeSecret(secret, of: name) }
                return Response.jsonObject(.ok) { writer in
                    writer.member("name", name)
                    writer.member("totp", secret != nil)
                    writer.member("secret", secret.map { OneTimeCode.text(of: $0) })
                    writer.member("uri", secret.map { OneTimeCode.address(of: $0, user: name) })
                }
            }
        }
        routes.post("/api/v1/password", needs: .viewer, isSecret: true) { request, context in
            try await answering {
                let asked = try await AccountRequest(request, of: ["current", "password"])
                try await desk.setOwnPassword(
                    try asked.text("password"), knowing: try asked.text("current"),
                    context.caller, from: context.address)
                return Response(status: .noContent)
            }
        }
    }

    private func user(_ name: String, _ status: HTTPResponse.Status) async throws -> Response {
        guard let user = try await desk.run({ try $0.user(named: name) }) else {
            throw AccountRefusal.unknown(name)
        }
        return Response.json(status) { user.encode(into: &$0) }
    }

    // MARK: Tokens

    private func addTokens(to routes: inout AdminRoutes) {
        routes.get("/api/v1/tokens", needs: .admin) { _, _ in
            let tokens = try await desk.run { try $0.tokens() }
            return Response.jsonObject(.ok) { writer in
                writer.list("tokens", tokens) { writer, token in
                    writer.object { token.encode(into: &$0) }
                }
            }
        }
        routes.post("/api/v1/tokens", needs: .admin) { request, _ in
            try await answering {
                let asked = try await AccountRequest(request, of: ["name", "role", "expires_at"])
                let (name, role) = (try asked.text("name"), try asked.role())
                let (expires, now) = (try asked.expires(after: desk.now), desk.now)
                let token = try await desk.change {
                    try $0.addToken(name, role: role, expires: expires, at: now)
                }
                let made = try await desk.run { try $0.tokens() }.first { $0.name == name }
                return Response.jsonObject(.created) { writer in
                    made?.encode(into: &writer)
                    writer.member("token", token)
                }
            }
        }
        routes.on(.delete, "/api/v1/tokens/:name", needs: .admin) { _, context in
            try await answering {
                let name = context.word("name")
                try await desk.change { try $0.removeToken(name) }
                return Response(status: .noContent)
            }
        }
    }

    // MARK: Sessions and the audit log

    private func addSessions(to routes: inout AdminRoutes) {
        routes.get("/api/v1/sessions", needs: .admin) { _, _ in
            let now = desk.now
            let sessions = try await desk.run { [guest = desk.guest] in
                try $0.sessions(guest: guest, at: now)
            }
            return Response.jsonObject(.ok) { writer in
                writer.list("sessions", sessions) { $1.encode(into: &$0) }
            }
        }
        routes.on(.delete, "/api/v1/sessions/:id", needs: .admin) { _, context in
            let id = context.word("id")
            guard try await desk.change({ try $0.endSession(id: id) }) else {
                throw Problem(.notFound, "there is no session \(id.prefix(40))")
            }
            return Response(status: .noContent)
        }
    }

    /// The first page follows the whole chain, so that nobody reads on who reads what was changed.
    private func audit(_ request: Request) async throws -> Response {
        let limit = try request.limit(upTo: Self.limitMax)
        let before = try request.after(QueryNumber.row)
        let (entries, found) = try await desk.run { store in
            var found: AuditBreak?
            if before == nil {
                do { _ = try store.verifyAudit() } catch let fault as AuditBreak { found = fault }
            }
            return (try store.auditEntries(before: before, limit: limit), found)
        }
        return Response.jsonObject(.ok) { writer in
            writer.list("audit", entries) { $1.encode(into: &$0) }
            writer.member("next", entries.count == limit ? entries.last.map { "\($0.seq)" } : nil)
            writer.member("broken_at", found?.seq)
        }
    }

    private func answering(_ body: () async throws -> Response) async throws -> Response {
        do {
            return try await body()
        } catch let refusal as AccountRefusal {
            throw Problem(refusal)
        }
    }
}

/// The JSON of a request about accounts.
///
/// A member that the route does not have is refused, and so is one that is there twice or is of
/// another type: whoever misspells one would take it for done.
private struct AccountRequest {
    private var texts: [String: String] = [:]
    private(set) var isDisabled: Bool?
    private(set) var isEnabled: Bool?
    private var expiresAt: Int64?

    /// - Parameter members: those that the route has.
    init(_ request: Request, of members: [String]) async throws {
        try request.checkIsJSON()
        let body = try await request.bytes(upTo: AccessLimits.bodyByteCountMax)
        let document = JSONDocument(bytesMax: max(body.count, 1))
        try withExtendedLifetime(document) {
            for (key, value) in try Self.members(of: body, using: document) {
                let name = key.string ?? ""
                guard members.contains(name) else {
                    throw Problem(
                        .badRequest, "there is no member \(name.prefix(40)) here; there are: "
                            + members.joined(separator: ", "))
                }
                try take(value, as: name)
            }
        }
    }

    private static func members(
        of body: [UInt8], using document: JSONDocument
    ) throws(Problem) -> JSONMembers {
        do throws(RecordCodecError) {
            if let members = try document.request(body).object { return members }
        } catch {
            if case .repeated(let name) = error {
                throw Problem(.badRequest, "\(name.prefix(40)) is given twice; give it once")
            }
        }
        throw Problem(.badRequest, "the body is no JSON object of this route")
    }

    private mutating func take(_ value: JSONValue, as name: String) throws(Problem) {
        func found<Value>(_ value: Value?, _ type: String) throws(Problem) -> Value {
            guard let value else { throw Problem(.badRequest, "\(name) must be \(type)") }
            return value
        }
        switch name {
        case "disabled": isDisabled = try found(value.bool, "true or false")
        case "enabled": isEnabled = try found(value.bool, "true or false")
        case "expires_at": expiresAt = try found(value.int64, "a whole number")
        default: texts[name] = try found(value.string, "a text")
        }
    }

    func text(_ name: String) throws(Problem) -> String {
        guard let text = texts[name] else {
            throw Problem(.badRequest, "\(name) is missing, or is no text")
        }
        return text
    }

    func roleIfAny() throws(Problem) -> Role? {
        guard let text = texts["role"] else { return nil }
        guard let role = Role(rawValue: text) else {
            throw Problem(
                .badRequest,
                "role is one of " + Role.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return role
    }

    func role() throws(Problem) -> Role {
        guard let role = try roleIfAny() else { throw Problem(.badRequest, "role is missing") }
        return role
    }

    func expires(after now: Int64) throws(Problem) -> Int64? {
        guard let expiresAt else { return nil }
        guard expiresAt > now else {
            throw Problem(.badRequest, "expires_at is milliseconds since 1970, in the future")
        }
        return expiresAt
    }
}

extension UserAccount {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", name)
            writer.member("role", role.rawValue)
            writer.member("totp", hasCodes)
            writer.member("created_at", created)
            writer.member("disabled_at", disabled)
        }
    }
}

extension TokenAccount {
    /// The members alone: a new token has one more.
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("name", name)
        writer.member("role", role.rawValue)
        writer.member("created_at", created)
        writer.member("expires_at", expires)
        writer.member("last_used_at", lastUsed)
    }
}

extension SessionAccount {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("name", name)
            writer.member("role", role.rawValue)
            writer.member("created_at", created)
            writer.member("last_seen_at", lastSeen)
        }
    }
}

extension AuditEntry {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("seq", seq)
            writer.member("at", at)
            writer.member("who", who)
            writer.member("what", what)
            writer.member("from", place)
            writer.member("detail", detail)
            writer.member("hash", String(hex: hash))
        }
    }
}
