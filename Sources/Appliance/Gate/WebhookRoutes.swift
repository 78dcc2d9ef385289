import NIOCore
import NIOHTTP1

/// What the webhook port is asked for.
enum WebhookRoute: Equatable {
    /// `POST /webhooks/stripe` and `POST /webhooks/stripe/{endpoint}`; empty for the unnamed endpoint.
    case delivery(endpoint: String)
    /// `GET /healthz`.
    case health
    case unknown
    /// The path exists, for another method.
    case methodNotAllowed(allowed: String)

    init(_ head: HTTPRequestHead) {
        // What follows a question mark says nothing about where a delivery goes.
        let path = head.uri.prefix { $0 != "?" }
        if path == "/healthz" {
            self = head.method == .GET ? .health : .methodNotAllowed(allowed: "GET")
        } else if let endpoint = Self.endpoint(in: path) {
            self = head.method == .POST
                ? .delivery(endpoint: endpoint) : .methodNotAllowed(allowed: "POST")
        } else {
            self = .unknown
        }
    }

    private static let root = "/webhooks/stripe"

    private static func endpoint(in path: Substring) -> String? {
        guard path.hasPrefix(root) else { return nil }
        let rest = path.dropFirst(root.count)
        if rest.isEmpty { return "" }
        guard rest.first == "/", !rest.dropFirst().contains("/") else { return nil }
        return String(rest.dropFirst())
    }
}

/// An answer of the webhook port, whose body is JSON.
struct WebhookResponse: Sendable {
    var status: HTTPResponseStatus
    var body: ByteBuffer
    /// Further header fields.
    var fields: [(name: String, value: String)] = []
    /// Whether the connection ends with it.
    var isLast = false

    init(_ status: HTTPResponseStatus, json: String) {
        self.status = status
        body = ByteBuffer(string: json)
    }

    /// The answer of contracts §1.
    init(_ answer: GateAnswer) {
        switch answer {
        case .received(isDuplicate: false): self = Self.received
        case .received(isDuplicate: true): self = Self.duplicate
        case .refused(let code, let message):
            self.init(.badRequest, code: code, message)
        case .unknownEndpoint(let name):
            self.init(
                .notFound, code: "endpoint_unknown",
                "no endpoint \(name) is configured; see webhook.endpoints")
        case .unavailable(let reason):
            self.init(.serviceUnavailable, code: "unavailable", reason)
            fields = [("Retry-After", String(GateLimits.retryAfterSeconds))]
        }
    }

    /// An error, in the form that contracts §1 gives.
    init(_ status: HTTPResponseStatus, code: String, _ message: String) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("code", code)
        writer.member("message", message)
        writer.endObject()
        writer.endObject()
        self.status = status
        body = ByteBuffer(bytes: writer.bytes)
    }

    static let received = WebhookResponse(.ok, json: #"{"received":true}"#)
    static let duplicate = WebhookResponse(.ok, json: #"{"received":true,"duplicate":true}"#)
    static let alive = WebhookResponse(.ok, json: #"{"status":"alive"}"#)
    static let unknownPath = WebhookResponse(
        .notFound, code: "path_unknown", "deliveries go to /webhooks/stripe")

    static func methodNotAllowed(_ allowed: String) -> WebhookResponse {
        var response = WebhookResponse(
            .methodNotAllowed, code: "method_not_allowed", "use \(allowed)")
        response.fields = [("Allow", allowed)]
        return response
    }

    static func bodyTooLarge(byteCountMax: Int) -> WebhookResponse {
        var response = WebhookResponse(
            .payloadTooLarge, code: "body_too_large", "the body exceeds \(byteCountMax) bytes")
        response.isLast = true
        return response
    }
}
