package import Vocabulary

/// A review opened, renewed, or closed by the daemon itself; people close the others.
///
/// | before | now | record |
/// | --- | --- | --- |
/// | – | held | `opened` |
/// | held | held, by a scoring that weighs more and says something else | `opened` again |
/// | held | payable, by a better informed scoring | `approved` |
/// | held | taken back whole | `expired` |
/// | held | a person has decided | none: the decision is one |
package struct ReviewChange: Hashable, Sendable {
    /// 1, 2, 3 … without a gap: the source of its record.
    package var id: Int64
    /// The event that caused it.
    package var eventID: EventID
    package var record: ReviewRecord
    /// Milliseconds since 1970 by the clock that was handed in.
    package var postedAtMilliseconds: Int64
}

extension ReviewChange {
    /// The payment is held: a person has to look.
    ///
    /// - Parameter finding: what the scoring said that weighs the most.
    static func opened(
        _ scored: ScoredPayment, _ finding: ReviewFinding, id: Int64, postedAt: Int64
    ) -> Self {
        Self(
            id: id, eventID: scored.event.eventID,
            record: ReviewRecord(
                movement: scored.event.movement, state: .opened, reasons: finding.reasons,
                score: finding.score, by: PostingRules.scoringActor, at: scored.event.created,
                note: nil),
            postedAtMilliseconds: postedAt)
    }

    /// A better informed event was scored milder.
    static func released(_ scored: ScoredPayment, id: Int64, postedAt: Int64) -> Self {
        var change = opened(scored, ReviewFinding(scored), id: id, postedAt: postedAt)
        change.record.state = .approved
        change.record.note = "a better informed event was scored lower"
        return change
    }

    /// Nothing is left to decide about.
    static func expired(
        _ event: PaymentEvent, _ payment: MovementKey, id: Int64, postedAt: Int64
    ) -> Self {
        Self(
            id: id, eventID: event.eventID,
            record: ReviewRecord(
                movement: payment, state: .expired, reasons: [], score: nil,
                by: PostingRules.scoringActor, at: event.created,
                note: "the payment was taken back before anybody decided"),
            postedAtMilliseconds: postedAt)
    }
}

/// What a scoring says of a payment that it holds.
///
/// A total order, so that of scorings that weigh the same one and the same is told, whichever came
/// first: the one with the higher score, then the one whose reasons are larger as text.
struct ReviewFinding: Hashable, Comparable, Sendable {
    var score: Double?
    var reasons: [VerdictReason]

    init(score: Double?, reasons: [VerdictReason]) {
        (self.score, self.reasons) = (score, reasons)
    }

    init(_ scored: ScoredPayment) { self.init(score: scored.score, reasons: scored.reasons) }

    static func < (left: Self, right: Self) -> Bool {
        if left.score != right.score {
            // A scoring without a score says the least.
            return left.score ?? -.infinity < right.score ?? -.infinity
        }
        return ReviewReasons.text(left.reasons).utf8
            .lexicographicallyPrecedes(ReviewReasons.text(right.reasons).utf8)
    }
}

/// A person's decision where the ledger considered it, and what became of it.
///
/// Two topics have no order between them, and a decision gives another chain before a payment than
/// after it; so the place is kept, in the transaction that considered the decision.
package struct PlacedDecision: Hashable, Sendable {
    package var place: DecisionPlace
    package var record: ReviewRecord
    /// Whether it changed anything: where another one stands, or it was refused, it did not.
    package var tookEffect: Bool
}

/// Where a person's decision stands between the records of `payment.scored`: the review record at
/// `decision` came after the scored record before `scoredNext` and before that one.
package struct DecisionPlace: Hashable, Sendable {
    /// Offset in `payment.review`.
    package var decision: Int64
    /// The partition of both topics.
    package var partition: Int32 = 0
    /// The offset in `payment.scored` that was still to be read.
    package var scoredNext: Int64
}

/// A review as people look at it: of a payment that is, or once was, held.
package struct Review: Hashable, Sendable {
    /// Where it stands.
    package enum State: String, Sendable {
        case open, approved, declined, expired
        /// A better informed scoring closed it.
        case released
    }

    /// The ledger's number of the payment's transaction.
    package var payment: TransactionID
    package var movement: MovementKey
    package var merchant: MerchantID
    package var currency: Currency
    /// What of the payment was not taken back; refunds do not lessen it (``GivenRefund``).
    package var amount: MinorUnits
    package var state: State
    /// When the payment took effect.
    package var effectiveAt: Instant
    /// The event whose scoring opened or renewed it last; nil where nothing of it was kept.
    package var eventID: EventID?
    package var score: Double?
    package var reasons: [VerdictReason]
    /// The person's decision that stands.
    package var decision: Decision?

    package struct Decision: Hashable, Sendable {
        package var by: String
        package var at: Instant
        package var note: String?
    }
}
