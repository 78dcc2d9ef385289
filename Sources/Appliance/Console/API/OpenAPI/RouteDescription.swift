import Vocabulary

/// What a route takes and answers, as the OpenAPI document says it. Who may use it stands at the
/// route itself (``AdminRoutes/Rule``).
struct RouteDescription: Sendable {
    struct Parameter: Sendable {
        var name: String
        var schema: Schema
        var meaning: String
        /// Of the request's header and not of the query.
        var isHeader = false
    }

    /// What an answer holds.
    enum Content: Sendable {
        case none
        case json(Schema)
        /// Text of a media type.
        case text([String])
        /// JSON, or text where `format` asks for it.
        case either(Schema, [String])
    }

    var method: String
    /// As the routes have it: `/api/v1/reviews/:id`.
    var path: String
    /// The operation's name for programs.
    var id: String
    var summary: String
    var parameters: [Parameter] = []
    var body: Schema?
    /// The status and the content of the answer when all is well.
    var answers: [Int: Content]
    /// Statuses of problem documents beside those that every route has.
    var problems: [Int] = []

    /// `{id}` of the path, in their order.
    var pathParameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix(":") }.map { String($0.dropFirst()) }
    }

    static func get(
        _ path: String, _ id: String, _ summary: String, _ parameters: [Parameter],
        _ content: Content, problems: [Int] = []
    ) -> Self {
        Self(
            method: "GET", path: path, id: id, summary: summary, parameters: parameters,
            answers: [200: content], problems: problems)
    }

    static func get(
        _ path: String, _ id: String, _ summary: String, _ content: Content
    ) -> Self {
        get(path, id, summary, [], content)
    }

    static func post(
        _ path: String, _ id: String, _ summary: String, body: Schema,
        answers: [Int: Content], problems: [Int] = []
    ) -> Self {
        Self(
            method: "POST", path: path, id: id, summary: summary, body: body, answers: answers,
            problems: [409, 413, 415] + problems)
    }

    static func delete(_ path: String, _ id: String, _ summary: String) -> Self {
        Self(
            method: "DELETE", path: path, id: id, summary: summary, answers: [204: .none],
            problems: [409])
    }
}

/// The description of the admin API: OpenAPI 3.1, made of the routes' own list and what
/// ``DescribedRoutes`` says of each.
struct OpenAPIDocument {
    let rules: [AdminRoutes.Rule]
    let descriptions: [RouteDescription]

    init(rules: [AdminRoutes.Rule]) {
        let paths = Set(rules.map(\.path))
        self.init(
            rules: rules,
            descriptions: DescribedRoutes.all
                + DescribedRoutes.dev.filter { paths.contains($0.path) })
    }

    init(rules: [AdminRoutes.Rule], descriptions: [RouteDescription]) {
        self.rules = rules.filter { Self.isProgrammed($0.path) }
        self.descriptions = descriptions
    }

    /// Whether a path is for programs: pages and what they load are not described.
    static func isProgrammed(_ path: String) -> Bool {
        path.hasPrefix("/api/") || ["/healthz", "/readyz", "/metrics", "/openapi.json"]
            .contains(path)
    }

    /// Routes that nobody has described, and descriptions of routes that do not exist.
    var faults: [String] {
        let routes = Set(rules.map { "\($0.method) \($0.path)" })
        let described = descriptions.map { "\($0.method) \($0.path)" }
        return routes.subtracting(described).sorted().map { "not described: \($0)" }
            + Set(described).subtracting(routes).sorted().map { "no such route: \($0)" }
    }

    func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("openapi", "3.1.0")
            writer.key("info")
            writer.object { writer in
                writer.member("title", "Tillbox admin API")
                writer.member("version", Release.version)
            }
            writer.key("paths")
            writer.object { encodePaths(into: &$0) }
            writer.key("components")
            writer.object { writer in
                writer.key("schemas")
                writer.object { writer in
                    for (name, schema) in DescribedSchemas.all {
                        writer.key(named: name)
                        schema.encode(into: &writer)
                    }
                }
                writer.key("securitySchemes")
                writer.object { Self.encodeSchemes(into: &$0) }
            }
        }
    }

    private static func encodeSchemes(into writer: inout JSONWriter) {
        writer.key("bearer")
        writer.object { writer in
            writer.member("type", "http")
            writer.member("scheme", "bearer")
        }
        writer.key("session")
        writer.object { writer in
            writer.member("type", "apiKey")
            writer.member("in", "cookie")
            writer.member("name", AccessDesk.cookieName)
        }
    }

    private func encodePaths(into writer: inout JSONWriter) {
        var paths: [String] = []
        for rule in rules where !paths.contains(rule.path) { paths.append(rule.path) }
        for path in paths {
            writer.key(named: Self.template(path))
            writer.object { writer in
                for rule in rules where rule.path == path {
                    guard let route = descriptions.first(where: {
                        $0.method == rule.method && $0.path == path
                    }) else { continue }
                    writer.key(named: rule.method.lowercased())
                    writer.object { route.encode(needs: rule.needs, into: &$0) }
                }
            }
        }
    }

    /// `/reviews/:id` is `/reviews/{id}` there.
    private static func template(_ path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }
            .joined(separator: "/")
    }
}

extension RouteDescription {
    fileprivate func encode(needs role: Role?, into writer: inout JSONWriter) {
        writer.member("operationId", id)
        writer.member("summary", summary)
        if let role { writer.member("description", "Needs the role \(role.rawValue).") }
        writer.list("security", role == nil ? [] : ["bearer", "session"]) { writer, name in
            writer.object { writer in
                writer.key(named: name)
                writer.beginArray()
                writer.endArray()
            }
        }
        writer.key("parameters")
        writer.beginArray()
        for name in pathParameters {
            Self.encode(
                Parameter(name: name, schema: .text(min: 1, max: 255), meaning: "which one"),
                isPath: true, into: &writer)
        }
        for parameter in parameters { Self.encode(parameter, isPath: false, into: &writer) }
        writer.endArray()
        if let body {
            writer.key("requestBody")
            writer.object { writer in
                writer.member("required", true)
                Self.encode(.json(body), into: &writer)
            }
        }
        writer.key("responses")
        writer.object { encodeAnswers(needs: role, into: &$0) }
    }

    private static func encode(
        _ parameter: Parameter, isPath: Bool, into writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("name", parameter.name)
            writer.member("in", isPath ? "path" : parameter.isHeader ? "header" : "query")
            writer.member("required", isPath)
            writer.member("description", parameter.meaning)
            writer.key("schema")
            parameter.schema.encode(into: &writer)
        }
    }

    private func encodeAnswers(needs role: Role?, into writer: inout JSONWriter) {
        for (status, content) in answers.sorted(by: { $0.key < $1.key }) {
            writer.key(named: "\(status)")
            writer.object { writer in
                writer.member("description", Self.words[status] ?? "")
                Self.encode(content, into: &writer)
            }
        }
        // What cannot be understood, and a host that is not served, are refused before any route.
        var statuses = Set(problems + [400, 421])
        if role != nil { statuses.formUnion([401, 403, 503]) }
        if !pathParameters.isEmpty { statuses.insert(404) }
        for status in statuses.subtracting(answers.keys).sorted() {
            writer.key(named: "\(status)")
            writer.object { writer in
                writer.member("description", Self.words[status] ?? "")
                writer.key("content")
                writer.object { writer in
                    writer.key("application/problem+json")
                    writer.object { writer in
                        writer.key("schema")
                        Schema.named("Problem").encode(into: &writer)
                    }
                }
            }
        }
    }

    private static func encode(_ content: Content, into writer: inout JSONWriter) {
        if case .none = content { return }
        writer.key("content")
        writer.object { writer in
            func add(_ type: String, _ schema: Schema) {
                writer.key(named: type)
                writer.object { writer in
                    writer.key("schema")
                    schema.encode(into: &writer)
                }
            }
            switch content {
            case .none: break
            case .json(let schema): add("application/json", schema)
            case .text(let types):
                for type in types { add(type, .text()) }
            case .either(let schema, let types):
                add("application/json", schema)
                for type in types { add(type, .text()) }
            }
        }
    }

    private static let words = [
        200: "Done", 201: "Made", 202: "Taken, and under way",
        204: "Done; there is nothing to say",
        400: "A parameter or the body is wrong; the detail says what is right",
        401: "Nobody has signed in", 403: "This needs another role",
        404: "There is no such thing", 409: "It cannot be done as things stand",
        413: "The body is too long", 415: "The body must be JSON",
        421: "This host is not served here", 429: "Too many at once, or in a row; later again",
        500: "Something is broken here",
        503: "It cannot be done now; later perhaps",
    ]
}
