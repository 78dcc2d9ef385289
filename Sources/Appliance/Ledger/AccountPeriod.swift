package import Vocabulary

/// A statement of an account in one currency: what it held before a period, what took effect in
/// it, and what it came to. All of it comes from one snapshot.
package struct AccountPeriod: Hashable, Sendable {
    package var account: AccountName
    /// Of what took effect before the period.
    package var opening = AccountCount.Sum()
    /// Of what took effect in it, and of that the debits and the credits.
    package var moved = AccountCount.Sum()
    package var debits = AccountCount.Sum()
    package var credits = AccountCount.Sum()
    /// Of `moved`, the entries up to the transaction that the page goes on after.
    package var before = AccountCount.Sum()
    /// The page's entries, in the order of the ledger.
    package var entries: [AccountEntry] = []

    package var closing: MinorUnits { opening.amount &+ moved.amount }
    /// The balance before the page's first entry.
    package var carried: MinorUnits { opening.amount &+ before.amount }
}

extension LedgerSQL {
    package func period(
        of account: String, _ currency: Currency, from: Instant, to: Instant,
        after: TransactionID, limit: Int
    ) throws(LedgerError) -> AccountPeriod? {
        try reading { database in
            guard let id = try Self.number(of: account, currency, database) else { return nil }
            var period = AccountPeriod(account: AccountName(account))
            try Self.sum(id, from, to, after, database, into: &period)
            period.entries = try Self.entries(of: id, from, to, after, limit, database)
            return period
        }
    }

    private static func number(
        of account: String, _ currency: Currency, _ database: any LedgerSnapshot
    ) throws -> Int64? {
        let rows = try database.query("SELECT id FROM accounts WHERE name = ? AND currency = ?")
        defer { rows.reset() }
        rows.bind(1, account)
        rows.bind(2, currency.code)
        return try rows.step() ? rows.integer(0) : nil
    }

    /// Reads every entry up to the period's end, in their own order.
    private static func sum(
        _ account: Int64, _ from: Instant, _ to: Instant, _ after: TransactionID,
        _ database: any LedgerSnapshot, into period: inout AccountPeriod
    ) throws {
        let conditions = [
            "t.effective_at < ?2", "t.effective_at >= ?2",
            "t.effective_at >= ?2 AND e.amount > 0", "t.effective_at >= ?2 AND e.amount < 0",
            "t.effective_at >= ?2 AND e.transaction_id <= ?4",
        ]
        let columns = conditions.flatMap { condition in
            ["1", "e.amount"].map {
                "coalesce(sum(CASE WHEN \(condition) THEN \($0) ELSE 0 END), 0)"
            }
        }
        let rows = try database.query(
            """
            SELECT \(columns.joined(separator: ", "))
            FROM entries e CROSS JOIN transactions t ON t.id = e.transaction_id
            WHERE e.account = ?1 AND t.effective_at <= ?3
            """)
        defer { rows.reset() }
        rows.bind(1, account)
        rows.bind(2, from.seconds)
        rows.bind(3, to.seconds)
        rows.bind(4, after.rawValue)
        guard try rows.step() else { return }
        func sum(_ place: Int32) -> AccountCount.Sum {
            AccountCount.Sum(
                entries: rows.integer(2 * place), amount: MinorUnits(rows.integer(2 * place + 1)))
        }
        (period.opening, period.moved) = (sum(0), sum(1))
        (period.debits, period.credits, period.before) = (sum(2), sum(3), sum(4))
    }

    private static func entries(
        of account: Int64, _ from: Instant, _ to: Instant, _ after: TransactionID, _ limit: Int,
        _ database: any LedgerSnapshot
    ) throws -> [AccountEntry] {
        let rows = try database.query(
            """
            SELECT e.transaction_id, e.amount
            FROM entries e CROSS JOIN transactions t ON t.id = e.transaction_id
            WHERE e.account = ?1 AND t.effective_at >= ?2 AND t.effective_at <= ?3
                AND e.transaction_id > ?4
            ORDER BY e.transaction_id, e.currency, e.seq LIMIT ?5
            """)
        defer { rows.reset() }
        rows.bind(1, account)
        rows.bind(2, from.seconds)
        rows.bind(3, to.seconds)
        rows.bind(4, after.rawValue)
        rows.bind(5, Int64(limit))
        var entries: [AccountEntry] = []
        while try rows.step() {
            entries.append(
                AccountEntry(
                    transaction: TransactionID(rows.integer(0)),
                    amount: MinorUnits(rows.integer(1))))
        }
        return entries
    }
}
