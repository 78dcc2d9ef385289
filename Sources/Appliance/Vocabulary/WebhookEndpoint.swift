/// One place that Stripe delivers to, with its own secrets.
struct WebhookEndpoint: Hashable, Sendable {
    /// Which livemode an endpoint accepts.
    enum Livemode: String, CaseIterable, Sendable {
        case live, test, any

        func accepts(_ livemode: Bool) -> Bool {
            switch self {
            case .any: true
            case .live: livemode
            case .test: !livemode
            }
        }
    }

    /// Empty for the endpoint at `/webhooks/stripe` itself.
    var name: String
    /// Every secret that is active now; two while one is being rotated.
    var secrets: [String]
    var livemode: Livemode
}
