import Vocabulary

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
    /// By the place of a refused input: what it told, what stands in the ledger, what was expected.
    var details: [Int: String] = [:]
    /// How many told refunds wait now; nil where this batch changed nothing of them.
    var waiting: Int?
}

/// The place that a consumer has reached in a topic.
struct ConsumerPosition: Hashable, Sendable {
    var topic: String
    /// The offset to read next.
    var nextOffset: Int64
}

/// Where a person's decision stands between the records of `payment.scored`, which the ledger keeps
/// among its positions, in the transaction that considered it: `payment.review/17` → 4711 says that
/// the review record at offset 17 came after the scored record 4710 and before 4711.
struct DecisionPlace: Hashable, Sendable {
    /// Offset in `payment.review`.
    var decision: Int64
    /// The offset in `payment.scored` that was still to be read.
    var scoredNext: Int64

    static let prefix = "payment.review/"

    init(decision: Int64, scoredNext: Int64) {
        self.decision = decision
        self.scoredNext = scoredNext
    }

    /// - Returns: nil for the position of a topic.
    init?(_ position: ConsumerPosition) {
        guard position.topic.hasPrefix(Self.prefix),
            let decision = Int64(position.topic.dropFirst(Self.prefix.count))
        else { return nil }
        self.init(decision: decision, scoredNext: position.nextOffset)
    }

    var position: ConsumerPosition {
        ConsumerPosition(topic: "\(Self.prefix)\(decision)", nextOffset: scoredNext)
    }
}

/// Where a ledger stands, on one snapshot: how far it has read, and where its chain ends.
struct LedgerPoint: Hashable, Sendable {
    /// The offset to read next, by topic.
    var positions: [String: Int64]
    /// By the offset in `payment.review`.
    var places: [Int64: Int64]
    /// The last transaction's number; 0 in an empty ledger.
    var head: Int64
    /// The last transaction's hash.
    var hash: [UInt8]
    /// The identities of the logs that it was booked from; one, unless somebody has mixed them.
    var logs: [String] = []
    /// The number that the next transaction gets, as it was noted with the last one; nil in a ledger
    /// of a release that did not note it.
    var next: Int64?
}

/// What a ledger keeps among its positions besides the next offset of each topic: positions only go
/// forward, and are committed with what they stand for.
enum LedgerNote {
    /// `log/<identity>` → 0: the log that the positions are positions in.
    static let logPrefix = "log/"
    /// `ledger.posted` → the next transaction's number. If the last transactions are cut off, it stays.
    static let next = "ledger.posted"
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
