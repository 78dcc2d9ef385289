import NIOHTTP1
package import Vocabulary

/// The webhook port: deliveries go to the gate.
package struct WebhookRoutes: PortResponder {
    package let gate: Gate
    package let counters: Counters

    package init(gate: Gate, counters: Counters) {
        self.gate = gate
        self.counters = counters
    }

    package var bodyByteCountMax: Int { gate.bodyByteCountMax }

    package func count(_ refusal: Counters.Name) { counters.add(refusal) }

    package func respond(
        to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
    ) {
        switch WebhookRoute(request) {
        case .delivery(let endpoint):
            let (counters, arrived) = (counters, request.arrived)
            gate.receive(endpoint: endpoint, signature: request.signature, body: request.body) {
                if case .received = $0 { counters.acknowledged.record(.now - arrived) }
                completion(PortResponse($0))
            }
        case .health: completion(.alive)
        case .unknown: completion(.unknownPath)
        case .methodNotAllowed(let allowed): completion(.methodNotAllowed(allowed))
        }
    }
}

/// What the webhook port is asked for.
enum WebhookRoute: Equatable {
    /// `POST /webhooks/stripe` and `POST /webhooks/stripe/{endpoint}`; empty for the unnamed
    /// endpoint.
    case delivery(endpoint: String)
    /// `GET /healthz`.
    case health
    case unknown
    /// The path exists, for another method.
    case methodNotAllowed(allowed: String)

    private static let root = "/webhooks/stripe"

    init(_ request: PortRequest) {
        // Nearly every request, told without taking the path apart.
        if request.uri == Self.root, request.method == .POST {
            self = .delivery(endpoint: "")
            return
        }
        // What follows a question mark says nothing about where a delivery goes.
        let path = request.target.prefix { $0 != "?" }
        if path == "/healthz" {
            self =
                request.method == .GET || request.method == .HEAD
                ? .health : .methodNotAllowed(allowed: "GET")
        } else if let endpoint = Self.endpoint(in: path) {
            self =
                request.method == .POST
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
