/// One place that Stripe delivers to, with its own secrets.
package struct WebhookEndpoint: Hashable, Sendable {
    /// Which livemode an endpoint accepts.
    package enum Livemode: String, CaseIterable, Sendable {
        case live, test, any

        package func accepts(_ livemode: Bool) -> Bool {
            switch self {
            case .any: true
            case .live: livemode
            case .test: !livemode
            }
        }
    }

    /// Empty for the endpoint at `/webhooks/stripe` itself.
    package var name: String
    /// Every secret that is active now; two while one is being rotated.
    package var secrets: [String]
    package var livemode: Livemode

    package init(name: String, secrets: [String], livemode: Livemode) {
        self.name = name
        self.secrets = secrets
        self.livemode = livemode
    }
}
