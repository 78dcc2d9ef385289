package import Vocabulary

/// A line of Stripe's statement, as reconciliation read it last.
package struct StatementLine: Hashable, Sendable {
    /// `txn_…`
    package var id: String
    package var type: String
    package var currency: Currency
    package var amount: MinorUnits
    package var fee: MinorUnits
    package var net: MinorUnits
    package var created: Instant
    /// Whether reconciliation finds nothing wrong with it.
    package var isRight: Bool
    /// The automatic payout that it went into; nil where it is in none yet, or no run has asked.
    package var payout: PayoutOfLine?

    package init(
        id: String, type: String, currency: Currency, amount: MinorUnits, fee: MinorUnits,
        net: MinorUnits, created: Instant, isRight: Bool, payout: PayoutOfLine? = nil
    ) {
        self.id = id
        self.type = type
        self.currency = currency
        self.amount = amount
        self.fee = fee
        self.net = net
        self.created = created
        self.isRight = isRight
        self.payout = payout
    }
}

/// The automatic payout that paid a line of the statement out.
package struct PayoutOfLine: Hashable, Sendable {
    /// `po_…`
    package var id: String
    /// When Stripe made it.
    package var created: Instant

    package init(id: String, created: Instant) { (self.id, self.created) = (id, created) }
}

/// A line of the statement that a payout paid out, and what it settles.
package struct PayoutLine: Hashable, Sendable {
    /// `txn_…`
    package var id: String
    /// As the statement has it; nil where no run has read the line.
    package var type: String?
    package var net: MinorUnits?
    package var created: Instant
    /// The ledger's transaction that it settles; nil where it settles none.
    package var transaction: TransactionID?

    package init(
        id: String, type: String?, net: MinorUnits?, created: Instant, transaction: TransactionID?
    ) {
        (self.id, self.type, self.net) = (id, type, net)
        (self.created, self.transaction) = (created, transaction)
    }
}

/// An automatic payout, and what the balance transactions come to that Stripe says it is made of.
package struct PayoutParts: Hashable, Sendable {
    package var currency: Currency
    package var amount: MinorUnits
    package var created: Instant
    /// How many balance transactions, and their net in sum.
    package var count: Int64
    package var total: MinorUnits
    /// The run that looked last.
    package var run: Int64
    /// The first of them, oldest first, at most ``linesMax``; none where a release that did not
    /// keep them has looked last.
    package var lines: [PayoutLine]

    /// Lines of a payout that are told.
    package static let linesMax = 100

    package init(
        currency: Currency, amount: MinorUnits, created: Instant, count: Int64, total: MinorUnits,
        run: Int64, lines: [PayoutLine] = []
    ) {
        self.currency = currency
        self.amount = amount
        self.created = created
        self.count = count
        self.total = total
        self.run = run
        self.lines = lines
    }

    /// What they leave unexplained; it wraps around, as it is only shown.
    package var unexplained: MinorUnits { MinorUnits(amount.rawValue &- total.rawValue) }
}

/// What reconciliation has read of Stripe's statement, for who explains an amount. Blocking.
package protocol StatementReading {
    /// The lines that settle a transaction of the ledger, oldest first, at most `limit`.
    func settling(
        _ transaction: TransactionID, limit: Int
    ) throws(LedgerError) -> [StatementLine]
    /// nil where no run has looked at the payout: it is not automatic, or younger than the last.
    func parts(ofPayout id: String) throws(LedgerError) -> PayoutParts?
    /// What the bank says of a transaction that moves `bank:{currency}`; nil of any other.
    func bankSide(of transaction: TransactionID) throws(LedgerError) -> BankSide?
}
