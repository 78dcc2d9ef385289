/// One record for the ledger to consider.
enum LedgerInput: Hashable, Sendable {
    case scored(ScoredPayment)
    case review(ReviewRecord)
}

/// What became of one input.
enum InputOutcome: Hashable, Sendable {
    /// It led to `count` transactions, at least one.
    case booked(count: Int)
    /// The movement stood in the ledger before, and nothing had to change.
    case alreadyBooked
    /// Its kind moves no money, or a decision waits for its payment.
    case nothingToBook
    /// Nothing of it is stored; the caller writes a dead letter with `PostingRefusal.code`.
    case refused(PostingRefusal)
}

/// What one batch did.
struct PostOutcome: Hashable, Sendable {
    /// One for each input, in their order.
    var inputs: [InputOutcome]
    /// What was booked, in the order of the ledger; the ids are consecutive.
    var posted: [PostedTransaction]
}

/// The place that a consumer has reached in a topic.
struct ConsumerPosition: Hashable, Sendable {
    var topic: String
    /// The offset to read next.
    var nextOffset: Int64
}

/// What an account holds in one currency.
struct AccountBalance: Hashable, Sendable {
    var account: AccountName
    var currency: Currency
    /// Debits minus credits.
    var balance: MinorUnits

    /// The balance in major units with Stripe's number of decimals.
    var display: String { currency.display(balance) }
}
