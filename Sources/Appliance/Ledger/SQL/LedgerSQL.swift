import Vocabulary

/// A statement on the ledger's tables, in whichever database they are: `?` and `?1` stand for what
/// is bound. Its words are those that SQLite and Postgres have in common; `CROSS JOIN … ON`, which
/// tells SQLite an order, is a plain JOIN to Postgres.
package protocol LedgerQuery: AnyObject {
    /// - Parameter index: 1 for the first.
    func bind(_ index: Int32, _ number: Int64)
    func bind(_ index: Int32, _ text: String)
    /// - Returns: whether a row is ready.
    func step() throws -> Bool
    /// Before its user returns, and before it is bound anew.
    func reset()
    func integer(_ column: Int32) -> Int64
    func double(_ column: Int32) -> Double
    func text(_ column: Int32) -> String
    func blob(_ column: Int32) -> [UInt8]
    func isNull(_ column: Int32) -> Bool
}

extension LedgerQuery {
    package func integerOrNull(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }
    package func textOrNull(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
}

/// One snapshot of the ledger's tables.
package protocol LedgerSnapshot {
    func query(_ sql: String) throws -> any LedgerQuery
    /// One of a text that comes again and again. Two of the same text must not be in use at once.
    func query(again sql: String, keptBytes: Int) throws -> any LedgerQuery
    /// Runs a query for many keys and hands its first row of each to `read`, with the key's place;
    /// in Postgres all of them in one round trip.
    ///
    /// - Parameters:
    ///   - sql: a key's texts stand as `?1`, `?2` … in it, and `number` behind them.
    ///   - keys: each of as many texts as the first.
    func firstRows(
        of sql: String, forEach keys: [[String]], _ number: Int64,
        _ read: (_ place: Int, any LedgerQuery) throws -> Void
    ) throws
    /// One over more rows than fit into memory.
    func query(walking sql: String) throws -> any LedgerQuery
    /// The entries of these transactions, each in its order.
    func entries(of ids: [Int64]) throws -> [Int64: [Entry]]

    /// Whether the tables are of a schema that has captures and notes, and reviews.
    var keepsCaptures: Bool { get throws }
    var keepsReviews: Bool { get throws }
    /// Whether reviews are renewed.
    var keepsRenewals: Bool { get throws }

    /// - Throws: `LedgerError.olderSchema` where there are no reviews.
    func checkReviews() throws

    // MARK: For `verify`

    /// What was told and booked of a charge's refunds, without its payment.
    func toldReader() throws -> (_ charge: String) throws -> ChargeNotes
    /// The first rule that is not as the migrations make it.
    func schemaFault(triggersToo: Bool) throws -> LedgerVerification.Fault?
    /// What the database itself finds between its tables and indexes.
    func linkFault() throws -> LedgerVerification.Fault?
    /// What the database itself finds in its files.
    func fileFault() throws -> LedgerVerification.Fault?
}

extension LedgerSnapshot {
    package func query(again sql: String) throws -> any LedgerQuery {
        try query(again: sql, keptBytes: 0)
    }
}

/// A ledger whose tables are asked in SQL.
package protocol LedgerSQL: LedgerReading {
    /// Runs `body` on one snapshot of the database.
    func reading<Value>(
        _ body: (any LedgerSnapshot) throws -> Value
    ) throws(LedgerError) -> Value
    /// What an error says of a damaged file; nil for any other error.
    func damage(in error: any Error) -> String?
}
