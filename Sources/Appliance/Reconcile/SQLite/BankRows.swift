import Appliance
internal import GRDB
import Vocabulary

/// What the bank says, as it was imported (migrations 0008 and 0010), beside the ledger's own
/// transactions.
extension StatementStore {
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

    // MARK: Entries and movements

    /// Entries that settle nothing so far, oldest first.
    ///
    /// - Parameter mark: a word that their text must have, in whichever case; any text by default.
    func openBankEntries(with mark: String = "") throws(LedgerError) -> [OpenBankEntry] {
        try rows(
            """
            SELECT id, currency, day, amount, text FROM bank_entries
            WHERE transaction_id IS NULL AND superseded_by IS NULL
                AND text LIKE '%' || ?1 || '%' ORDER BY day, id
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

    /// The statements of each account and currency that count, in the order of their days.
    func bankStatements() throws(LedgerError) -> [StoredBankStatement] {
        try rows(
            """
            SELECT account, currency, day_first, day_last, opening, closing
            FROM bank_statements WHERE replaced_by IS NULL
            ORDER BY account, currency, day_first, day_last, id
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

    /// What banks kept, by movement: of those that an entry settles by another amount, of those
    /// that an entry settled until the bank corrected it, and of those settled of which something
    /// is booked: a folder made anew from the log has the bookings, not what the bank told first.
    func bankCharges() throws(LedgerError) -> [BankCharge] {
        let booked = try bookedCharges()
        return try rows(
            """
            SELECT t.movement, e.currency, e.amount, b.day, b.amount, b.text,
                (SELECT max(s.imported_at) FROM bank_entries d
                    CROSS JOIN bank_statements s ON s.id = d.superseded_by
                    WHERE d.settled_before = t.id)
            FROM (SELECT transaction_id AS id FROM bank_entries WHERE kept != 0
                UNION SELECT settled_before FROM bank_entries WHERE settled_before IS NOT NULL
                UNION SELECT d.transaction_id FROM bank_entries d
                    CROSS JOIN transactions s ON s.id = d.transaction_id
                    CROSS JOIN transactions k ON k.movement = 'bank_charge:' || s.movement) c
            CROSS JOIN transactions t ON t.id = c.id
            CROSS JOIN entries e ON e.transaction_id = t.id
            CROSS JOIN accounts a ON a.id = e.account AND a.name = 'bank:' || a.currency
            LEFT JOIN bank_entries b ON b.transaction_id = t.id
            ORDER BY t.id
            """, { _ in }
        ) { row in
            let key = row.text(0)
            return BankCharge(
                movement: key, currency: try Self.currency(row.text(1)),
                sent: MinorUnits(row.integer(2)),
                entry: row.integerOrNull(3).map {
                    SettledBankMovement.Entry(
                        day: BankDay($0), amount: MinorUnits(row.integer(4)), text: row.text(5))
                },
                corrected: row.integerOrNull(6).map { BankDay(of: Instant(seconds: $0)) },
                booked: booked[key] ?? [])
        }
    }

    /// What the ledger has of what banks kept, by the movement that it was kept of.
    private func bookedCharges() throws(LedgerError) -> [String: [Int64]] {
        let charges = try rows(
            """
            SELECT t.movement, e.amount FROM transactions t
            CROSS JOIN entries e ON e.transaction_id = t.id
            CROSS JOIN accounts a ON a.id = e.account AND a.name = 'bank:' || a.currency
            WHERE t.movement >= 'bank_charge:' AND t.movement < 'bank_charge;' ORDER BY t.id
            """, { _ in }
        ) { ($0.text(0), $0.integer(1)) }
        return charges.reduce(into: [:]) { booked, charge in
            // `bank_charge:payout:po_…`, and a number behind it from the second on.
            let parts = charge.0.split(separator: ":").dropFirst().prefix(2)
            booked[parts.joined(separator: ":"), default: []].append(-charge.1)
        }
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
