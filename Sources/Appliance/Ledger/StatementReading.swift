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

    package init(
        id: String, type: String, currency: Currency, amount: MinorUnits, fee: MinorUnits,
        net: MinorUnits, created: Instant, isRight: Bool
    ) {
        self.id = id
        self.type = type
        self.currency = currency
        self.amount = amount
        self.fee = fee
        self.net = net
        self.created = created
        self.isRight = isRight
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

    package init(
        currency: Currency, amount: MinorUnits, created: Instant, count: Int64, total: MinorUnits,
        run: Int64
    ) {
        self.currency = currency
        self.amount = amount
        self.created = created
        self.count = count
        self.total = total
        self.run = run
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
}
