import Vocabulary

extension Standing {
    /// Where this scoring alone would put the money.
    var place: FundsPlace { isMild ? .payable : .held }
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

    /// The payment as its own transaction alone tells it.
    var asBooked: Self {
        var booked = self
        booked.place = standing.place
        booked.decision = nil
        booked.moves = 0
        return booked
    }

    /// Whether a person has to look at it: its money is held, and nobody has decided.
    var isUnderReview: Bool { place == .held && decision == nil && remaining > .zero }

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
