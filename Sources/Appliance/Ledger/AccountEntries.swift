package import Vocabulary

/// One line of an account.
package struct AccountEntry: Hashable, Sendable {
    package var transaction: TransactionID
    package var amount: MinorUnits
}

/// What an account holds in one currency, counted again from its entries beside the balance that
/// the ledger keeps.
package struct AccountCount: Hashable, Sendable {
    /// Entries, and what they come to.
    package struct Sum: Hashable, Sendable {
        package var entries: Int64 = 0
        package var amount = MinorUnits.zero
    }

    /// As the ledger keeps it.
    package var balance: MinorUnits
    /// Of all entries: what the balance must be.
    package var all: Sum
    /// Of those that took effect in time.
    package var counted: Sum
    /// Of these, the ones up to the transaction that a page goes on after.
    package var before: Sum
    /// The last transaction that was seen.
    package var head: TransactionID

    package var isRight: Bool { balance == all.amount }
}

/// An account by its name, with the currencies and the first day that it has in an export.
package struct OpenedAccount: Hashable, Sendable {
    package var account: AccountName
    /// In order.
    package var currencies: [Currency]
    /// When the first of its entries took effect.
    package var first: Instant
}

/// Accounts, entry by entry. There is no index from an account to its entries, which would cost
/// every booking a row: each of these reads all entries once, in their order, and holds a page.
extension LedgerSQL {
    package func currencies(of account: String) throws(LedgerError) -> [Currency] {
        try reading { database in
            let rows = try database.query(
                "SELECT currency FROM accounts WHERE name = ? ORDER BY currency")
            defer { rows.reset() }
            rows.bind(1, account)
            var currencies: [Currency] = []
            while try rows.step() { currencies.append(try Self.currency(of: rows, 0)) }
            return currencies
        }
    }

    package func count(
        _ account: String, _ currency: Currency, asOf: Instant?, after: TransactionID
    ) throws(LedgerError) -> AccountCount? {
        try reading { database in
            guard let (id, balance) = try Self.stored(account, currency, database) else {
                return nil
            }
            let isInTime = asOf == nil ? "e.amount IS NOT NULL" : "t.effective_at <= ?3"
            // The entries in their own order, whatever the planner would make of the other table.
            let times =
                asOf == nil
                ? "" : "CROSS JOIN transactions t ON t.id = e.transaction_id"
            let rows = try database.query(
                """
                SELECT count(*), coalesce(sum(e.amount), 0),
                    coalesce(sum(CASE WHEN \(isInTime) THEN 1 ELSE 0 END), 0),
                    coalesce(sum(CASE WHEN \(isInTime) THEN e.amount ELSE 0 END), 0),
                    coalesce(sum(CASE WHEN \(isInTime) AND e.transaction_id <= ?2
                        THEN 1 ELSE 0 END), 0),
                    coalesce(sum(CASE WHEN \(isInTime) AND e.transaction_id <= ?2
                        THEN e.amount ELSE 0 END), 0)
                FROM entries e \(times) WHERE e.account = ?1
                """)
            defer { rows.reset() }
            rows.bind(1, id)
            rows.bind(2, after.rawValue)
            if let asOf { rows.bind(3, asOf.seconds) }
            guard try rows.step() else { return nil }
            func sum(_ column: Int32) -> AccountCount.Sum {
                AccountCount.Sum(
                    entries: rows.integer(column), amount: MinorUnits(rows.integer(column + 1)))
            }
            return AccountCount(
                balance: MinorUnits(balance), all: sum(0), counted: sum(2), before: sum(4),
                head: TransactionID(try Self.lastID(database)))
        }
    }

    package func entries(
        of account: String, _ currency: Currency, asOf: Instant?, after: TransactionID,
        through last: TransactionID, limit: Int
    ) throws(LedgerError) -> [AccountEntry] {
        try reading { database in
            guard let (id, _) = try Self.stored(account, currency, database) else { return [] }
            let times =
                asOf == nil
                ? ""
                : """
                CROSS JOIN transactions t ON t.id = e.transaction_id AND t.effective_at <= ?5
                """
            let rows = try database.query(
                """
                SELECT e.transaction_id, e.amount FROM entries e \(times)
                WHERE e.transaction_id > ?1 AND e.transaction_id <= ?2 AND e.account = ?3
                ORDER BY e.transaction_id, e.currency, e.seq LIMIT ?4
                """)
            defer { rows.reset() }
            rows.bind(1, after.rawValue)
            rows.bind(2, last.rawValue)
            rows.bind(3, id)
            rows.bind(4, Int64(limit))
            if let asOf { rows.bind(5, asOf.seconds) }
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

    package func openedAccounts(
        from: Instant, to: Instant, through last: TransactionID
    ) throws(LedgerError) -> [OpenedAccount] {
        try reading { database in
            let rows = try database.query(
                """
                SELECT a.name, a.currency, found.first_at FROM (
                    SELECT e.account, min(t.effective_at) AS first_at
                    FROM transactions t CROSS JOIN entries e ON e.transaction_id = t.id
                    WHERE t.effective_at >= ?1 AND t.effective_at <= ?2 AND t.id <= ?3
                    GROUP BY e.account
                ) AS found JOIN accounts a ON a.id = found.account ORDER BY a.name, a.currency
                """)
            defer { rows.reset() }
            rows.bind(1, from.seconds)
            rows.bind(2, to.seconds)
            rows.bind(3, last.rawValue)
            var accounts: [OpenedAccount] = []
            while try rows.step() {
                let (name, currency) = (rows.text(0), try Self.currency(of: rows, 1))
                let first = Instant(seconds: rows.integer(2))
                if let index = accounts.indices.last, accounts[index].account.rawValue == name {
                    accounts[index].currencies.append(currency)
                    accounts[index].first = min(accounts[index].first, first)
                } else {
                    accounts.append(
                        OpenedAccount(
                            account: AccountName(name), currencies: [currency], first: first))
                }
            }
            return accounts
        }
    }

    package func movements(near key: String, limit: Int) throws(LedgerError) -> [String] {
        try reading { database in
            var found: [String] = []
            for (sign, order) in [("<", "DESC"), (">", "ASC")] {
                let rows = try database.query(
                    """
                    SELECT movement FROM transactions WHERE movement \(sign) ?1
                    ORDER BY movement \(order) LIMIT ?2
                    """)
                defer { rows.reset() }
                rows.bind(1, key)
                rows.bind(2, Int64(limit))
                while try rows.step() { found.append(rows.text(0)) }
            }
            return found
        }
    }

    package func decisions(
        on payment: MovementKey
    ) throws(LedgerError) -> [PlacedDecision] {
        try reading { database in
            guard try database.keepsReviews else { return [] }
            let rows = try database.query(
                """
                SELECT partition, place, scored_next, state, decided_by, decided_at, note,
                    took_effect
                FROM decisions WHERE movement = ? ORDER BY partition, place
                """)
            defer { rows.reset() }
            rows.bind(1, payment.rawValue)
            var decisions: [PlacedDecision] = []
            while try rows.step() {
                guard let state = ReviewState(rawValue: rows.text(3)) else { continue }
                decisions.append(
                    PlacedDecision(
                        place: DecisionPlace(
                            decision: rows.integer(1),
                            partition: Int32(truncatingIfNeeded: rows.integer(0)),
                            scoredNext: rows.integer(2)),
                        record: ReviewRecord(
                            movement: payment, state: state, reasons: [], score: nil,
                            by: rows.text(4), at: Instant(seconds: rows.integer(5)),
                            note: rows.textOrNull(6)),
                        tookEffect: rows.integer(7) != 0))
            }
            return decisions
        }
    }

    private static func stored(
        _ account: String, _ currency: Currency, _ database: any LedgerSnapshot
    ) throws -> (id: Int64, balance: Int64)? {
        let rows = try database.query(
            "SELECT id, balance FROM accounts WHERE name = ? AND currency = ?")
        defer { rows.reset() }
        rows.bind(1, account)
        rows.bind(2, currency.code)
        return try rows.step() ? (rows.integer(0), rows.integer(1)) : nil
    }

    private static func lastID(_ database: any LedgerSnapshot) throws -> Int64 {
        let rows = try database.query("SELECT coalesce(max(id), 0) FROM transactions")
        defer { rows.reset() }
        return try rows.step() ? rows.integer(0) : 0
    }

    private static func currency(of row: any LedgerQuery, _ column: Int32) throws -> Currency {
        let code = row.text(column)
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }
}
