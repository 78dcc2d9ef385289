/// The eight features by name and place (contracts §4): the order in which the model was trained.
package enum Feature: Int, CaseIterable, Sendable {
    case velocity1m
    case velocity1h
    case amountZScore
    case merchantRisk
    case deviceSwitch
    case countryMismatch
    case failedAttempts1h
    case logSecondsSinceLast

    /// The name that `model/schema.json`, the model file and the reasons carry.
    var name: String {
        switch self {
        case .velocity1m: "tx_velocity_1m"
        case .velocity1h: "tx_velocity_1h"
        case .amountZScore: "amount_zscore"
        case .merchantRisk: "merchant_risk_score"
        case .deviceSwitch: "device_switch_flag"
        case .countryMismatch: "country_mismatch_flag"
        case .failedAttempts1h: "failed_attempts_1h"
        case .logSecondsSinceLast: "log_seconds_since_last"
        }
    }

    /// The names in the model's order.
    package static let names = allCases.map(\.name)
}

/// Every bound of the feature engine that is part of a feature's meaning.
///
/// The training code and the Spark job keep the same ones: beyond a bound the vectors differ from
/// the plain definition in contracts §4, but they differ in the same way everywhere.
package enum FeatureBounds {
    static let minuteSeconds: Int64 = 60
    static let hourSeconds: Int64 = 3_600

    /// How many of a customer's latest attempts (payments and failures, in log order) are
    /// remembered. Features 0, 1 and 6 saturate here.
    static let attemptsMax = 64

    /// Attempts at the front of the memory that lie this far before the event at hand are
    /// forgotten: three days, as long as Stripe retries a webhook, and the hour of the window.
    static let attemptHorizonSeconds: Int64 = 3 * 86_400 + 3_600

    /// How many currencies' amounts are remembered a customer. The next one takes the place of the
    /// one not paid in for longest, which starts anew.
    static let currenciesMax = 4

    /// Earlier payments in the currency that an amount is compared with, at the least.
    package static let amountsMin = 3

    static let zScoreMax = 10.0

    /// The merchant's window, this event's day included.
    static let merchantDays = 30

    /// Days remembered a merchant: the window, and three more for events that arrive late.
    static let merchantDaysKept = merchantDays + 3

    /// The prior of the merchant's risk: one dispute in two hundred payments.
    static let disputePrior = 1.0
    static let paymentPrior = 200.0

    /// Instants outside 0…this (the year 2106) are taken for the nearer end.
    static let secondsMax = Int64(UInt32.max) - 1
}

/// How much state a `FeatureEngine` may keep. Least recently used goes first; what comes back
/// after that starts anew.
package struct FeatureLimits: Hashable, Sendable {
    /// Customers, about 280 bytes each.
    package var customersMax = 1_000_000
    /// Merchants, about 480 bytes each.
    var merchantsMax = 65_536
    /// Movements, about 150 bytes each. A second event of a movement that is no longer remembered
    /// is scored and counted as if it were the first.
    package var movementsMax = 262_144

    package init(
        customersMax: Int = 1_000_000, merchantsMax: Int = 65_536, movementsMax: Int = 262_144
    ) {
        self.customersMax = customersMax
        self.merchantsMax = merchantsMax
        self.movementsMax = movementsMax
    }

    package static let standard = FeatureLimits()
}
