package import Vocabulary

/// From a score to a verdict (contracts §5). Pure.
///
/// Never a false clean: without fresh features or without a score nothing is approved.
package struct Verdicts: Hashable, Sendable {
    package let thresholds: ModelSchema.Thresholds
    /// From more than this amount on a person looks at the payment, by currency.
    package let amountLimits: [Currency: MinorUnits]

    /// The stable names of the rules (contracts §5).
    enum Rule: String, CaseIterable, Sendable {
        case featuresMissing = "features_missing"
        case featuresStale = "features_stale"
        case modelUnavailable = "model_unavailable"
        case amountLimit = "amount_limit"
    }

    /// How many contributions stand among the reasons.
    static let contributionsMax = 3

    package init(
        thresholds: ModelSchema.Thresholds, amountLimits: [Currency: MinorUnits] = [:]
    ) {
        self.thresholds = thresholds
        self.amountLimits = amountLimits
    }

    /// A verdict and the rules that made it stricter than the score alone.
    struct Decision: Hashable, Sendable {
        var verdict: Verdict
        var rules: [Rule]
    }

    /// - Parameter score: the model's probability of fraud, nil if it could not be asked.
    func decide(_ event: PaymentEvent, reading: FeatureReading, score: Double?) -> Decision {
        var rules: [Rule] = []
        var verdict = Verdict.approve
        switch reading {
        case .missing: rules.append(.featuresMissing)
        case .stale: rules.append(.featuresStale)
        case .fresh: break
        }
        if let score, score >= 0, score <= 1 {
            if reading.vector != nil { verdict = thresholds.verdict(of: score) }
        } else if reading.vector != nil {
            rules.append(.modelUnavailable)
        }
        if let limit = amountLimits[event.currency], event.amount > limit {
            rules.append(.amountLimit)
        }
        if !rules.isEmpty { verdict = max(verdict, .manualReview) }
        return Decision(verdict: verdict, rules: rules)
    }

    /// The rules, then the three largest contributions by size, largest first; equal ones in the
    /// features' order.
    ///
    /// - Parameter contributions: one row of `RiskModel.contributions`; the bias is left out.
    static func reasons(
        rules: [Rule], vector: FeatureVector?, contributions: [Float]?
    ) -> [VerdictReason] {
        let ruleReasons = rules.map { VerdictReason.rule($0.rawValue) }
        guard let vector, let contributions else { return ruleReasons }
        let largest = Feature.allCases
            .map { (feature: $0, contribution: contributions[$0.rawValue]) }
            .sorted { left, right in
                let (a, b) = (abs(left.contribution), abs(right.contribution))
                return a == b ? left.feature.rawValue < right.feature.rawValue : a > b
            }
            .prefix(contributionsMax)
        return ruleReasons
            + largest.map { entry in
                .feature(
                    name: entry.feature.name,
                    value: Double(vector[entry.feature.rawValue]),
                    contribution: Double(entry.contribution))
            }
    }
}
