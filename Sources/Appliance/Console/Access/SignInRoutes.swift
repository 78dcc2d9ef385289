import Foundation
import HTTPTypes
import Hummingbird
import NIOHTTP1
import Vocabulary

/// How people come in and go, on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /login`, `POST /login` `name`, `password`, `code` | the form; 303 to `/` with a session |
/// | `POST /logout` | ends the session; 303 to `/login`, 503 where that cannot be stored |
/// | `GET /setup?code`, `POST /setup` `code`, `name`, `password` | makes the first account |
///
/// The posts are forms. What goes wrong is shown on the form again, with the problem's status.
package struct SignInRoutes: Sendable {
    let desk: AccessDesk
    let pages: any SignInPages

    package init(desk: AccessDesk, pages: any SignInPages) {
        self.desk = desk
        self.pages = pages
    }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/login", needs: nil) { _, _ in pages.login(problem: nil) }
        routes.post("/login", needs: nil) { request, context in
            let form = try await form(of: request)
            return try await shown(pages.login(problem:)) {
                Self.comingIn(
                    try await desk.signIn(
                        AccessDesk.Shown(
                            name: form["name"] ?? "", password: form["password"] ?? "",
                            code: form["code"] ?? "", former: Self.secret(of: request),
                            address: context.address)))
            }
        }
        routes.post("/logout", needs: .viewer, isSecret: true) { request, context in
            guard let secret = Self.secret(of: request) else {
                throw Problem(.badRequest, "only a session can be ended; a token is removed")
            }
            let unstored = try await desk.signOut(secret, context.caller, from: context.address)
            return unstored.map(goingUnstored) ?? Self.going
        }
        routes.get("/setup", needs: nil) { request, context in
            let code = request.parameter("code") ?? ""
            // A link that is good no more leads to where those sign in who have an account.
            return try await shown(pages.login(problem:)) {
                guard let guest = desk.guest else {
                    try await desk.checkSetup(code, from: context.address)
                    return pages.setup(code: code, problem: nil)
                }
                return Self.comingIn(
                    try await desk.letGuestIn(
                        code, guest, former: Self.secret(of: request), from: context.address))
            }
        }
        routes.post("/setup", needs: nil) { request, context in
            let form = try await form(of: request)
            let code = form["code"] ?? ""
            return try await shown({ pages.setup(code: code, problem: $0) }) {
                Self.comingIn(
                    try await desk.makeFirst(
                        code, name: form["name"] ?? "", password: form["password"] ?? "",
                        former: Self.secret(of: request), from: context.address))
            }
        }
    }

    /// A form that a page of this port sends: a stranger's page could sign somebody in to another
    /// account otherwise.
    private func form(of request: Request) async throws -> PostedForm {
        try AccessDesk.checkOrigin(Self.fields(request))
        let body = try await request.bytes(upTo: AccessLimits.bodyByteCountMax)
        guard let form = PostedForm(type: request.headers[.contentType], body: body) else {
            throw Problem(.unsupportedMediaType, "send the form as \(PostedForm.type)")
        }
        return form
    }

    /// What `body` answers; its problem on the page, with the problem's status.
    private func shown(
        _ page: (String?) -> Response, _ body: () async throws -> Response
    ) async throws -> Response {
        do {
            return try await body()
        } catch {
            let problem = Problem(of: error)
            var response = page(problem.detail)
            response.status = problem.status
            for (name, value) in problem.fields {
                if let name = HTTPField.Name(name) { response.headers[name] = value }
            }
            return response
        }
    }

    private static func fields(_ request: Request) -> HTTPHeaders {
        HTTPHeaders(request.headers.map { ($0.name.rawName, $0.value) })
    }

    private static func secret(of request: Request) -> String? {
        AccessDesk.cookie(of: fields(request))
    }

    /// The prefix `__Host-` keeps every other host and path from setting it.
    private static func cookie(_ secret: String, _ further: String = "") -> String {
        "\(AccessDesk.cookieName)=\(secret); Path=/; Secure; HttpOnly; SameSite=Strict" + further
    }

    private static func comingIn(_ secret: String) -> Response {
        Response(status: .seeOther, headers: [.location: "/", .setCookie: cookie(secret)])
    }

    /// The browser forgets the session, and whoever sits there reads how far it is over.
    private func goingUnstored(_ words: String) -> Response {
        var response = pages.login(problem: words)
        response.status = .serviceUnavailable
        response.headers[.setCookie] = Self.cookie("", "; Max-Age=0")
        return response
    }

    private static var going: Response {
        Response(
            status: .seeOther,
            headers: [.location: "/login", .setCookie: cookie("", "; Max-Age=0")])
    }
}
