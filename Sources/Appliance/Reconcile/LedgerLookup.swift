internal import GRDB

/// What reconciliation asks the ledger, over a connection of its own that reads the last commit
/// and holds nobody up. Blocking.
struct LedgerLookup: Sendable {
    private let ledger: SQLiteLedger

    /// - Parameter path: of `ledger.sqlite`, which the daemon has made.
    init(path: String) throws(LedgerError) {
        ledger = try SQLiteLedger.open(path: path, readOnly: true, clockMilliseconds: { 0 })
    }

    func close() throws(LedgerError) { try ledger.close() }

    private static let columns = """
        SELECT t.id, t.movement, t.effective_at, e.currency, e.amount FROM transactions t
        CROSS JOIN entries e ON e.transaction_id = t.id
            AND e.account IN (SELECT id FROM accounts WHERE name = 'processor:stripe')
        """

    /// What the ledger holds under these keys, by key.
    func movements(_ keys: [String]) throws(LedgerError) -> [String: LedgerMovement] {
        try ledger.reading { database in
            let statement = try LedgerStatement(
                database, Self.columns + " WHERE t.movement = ?", keptBytes: 256)
            var found: [String: LedgerMovement] = [:]
            for key in keys {
                statement.bind(1, key)
                if try statement.step() { found[key] = try Self.movement(statement) }
                statement.reset()
            }
            return found
        }
    }

    /// Movements of the processor that took effect in a period, in the order of the ledger.
    ///
    /// - Parameters:
    ///   - after: the ledger's transaction to go on after.
    ///   - limit: how many at most; fewer mean that there are no more.
    func movements(
        after: Int64, from: Instant, to: Instant, limit: Int
    ) throws(LedgerError) -> [LedgerMovement] {
        try ledger.reading { database in
            let statement = try LedgerStatement(
                database,
                Self.columns + """
                     WHERE t.id > ? AND t.effective_at >= ? AND t.effective_at < ?
                    ORDER BY t.id LIMIT ?
                    """)
            defer { statement.reset() }
            statement.bind(1, after)
            statement.bind(2, from.seconds)
            statement.bind(3, to.seconds)
            statement.bind(4, Int64(limit))
            var movements: [LedgerMovement] = []
            while try statement.step() { movements.append(try Self.movement(statement)) }
            return movements
        }
    }

    /// The last transaction that was booked before `moment`, by the clock at its booking; 0 if
    /// none was. A movement is booked after it took effect, so those of a period stand behind it.
    func lastTransaction(before moment: Instant) throws(LedgerError) -> Int64 {
        try ledger.reading { database in
            let statement = try LedgerStatement(
                database, "SELECT posted_at FROM transactions WHERE id = ?")
            defer { statement.reset() }
            func isBefore(_ id: Int64) throws -> Bool {
                statement.bind(1, id)
                defer { statement.reset() }
                return try statement.step() && statement.integer(0) / 1000 < moment.seconds
            }
            var (low, high) = (Int64(0), try Self.head(database) + 1)
            while high - low > 1 {
                let middle = low + (high - low) / 2
                if try isBefore(middle) { low = middle } else { high = middle }
            }
            return low
        }
    }

    /// The ledger's last transaction; 0 if it has none.
    func head() throws(LedgerError) -> Int64 { try ledger.reading { try Self.head($0) } }

    private static func head(_ database: Database) throws -> Int64 {
        let statement = try LedgerStatement(
            database, "SELECT coalesce(max(id), 0) FROM transactions")
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : 0
    }

    /// `processor:stripe` by currency.
    func processorBalances() throws(LedgerError) -> [Currency: Int64] {
        var balances: [Currency: Int64] = [:]
        for balance in try ledger.balances() where balance.account == .processor {
            balances[balance.currency] = balance.balance.rawValue
        }
        return balances
    }

    private static func movement(_ statement: LedgerStatement) throws -> LedgerMovement {
        guard let currency = Currency(statement.text(3)) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(statement.text(3))")
        }
        return LedgerMovement(
            transaction: statement.integer(0), key: statement.text(1),
            effectiveAt: Instant(seconds: statement.integer(2)), currency: currency,
            amount: MinorUnits(statement.integer(4)))
    }
}
