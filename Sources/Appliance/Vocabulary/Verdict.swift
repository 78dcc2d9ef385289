/// What scoring says of a payment.
package enum Verdict: String, CaseIterable, Sendable, Comparable {
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
    package static func < (left: Self, right: Self) -> Bool { left.strictness < right.strictness }
}

/// Why a verdict is not `approve`.
package enum VerdictReason: Hashable, Sendable {
    /// A rule of contracts §5: `features_missing`, `features_stale`, `model_unavailable`,
    /// `amount_limit`, or a configured rule's name.
    case rule(String)
    /// One of the largest SHAP contributions, in log-odds.
    case feature(name: String, value: Double, contribution: Double)
}

/// The eight numbers the model sees (contracts §4), and when they were true.
///
/// They lie in the value itself: there is one for each payment in each step, and none of them costs
/// an allocation.
package struct FeatureVector: Hashable, Sendable {
    @usableFromInline var numbers: InlineArray<8, Float>
    /// The `created` of the event they were computed on.
    package var asOf: Instant

    @inlinable package static var count: Int { 8 }

    @inlinable
    package init(_ numbers: InlineArray<8, Float>, asOf: Instant) {
        self.numbers = numbers
        self.asOf = asOf
    }

    /// - Parameter values: exactly `FeatureVector.count` numbers, in the order of contracts §4.
    package init(values: [Float], asOf: Instant) {
        precondition(values.count == Self.count, "\(values.count) features")
        self.init(InlineArray { values[$0] }, asOf: asOf)
    }

    /// One number, by its place in the order of contracts §4.
    @inlinable
    package subscript(place: Int) -> Float {
        get { numbers[place] }
        set { numbers[place] = newValue }
    }

    /// The numbers as an array of their own.
    package var values: [Float] {
        get { (0..<Self.count).map { numbers[$0] } }
        set { self = FeatureVector(values: newValue, asOf: asOf) }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.asOf == right.asOf
            && (0..<count).allSatisfy { left.numbers[$0] == right.numbers[$0] }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(asOf)
        for place in 0..<Self.count { hasher.combine(numbers[place]) }
    }
}

/// The value of a `payment.scored` record.
package struct ScoredPayment: Hashable, Sendable {
    package var event: PaymentEvent
    package var verdict: Verdict
    /// The model's probability of fraud in 0…1; nil where nothing was scored.
    package var score: Double?
    package var reasons: [VerdictReason]
    /// The model's version; nil where nothing was scored.
    package var model: String?
    package var featuresAsOf: Instant?

    package init(
        event: PaymentEvent, verdict: Verdict, score: Double? = nil, reasons: [VerdictReason],
        model: String? = nil, featuresAsOf: Instant? = nil
    ) {
        self.event = event
        self.verdict = verdict
        self.score = score
        self.reasons = reasons
        self.model = model
        self.featuresAsOf = featuresAsOf
    }
}

/// Where a review stands.
package enum ReviewState: String, CaseIterable, Sendable {
    case opened, approved, declined, expired
}

/// The value of a `payment.review` record.
package struct ReviewRecord: Hashable, Sendable {
    /// The payment under review.
    package var movement: MovementKey
    package var state: ReviewState
    package var reasons: [VerdictReason]
    package var score: Double?
    /// Who decided: a user's name, or `scoring` when the daemon opened or closed it itself.
    package var by: String
    /// When, in the log's own time: the `created` of the event that opened it, or a decision's
    /// clock.
    package var at: Instant
    package var note: String?

    package init(
        movement: MovementKey, state: ReviewState, reasons: [VerdictReason], score: Double? = nil,
        by: String, at: Instant, note: String? = nil
    ) {
        self.movement = movement
        self.state = state
        self.reasons = reasons
        self.score = score
        self.by = by
        self.at = at
        self.note = note
    }
}
