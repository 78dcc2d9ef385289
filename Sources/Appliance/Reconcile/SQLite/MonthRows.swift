package import Appliance
import Vocabulary

/// A month of the ledger beside Stripe's statement. Both stand in one file, so that one snapshot
/// has both.
extension StatementStore {
    /// Reads the ledger's transactions and the statement's lines up to the month's end: about a
    /// second for a million lines.
    package func monthReport(_ month: CalendarMonth) throws(LedgerError) -> MonthReport {
        try checkKeepsBank()
        let readUntil = try lastRuns(notAfter: Instant(seconds: .max)).finished?.to
        let isWhole = try readsFromTheBeginning()
        let isCompared = isWhole && readUntil.map { $0 >= month.to } ?? false
        var statements: [MonthReport.Place: MonthReport.Statement]?
        if isCompared { statements = try monthStatements(month) }
        let days = Dictionary(grouping: try bankStatements(), by: \.currency)
            .compactMapValues(BankReport.span)
        let settled = try bankMovements()
        let last = month.end + -1
        let currencies = Set(settled.filter { $0.movement.sent < month.end }
            .map(\.movement.currency))
        let isTold = !currencies.isEmpty && currencies.allSatisfy {
            days[$0].map { $0.upperBound >= last } ?? false
        }
        let basis: MonthReport.TransitBasis = isTold ? .bank : .due
        return MonthReport(
            month, try monthSums(month), statements, readUntil: isCompared ? readUntil : nil,
            basis: basis,
            inTransit: MonthReport.inTransit(settled, at: month.end, basis: basis, days))
    }

    /// Whether some run that went well has read everything: only then is Stripe's opening balance
    /// the sum of what was read.
    private func readsFromTheBeginning() throws(LedgerError) -> Bool {
        try rows(
            "SELECT min(period_from) FROM reconciliations WHERE state = 'finished'", { _ in }
        ) { $0.integerOrNull(0) }.first.flatMap { $0 } == 0
    }

    /// ?1 is the month's first second, ?2 the one behind its last.
    private static let monthSumsSQL = """
        WITH moved AS MATERIALIZED (
            SELECT t.id, t.effective_at AS at, a.name AS account, e.currency, e.amount,
                CASE WHEN t.kind <> 8 THEN (SELECT name FROM kinds WHERE code = t.kind)
                    ELSE (SELECT substr(o.name, 1, instr(o.name, ':') - 1)
                        FROM entries f JOIN accounts o ON o.id = f.account
                        WHERE f.transaction_id = t.id AND f.account <> e.account LIMIT 1)
                END AS kind,
                CASE WHEN t.kind NOT IN (4, 5) THEN 0 ELSE coalesce((
                    SELECT sum(f.amount) FROM entries f JOIN accounts o ON o.id = f.account
                    WHERE f.transaction_id = t.id AND f.currency = e.currency
                        AND substr(o.name, 1, 5) = 'fees:'), 0)
                END AS fee
            FROM transactions t
            CROSS JOIN entries e ON e.transaction_id = t.id
            CROSS JOIN accounts a ON a.id = e.account
                AND substr(a.name || ':', 1, 17) = 'processor:stripe:'),
        told AS MATERIALIZED (
            SELECT transaction_id AS id, currency,
                sum(CASE WHEN fee_state = 0 THEN net ELSE amount END) AS total
            FROM settlements WHERE transaction_id IS NOT NULL
            GROUP BY transaction_id, currency),
        agreed AS MATERIALIZED (
            SELECT m.id, m.currency, m.account, m.kind, m.fee FROM moved m
            JOIN told ON told.id = m.id AND told.currency = m.currency
                AND told.total = m.amount),
        dated AS (
            SELECT g.account, g.currency, g.kind, s.created AS at,
                CASE WHEN s.fee_state = 0 THEN s.net ELSE s.amount END AS amount, g.fee
            FROM agreed g
            CROSS JOIN settlements s ON s.transaction_id = g.id AND s.currency = g.currency
            UNION ALL
            SELECT m.account, m.currency, m.kind, m.at, m.amount, m.fee FROM moved m
            LEFT JOIN agreed g ON g.id = m.id AND g.currency = m.currency
            WHERE g.id IS NULL)
        SELECT account, currency, kind, sum(CASE WHEN at < ?1 THEN amount ELSE 0 END),
            sum(CASE WHEN at >= ?1 THEN amount ELSE 0 END), sum(at >= ?1),
            sum(CASE WHEN at >= ?1 THEN fee ELSE 0 END)
        FROM dated WHERE at < ?2 GROUP BY account, currency, kind
        """

    /// What each kind moved, before the month and in it.
    ///
    /// A transaction whose lines come to its amount is dated by them, each for its own part: a line
    /// whose fee is booked for itself (`fee_state`) settles its gross amount, any other its net.
    private func monthSums(_ month: CalendarMonth) throws(LedgerError) -> [MonthReport.KindSum] {
        try rows(
            Self.monthSumsSQL,
            {
                $0.bind(1, month.from.seconds)
                $0.bind(2, month.to.seconds)
            }
        ) { row in
            MonthReport.KindSum(
                account: StripeAccount(
                    String(row.text(0).dropFirst("processor:stripe:".count))),
                currency: try Self.currency(row.text(1)), kind: row.text(2),
                opening: row.integer(3), amount: row.integer(4), count: row.integer(5),
                fee: row.integer(6))
        }
    }

    /// Stripe's own sums, by the `created` of its balance transactions.
    private func monthStatements(
        _ month: CalendarMonth
    ) throws(LedgerError) -> [MonthReport.Place: MonthReport.Statement] {
        let payout = "(type LIKE 'payout%' OR type IN ('transfer_cancel', 'transfer_failure'))"
        let found = try rows(
            """
            SELECT account, currency, sum(CASE WHEN created < ?1 THEN net ELSE 0 END),
                sum(CASE WHEN created >= ?1 AND NOT \(payout) THEN net ELSE 0 END),
                sum(CASE WHEN created >= ?1 AND \(payout) THEN net ELSE 0 END),
                sum(created >= ?1)
            FROM settlements WHERE created < ?2 GROUP BY account, currency
            """,
            {
                $0.bind(1, month.from.seconds)
                $0.bind(2, month.to.seconds)
            }
        ) { row in
            (
                MonthReport.Place(
                    account: StripeAccount(row.text(0)), currency: try Self.currency(row.text(1))),
                MonthReport.Statement(
                    opening: row.integer(2), activity: row.integer(3), payouts: row.integer(4),
                    lines: row.integer(5))
            )
        }
        return Dictionary(uniqueKeysWithValues: found)
    }
}
