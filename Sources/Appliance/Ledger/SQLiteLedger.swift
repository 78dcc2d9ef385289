/// The ledger in one SQLite file. One writer; blocking; call it from its own queue.
final class SQLiteLedger: @unchecked Sendable {
    // `@unchecked Sendable`: stub until the store lands.
    private init() {}

    static func open(
        path: String, readOnly: Bool = false, busyTimeoutSeconds: Double = 5,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) throws(LedgerError) -> SQLiteLedger { throw .noSchema }

    /// One database transaction: everything of the batch with its positions, or nothing.
    func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition]
    ) throws(LedgerError) -> PostOutcome { throw .noSchema }

    func position(topic: String) throws(LedgerError) -> Int64? { throw .noSchema }
    func posted(after id: TransactionID, limit: Int) throws(LedgerError) -> [PostedTransaction] {
        throw .noSchema
    }
    func balances() throws(LedgerError) -> [AccountBalance] { throw .noSchema }
    func balances(asOf: Instant) throws(LedgerError) -> [AccountBalance] { throw .noSchema }
    func transaction(_ id: TransactionID) throws(LedgerError) -> PostedTransaction? {
        throw .noSchema
    }
    /// The transaction of this key, and those that the ledger derived from it.
    func transactions(of movement: MovementKey) throws(LedgerError) -> [PostedTransaction] {
        throw .noSchema
    }
    func verify(
        progress: (LedgerVerification.Progress) -> Void
    ) throws(LedgerError) -> LedgerVerification { throw .noSchema }
}

/// What `verify` found.
struct LedgerVerification: Hashable, Sendable {
    struct Progress: Hashable, Sendable {
        var checked: Int64
        var total: Int64
    }
    /// The first thing that is not as it must be.
    struct Fault: Hashable, Sendable {
        /// What is checked, a stable word: `hash`, `sum`, `balance` …
        var check: String
        /// The row: `transactions 17`.
        var row: String
        var expected: String
        var found: String
    }
    var transactions: Int64
    var entries: Int64
    var head: [UInt8]
    var fault: Fault?
}
