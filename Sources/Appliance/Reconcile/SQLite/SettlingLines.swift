import Appliance
import Vocabulary

extension StatementStore {
    /// A row that settles a transaction of the ledger, in short.
    struct SettlingLine: Hashable, Sendable {
        var id: String
        var currency: Currency
        var amount: MinorUnits
        /// Whether a run has appended its conversion, and the ledger not booked it yet.
        var isUnderWay: Bool
    }

    /// The rows that settle one transaction of the ledger, oldest first.
    ///
    /// - Parameter before: only rows of before this.
    func lines(
        of transaction: Int64, before: Instant = Instant(seconds: .max)
    ) throws(LedgerError) -> [SettlingLine] {
        try rows(
            """
            SELECT id, currency, amount, finding = \(SettlementFinding.unconverted.rawValue)
                AND booked_by NOT NULL
            FROM settlements WHERE transaction_id = ? AND created < ? ORDER BY created, id
            """,
            {
                $0.bind(1, transaction)
                $0.bind(2, before.seconds)
            }
        ) { row in
            SettlingLine(
                id: row.text(0), currency: try Self.currency(row.text(1)),
                amount: MinorUnits(row.integer(2)), isUnderWay: row.integer(3) != 0)
        }
    }
}
