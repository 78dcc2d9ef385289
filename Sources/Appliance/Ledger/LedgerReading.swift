package import Vocabulary

/// How far a ledger has come, and what its topics may still lack of it.
package protocol LedgerProgress: Sendable {
    /// The offset to read next of a partition; nil when nothing was read of it yet.
    func position(topic: String, partition: Int32) throws(LedgerError) -> Int64?

    /// The transactions after `id`, in order, at most `limit`: what `ledger.posted` still lacks.
    func posted(after id: TransactionID, limit: Int) throws(LedgerError) -> [PostedTransaction]

    /// Changes of reviews after `id`, in order, at most `limit`: what `payment.review` still lacks.
    /// Those that scoring told of before the ledger kept reviews are left out.
    func reviewChanges(after id: Int64, limit: Int) throws(LedgerError) -> [ReviewChange]

    /// How many told refunds wait.
    func waitingCount() throws(LedgerError) -> Int
}

extension LedgerProgress {
    package func position(topic: String) throws(LedgerError) -> Int64? {
        try position(topic: topic, partition: 0)
    }
}

/// What a ledger can be asked. Every answer comes from one snapshot of the last commit.
///
/// Whoever only reads takes this, so that there is no `post` to call by mistake and no clock to
/// invent. Blocking: call it off the cooperative pool.
package protocol LedgerReading: LedgerProgress {
    /// Where the ledger stands now.
    func point() throws(LedgerError) -> LedgerPoint

    // MARK: Transactions

    func transaction(_ id: TransactionID) throws(LedgerError) -> PostedTransaction?

    /// The transaction of this key and the moves that the ledger made because of it, in order.
    func transactions(of movement: MovementKey) throws(LedgerError) -> [PostedTransaction]

    /// The refunds of a charge that gave money back, in the order of the ledger: made from here, in
    /// Stripe's dashboard, or by anybody else.
    ///
    /// - Parameter charge: `charge:ch_…`.
    func givenRefunds(of charge: MovementKey) throws(LedgerError) -> [GivenRefund]

    // MARK: Balances

    /// Every account's balance now, by name and currency. Costs one row an account.
    func balances() throws(LedgerError) -> [AccountBalance]

    /// Every account's balance of what took effect at or before `asOf`; accounts without an entry
    /// by then are left out. Reads every entry.
    func balances(asOf: Instant) throws(LedgerError) -> [AccountBalance]

    // MARK: One account

    /// The currencies of an account, in order; none where there is no such account.
    func currencies(of account: String) throws(LedgerError) -> [Currency]

    /// Counts an account's entries again, beside its balance, on one snapshot. Reads every entry.
    ///
    /// - Parameters:
    ///   - asOf: only what took effect at or before this is `counted`; nil counts all.
    ///   - after: up to this transaction entries count as `before`.
    /// - Returns: nil where there is no such account in this currency.
    func count(
        _ account: String, _ currency: Currency, asOf: Instant?, after: TransactionID
    ) throws(LedgerError) -> AccountCount?

    /// An account's entries behind a transaction, in the order of the ledger, at most `limit`.
    /// Reads as many entries of all accounts as lie between.
    ///
    /// - Parameter last: what was booked after this transaction is not seen.
    func entries(
        of account: String, _ currency: Currency, asOf: Instant?, after: TransactionID,
        through last: TransactionID, limit: Int
    ) throws(LedgerError) -> [AccountEntry]

    /// An account's entries that took effect from `from` to `to`, both included, with what it held
    /// before and after. Reads every entry up to `to`.
    ///
    /// - Parameters:
    ///   - after: the transaction behind which the page begins; 0 for the beginning.
    ///   - limit: entries of the page, at most.
    /// - Returns: nil where there is no such account in this currency.
    func period(
        of account: String, _ currency: Currency, from: Instant, to: Instant,
        after: TransactionID, limit: Int
    ) throws(LedgerError) -> AccountPeriod?

    /// Every account with an entry that took effect from `from` to `to`, both included, by name.
    /// Reads every entry, and holds the accounts.
    func openedAccounts(
        from: Instant, to: Instant, through last: TransactionID
    ) throws(LedgerError) -> [OpenedAccount]

    /// Movements of the ledger whose keys stand beside `key` in order, at most `limit` on each
    /// side.
    func movements(near key: String, limit: Int) throws(LedgerError) -> [String]

    // MARK: What waits

    /// What was told and is not booked, the oldest first. Costs one row a waiting refund.
    func waiting() throws(LedgerError) -> [WaitingMovement]

    // MARK: Reviews

    /// Open reviews, in the order of their payments' transactions, at most `limit`.
    func openReviews(after payment: TransactionID, limit: Int) throws(LedgerError) -> [Review]

    /// The review of a payment; nil where the payment is unknown or was never held.
    func review(of payment: MovementKey) throws(LedgerError) -> Review?

    /// The transaction behind which payments' reviews are renewed; 0 but in a ledger that a release
    /// began that never renewed one, or in a copy of such a ledger.
    func renewalsAfter() throws(LedgerError) -> Int64

    /// What became of the decision at this offset of `payment.review`; nil where the ledger has not
    /// considered it.
    func decision(at offset: Int64, partition: Int32) throws(LedgerError) -> PlacedDecision?

    /// People's decisions on a payment, in the order in which they were considered.
    func decisions(on payment: MovementKey) throws(LedgerError) -> [PlacedDecision]

    // MARK: What stands against Stripe's statement

    /// What the ledger holds under these keys, by key, with what it made of it since: the growth of
    /// a captured amount, a refund that turned out to be a release.
    ///
    /// - Parameter last: what was booked after this transaction is not seen. What is only ever
    ///   added to can be asked for any moment that it has passed.
    func movements(
        _ keys: [String], through last: Int64
    ) throws(LedgerError) -> [String: LedgerMovement]

    /// Movements of the processor that took effect in a period, in the order of the ledger.
    ///
    /// - Parameters:
    ///   - after: the ledger's transaction to go on after.
    ///   - limit: how many at most; fewer mean that there are no more.
    ///   - last: the last transaction that is seen.
    func movements(
        after: Int64, from: Instant, to: Instant, limit: Int, through last: Int64
    ) throws(LedgerError) -> [LedgerMovement]

    /// The last transaction that was booked before `moment`, by the clock at its booking; 0 if
    /// none was. A movement is booked after it took effect, so those of a period stand behind it.
    func lastTransaction(before moment: Instant) throws(LedgerError) -> Int64

    /// The ledger's last transaction; 0 if it has none.
    func head() throws(LedgerError) -> Int64

    /// The balances of the processor, by Stripe account and currency.
    func processorBalances() throws(LedgerError) -> [StripeAccount: [Currency: Int64]]

    /// The processor's balance of one Stripe account, by currency, as of a transaction.
    func processorBalance(
        of account: StripeAccount, through last: Int64
    ) throws(LedgerError) -> [Currency: Int64]

    // MARK: Proof

    /// Every row of what is kept beside the chain, as text, in the order of its key: for who
    /// compares two ledgers. Reads the whole table.
    func rows(of table: KeptTable, _ take: (String) -> Void) throws(LedgerError)

    /// Recomputes everything that follows from something else, and stops at the first fault.
    func verify(
        progress: (LedgerVerification.Progress) -> Void
    ) throws(LedgerError) -> LedgerVerification

    func close() throws(LedgerError)
}

extension LedgerReading {
    /// What `tillbox ledger show` prints: a transaction by its number, else all of a movement.
    func show(_ words: String) throws(LedgerError) -> [PostedTransaction] {
        if let id = Int64(words) {
            return try transaction(TransactionID(id)).map { [$0] } ?? []
        }
        return try transactions(of: MovementKey(words))
    }

    func movements(_ keys: [String]) throws(LedgerError) -> [String: LedgerMovement] {
        try movements(keys, through: .max)
    }

    func movements(
        after: Int64, from: Instant, to: Instant, limit: Int
    ) throws(LedgerError) -> [LedgerMovement] {
        try movements(after: after, from: from, to: to, limit: limit, through: .max)
    }

    func processorBalance(of account: StripeAccount) throws(LedgerError) -> [Currency: Int64] {
        try processorBalance(of: account, through: .max)
    }

    /// The connected accounts that the ledger knows, in order.
    package func connectedAccounts() throws(LedgerError) -> [StripeAccount] {
        try processorBalances().keys.filter { $0 != .own }.sorted()
    }

    func verify() throws(LedgerError) -> LedgerVerification { try verify { _ in } }
}

/// What the ledger step needs of a ledger: it books, and publishes what was booked.
package protocol LedgerBooks: LedgerProgress {
    /// One transaction of the store: everything of the batch with its positions, or nothing.
    ///
    /// A refused input stores nothing and does not touch the others.
    /// - Throws: whatever is thrown, nothing of the batch is stored, and the positions stand where
    ///   they stood. Retry only what `isRetryable`.
    ///
    /// - Parameter places: where people's decisions are considered, by their place in `inputs`.
    func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
    ) throws(LedgerError) -> PostOutcome
}

/// A ledger that may have been put back from an older backup, and books the rest once more.
package protocol RebookingLedger: LedgerBooks {
    /// From now on what `stamps` knows bears the time at which it was booked for the first time.
    func rebook(by stamps: any LedgerStamps) throws(LedgerError)
}

/// A ledger that can be booked into. A process has one.
package protocol Ledger: LedgerReading, LedgerBooks {
    /// Notes which log this ledger is booked from, and how far it has come, unless it is noted.
    func adopt(log: String) throws(LedgerError)

    /// Notes the `renewalsAfter` of the ledger whose records this one is to book again, so that it
    /// comes to the same. Nothing may be booked.
    func inherit(renewalsAfter transaction: Int64) throws(LedgerError)
}

extension LedgerBooks {
    package func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition] = []
    ) throws(LedgerError) -> PostOutcome {
        try post(inputs, positions: positions, places: [:])
    }
}

/// One movement of a processor's account, as the ledger holds it.
package struct LedgerMovement: Hashable, Sendable {
    /// The ledger's transaction.
    package var transaction: Int64
    package var key: String
    package var effectiveAt: Instant
    package var currency: Currency
    /// The change of `processor:stripe`, or of a connected account's.
    package var amount: MinorUnits
    /// Whose balance it changed.
    package var account = StripeAccount.own
}
