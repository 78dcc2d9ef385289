package import Vocabulary

/// Where a payment's money stands, by the ledger.
package enum MoneyPlace: String, CaseIterable, Sendable {
    /// The merchant's to be paid out.
    case payable
    /// Kept until a person decides.
    case held
    /// Kept because of the verdict.
    case blocked
    /// To go back to the payer, as a person declined it.
    case refundDue = "refund_due"
    /// It came back: a bank debit failed after it had succeeded.
    case reversed
    /// The payment failed; nothing moved.
    case failed
    /// Told, and not booked yet.
    case unbooked
}

/// One payment as lists and searches see it: everything that the seven topics say of a charge, in
/// one row.
///
/// Records of one topic change it in their order; which topic is ahead makes no difference. Those
/// of `ledger.posted` are of several partitions, since each transaction has a movement of its own:
/// the transaction's number says there which is the newer one.
package struct PaymentRow: Hashable, Sendable {
    /// The row's number in the index; it stays until the index is made anew.
    package let id: Int64
    /// `ch_…` or `py_…`
    package let charge: String
    /// What a validated payment tells; nil while only its webhook, or something of it, is known.
    package var told: Told?
    package var lastFour: String?
    package var brand: String?
    package var verdict: Verdict?
    package var score: Double?
    /// The weight of the scoring that stands: `Standing.rawValue`.
    package var standing: Int64 = 0
    /// Which of the ledger's accounts has the money; nil while nothing is booked.
    package var funds: MoneyPlace?
    /// The transaction that put it there; 0 for none.
    package var fundsSince: Int64 = 0
    package var review: ReviewState?
    /// Minor units that went back to the payer, and that the payer's bank has taken.
    package var refunded: Int64 = 0
    package var disputed: Int64 = 0
    package var letterCount: Int64 = 0

    /// What the first record of `payment.validated` tells, and the amount of the largest.
    package struct Told: Hashable, Sendable {
        package var isFailed: Bool
        package var customer: String?
        package var amount: Int64
        package var currency: Currency
        package var created: Instant
        /// Milliseconds since 1970: when its first webhook was kept.
        package var firstSeen: Int64
        package var merchant: String
        package var account: String?
    }

    package init(id: Int64, charge: String) {
        self.id = id
        self.charge = charge
    }

    /// The key under which the ledger books it, or would.
    package var movement: String {
        told?.isFailed == true ? "charge_failed:\(charge)" : "charge:\(charge)"
    }

    package var place: MoneyPlace {
        if let funds { return funds == .held && verdict == .block ? .blocked : funds }
        return told?.isFailed == true ? .failed : .unbooked
    }

    /// Takes one telling of the payment. The first says when it was made, which never changes, so
    /// that the row keeps its place in every list.
    mutating func take(_ event: PaymentEvent, seenAt milliseconds: Int64) {
        let isFailed = event.kind == .paymentFailed
        guard var told else {
            self.told = Told(
                isFailed: isFailed, customer: event.customer, amount: event.amount.rawValue,
                currency: event.currency, created: event.created, firstSeen: milliseconds,
                merchant: event.merchant.rawValue, account: event.account)
            return
        }
        // A charge that failed and then went through is a payment; the reverse is a telling late.
        if told.isFailed, !isFailed {
            told.isFailed = false
            told.amount = event.amount.rawValue
        } else if told.isFailed == isFailed {
            told.amount = max(told.amount, event.amount.rawValue)
        }
        told.customer = told.customer ?? event.customer
        self.told = told
    }

    /// Takes a scoring, where it weighs more than the one that stands.
    ///
    /// - Returns: whether it does.
    mutating func take(_ scored: ScoredPayment) -> Bool {
        let standing = Standing(scored).rawValue
        guard verdict == nil || standing > self.standing else { return false }
        (self.standing, verdict, score) = (standing, scored.verdict, scored.score)
        return true
    }

    /// Takes a change of its review. Of people who decide at once the first counts, but that the
    /// ledger takes a decline behind an approval, too; only scoring opens it again.
    ///
    /// - Returns: whether anything changed.
    mutating func take(_ state: ReviewState) -> Bool {
        let isDeclinedAfterAll = review == .approved && state == .declined
        guard review != state,
            review == nil || review == .opened || state == .opened || isDeclinedAfterAll
        else { return false }
        review = state
        return true
    }

    /// Takes a transaction of the ledger that its charge, a refund or a dispute of it led to.
    mutating func take(_ posted: LedgerPosted) {
        for entry in posted.entries {
            let account = entry.account[...]
            switch posted.kind {
            case "payment", "capture_grown", "held", "released", "review_approved",
                "review_declined":
                if entry.amount.rawValue < 0, let place = Self.funds(in: account) {
                    move(to: place, by: posted.id)
                }
            case "payment_reversed": move(to: .reversed, by: posted.id)
            case "refund", "refund_failed", "refund_released", "refund_restored":
                if account.hasPrefix("processor:") { refunded -= entry.amount.rawValue }
            case "dispute_withdrawn", "dispute_reinstated":
                if account.hasSuffix(":disputed") { disputed += entry.amount.rawValue }
            default: break
            }
        }
    }

    private mutating func move(to place: MoneyPlace, by transaction: Int64) {
        guard transaction >= fundsSince else { return }
        (funds, fundsSince) = (place, transaction)
    }

    private static func funds(in account: Substring) -> MoneyPlace? {
        guard account.hasPrefix("merchant:") else { return nil }
        if account.hasSuffix(":payable") { return .payable }
        if account.hasSuffix(":held") { return .held }
        return account.hasSuffix(":refund_due") ? .refundDue : nil
    }
}
