internal import Bridges
import Vocabulary

/// What one batch knows of the tables and will change in them. Whatever was looked up, inserted or
/// changed is answered from here; the tables are written once, when the batch is sealed.
struct PostgresBatch {
    struct AccountKey: Hashable {
        var name: AccountName
        var currency: Currency
    }

    /// A row of reviews that is to be written.
    struct NewReview {
        var change: ReviewChange
        /// The payment's.
        var transaction: Int64
        /// Whether the review is open before the row.
        var wasOpen: Bool
        var isOpen: Bool { change.record.state == .opened }
    }

    // MARK: What was looked up, with what was changed since; nil: there is none

    var transactions: [MovementKey: PostgresLookups.Stored?] = [:]
    var decisions: [MovementKey: DatedDecision?] = [:]
    /// By charge, in the order of the ledger.
    var refunds: [String: [MovementKey]] = [:]
    var notes: [MovementKey: WaitingMovement?] = [:]
    var notesOfCharge: [String: Set<MovementKey>] = [:]
    var releases: [String: ChargeRelease?] = [:]
    var accounts: [AccountKey: StoredAccount?] = [:]
    var positions: [ConsumerPosition]?
    /// Whether the table has any row; nil: not looked up.
    var someDecisionsWait, someNotes: Bool?
    var lastReview: Int64?
    /// The transaction behind which payments' reviews are renewed; nil: not looked up.
    var renewalsAfter: Int64?
    /// By payment.
    var findings: [MovementKey: ReviewFinding?] = [:]
    var lastAccount: Int64?

    // MARK: What is to be written, in the order in which it came

    var newTransactions: [PendingTransaction] = []
    /// Of each of them: a copy has the times of what it copies.
    var postedAt: [Int64] = []
    var newEntries: [PendingEntry] = []
    var newAccounts: [(id: Int64, key: AccountKey)] = []
    var movements: [TransactionID: MovementKey] = [:]
    /// By transaction: what is kept of payments, and whether the table has a row already.
    var states: [Int64: (state: PostgresLookups.Stored.State, isNew: Bool)] = [:]
    var captures: [Int64: (capture: PostgresLookups.Stored.Capture, isNew: Bool)] = [:]
    var newRefunds: [(charge: String, id: Int64)] = []
    /// What the table had of those that were changed.
    var decisionsBefore: [MovementKey: DatedDecision?] = [:]
    var newReviews: [NewReview] = []
    /// Transactions whose reviews people have closed.
    var decided: Set<Int64> = []
    var placed: [PlacedDecision] = []
    /// Keys of notes and charges of releases that were changed, and whether they are new.
    var changedNotes: [MovementKey: Bool] = [:]
    var changedReleases: [String: Bool] = [:]
    var moved: [(position: ConsumerPosition, from: Int64?)] = []
}

/// The keys that a batch will ask about, as far as its inputs tell.
struct PostgresWishes {
    var movements: Set<MovementKey> = []
    /// Of which people may have decided.
    var payments: Set<MovementKey> = []
    /// Charges whose refunds are asked for.
    var refunds: Set<String> = []
    var noteKeys: Set<String> = []
    var noteCharges: Set<String> = []
    var accounts: Set<PostgresBatch.AccountKey> = []

    init(_ inputs: [LedgerInput]) {
        for input in inputs {
            switch input {
            case .review(let record):
                movements.insert(record.movement)
                payments.insert(record.movement)
                refunds.insert(record.movement.rawValue)
            case .scored(let scored): add(scored)
            }
        }
    }

    private mutating func add(_ scored: ScoredPayment) {
        let event = scored.event
        movements.insert(event.movement)
        switch event.kind {
        case .payment: payments.insert(event.movement)
        case .fee, .payout, .payoutFailed, .disputeWithdrawn, .disputeReinstated: break
        default: addCharge(of: event)
        }
        guard let posting = (try? PostingRules.posting(for: scored)) ?? nil else { return }
        for entry in posting.entries {
            accounts.insert(.init(name: entry.account, currency: entry.currency))
        }
        if event.kind == .payment { addFunds(of: event.merchant, event.currency) }
    }

    /// Where the money of a payment that is booked may go: a decision does not name its merchant.
    mutating func add(accountsOf payment: BookedPayment) {
        addFunds(of: payment.merchant, payment.currency)
    }

    private mutating func addFunds(of merchant: MerchantID, _ currency: Currency) {
        for place in [FundsPlace.payable, .held, .refundDue] {
            accounts.insert(.init(name: .funds(of: merchant, in: place), currency: currency))
        }
    }

    private mutating func addCharge(of event: PaymentEvent) {
        let charge = event.related ?? event.objectID
        movements.insert(MovementKey("charge:\(charge)"))
        if let transaction = event.balanceTransaction {
            movements.insert(MovementKey("charge_reversed:\(transaction)"))
        }
        refunds.insert("charge:\(event.related ?? "")")
        refunds.insert("charge:\(charge)")
        noteKeys.insert(event.movement.rawValue)
        noteCharges.insert(event.related ?? "")
    }
}
