/// What a twin is made of. The same settings, clock and calls give the same bytes.
struct TwinSettings: Sendable {
    /// Whether Stripe pays the balance out by itself.
    enum PayoutSchedule: String, Sendable, CaseIterable {
        /// At each midnight (UTC), what is available, one payout a currency.
        case daily
        /// Only when asked to.
        case manual
    }

    var seed: UInt64 = 1
    /// Secret keys that the API accepts. At least one.
    var apiKeys = ["sk_test_tillbox"]
    /// Connect accounts that requests may name in `Stripe-Account`, besides those created later.
    var connectedAccounts: [String] = []
    /// Where webhooks go from the start; more can be made over the API.
    var endpoints: [TwinEndpoint] = []
    var fees = TwinFees()
    var payoutSchedule = PayoutSchedule.daily
    /// Days until the money of a payment is available, 0 ... 30; Stripe's usual two.
    var settlementDays: Int64 = 2
    /// Days for which a dispute waits for evidence, 1 ... 60.
    var disputeDays: Int64 = 9
    /// How old events are listed, in days; Stripe keeps thirty.
    var eventDays: Int64 = 30
    /// At most so many events are kept, the oldest going first, however young they are.
    var eventCountMax = 2_000_000

    /// The version whose object shapes the twin speaks.
    static let apiVersion = "2025-09-30.clover"
    /// The twin takes test keys only, so that a live key that strays here is refused.
    static let apiKeyPrefix = "sk_test_"
}

/// A place that webhooks go to.
struct TwinEndpoint: Hashable, Sendable {
    /// `we_…`; empty in settings, where the twin then gives it one.
    var id = ""
    var url: String
    /// One, or two while they rotate; the newest first.
    var secrets: [String]
    /// Event types, or `*` for all.
    var enabledEvents = ["*"]
    var isEnabled = true

    func wants(_ type: String) -> Bool {
        isEnabled && (enabledEvents.contains("*") || enabledEvents.contains(type))
    }
}

/// An event as its webhook's body carries it and `/v1/events` shows it.
struct TwinEvent: Sendable {
    /// `evt_…`
    var id: String
    /// Stripe's name of the type: `charge.succeeded`.
    var type: String
    /// Seconds since 1970 by the twin's clock.
    var created: Int64
    /// The Connect account it happened in, nil for the platform's own.
    var account: String?
    /// JSON, UTF-8, never changed afterwards.
    var body: [UInt8]
}
