import NIOCore
import NIOHTTP1

/// A request of the webhook port, arrived whole.
struct WebhookRequest: Sendable {
    var method: HTTPMethod
    /// Path and query as they were sent.
    var uri: String
    /// The value of `Stripe-Signature`.
    var signature: String?
    var body: [UInt8] = []
    /// When its head was there.
    var arrived = ContinuousClock.now
}

/// What answers the webhook port's requests.
protocol WebhookResponder: Sendable {
    /// Bodies beyond it are refused before they have arrived whole.
    var bodyByteCountMax: Int { get }

    /// - Parameter completion: called once, on any thread; the caller's event loop included.
    func respond(
        to request: WebhookRequest, completion: @escaping @Sendable (WebhookResponse) -> Void)

    /// Counts a request that was refused or cut off before it could be answered.
    func count(_ refusal: Counters.Name)
}

/// The webhook port: deliveries go to the gate.
struct WebhookRoutes: WebhookResponder {
    let gate: Gate
    let counters: Counters

    var bodyByteCountMax: Int { gate.bodyByteCountMax }

    func count(_ refusal: Counters.Name) { counters.add(refusal) }

    func respond(
        to request: WebhookRequest, completion: @escaping @Sendable (WebhookResponse) -> Void
    ) {
        switch WebhookRoute(request) {
        case .delivery(let endpoint):
            let (counters, arrived) = (counters, request.arrived)
            gate.receive(endpoint: endpoint, signature: request.signature, body: request.body) {
                if case .received = $0 { counters.acknowledged.record(.now - arrived) }
                completion(WebhookResponse($0))
            }
        case .health: completion(.alive)
        case .unknown: completion(.unknownPath)
        case .methodNotAllowed(let allowed): completion(.methodNotAllowed(allowed))
        }
    }
}

/// What the webhook port is asked for.
enum WebhookRoute: Equatable {
    /// `POST /webhooks/stripe` and `POST /webhooks/stripe/{endpoint}`; empty for the unnamed endpoint.
    case delivery(endpoint: String)
    /// `GET /healthz`.
    case health
    case unknown
    /// The path exists, for another method.
    case methodNotAllowed(allowed: String)

    private static let root = "/webhooks/stripe"

    init(_ request: WebhookRequest) {
        // Nearly every request, told without taking the path apart.
        if request.uri == Self.root, request.method == .POST {
            self = .delivery(endpoint: "")
            return
        }
        // What follows a question mark says nothing about where a delivery goes.
        let path = request.uri.prefix { $0 != "?" }
        if path == "/healthz" {
            self = request.method == .GET || request.method == .HEAD
                ? .health : .methodNotAllowed(allowed: "GET")
        } else if let endpoint = Self.endpoint(in: path) {
            self = request.method == .POST
                ? .delivery(endpoint: endpoint) : .methodNotAllowed(allowed: "POST")
        } else {
            self = .unknown
        }
    }

    private static func endpoint(in path: Substring) -> String? {
        guard path.hasPrefix(root) else { return nil }
        let rest = path.dropFirst(root.count)
        if rest.isEmpty { return "" }
        guard rest.first == "/", !rest.dropFirst().contains("/") else { return nil }
        return String(rest.dropFirst())
    }
}
