import Vocabulary

/// How much weight a scoring has: the better-informed one stands, and of two equally informed
/// ones the stricter. A total order, so the standing that wins does not depend on arrival order.
struct Standing: Hashable, Comparable, Sendable {
    /// Four times the evidence, plus the strictness 1…3.
    let rawValue: Int64

    init(rawValue: Int64) { self.rawValue = rawValue }

    /// Of what is not scored at all.
    static let none = Standing(rawValue: 0)

    init(_ scored: ScoredPayment) {
        let event = scored.event
        var evidence: Int64 = scored.score == nil ? 0 : 16
        // One by one: an array of them would cost every payment an allocation.
        if event.customer != nil { evidence += 1 }
        if event.card != nil { evidence += 1 }
        if event.cardCountry != nil { evidence += 1 }
        if event.country != nil { evidence += 1 }
        if event.device != nil { evidence += 1 }
        let strictness: Int64 =
            switch scored.verdict {
            case .approve: 1
            // A payment that nobody scored is never taken for a clean one.
            case .manualReview, .notScored: 2
            case .block: 3
            }
        rawValue = evidence * 4 + strictness
    }

    /// Where this scoring alone would put the money.
    var place: FundsPlace { rawValue & 3 == 1 ? .payable : .held }

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What a person said of a payment. A decline is final: its refund may be on the way.
enum ReviewDecision: Int, Comparable, Sendable {
    case approved = 1
    case declined = 2

    var place: FundsPlace { self == .approved ? .payable : .refundDue }

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A decision and when it was taken.
struct DatedDecision: Hashable, Sendable {
    var decision: ReviewDecision
    var at: Instant

    /// The one of two decisions that stands: the stricter, and of two equal ones the earlier.
    static func standing(_ left: Self, _ right: Self) -> Self {
        if left.decision != right.decision { return left.decision > right.decision ? left : right }
        return left.at <= right.at ? left : right
    }
}

/// What the ledger knows of a booked payment.
struct BookedPayment: Hashable, Sendable {
    var movement: MovementKey
    var eventID: EventID
    var effectiveAt: Instant
    var merchant: MerchantID
    /// Whose balance at Stripe it came into.
    var processor: AccountName
    var currency: Currency
    /// All that is captured: the payment's own transaction and what it has grown by.
    var amount: MinorUnits
    /// How much of it was taken back.
    var reversed: MinorUnits = .zero
    var standing: Standing
    var place: FundsPlace
    var decision: DatedDecision?
    /// How often scoring has moved the money after it was booked.
    var moves: Int64

    /// What stands in `place`, as far as this payment put it there.
    var remaining: MinorUnits { MinorUnits(amount.rawValue - reversed.rawValue) }
}

/// A refund, or the failure of one, that is booked.
struct BookedRefund: Hashable, Sendable {
    /// `re_…`: what follows the colon of its movement key.
    var objectID: String
    var failed: Bool
    var eventID: EventID
    var effectiveAt: Instant
    var merchant: MerchantID
    var processor: AccountName
    var currency: Currency
    var amount: MinorUnits

    static func objectID(of movement: MovementKey) -> String {
        let parts = movement.rawValue.split(separator: ":", maxSplits: 1)
        return parts.count == 2 ? String(parts[1]) : movement.rawValue
    }
}

/// The little that the rules need to know of one charge. It follows from what was booked of it.
struct ChargeState: Hashable, Sendable {
    var payment: BookedPayment?
    /// A decision that came before its payment.
    var waiting: DatedDecision?
    /// Needed only while a decline is, or becomes, known.
    var refunds: [BookedRefund] = []
}
