/// What scoring says of a payment.
enum Verdict: String, Sendable, Comparable {
    /// A kind that bears no risk, such as a payout.
    case notScored = "not_scored"
    case approve
    case manualReview = "manual_review"
    case block

    private var strictness: Int {
        switch self {
        case .notScored: 0
        case .approve: 1
        case .manualReview: 2
        case .block: 3
        }
    }

    /// A milder verdict is less than a stricter one.
    static func < (left: Self, right: Self) -> Bool { left.strictness < right.strictness }
}

/// Why a verdict is not `approve`.
enum VerdictReason: Hashable, Sendable {
    /// A rule of contracts §5: `features_missing`, `features_stale`, `model_unavailable`,
    /// `amount_limit`, or a configured rule's name.
    case rule(String)
    /// One of the largest SHAP contributions, in log-odds.
    case feature(name: String, value: Double, contribution: Double)
}

/// The eight numbers the model sees (contracts §4), and when they were true.
struct FeatureVector: Hashable, Sendable {
    /// Exactly `FeatureVector.count` numbers, in the order of contracts §4.
    var values: [Float]
    /// The `created` of the event they were computed on.
    var asOf: Instant

    static let count = 8
}

/// The value of a `payment.scored` record.
struct ScoredPayment: Hashable, Sendable {
    var event: PaymentEvent
    var verdict: Verdict
    /// The model's probability of fraud in 0…1; nil where nothing was scored.
    var score: Double?
    var reasons: [VerdictReason]
    /// The model's version; nil where nothing was scored.
    var model: String?
    var featuresAsOf: Instant?
}

/// Where a review stands.
enum ReviewState: String, Sendable {
    case opened, approved, declined, expired
}

/// The value of a `payment.review` record.
struct ReviewRecord: Hashable, Sendable {
    /// The payment under review.
    var movement: MovementKey
    var state: ReviewState
    var reasons: [VerdictReason]
    var score: Double?
    /// Who decided: a user's name, or `scoring` when the daemon opened or closed it itself.
    var by: String
    /// When, in the log's own time: the `created` of the event that opened it, or a decision's clock.
    var at: Instant
    var note: String?
}
