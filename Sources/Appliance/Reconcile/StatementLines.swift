package import Appliance
import Vocabulary

/// The statement as last read, for who explains an amount.
extension StatementRows {
    package func settling(
        _ transaction: TransactionID, limit: Int
    ) throws(LedgerError) -> [StatementLine] {
        let kept = try kept()
        guard kept >= .accounts else { return [] }
        let payout =
            kept < .payoutLines
            ? "NULL, NULL"
            : """
                (SELECT payout FROM payout_lines WHERE line = settlements.id),
                (SELECT p.created FROM payout_lines l JOIN settled_payouts p ON p.payout = l.payout
                    WHERE l.line = settlements.id)
                """
        return try found(
            """
            SELECT \(Self.settlementColumns), \(payout) FROM settlements WHERE transaction_id = ?
            ORDER BY settlements.created, settlements.id LIMIT ?
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
                isRight: settlement.finding == .none, payout: Self.payoutOf(row))
        }
    }

    /// What stands behind the columns of a settlement.
    private static func payoutOf(_ row: any LedgerQuery) -> PayoutOfLine? {
        guard let id = row.textOrNull(18), let created = row.integerOrNull(19) else { return nil }
        return PayoutOfLine(id: id, created: Instant(seconds: created))
    }

    package func parts(ofPayout id: String) throws(LedgerError) -> PayoutParts? {
        let kept = try kept()
        guard kept >= .accounts else { return nil }
        var parts = try parts(id)
        if kept >= .payoutLines {
            parts?.lines = try lines(ofPayout: id, limit: PayoutParts.linesMax)
        }
        return parts
    }

    private func lines(ofPayout id: String, limit: Int) throws(LedgerError) -> [PayoutLine] {
        try found(
            """
            SELECT l.line, l.created, s.type, s.net, s.transaction_id FROM payout_lines l
            LEFT JOIN settlements s ON s.created = l.created AND s.id = l.line
            WHERE l.payout = ? ORDER BY l.created, l.line LIMIT ?
            """,
            {
                $0.bind(1, id)
                $0.bind(2, Int64(limit))
            }
        ) { row in
            PayoutLine(
                id: row.text(0), type: row.textOrNull(2),
                net: row.integerOrNull(3).map { MinorUnits($0) },
                created: Instant(seconds: row.integer(1)),
                transaction: row.integerOrNull(4).map { TransactionID($0) })
        }
    }

    private func parts(_ id: String) throws(LedgerError) -> PayoutParts? {
        try found(
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
}
