import Vocabulary

/// The rows that `Booking` works on, inside one database transaction at a time. A store knows how
/// they are kept and looked up, and nothing of what they mean.
///
///     begin ─▶ look up, insert, keep … ─▶ seal ─▶ set positions ─▶ commit
///        └──────────── anything thrown ────────────▶ rollBack: nothing of it is stored
///
/// Whatever a store throws ends the batch. It looks things up with everything inserted before.
protocol LedgerRows: AnyObject {
    // MARK: The transaction

    /// Opens the transaction.
    /// - Returns: whether somebody else has written since the last one was committed, so that
    ///   nothing that is remembered need be true.
    func begin() throws -> Bool
    /// What the batch that has begun will ask about: a store that is far away fetches it now, in a
    /// few round trips. Changes no answer.
    func prefetch(_ inputs: [LedgerInput]) throws
    /// Nothing more is appended: the store checks the batch as a whole.
    func seal() throws
    func commit() throws
    func rollBack()

    // MARK: The chain

    /// The last transaction. Asked before the first `insert` that follows `begin` or `rollBack`.
    func head() throws -> ChainHead
    /// Stores transactions in their order, up to the first whose movement is booked already.
    /// - Returns: how many are stored.
    func insert(_ transactions: [PendingTransaction], postedAt: Int64) throws -> Int
    func insert(_ entry: PendingEntry) throws
    func account(_ name: AccountName, _ currency: Currency) throws -> StoredAccount?
    /// - Returns: the new account's number.
    func makeAccount(_ name: AccountName, _ currency: Currency) throws -> Int64
    func isBooked(_ movement: MovementKey) throws -> Bool
    /// What a movement was booked as; nil when it is not booked.
    func posting(of movement: MovementKey) throws -> Posting?

    // MARK: Charges

    /// nil when the movement is not booked, or is no payment.
    func payment(_ movement: MovementKey) throws -> BookedPayment?
    func keep(_ payment: BookedPayment, was before: BookedPayment) throws
    func waitingDecision(for movement: MovementKey) throws -> DatedDecision?
    /// - Parameter decision: nil drops the one that waited.
    func keep(
        waiting decision: DatedDecision?, was before: DatedDecision?, for movement: MovementKey
    ) throws
    func refunds(of charge: MovementKey) throws -> [BookedRefund]
    func add(refund: TransactionID, of charge: MovementKey) throws

    // MARK: Reviews

    /// The number of the last change of a review; 0 before the first.
    func lastReview() throws -> Int64
    /// What the last row says that opened or renewed a payment's review; nil where there is none,
    /// and where reviews are not renewed: of a payment that an earlier release has booked.
    func finding(of payment: MovementKey) throws -> ReviewFinding?
    /// Opens or closes the review of a payment, and keeps the change.
    func keep(_ change: ReviewChange, of payment: MovementKey) throws
    /// Keeps a change that renews the open review of a payment.
    func renew(_ change: ReviewChange, of payment: MovementKey) throws
    /// Closes the review of a payment that a person has decided.
    func closeReview(of payment: MovementKey) throws
    func keep(_ decision: PlacedDecision) throws

    // MARK: What was told of refunds that are not booked

    /// Whether there is any note or release at all. Spares the refunds of everybody else their
    /// look-ups.
    func hasNotes() throws -> Bool
    func note(_ key: MovementKey) throws -> WaitingMovement?
    func notes(of charge: String) throws -> [WaitingMovement]
    func keep(_ note: WaitingMovement, isNew: Bool) throws
    func release(of charge: String) throws -> ChargeRelease?
    func keep(_ release: ChargeRelease, of charge: String, isNew: Bool) throws
    func waitingCount() throws -> Int

    // MARK: Positions

    /// The offset to read next; nil when nothing was read of the topic yet.
    func position(of topic: String, _ partition: Int32) throws -> Int64?
    func set(_ position: ConsumerPosition, isNew: Bool) throws
    /// Notes, apart from the rows themselves, how far they have come: if the last ones are cut off,
    /// it stays.
    func keep(_ ends: LedgerEnds) throws
    /// Notes the log that the positions are positions in.
    func keep(log: String) throws
    /// Notes that reviews of payments behind a transaction alone are renewed. Nothing is booked.
    func keep(renewalsAfter transaction: Int64) throws
}

extension LedgerRows {
    func prefetch(_ inputs: [LedgerInput]) {}
}

/// How far a ledger has come.
struct LedgerEnds: Hashable, Sendable {
    /// The number of the last transaction.
    var transactions: Int64
    /// The number of the last change of a review.
    var reviews: Int64
}

/// The last transaction of a ledger; 0 and the genesis hash in an empty one.
struct ChainHead: Hashable, Sendable {
    var id: Int64
    var hash: [UInt8]
}

/// An account as it stands in the ledger.
struct StoredAccount: Hashable, Sendable {
    var id: Int64
    /// Debits minus credits.
    var balance: Int64
}

/// A transaction on its way into the ledger, whose movement is believed to be new.
struct PendingTransaction: Sendable {
    var id: Int64
    var posting: Posting
    var standing: Standing
    /// The hash before this one's.
    var previous: [UInt8]
    var hash: [UInt8]
    /// The accounts of the entries, in the numbering of `AccountBook`.
    var accounts: [Int]
    /// Which input of the batch it came from.
    var input: Int
}

/// A line of a transaction on its way into the ledger.
struct PendingEntry: Sendable {
    var transaction: Int64
    var currency: Currency
    /// 1, 2, 3 … within its transaction.
    var sequence: Int64
    /// The account's number in the store.
    var account: Int64
    var amount: Int64
}

/// Bounds of booking.
enum BookingLimits {
    /// Transactions that wait to be stored together, at most.
    static let pendingMax = 64
}
