/// What a twin is made of. The same settings, clock and calls give the same bytes.
package struct TwinSettings: Sendable {
    /// Whether Stripe pays the balance out by itself.
    package enum PayoutSchedule: String, Sendable, CaseIterable {
        /// At each midnight (UTC), what is available, one payout a currency.
        case daily
        /// Only when asked to.
        case manual
    }

    package var seed: UInt64 = 1
    /// Secret keys that the API accepts, the first of them shown. At least one. Clients want what
    /// follows the prefix to be 24 letters and digits or more; the short one is for typing.
    package var apiKeys = ["sk_test_tillboxtillboxtillboxtillbox", "sk_test_tillbox"]
    /// Connect accounts that requests may name in `Stripe-Account`, besides those created later.
    package var connectedAccounts: [String] = []
    /// Where webhooks go from the start; more can be made over the API.
    package var endpoints: [TwinEndpoint] = []
    var fees = TwinFees()
    package var payoutSchedule = PayoutSchedule.daily
    /// Days until the money of a payment is available, 0 ... 30; Stripe's usual two.
    var settlementDays: Int64 = 2
    /// Days for which a dispute waits for evidence, 1 ... 60.
    var disputeDays: Int64 = 9
    /// How old events are listed, in days; Stripe keeps thirty.
    var eventDays: Int64 = 30
    /// At most so many events are kept, the oldest going first, however young they are.
    var eventCountMax = 2_000_000

    package init() {}

    /// The usual options, for the same keys and ids.
    init(keysAndSeedOf other: TwinSettings) {
        seed = other.seed
        apiKeys = other.apiKeys
    }

    /// The version whose object shapes the twin speaks.
    static let apiVersion = "2025-09-30.clover"
    /// Where the twin listens when nobody says otherwise.
    package static let usualPort = 12_111
    /// The twin takes test keys only, so that a live key that strays here is refused.
    package static let apiKeyPrefix = "sk_test_"
}

/// A place that webhooks go to.
package struct TwinEndpoint: Hashable, Sendable {
    /// `we_…`; empty in settings, where the twin then gives it one.
    var id = ""
    package var url: String
    /// One, or two while they rotate; the newest first.
    package var secrets: [String]
    /// Event types, or `*` for all.
    var enabledEvents = ["*"]
    /// The version whose telling it gets; nil for the account's own.
    var apiVersion: StripeVersion?
    var hears = Hearing.all
    var isEnabled = true

    package init(
        id: String = "", url: String, secrets: [String], enabledEvents: [String] = ["*"],
        apiVersion: StripeVersion? = nil, hears: Hearing = Hearing.all, isEnabled: Bool = true
    ) {
        self.id = id
        self.url = url
        self.secrets = secrets
        self.enabledEvents = enabledEvents
        self.apiVersion = apiVersion
        self.hears = hears
        self.isEnabled = isEnabled
    }

    /// Whose events an endpoint hears of.
    package enum Hearing: String, Sendable {
        /// The platform's own, as Stripe's endpoints do.
        case own
        /// Its connected accounts', as Stripe's Connect endpoints do.
        case connected
        /// Both: what the command line names is for whoever looks on.
        case all

        func includes(account: String?) -> Bool {
            switch self {
            case .own: account == nil
            case .connected: account != nil
            case .all: true
            }
        }
    }

    /// - Parameter account: the Connect account that an event happened in, nil for the platform.
    func wants(_ type: String, account: String? = nil) -> Bool {
        isEnabled && hears.includes(account: account)
            && (enabledEvents.contains("*") || enabledEvents.contains(type))
    }
}

/// An event as its webhook's body carries it and `/v1/events` shows it.
package struct TwinEvent: Sendable {
    /// `evt_…`
    package var id: String
    /// Stripe's name of the type: `charge.succeeded`.
    package var type: String
    /// Seconds since 1970 by the twin's clock.
    var created: Int64
    /// The Connect account it happened in, nil for the platform's own.
    var account: String?
    /// JSON, UTF-8, never changed afterwards; as the account's own version of the API tells it.
    var body: [UInt8]
    /// As other versions tell it, those that an endpoint asks for. A version that does not tell of
    /// this at all is missing here.
    var bodies: [StripeVersion: [UInt8]] = [:]
    /// The only endpoint that it goes to, where somebody asked for that; nil for all that want it.
    var onlyTo: String?
    /// The account's own version does not tell of it: only what is in `bodies` is told.
    var isOfOldVersions = false

    package init(
        id: String, type: String, created: Int64, account: String? = nil, body: [UInt8],
        bodies: [StripeVersion: [UInt8]] = [:], onlyTo: String? = nil,
        isOfOldVersions: Bool = false
    ) {
        self.id = id
        self.type = type
        self.created = created
        self.account = account
        self.body = body
        self.bodies = bodies
        self.onlyTo = onlyTo
        self.isOfOldVersions = isOfOldVersions
    }

    /// The telling of a version, nil for the account's own.
    func body(in version: StripeVersion?) -> [UInt8]? {
        guard let version, version != .twin else { return isOfOldVersions ? nil : body }
        return bodies[version]
    }
}
