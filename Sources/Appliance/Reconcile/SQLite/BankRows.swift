import Appliance
internal import GRDB
import Vocabulary

/// What the bank says, as it was imported (migration 0008), beside the ledger's own transactions.
extension StatementStore {
    /// What the rows of several imports have in common.
    struct AddedEntries: Hashable, Sendable {
        var statements = 0
        var entries = 0
        /// Those that no earlier file had.
        var new = 0
    }

    /// A folder that an earlier release wrote last has no such tables, nor has a store by itself.
    func checkKeepsBank() throws(LedgerError) {
        let version = try storedVersion()
        guard version >= LedgerSchema.bankVersion else {
            throw .olderSchema(found: version, needed: LedgerSchema.bankVersion)
        }
    }

    private func storedVersion() throws(LedgerError) -> Int64 {
        try rows("SELECT max(version) FROM schema_version", { _ in }) { $0.integer(0) }.first ?? 0
    }

    /// Whether a bank's statement was ever imported.
    func hasBankStatements() throws(LedgerError) -> Bool {
        // A dry run's own file has no tables of a bank, whatever its schema is.
        let hasTable = try !rows(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'bank_statements'",
            { _ in }, { _ in 1 }
        ).isEmpty
        guard hasTable else { return false }
        return try !rows("SELECT 1 FROM bank_statements LIMIT 1", { _ in }, { _ in 1 }).isEmpty
    }

    /// Stores what is new of a file's statements, all or nothing.
    func add(
        _ statements: [BankStatement], file: String, at now: Instant
    ) throws(LedgerError) -> AddedEntries {
        try write { database in
            var added = AddedEntries(statements: statements.count)
            var seen: [String: Int] = [:]
            for (place, statement) in statements.enumerated() {
                let id = try Self.statementID(statement, file: file, at: now, database)
                let former = place > 0 ? statements[place - 1] : nil
                if former.map({ !statement.continues($0) }) ?? true { seen = [:] }
                added.entries += statement.entries.count
                added.new += try Self.add(statement, id, &seen, database)
            }
            return added
        }
    }

    /// The number of a statement; one that was imported before keeps its own.
    private static func statementID(
        _ statement: BankStatement, file: String, at now: Instant, _ database: Database
    ) throws -> Int64 {
        let known = try LedgerStatement(
            again: database,
            """
            SELECT id FROM bank_statements WHERE account = ? AND currency = ? AND day_first = ?
                AND day_last = ? AND format = ? AND opening IS ? AND closing IS ? AND entries = ?
            """)
        defer { known.reset() }
        func bind(_ row: LedgerStatement) {
            row.bind(1, statement.account)
            row.bind(2, statement.currency.code)
            row.bind(3, statement.days.lowerBound.rawValue)
            row.bind(4, statement.days.upperBound.rawValue)
            row.bind(5, statement.format)
            row.bind(6, orNull: statement.opening?.rawValue)
            row.bind(7, orNull: statement.closing?.rawValue)
            row.bind(8, Int64(statement.entries.count))
        }
        bind(known)
        if try known.step() { return known.integer(0) }
        let insert = try LedgerStatement(
            again: database,
            """
            INSERT INTO bank_statements (account, currency, day_first, day_last, format, opening,
                closing, entries, file, imported_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        bind(insert)
        insert.bind(9, file)
        insert.bind(10, now.seconds)
        try insert.run()
        return database.lastInsertedRowID
    }

    /// - Parameter seen: how many entries that are alike the pages before it have.
    /// - Returns: how many of its entries are new.
    private static func add(
        _ statement: BankStatement, _ id: Int64, _ seen: inout [String: Int], _ database: Database
    ) throws -> Int {
        let insert = try LedgerStatement(
            again: database,
            """
            INSERT OR IGNORE INTO bank_entries
                (account, currency, key, day, amount, text, reference, statement)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """)
        var new = 0
        for entry in statement.entries {
            // Two that are alike in all are told apart by their place among them.
            let alike = "\(entry.day)|\(entry.amount.rawValue)|\(entry.reference ?? entry.text)"
            let place = seen[alike, default: 0]
            seen[alike] = place + 1
            insert.bind(1, statement.account)
            insert.bind(2, statement.currency.code)
            insert.bind(3, "\(alike)|\(place)")
            insert.bind(4, entry.day.rawValue)
            insert.bind(5, entry.amount.rawValue)
            insert.bind(6, entry.text)
            insert.bind(7, orNull: entry.reference)
            insert.bind(8, id)
            new += try insert.run()
        }
        return new
    }

    // MARK: Entries and movements

    /// Entries that settle nothing so far, oldest first.
    ///
    /// - Parameter mark: a word that their text must have, in whichever case; any text by default.
    func openBankEntries(with mark: String = "") throws(LedgerError) -> [OpenBankEntry] {
        try rows(
            """
            SELECT id, currency, day, amount, text FROM bank_entries
            WHERE transaction_id IS NULL AND text LIKE '%' || ?1 || '%' ORDER BY day, id
            """, { $0.bind(1, mark) }
        ) { row in
            OpenBankEntry(
                id: row.integer(0), currency: try Self.currency(row.text(1)),
                day: BankDay(row.integer(2)), amount: MinorUnits(row.integer(3)), text: row.text(4))
        }
    }

    /// What of the ledger has to stand at the bank, in its order, with the entry that settles it.
    func bankMovements() throws(LedgerError) -> [SettledBankMovement] {
        var found: [SettledBankMovement] = []
        for kind in BankMovement.kinds.flatMap({ [$0.sent, $0.takenBack] }) {
            found += try rows(
                """
                SELECT t.id, t.movement, e.currency, e.amount, t.effective_at,
                    (SELECT max(s.available_on) FROM settlements s
                        WHERE s.transaction_id = t.id),
                    b.day, b.amount, b.text
                FROM transactions t
                CROSS JOIN entries e ON e.transaction_id = t.id
                CROSS JOIN accounts a ON a.id = e.account AND a.name = 'bank:' || a.currency
                LEFT JOIN bank_entries b ON b.transaction_id = t.id
                WHERE t.movement >= ?1 AND t.movement < ?2
                """,
                {
                    $0.bind(1, "\(kind):")
                    // The sign after the colon.
                    $0.bind(2, "\(kind);")
                }, Self.movement)
        }
        return found.sorted { $0.movement.transaction < $1.movement.transaction }
    }

    private static func movement(_ row: LedgerStatement) throws -> SettledBankMovement {
        let sent = BankDay(of: Instant(seconds: row.integer(4)))
        let due = row.integerOrNull(5).map { BankDay(of: Instant(seconds: $0)) }
        let movement = BankMovement(
            transaction: row.integer(0), key: row.text(1), currency: try currency(row.text(2)),
            amount: MinorUnits(row.integer(3)), sent: sent,
            // A line that was available at once says nothing of the way to the bank.
            due: due.map { $0 > sent ? $0 : sent + BankReport.usualDays }
                ?? sent + BankReport.usualDays)
        let entry = row.integerOrNull(6).map {
            SettledBankMovement.Entry(
                day: BankDay($0), amount: MinorUnits(row.integer(7)), text: row.text(8))
        }
        return SettledBankMovement(movement: movement, entry: entry)
    }

    /// Notes which entry settles which movement. What is settled stays so.
    func settle(_ matches: [BankMatcher.Match]) throws(LedgerError) {
        try write { database in
            let update = try LedgerStatement(
                again: database,
                """
                UPDATE bank_entries SET transaction_id = ?2, kept = ?3
                WHERE id = ?1 AND transaction_id IS NULL
                """)
            for match in matches {
                update.bind(1, match.entry)
                update.bind(2, match.movement.transaction)
                update.bind(3, match.kept.rawValue)
                try update.run()
            }
        }
    }

    // MARK: What it comes to

    /// The statements of each account and currency, in the order of their days.
    func bankStatements() throws(LedgerError) -> [StoredBankStatement] {
        try rows(
            """
            SELECT account, currency, day_first, day_last, opening, closing
            FROM bank_statements ORDER BY account, currency, day_first, day_last, id
            """, { _ in }
        ) { row in
            StoredBankStatement(
                account: row.text(0), currency: try Self.currency(row.text(1)),
                days: BankDay(row.integer(2))...BankDay(row.integer(3)),
                opening: row.integerOrNull(4), closing: row.integerOrNull(5))
        }
    }

    /// What `bank:{currency}` holds, and of that what banks kept.
    func bankBalances() throws(LedgerError) -> [Currency: (balance: Int64, charged: Int64)] {
        let charges = try rows(
            """
            SELECT e.currency, sum(e.amount) FROM transactions t
            CROSS JOIN entries e ON e.transaction_id = t.id
            CROSS JOIN accounts a ON a.id = e.account AND a.name = 'bank:' || a.currency
            WHERE t.movement >= 'bank_charge:' AND t.movement < 'bank_charge;'
            GROUP BY e.currency
            """, { _ in }) { (try Self.currency($0.text(0)), $0.integer(1)) }
        let known = Dictionary(uniqueKeysWithValues: charges)
        let balances = try rows(
            "SELECT currency, balance FROM accounts WHERE name = 'bank:' || currency", { _ in }
        ) { (try Self.currency($0.text(0)), $0.integer(1)) }
        return Dictionary(
            uniqueKeysWithValues: balances.map { currency, balance in
                (currency, (balance: balance, charged: known[currency] ?? 0))
            })
    }

    /// How many of these movements the ledger holds.
    func bookedCount(of keys: [String]) throws(LedgerError) -> Int {
        try read { database in
            let look = try LedgerStatement(
                again: database, "SELECT 1 FROM transactions WHERE movement = ?")
            var count = 0
            for key in keys {
                look.bind(1, key)
                if try look.step() { count += 1 }
                look.reset()
            }
            return count
        }
    }
}
