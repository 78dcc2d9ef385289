package import Appliance
import Vocabulary

/// What runs found, as it is stored.
extension StatementRows {
    static var columns: String {
        """
        b.id, b.kind, b.subject, b.movement, b.balance_transaction, b.type, b.stripe_currency,
        b.stripe_amount, b.ledger_currency, b.ledger_amount, b.occurred_at, b.first_run,
        b.resolved_run, b.account
        """
    }

    /// What a run saw, in the order of the breaks' numbers.
    func breaks(of run: Int64, after: Int64, limit: Int) throws(LedgerError) -> [StoredBreak] {
        try found(
            """
            SELECT \(Self.columns) FROM run_breaks r JOIN breaks b ON b.id = r.break
            WHERE r.run = ? AND r.break > ? ORDER BY r.break LIMIT ?
            """,
            {
                $0.bind(1, run)
                $0.bind(2, after)
                $0.bind(3, Int64(limit))
            }, Self.stored)
    }

    /// What a run booked itself, as the breaks that these were, oldest first.
    func booked(
        by run: RunRecord, after place: OpenPlace, limit: Int
    ) throws(LedgerError) -> [Settlement] {
        try found(
            """
            SELECT \(Self.settlementColumns) FROM settlements
            WHERE (created, id) > (?1, ?2) AND created >= ?3 AND created < ?4
                AND booked_by = ?5 AND \(Self.isBooked) ORDER BY created, id LIMIT ?6
            """,
            {
                $0.bind(1, place.created)
                // Of the first page it is empty, and the time alone decides.
                $0.bind(2, place.id)
                $0.bind(3, run.from.seconds)
                $0.bind(4, run.to.seconds)
                $0.bind(5, run.id)
                $0.bind(6, Int64(limit))
            }, Self.settlement)
    }

    /// How many breaks of each kind a run saw; kinds without any are left out.
    func counts(of run: Int64) throws(LedgerError) -> [BreakCount] {
        try found(
            """
            SELECT b.kind, count(*) FROM run_breaks r JOIN breaks b ON b.id = r.break
            WHERE r.run = ? GROUP BY b.kind ORDER BY b.kind
            """, { $0.bind(1, run) }
        ) { BreakCount(kind: try Self.kind($0.text(0)), count: $0.integer(1)) }
    }

    /// What a run saw that is late, by currency.
    func late(of run: Int64) throws(LedgerError) -> [LateSum] {
        try found(
            """
            SELECT coalesce(b.stripe_currency, b.ledger_currency), count(*),
                sum(abs(coalesce(b.stripe_amount, b.ledger_amount)))
            FROM run_breaks r JOIN breaks b ON b.id = r.break
            WHERE r.run = ? AND b.kind = 'late' GROUP BY 1 ORDER BY 1
            """, { $0.bind(1, run) }
        ) {
            LateSum(
                currency: try Self.currency($0.text(0)), count: $0.integer(1),
                amount: $0.integer(2))
        }
    }

    /// Of a row whose first columns are those of a break, in the order of the queries above.
    static func stored(_ row: any LedgerQuery) throws -> StoredBreak {
        func side(_ currency: Int32) throws -> ReconciliationBreak.Side? {
            guard let code = row.textOrNull(currency) else { return nil }
            return .init(
                currency: try Self.currency(code), amount: MinorUnits(row.integer(currency + 1)))
        }
        return StoredBreak(
            id: row.integer(0),
            found: ReconciliationBreak(
                kind: try kind(row.text(1)), subject: row.text(2), movement: row.textOrNull(3),
                balanceTransaction: row.textOrNull(4), type: row.textOrNull(5),
                stripe: try side(6), ledger: try side(8),
                occurredAt: Instant(seconds: row.integer(10)),
                account: StripeAccount(row.text(13))),
            firstRun: row.integer(11), resolvedRun: row.integerOrNull(12))
    }

    static func kind(_ word: String) throws -> BreakKind {
        guard let kind = BreakKind(rawValue: word) else {
            throw LedgerError.corrupt(code: 0, detail: "breaks: kind \(word)")
        }
        return kind
    }
}

// MARK: - Sums and payouts

extension StatementRows {
    func summaries(of run: Int64) throws(LedgerError) -> [CurrencySummary] {
        try found(
            """
            SELECT currency, transactions, matched, gross, fees, net, booked, booked_amount,
                ledger, stripe, explained, account, turnover, matched_turnover
            FROM run_balances WHERE run = ? ORDER BY account, currency
            """, { $0.bind(1, run) }
        ) { row in
            CurrencySummary(
                account: StripeAccount(row.text(11)), currency: try Self.currency(row.text(0)),
                transactions: row.integer(1), matched: row.integer(2),
                turnover: row.integer(12), matchedTurnover: row.integer(13),
                gross: row.integer(3), fees: row.integer(4),
                net: row.integer(5), booked: row.integer(6), bookedAmount: row.integer(7),
                ledger: row.integer(8), stripe: row.integer(9), explained: row.integer(10))
        }
    }

    static var payoutColumns: String {
        "payout, currency, amount, created, transactions, total, account"
    }

    /// Automatic payouts that a run has looked at, and those that are not explained, at most a
    /// hundred.
    func payouts(of run: Int64) throws(LedgerError) -> (count: Int64, open: [PayoutSummary]) {
        let count = try found(
            "SELECT count(*) FROM settled_payouts WHERE run = ?", { $0.bind(1, run) },
            { $0.integer(0) }
        ).first
        let open = try found(
            """
            SELECT \(Self.payoutColumns) FROM settled_payouts
            WHERE run = ? AND amount <> total ORDER BY created LIMIT 100
            """, { $0.bind(1, run) }, Self.payout)
        return (count ?? 0, open)
    }

    static func payout(_ row: any LedgerQuery) throws -> PayoutSummary {
        PayoutSummary(
            payout: row.text(0), currency: try currency(row.text(1)), amount: row.integer(2),
            created: Instant(seconds: row.integer(3)), transactions: row.integer(4),
            total: row.integer(5), account: StripeAccount(row.text(6)))
    }

    /// A run with its findings in short.
    package func report(_ run: RunRecord) throws(LedgerError) -> RunReport {
        let payouts = try payouts(of: run.id)
        let accounts = try accounts(of: run.id)
        return RunReport(
            run: run, currencies: try summaries(of: run.id), payouts: payouts.count,
            unexplainedPayouts: payouts.open, breaks: try counts(of: run.id),
            late: try late(of: run.id), accounts: accounts.count, unreadAccounts: accounts.unread)
    }
}
