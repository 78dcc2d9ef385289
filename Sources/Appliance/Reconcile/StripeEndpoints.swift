import Vocabulary

/// A webhook endpoint as Stripe has it (docs.stripe.com/api/webhook_endpoints).
package struct StripeEndpoint: Hashable, Sendable {
    package var id: String
    package var url: String
    package var isEnabled: Bool
    /// `*` for all of them.
    package var events: [String]
    /// The version whose shapes it is sent; nil for the account's own.
    package var apiVersion: String?

    package init(
        id: String, url: String, isEnabled: Bool, events: [String], apiVersion: String?
    ) {
        self.id = id
        self.url = url
        self.isEnabled = isEnabled
        self.events = events
        self.apiVersion = apiVersion
    }
}

/// What Stripe's account says of itself, for who looks whether all is set up.
package struct StripeSetUp: Sendable {
    private let client: StripeClient

    /// Asks twice at most: a person waits for the answer.
    ///
    /// - Parameter base: where the API is, without a slash at its end.
    package init(base: String, key: String, clock: StripeClock) {
        client = StripeClient(
            transport: HTTPStripeTransport(base: base, key: key, clock: clock),
            patience: StripePatience(attemptsMax: 2))
    }

    /// Pages of endpoints that are read; an account has 16 of them at most.
    private static let pagesMax = 10

    /// Every endpoint of the account.
    ///
    /// - Throws: a sentence that says what to do, such as that the key may not read them.
    package func endpoints() async throws -> [StripeEndpoint] {
        var endpoints: [StripeEndpoint] = []
        for _ in 0..<Self.pagesMax {
            let page = try await client.page(
                "/v1/webhook_endpoints", after: endpoints.last?.id
            ) { (json: JSONValue) throws(RecordCodecError) -> StripeEndpoint in
                guard let events = json["enabled_events"]?.array else {
                    throw .field("enabled_events")
                }
                return StripeEndpoint(
                    id: try json.requiredString("id"), url: try json.requiredString("url"),
                    isEnabled: json["status"]?.isString("enabled") ?? true,
                    events: events.compactMap(\.string),
                    apiVersion: try json.optionalString("api_version"))
            }
            endpoints += page.items
            guard page.hasMore, !page.items.isEmpty else { break }
        }
        return endpoints
    }

    /// The account's own API version, as its newest event has it; nil where there is none yet.
    package func accountVersion() async throws -> String? {
        try await client.object("/v1/events?limit=1") {
            (json: JSONValue) throws(RecordCodecError) -> String? in
            guard let events = json["data"]?.array else { throw .field("data") }
            return try events.first { _ in true }?.optionalString("api_version")
        }
    }

    /// Whether Stripe gave no answer at all, of which the key is no cause.
    package static func isAway(_ error: any Error) -> Bool {
        switch error as? StripeError {
        case .unreachable, .unavailable, .rateLimited: true
        default: false
        }
    }

    /// How far Stripe's clock is ahead of this machine's, in milliseconds; nil before the first
    /// answer, and for a twin's world.
    package static func ahead(of clock: StripeClock) -> Int64? { clock.aheadMilliseconds }
}
