import Appliance
import Foundation
import HTTPTypes
package import Hummingbird
import NIOCore
import Vocabulary

/// The pages of the console, rendered here and served by the daemon itself.
///
/// | path | page |
/// | --- | --- |
/// | `/` | whether the money is right, and the pipeline |
/// | `/payments`, `/payments/{movement}` | search and filters; one payment's whole story |
/// | `/review`, `/review/{movement}` | what waits for a person, and one case |
/// | `/ledger…` | accounts, an account's entries, what waits, any amount down to its bytes |
/// | `/log…` | topics, their records, dead letters and redrives |
/// | `/reports…` | sums by day, runs of reconciliation and what they found |
/// | `/settings…` | accounts, tokens, endpoints, model, bridges, audit log (``SettingsPages``) |
/// | `/send`, `/send/{payment}` | sends a payment, where that is possible; what became of it |
/// | `/assets/…` | styles and scripts |
///
/// Every page works without a script: scripts add keys and the state of the connection.
package struct ConsolePages: SignInPages {
    let parts: ConsoleParts
    /// Pages read disk and database: they do so in a thread of their own.
    private let thread = OwnThread("tillbox.console.pages")

    package init(_ parts: ConsoleParts) { self.parts = parts }

    package func add(to routes: inout AdminRoutes) {
        routes.page(.get, "/assets/:name", needs: nil, telling: told) { _, context in
            guard let file = PageAssets.response(context.word("name")) else {
                throw Problem(.notFound, "no file of this name belongs to these pages")
            }
            return file
        }
        ReviewPages(pages: self).add(to: &routes)
        LedgerPages(pages: self).add(to: &routes)
        LogPages(pages: self).add(to: &routes)
        RecordPages(pages: self).add(to: &routes)
        ReportPages(pages: self).add(to: &routes)
        page(&routes, .get, "/", .viewer) { try OverviewPage(self).response($0) }
        PaymentPages(pages: self, sources: parts.payments).add(to: &routes)
        LetterPages(pages: self).add(to: &routes)
        if let sent = parts.sent { SendPages(pages: self, board: sent).add(to: &routes) }
        // The least of all matches: whatever is no path of the port. The router does not come back
        // from a first part that it knows, so that each of these has its own.
        let firsts = ["/**", "/payments/**", "/review/**", "/ledger/**", "/log/**", "/reports/**"]
        for path in firsts + (parts.sent == nil ? [] : ["/send/**"]) {
            routes.page(.get, path, needs: nil, telling: told) { [parts] request, _ in
                throw parts.absent.problem(at: request.uri.path)
            }
        }
    }

    /// Adds a page whose work is done in the pages' own thread.
    ///
    /// - Parameters:
    ///   - most: bytes that its form has at most.
    ///   - isSecret: whether its form must not be in the audit log.
    func page(
        _ routes: inout AdminRoutes, _ method: HTTPRequest.Method, _ path: String, _ role: Role,
        upTo most: Int = formByteCountMax, isSecret: Bool = false,
        _ body: @escaping @Sendable (PageRequest) async throws -> Response
    ) {
        routes.page(
            method, path, needs: role, isSecret: isSecret, telling: told
        ) { [thread] request, context in
            let form = method == .post ? try await Self.form(of: request, upTo: most) : nil
            let asked = PageRequest(request: request, context: context, form: form)
            return try await withTaskExecutorPreference(thread) { try await body(asked) }
        }
    }

    /// Bytes of a form: a note of the longest, each of its bytes escaped, and room.
    static let formByteCountMax = 16_384

    private static func form(
        of request: Request, upTo most: Int
    ) async throws(Problem) -> PostedForm {
        let type = request.headers[.contentType]
        guard
            let form = PostedForm(type: type, body: try await request.bytes(upTo: most))
        else { throw Problem(.unsupportedMediaType, "send the form as \(PostedForm.type)") }
        return form
    }

    // MARK: The frame

    /// The frame of a page for who asks, with how many reviews wait.
    func shell(_ title: String, _ at: Shell.Place, _ asked: PageRequest) -> Shell {
        let open = (try? parts.ledger.openReviews(after: TransactionID(0), limit: 100)) ?? []
        var shell = door(title)
        shell.at = at
        shell.now = "\(ShownMoment(parts.now).clock) UTC"
        shell.profile = parts.profile
        shell.sends = parts.sent != nil
        if let caller = asked.context.caller, case .session(let token) = caller.credential {
            shell.person = Shell.Person(
                name: ShownText.escaped(caller.name), role: caller.role.rawValue, csrf: token)
        }
        shell.token = asked.token
        if !open.isEmpty { shell.waiting = open.count == 100 ? "99+" : "\(open.count)" }
        return shell
    }

    /// Of a page of nobody.
    private func door(_ title: String) -> Shell {
        var shell = Self.shell(title)
        shell.isElsewhere = parts.log == nil
        return shell
    }

    /// The same of a refusal.
    private static func shell(_ title: String) -> Shell {
        Shell(
            title: title, at: .nowhere, now: "", token: "", profile: "", version: Release.version)
    }

    /// A page of a template.
    static func html<Page>(
        _ template: String, _ shell: Shell, _ page: Page, _ status: HTTPResponse.Status = .ok
    ) -> Response {
        let text = PageTemplates.render(template, PageView(shell: shell, page: page))
        return Response(
            status: status,
            headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Sends the browser on, by GET.
    static func sent(to path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path, .cacheControl: "no-store"])
    }

    // MARK: Doors

    private struct Login { var problem: String? }
    private struct Setup { var problem: String?, code: String }

    /// Where people sign in.
    ///
    /// - Parameter problem: why the last attempt failed, in a sentence; nil at the first.
    package func login(problem: String?) -> Response {
        Self.html(
            "login", door("Sign in"),
            Login(problem: problem.map { ShownText.escaped($0).sentence }))
    }

    /// Where the first user is made.
    ///
    /// - Parameter code: of the link that the daemon wrote; it goes back with the form.
    package func setup(code: String, problem: String?) -> Response {
        Self.html(
            "setup", door("The first user"),
            Setup(problem: problem.map { ShownText.escaped($0).sentence }, code: code))
    }

    /// A path of this console, or its first page: a link must not lead somewhere else.
    static func local(_ path: String) -> String {
        let isLocal =
            path.hasPrefix("/") && !path.hasPrefix("//") && !path.contains("\\")
            && ShownText.isPlain(path)
        return isLocal ? path : "/"
    }

    // MARK: Refusals

    private struct Refusal {
        var heading, detail: String
        var kept: String?
        var way, wayWords: String
        var status: Int
        var code: String?
    }

    /// A refusal or a failure: a page for a browser, a document for a program.
    var told: @Sendable (Problem, Request, AdminContext) -> Response {
        Self.told
    }

    static let told: @Sendable (Problem, Request, AdminContext) -> Response = {
        problem, request, context in
        let isBrowser = request.headers[.accept]?.contains("text/html") == true
        if !isBrowser || request.uri.path.hasPrefix("/api/") { return problem.response }
        // A person is shown where to sign in.
        if problem.status == .unauthorized { return Self.sent(to: "/login") }
        return Self.html(
            "problem", Self.shell(Self.heading(problem.status)), Self.refusal(problem, request),
            problem.status)
    }

    private static func refusal(_ problem: Problem, _ request: Request) -> Refusal {
        let isFailure = problem.status.code >= 500
        let here = request.method == .get ? local(request.uri.description) : "/"
        return Refusal(
            heading: heading(problem.status), detail: ShownText.escaped(problem.detail).sentence,
            kept: isFailure ? "Nothing is lost; what Stripe sends is still taken." : nil,
            way: isFailure ? here : "/", wayWords: isFailure
                ? "Try again" : "To the overview",
            status: problem.status.code, code: problem.code)
    }

    private static func heading(_ status: HTTPResponse.Status) -> String {
        switch status {
        case .notFound: "There is no such page"
        case .forbidden: "Not with your role"
        case .serviceUnavailable: "This cannot be read now"
        case _ where status.code >= 500: "The page could not be made"
        default: "This was not understood"
        }
    }
}

/// What a page is asked: the request, who asks, and the form that came with it.
struct PageRequest: Sendable {
    let request: Request
    let context: AdminContext
    let form: PostedForm?

    /// A part of the query; nil where it is missing or empty.
    func query(_ name: String) -> String? {
        request.parameter(name).map { $0.replacing("+", with: " ") }
            .flatMap { $0.isEmpty ? nil : $0 }
    }

    var role: Role { context.caller?.role ?? .viewer }

    /// What a form of the caller's session must carry; empty where there is none to check.
    var token: String {
        if case .session(let token)? = context.caller?.credential { token } else { "" }
    }
}

/// Words within an address.
enum PathText {
    private static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:")

    /// One part of a path, or a value of a query, whatever characters it has.
    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}
