package import Vocabulary

/// One record for the ledger to consider.
package enum LedgerInput: Hashable, Sendable {
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
package struct PostOutcome: Hashable, Sendable {
    /// One for each input, in their order.
    var inputs: [InputOutcome]
    /// What was booked, in the order of the ledger; the ids are consecutive.
    package var posted: [PostedTransaction]
    /// Reviews that were opened, renewed, or closed by the daemon itself; the ids are consecutive.
    package var reviews: [ReviewChange] = []
    /// How many of them renew a review that was open.
    package var renewedCount = 0
    /// By the place of a refused input: what it told, what stands in the ledger, what was expected.
    var details: [Int: String] = [:]
    /// How many told refunds wait now; nil where this batch changed nothing of them.
    var waiting: Int?
}

/// The place that a consumer has reached in a topic.
package struct ConsumerPosition: Hashable, Sendable {
    package var topic: String
    var partition: Int32 = 0
    /// The offset to read next.
    package var nextOffset: Int64
    /// What the consumer believes to be stored now; nil where nobody else can have written. If it
    /// is another, the batch is refused: somebody else has taken the partition over.
    package var expected: Int64?
    /// The checksum of the batch that holds the record before it, so that another log of the same
    /// length is told apart; nil where the plane has none.
    var checksum: UInt32?

    package init(
        topic: String, partition: Int32 = 0, nextOffset: Int64, expected: Int64? = nil,
        checksum: UInt32? = nil
    ) {
        self.checksum = checksum
        self.topic = topic
        self.partition = partition
        self.nextOffset = nextOffset
        self.expected = expected
    }
}

/// Where a ledger stands, on one snapshot: how far it has read, and where its chain ends.
package struct LedgerPoint: Hashable, Sendable {
    /// The offset to read next, by topic, in partition 0.
    package var positions: [String: Int64]
    /// The checksum of the batch before the position, by topic, where it was stored beside it.
    var checksums: [String: UInt32] = [:]
    /// Where people's decisions were considered: by their offset in `payment.review`, the offset in
    /// `payment.scored` that was still to be read.
    var places: [Int64: Int64]
    /// The last transaction's number; 0 in an empty ledger.
    package var head: Int64
    /// The last transaction's hash.
    package var hash: [UInt8]
    /// The identities of the logs that it was booked from; one, unless somebody has mixed them.
    package var logs: [String] = []
    /// The number that the next transaction gets, as it was noted with the last one; nil in a
    /// ledger of a release that did not note it.
    var next: Int64?
    /// The last change of a review; 0 where there is none.
    package var lastReview: Int64 = 0
}

/// What an account holds in one currency.
package struct AccountBalance: Hashable, Sendable {
    package var account: AccountName
    package var currency: Currency
    /// Debits minus credits.
    package var balance: MinorUnits

    /// The balance in major units with Stripe's number of decimals.
    package var display: String { currency.display(balance) }
}
