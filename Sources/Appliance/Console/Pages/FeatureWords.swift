import Foundation
import Vocabulary

/// The model's reasons in a person's words.
enum FeatureWords {
    /// - Parameters:
    ///   - usual: what this customer usually pays in the currency, if that is known.
    ///   - hasUsual: whether the customer had paid often enough before for anything to be usual;
    ///     nil where that was not looked for.
    static func words(
        _ name: String, _ value: Double, amount: MinorUnits? = nil, usual: UsualAmount? = nil,
        hasUsual: Bool? = nil
    ) -> String {
        switch name {
        case "tx_velocity_1m": payments(value, "within one minute")
        case "tx_velocity_1h": payments(value, "within one hour")
        case "amount_zscore": amountWords(value, amount, usual, hasUsual)
        case "merchant_risk_score":
            "disputes at this merchant: \(ShownNumber.decimal(value * 100, 1)) %"
        case "device_switch_flag":
            value > 0 ? "another device than the last one" : "the same device"
        case "country_mismatch_flag":
            value > 0 ? "card and billing country differ" : "card and billing country agree"
        case "failed_attempts_1h":
            value < 1 ? "no failures in the last hour"
                : "\(ShownNumber.count(whole(value), "failure")) in the last hour"
        case "log_seconds_since_last": since(value)
        default: "\(name) \(ShownNumber.decimal(value, 2))"
        }
    }

    /// A rule that made the verdict stricter than the score alone.
    static func words(rule: String) -> String {
        switch rule {
        case "features_missing": "no features: a person must look"
        case "features_stale": "features are older than the payment: a person must look"
        case "model_unavailable": "no model could score it: a person must look"
        case "amount_limit": "above the amount from which a person looks"
        default: rule
        }
    }

    private static func payments(_ value: Double, _ span: String) -> String {
        "\(ShownNumber.count(whole(value), "payment")) \(span)"
    }

    /// The feature is 0 for a customer's first payments, which nothing is usual for yet, and where
    /// all amounts before were the same.
    private static func amountWords(
        _ value: Double, _ amount: MinorUnits?, _ usual: UsualAmount?, _ hasUsual: Bool?
    ) -> String {
        if value == 0, usual == nil, hasUsual != true {
            return hasUsual == false
                ? "no usual amount yet to compare it with"
                : "the usual amount, or none is usual yet"
        }
        guard let amount, let usual, usual.mean > 0 else {
            return abs(value) < 2
                ? "amount within the usual"
                : "amount \(ShownNumber.decimal(abs(value), 1)) standard deviations "
                    + (value > 0 ? "above the usual" : "below the usual")
        }
        let times = Double(amount.rawValue) / usual.mean
        let mean = usual.currency.display(MinorUnits(Int64(usual.mean.rounded())))
        return abs(value) < 2
            ? "amount within the usual, \(mean) on average"
            : "\(ShownNumber.decimal(times, 1)) times the usual \(mean)"
    }

    /// The feature is ln(1 + seconds), and -1 before there was a payment.
    private static func since(_ value: Double) -> String {
        guard value >= 0 else { return "first payment seen" }
        let seconds = min(exp(value) - 1, 1e12)
        return "\(ShownAge.words(seconds: Int64(seconds.rounded()))) after the last payment"
    }

    private static func whole(_ value: Double) -> Int64 {
        Int64(min(max(value, 0), 1e15).rounded())
    }
}

/// What a customer usually pays in one currency, in its minor units.
struct UsualAmount: Hashable, Sendable {
    var currency: Currency
    private var range: UsualRange

    var count: Int { range.count }
    var mean: Double { range.mean }
    var low: Double { max(0, range.low) }
    var high: Double { range.high }

    /// - Returns: nil for fewer payments than ``UsualRange/countMin``.
    init?(_ amounts: [MinorUnits], _ currency: Currency) {
        guard let range = UsualRange(amounts.map { Double($0.rawValue) }) else { return nil }
        (self.currency, self.range) = (currency, range)
    }
}

extension VerdictReason {
    func words(
        amount: MinorUnits? = nil, usual: UsualAmount? = nil, hasUsual: Bool? = nil
    ) -> String {
        switch self {
        case .rule(let name): FeatureWords.words(rule: name)
        case .feature(let name, let value, _):
            FeatureWords.words(name, value, amount: amount, usual: usual, hasUsual: hasUsual)
        }
    }
}
