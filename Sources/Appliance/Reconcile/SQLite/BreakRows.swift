import Appliance
internal import GRDB
import Vocabulary

/// Breaks with their history, and what a run found in sum.
extension StatementStore {
    /// Stores what a run has seen. A break that was resolved and is seen again is open again.
    func record(_ breaks: [ReconciliationBreak], run: Int64) throws(LedgerError) {
        guard !breaks.isEmpty else { return }
        try write { database in
            let upsert = try LedgerStatement(
                database,
                """
                INSERT INTO breaks (kind, subject, movement, balance_transaction, type,
                    stripe_currency, stripe_amount, ledger_currency, ledger_amount, occurred_at,
                    first_run, last_run, account)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)
                ON CONFLICT (kind, subject) DO UPDATE SET movement = ?3, balance_transaction = ?4,
                    type = ?5, stripe_currency = ?6, stripe_amount = ?7, ledger_currency = ?8,
                    ledger_amount = ?9, occurred_at = ?10, last_run = ?11, resolved_run = NULL,
                    account = ?12
                RETURNING id
                """)
            let link = try LedgerStatement(
                database, "INSERT OR IGNORE INTO run_breaks VALUES (?1, ?2)")
            for found in breaks {
                upsert.bind(1, found.kind.rawValue)
                upsert.bind(2, found.subject)
                upsert.bind(3, orNull: found.movement)
                upsert.bind(4, orNull: found.balanceTransaction)
                upsert.bind(5, orNull: found.type)
                upsert.bind(6, orNull: found.stripe?.currency.code)
                upsert.bind(7, orNull: found.stripe?.amount.rawValue)
                upsert.bind(8, orNull: found.ledger?.currency.code)
                upsert.bind(9, orNull: found.ledger?.amount.rawValue)
                upsert.bind(10, found.occurredAt.seconds)
                upsert.bind(11, run)
                upsert.bind(12, found.account.rawValue)
                guard try upsert.step() else { continue }
                let id = upsert.integer(0)
                try upsert.run()
                link.bind(1, run)
                link.bind(2, id)
                try link.run()
            }
        }
    }

    /// Stands for a sweep where a break has a run's number: runs count from 1.
    private static let bySweep: Int64 = 0

    /// Stores which events a sweep could not store. Those of earlier sweeps that it has stored, or
    /// that Stripe does not list any more, are resolved: what they moved is the statement's to say.
    func noteRefused(_ sweep: SweepRecord) throws(LedgerError) {
        try record(sweep.refused.map(\.asBreak), run: Self.bySweep)
        // Of what it could not look at it says nothing.
        guard sweep.unsweptAccounts == 0, sweep.refusedCount == Int64(sweep.refused.count) else {
            return
        }
        let standing = Set(sweep.refused.map(\.id.rawValue))
        let known = try openBreaks(.eventRefused, after: 0, limit: RefusedEvent.namedCountMax)
        for stored in known where !standing.contains(stored.found.subject) {
            try execute("UPDATE breaks SET resolved_run = ?2 WHERE id = ?1") {
                $0.bind(1, stored.id)
                $0.bind(2, Self.bySweep)
            }
        }
    }

    /// Forgets what this run has noted before: it compares once more, from the start.
    func forgetFindings(of run: Int64) throws(LedgerError) {
        try execute("DELETE FROM run_breaks WHERE run = ?") { $0.bind(1, run) }
    }

    /// Resolves what earlier runs saw and this one did not, but for accounts that it could not
    /// read.
    func resolve(run: Int64) throws(LedgerError) {
        try execute(
            """
            UPDATE breaks SET resolved_run = ?1 WHERE resolved_run IS NULL
                AND id NOT IN (SELECT break FROM run_breaks WHERE run = ?1)
                AND account NOT IN
                    (SELECT account FROM run_accounts WHERE run = ?1 AND failure NOT NULL)
            """
        ) { $0.bind(1, run) }
    }

    /// Open breaks of a kind, in their order.
    func openBreaks(
        _ kind: BreakKind, after: Int64, limit: Int
    ) throws(LedgerError) -> [StoredBreak] {
        try rows(
            """
            SELECT \(Self.columns) FROM breaks b
            WHERE b.kind = ? AND b.resolved_run IS NULL AND b.id > ? ORDER BY b.id LIMIT ?
            """,
            {
                $0.bind(1, kind.rawValue)
                $0.bind(2, after)
                $0.bind(3, Int64(limit))
            }, Self.stored)
    }

    /// Whether a run saw that Stripe lacks this movement, or has not written its line yet.
    func saw(_ movement: String, run: Int64) throws(LedgerError) -> Bool {
        try !rows(
            """
            SELECT 1 FROM breaks b JOIN run_breaks r ON r.run = ? AND r.break = b.id
            WHERE b.kind IN ('late', 'missing_at_stripe') AND b.subject = ?
            """,
            {
                $0.bind(1, run)
                $0.bind(2, movement)
            }, { _ in true }
        ).isEmpty
    }

    /// What a run's breaks make of the difference between ledger and Stripe, by account and
    /// currency.
    func explained(by run: Int64) throws(LedgerError) -> [StripeAccount: [Currency: Int64]] {
        var explained: [StripeAccount: [Currency: Int64]] = [:]
        let sums = try rows(
            """
            SELECT currency, sum(amount), account FROM (
                SELECT b.ledger_currency AS currency, b.ledger_amount AS amount, b.account
                FROM run_breaks r JOIN breaks b ON b.id = r.break WHERE r.run = ?1
                UNION ALL
                SELECT b.stripe_currency, -b.stripe_amount, b.account
                FROM run_breaks r JOIN breaks b ON b.id = r.break WHERE r.run = ?1)
            WHERE currency NOT NULL GROUP BY account, currency
            """, { $0.bind(1, run) }
        ) { (StripeAccount($0.text(2)), try Self.currency($0.text(0)), $0.integer(1)) }
        for (account, currency, amount) in sums {
            explained[account, default: [:]][currency] = amount
        }
        return explained
    }
}

// MARK: - Sums and payouts

extension StatementStore {
    /// Stores what a run found in each currency, instead of what it may have stored before.
    func record(_ summaries: [CurrencySummary], run: Int64) throws(LedgerError) {
        try write { database in
            let insert = try LedgerStatement(
                database,
                """
                REPLACE INTO run_balances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
            for summary in summaries {
                insert.bind(1, run)
                insert.bind(2, summary.account.rawValue)
                insert.bind(3, summary.currency.code)
                let numbers = [
                    summary.transactions, summary.matched, summary.turnover,
                    summary.matchedTurnover, summary.gross, summary.fees,
                    summary.net, summary.booked, summary.bookedAmount, summary.ledger,
                    summary.stripe, summary.explained,
                ]
                for (index, number) in numbers.enumerated() {
                    insert.bind(Int32(index + 4), number)
                }
                try insert.run()
            }
        }
    }

    /// Stores what a payout came to, once ``keep(_:of:)`` has all of its lines.
    func record(_ payout: PayoutSummary, run: Int64) throws(LedgerError) {
        try execute("REPLACE INTO settled_payouts VALUES (?, ?, ?, ?, ?, ?, ?, ?)") {
            $0.bind(1, payout.payout)
            $0.bind(2, payout.currency.code)
            $0.bind(3, payout.amount)
            $0.bind(4, payout.created.seconds)
            $0.bind(5, payout.transactions)
            $0.bind(6, payout.total)
            $0.bind(7, run)
            $0.bind(8, payout.account.rawValue)
        }
    }

    /// Stores a page of the lines that a payout paid out.
    func keep(_ lines: [BalanceTransaction], of payout: String) throws(LedgerError) {
        try write { database in
            let insert = try LedgerStatement(
                again: database, "REPLACE INTO payout_lines VALUES (?1, ?2, ?3)")
            for line in lines {
                insert.bind(1, line.id)
                insert.bind(2, line.created.seconds)
                insert.bind(3, payout)
                try insert.run()
            }
        }
    }

    /// What an earlier look has explained, down to the lines: earlier releases did not keep those.
    private static let isExplained = """
        (amount = total AND transactions = (SELECT count(*) FROM payout_lines l
            WHERE l.payout = settled_payouts.payout))
        """

    /// Whether an earlier look has explained this payout. What a payout is made of never changes.
    func isExplained(_ payout: String) throws(LedgerError) -> Bool {
        try !rows(
            "SELECT 1 FROM settled_payouts WHERE payout = ? AND \(Self.isExplained)",
            { $0.bind(1, payout) }, { _ in true }
        ).isEmpty
    }

    /// Payouts that no run has explained yet, at most a hundred: first those whose lines do not
    /// come to their amount, then the newest of those whose lines are not known.
    func unexplainedPayouts() throws(LedgerError) -> [PayoutSummary] {
        try rows(
            """
            SELECT \(Self.payoutColumns) FROM settled_payouts WHERE NOT \(Self.isExplained)
            ORDER BY amount = total, iif(amount = total, -created, created) LIMIT 100
            """, { _ in }, Self.payout)
    }
}
