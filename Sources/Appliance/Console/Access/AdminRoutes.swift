import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import Vocabulary

/// What a route of the admin port knows of its request beside the request itself.
package struct AdminContext: RequestContext {
    package typealias Source = AdminContextSource

    package var coreContext: CoreRequestContextStorage
    /// nil for who has not shown who they are; only open routes see that.
    package let caller: Caller?
    /// The address that the request came from; nil where the system does not tell it.
    package let address: String?

    package init(source: AdminContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        caller = source.caller
        address = source.address
    }

    /// A part of the path that the route names, with its percent signs decoded.
    func word(_ name: String) -> String {
        let text = parameters.get(name) ?? ""
        return text.removingPercentEncoding ?? text
    }
}

/// What an ``AdminContext`` is made of.
package struct AdminContextSource: RequestContextSource {
    package let logger: Logger
    package let caller: Caller?
    package let address: String?

    package init(logger: Logger, caller: Caller?, address: String?) {
        self.logger = logger
        self.caller = caller
        self.address = address
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

    package init() {}

    /// Adds a route.
    ///
    /// - Parameter needs: the least role that may use it; nil opens it to everybody.
    package mutating func on(
        _ method: HTTPRequest.Method, _ path: String, needs role: Role?,
        _ handler: @escaping Handler
    ) {
        rules.append(Rule(method: method.rawValue, path: path, needs: role))
        router.on(RouterPath(path), method: method) { request, context in
            await Response.answering {
                try Self.check(context.caller, role)
                return try await handler(request, context)
            }
        }
    }

    package mutating func get(
        _ path: String, needs role: Role?, _ handler: @escaping Handler
    ) {
        on(.get, path, needs: role, handler)
    }

    package mutating func post(
        _ path: String, needs role: Role?, _ handler: @escaping Handler
    ) {
        on(.post, path, needs: role, handler)
    }

    private static func check(_ caller: Caller?, _ role: Role?) throws(Problem) {
        guard let role else { return }
        guard let caller else {
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
