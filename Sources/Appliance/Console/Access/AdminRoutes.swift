import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import Synchronization
import Vocabulary

/// What a route of the admin port knows of its request beside the request itself.
package struct AdminContext: RequestContext {
    package typealias Source = AdminContextSource

    package var coreContext: CoreRequestContextStorage
    /// nil for who has not shown who they are; only open routes see that.
    package let caller: Caller?
    /// Why it cannot be known who asks: the accounts cannot be read. Only open routes answer then.
    let refusal: Problem?
    /// The address that the request came from; nil where the system does not tell it.
    package let address: String?
    /// Where changes are noted; nil where there is no audit log.
    let audit: AuditLog?
    /// The request's body, for the audit log.
    let sent: [UInt8]
    private let remarks = AuditRemark()

    package init(source: AdminContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        caller = source.caller
        refusal = source.refusal
        address = source.address
        audit = source.audit
        sent = source.sent
    }

    /// What the audit log is to say of the request beside its path, where its body is secret or
    /// does not tell it; never a secret. The last one counts.
    func remark(_ words: String) { remarks.text.withLock { $0 = words } }

    fileprivate var remarked: String? { remarks.text.withLock { $0 } }

    /// A part of the path that the route names, with its percent signs decoded.
    func word(_ name: String) -> String {
        let text = parameters.get(name) ?? ""
        return text.removingPercentEncoding ?? text
    }
}

/// What a route says of its request to the audit log.
private final class AuditRemark: Sendable {
    let text = Mutex<String?>(nil)
}

/// What an ``AdminContext`` is made of.
package struct AdminContextSource: RequestContextSource {
    package let logger: Logger
    package let caller: Caller?
    let refusal: Problem?
    package let address: String?
    let audit: AuditLog?
    let sent: [UInt8]

    init(
        logger: Logger, caller: Caller?, refusal: Problem? = nil, address: String?,
        audit: AuditLog?, sent: [UInt8] = []
    ) {
        self.logger = logger
        self.caller = caller
        self.refusal = refusal
        self.address = address
        self.audit = audit
        self.sent = sent
    }
}

/// The routes of the admin port, each with the role that it needs.
///
/// A route is entered here or it does not exist, so that none can forget to ask who calls: the list
/// is what a test walks with every role.
package struct AdminRoutes {
    package typealias Handler = @Sendable (Request, AdminContext) async throws -> Response

    /// A route and who may use it.
    package struct Rule: Hashable, Sendable {
        package var method: String
        package var path: String
        /// nil for a route that is open to everybody who reaches the port.
        package var needs: Role?
    }

    package let router = Router(context: AdminContext.self)
    package private(set) var rules: [Rule] = []
    /// What another plane has, and this one has not.
    package var absent: [AbsentPart] = []

    package init() {}

    /// Adds a route. What a caller changes by it is noted in the audit log, with how it ended.
    ///
    /// - Parameters:
    ///   - needs: the least role that may use it; nil opens it to everybody, and such a route notes
    ///     for itself what should be.
    ///   - isSecret: whether what is sent must not be in the audit log.
    package mutating func on(
        _ method: HTTPRequest.Method, _ path: String, needs role: Role?, isSecret: Bool = false,
        _ handler: @escaping Handler
    ) {
        let rule = Rule(method: method.rawValue, path: path, needs: role)
        rules.append(rule)
        router.on(RouterPath(path), method: method) { request, context in
            await Response.answering {
                if role != nil, context.caller == nil, context.refusal == nil, method == .get,
                    Self.isBrowser(request)
                {
                    return Response(status: .seeOther, headers: [.location: "/login"])
                }
                try Self.check(context, role)
                guard method != .get, role != nil else {
                    return try await handler(request, context)
                }
                let response = await Response.answering { try await handler(request, context) }
                await context.note(rule, request, response.status, isSecret: isSecret)
                return response
            }
        }
    }

    /// Adds a page: why it refuses, and what it fails with, is told by a page as well. What a
    /// caller changes by it is noted in the audit log, as it is of other routes.
    ///
    /// - Parameter isSecret: whether what is sent must not be in the audit log.
    mutating func page(
        _ method: HTTPRequest.Method, _ path: String, needs role: Role?, isSecret: Bool = false,
        telling: @escaping @Sendable (Problem, Request, AdminContext) -> Response,
        _ handler: @escaping Handler
    ) {
        let rule = Rule(method: method.rawValue, path: path, needs: role)
        rules.append(rule)
        router.on(RouterPath(path), method: method) { request, context in
            do throws(Problem) {
                try Self.check(context, role)
            } catch {
                return telling(error, request, context)
            }
            let response = await Self.told(request, context, telling, handler)
            if method != .get, role != nil {
                await context.note(rule, request, response.status, isSecret: isSecret)
            }
            return response
        }
    }

    private static func told(
        _ request: Request, _ context: AdminContext,
        _ telling: (Problem, Request, AdminContext) -> Response, _ handler: Handler
    ) async -> Response {
        do {
            return try await handler(request, context)
        } catch {
            return telling(Problem(of: error), request, context)
        }
    }

    package mutating func get(
        _ path: String, needs role: Role?, _ handler: @escaping Handler
    ) {
        on(.get, path, needs: role, handler)
    }

    package mutating func post(
        _ path: String, needs role: Role?, isSecret: Bool = false, _ handler: @escaping Handler
    ) {
        on(.post, path, needs: role, isSecret: isSecret, handler)
    }

    /// A person who follows an address is shown where to sign in; a program is told.
    private static func isBrowser(_ request: Request) -> Bool {
        request.headers[.accept]?.contains("text/html") == true
    }

    private static func check(_ context: AdminContext, _ role: Role?) throws(Problem) {
        guard let role else { return }
        if let refusal = context.refusal { throw refusal }
        guard let caller = context.caller else {
            throw Problem(
                .unauthorized, "sign in, or send a bearer token of `tillbox token add`",
                code: "unauthenticated")
        }
        guard caller.role >= role else {
            throw Problem(
                .forbidden, "this needs the role \(role.rawValue); \(caller.name) has "
                    + caller.role.rawValue, code: "forbidden")
        }
    }
}

extension [AdminRoutes.Rule] {
    /// The methods by which a path can be asked; none where there is no such path.
    func methods(at path: some StringProtocol) -> [String] {
        let parts = path.split(separator: "/")
        return filter { rule in
            let own = rule.path.split(separator: "/")
            return own.count == parts.count
                && zip(own, parts).allSatisfy { $0.hasPrefix(":") || $0 == $1 }
        }.map(\.method)
    }
}

extension AdminContext {
    /// Characters of a request's body that are noted.
    private static let notedCharactersMax = 500

    fileprivate func note(
        _ rule: AdminRoutes.Rule, _ request: Request, _ status: HTTPResponse.Status, isSecret: Bool
    ) async {
        guard let audit, let caller else { return }
        let words = remarked ?? (isSecret ? "" : body(of: request))
        let said = RationedLog.printable(words, charactersMax: Self.notedCharactersMax)
        await audit.note(
            caller, "\(rule.method) \(rule.path)", from: address,
            "\(request.uri.path) \(status.code)" + (said.isEmpty ? "" : " \(said)"))
    }

    /// What was sent, as far as it may be noted. A page's form has its session's token, too.
    private func body(of request: Request) -> String {
        let text = String(decoding: sent.prefix(4 * Self.notedCharactersMax), as: UTF8.self)
        guard request.headers[.contentType]?.lowercased().hasPrefix(PostedForm.type) == true
        else { return text }
        return text.split(separator: "&").filter { !$0.hasPrefix("csrf=") }
            .joined(separator: "&")
    }
}
