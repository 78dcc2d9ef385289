import Appliance
import Daemon
import Foundation
import Reconcile
import Terminal
import Vocabulary

/// What Stripe is told to send, and in which shapes.
struct EndpointChecks {
    let settings: Settings
    let clock: StripeClock

    /// Groups of events that an account has no use for without what they tell of.
    private static let optional = ["topup.", "transfer.", "application_fee.", "payment."]

    func findings() async -> [Finding] {
        guard let key = settings.stripeKey else {
            return [
                .skipped(
                    "endpoint", "without an API key nobody knows which events Stripe sends here",
                    "set stripe.api_key; a restricted key with read permission is enough")
            ]
        }
        let stripe = StripeSetUp(base: settings.stripeBase, key: key, clock: clock)
        do {
            let endpoints = try await stripe.endpoints()
            let version = try await stripe.accountVersion()
            return modes
                + Self.findings(endpoints, names: settings.endpointNames, version: version)
        } catch {
            return modes + [Self.finding(without: error)]
        }
    }

    /// A key of the other mode than an endpoint's: Stripe keeps the two apart.
    var modes: [Finding] {
        StartReport(settings: settings).warnings.map {
            DaemonWarnings.finding("endpoint", $0, otherwise: "check stripe.api_key")
        }
    }

    /// Where nothing was told of the endpoints.
    static func finding(without error: any Error) -> Finding {
        StripeSetUp.isAway(error)
            ? .act(
                "endpoint", "\(error)", "it is looked at once Stripe answers",
                in: Finding.stripeIsAway)
            : .act(
                "endpoint", "\(error)",
                "the key needs read permission for webhook endpoints and events")
    }

    /// - Parameters:
    ///   - names: of our endpoints; empty for the one without a name.
    ///   - version: the account's own API version, where it is known.
    static func findings(
        _ endpoints: [StripeEndpoint], names: [String], version: String?
    ) -> [Finding] {
        names.flatMap { name -> [Finding] in
            let path = "/webhooks/stripe" + (name.isEmpty ? "" : "/\(name)")
            let ours = endpoints.filter { URL(string: $0.url)?.path() == path }
            guard !ours.isEmpty else {
                return [
                    .act(
                        "endpoint", "no endpoint at Stripe leads to \(path)",
                        "make one there, with the events that docs/EVENTS.md lists")
                ]
            }
            return ours.flatMap { endpoint in
                events(of: endpoint) + versions(of: endpoint, version)
            }
        }
    }

    private static func events(of endpoint: StripeEndpoint) -> [Finding] {
        guard endpoint.isEnabled else {
            return [
                .act(
                    "endpoint", "\(endpoint.url) is disabled at Stripe",
                    "enable it there; `tillbox reconcile sweep` fetches what it missed")
            ]
        }
        guard !endpoint.events.contains("*") else {
            return [.ok("endpoint", "\(endpoint.url) is sent every event")]
        }
        let missing = SubscribedEvents.names.filter { !endpoint.events.contains($0) }
        let needed = missing.filter { name in !optional.contains { name.hasPrefix($0) } }
        if !needed.isEmpty {
            return [
                .act(
                    "endpoint", "\(endpoint.url) is not sent \(needed.joined(separator: ", "))",
                    "add them to the endpoint at Stripe; docs/EVENTS.md says what each is for")
            ]
        }
        guard !missing.isEmpty else {
            return [.ok("endpoint", "\(endpoint.url) is sent all that is read here")]
        }
        return [
            .note(
                "endpoint", "\(endpoint.url) is not sent \(missing.joined(separator: ", "))",
                "add them where the account has top-ups, transfers or application fees")
        ]
    }

    private static func versions(of endpoint: StripeEndpoint, _ account: String?) -> [Finding] {
        guard let own = endpoint.apiVersion else {
            guard let account else { return [] }
            return [.ok("endpoint", "its events have the account's shapes, of \(account)")]
        }
        guard let account, account != own else {
            return [.ok("endpoint", "its events have the shapes of \(own)")]
        }
        return [
            .note(
                "endpoint", "its events have the shapes of \(own), and what the sweep fetches "
                    + "those of \(account), the account's own",
                "both are read; one version is easier to look at")
        ]
    }
}
