package import Appliance
import Vocabulary

/// The bank's side of one movement, for who explains it.
extension StatementStore {
    package func bankSide(of transaction: TransactionID) throws(LedgerError) -> BankSide? {
        guard try hasBankTables() else { return nil }
        let report = try bankReport()
        guard let line = report.lines.first(where: {
            $0.settled.movement.transaction == transaction.rawValue
        }), let state = BankSide.State(rawValue: line.state.rawValue)
        else { return nil }
        let movement = line.settled.movement
        let told = report.sums.first { $0.currency == movement.currency }?.days
        return BankSide(
            state: state, currency: movement.currency, sent: movement.amount,
            due: movement.due.start, lateDays: line.lateDays,
            toldUntil: told?.upperBound.start,
            entry: try bankEntries(of: transaction, "e.transaction_id = ?1").first,
            former: try bankEntries(of: transaction, "e.settled_before = ?1"))
    }

    /// Whether this folder keeps what banks say, in the form of this release.
    private func hasBankTables() throws(LedgerError) -> Bool {
        try !rows(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'bank_lines'", { _ in },
            { _ in 1 }
        ).isEmpty
    }

    /// Entries of a movement, each with the statement that told it first, of those that count where
    /// one does.
    private func bankEntries(
        of transaction: TransactionID, _ condition: String
    ) throws(LedgerError) -> [BankSide.Entry] {
        try rows(
            """
            SELECT e.day, e.amount, e.text, s.id, s.number, s.account, s.day_first, s.day_last,
                s.file, s.imported_at
            FROM bank_entries e CROSS JOIN bank_statements s ON s.id = (
                SELECT l.statement FROM bank_lines l
                CROSS JOIN bank_statements o ON o.id = l.statement
                WHERE l.entry = e.id ORDER BY o.replaced_by IS NOT NULL, o.id LIMIT 1)
            WHERE \(condition) ORDER BY e.id
            """, { $0.bind(1, transaction.rawValue) }
        ) { row in
            BankSide.Entry(
                day: BankDay(row.integer(0)).start, amount: MinorUnits(row.integer(1)),
                text: row.text(2), statement: row.integer(3), name: row.textOrNull(4),
                account: row.text(5), from: BankDay(row.integer(6)).start,
                to: BankDay(row.integer(7)).start, file: row.text(8),
                importedAt: Instant(seconds: row.integer(9)))
        }
    }
}

extension StatementRows {
    /// Only a box keeps what a bank says.
    package func bankSide(of transaction: TransactionID) throws(LedgerError) -> BankSide? { nil }
}
