package import Appliance
import Vocabulary

/// The statement as last read, for who explains an amount.
extension StatementStore: StatementReading {
    /// The first schema whose tables have all that is asked here.
    private static let accountsVersion: Int64 = 4

    package func settling(
        _ transaction: TransactionID, limit: Int
    ) throws(LedgerError) -> [StatementLine] {
        guard try keepsAccounts() else { return [] }
        return try rows(
            """
            SELECT \(Self.settlementColumns) FROM settlements WHERE transaction_id = ?
            ORDER BY created, id LIMIT ?
            """,
            {
                $0.bind(1, transaction.rawValue)
                $0.bind(2, Int64(limit))
            }
        ) { row in
            let settlement = try Self.settlement(row)
            let line = settlement.statement
            return StatementLine(
                id: line.id, type: line.type, currency: line.currency, amount: line.amount,
                fee: line.fee, net: line.net, created: line.created,
                isRight: settlement.finding == .none)
        }
    }

    package func parts(ofPayout id: String) throws(LedgerError) -> PayoutParts? {
        guard try keepsAccounts() else { return nil }
        return try rows(
            """
            SELECT currency, amount, created, transactions, total, run FROM settled_payouts
            WHERE payout = ?
            """, { $0.bind(1, id) }
        ) { row in
            PayoutParts(
                currency: try Self.currency(row.text(0)), amount: MinorUnits(row.integer(1)),
                created: Instant(seconds: row.integer(2)), count: row.integer(3),
                total: MinorUnits(row.integer(4)), run: row.integer(5))
        }.first
    }

    /// A folder that an earlier release wrote last is read as it is.
    private func keepsAccounts() throws(LedgerError) -> Bool {
        try rows("SELECT max(version) FROM schema_version", { _ in }, { $0.integer(0) })
            .first.map { $0 >= Self.accountsVersion } ?? false
    }
}
