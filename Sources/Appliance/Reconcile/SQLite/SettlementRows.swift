import Appliance
internal import GRDB
import Vocabulary

/// Stripe's statement as last read: the table `settlements`.
extension StatementStore {
    /// The page of the statement that is done when the next one is stored.
    struct PageMark: Hashable, Sendable {
        var account: StripeAccount
        var cursor: String
        var transactions: Int64
    }

    /// Stores a page, and with it that the page before is wholly done.
    ///
    /// What an earlier reading, or this one before a crash, knew of who booked a row stays.
    func store(
        _ settlements: [Settlement], run: Int64, done: PageMark?
    ) throws(LedgerError) {
        try write { database in
            let upsert = try LedgerStatement(
                again: database,
                """
                INSERT INTO settlements (\(Self.settlementColumns), run)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                    ?18, ?19)
                ON CONFLICT (created, id) DO UPDATE SET type = ?3, source = ?4, category = ?5,
                    currency = ?6, amount = ?7, fee = ?8, net = ?9, available_on = ?10,
                    converted = ?11, transaction_id = ?12, fee_state = ?14,
                    -- A payment and its failure that were seen to cancel each other still do.
                    finding = iif(finding = 0 AND transaction_id IS NULL AND amount = ?7
                        AND ?13 = 1, 0, ?13),
                    booked_by = coalesce(booked_by, ?15), account = ?16,
                    payment = coalesce(?17, payment), booked_whole = max(booked_whole, ?18),
                    run = ?19
                """, keptBytes: 1024)
            let seating = try Seating(database)
            for settlement in settlements {
                var settlement = settlement
                try seating.seat(&settlement)
                Self.bind(settlement, to: upsert)
                upsert.bind(19, run)
                try upsert.run()
            }
            if let done { try Self.mark(done, of: run, in: database) }
        }
    }

    func mark(_ done: PageMark, of run: Int64) throws(LedgerError) {
        try write { try Self.mark(done, of: run, in: $0) }
    }

    private static func mark(_ done: PageMark, of run: Int64, in database: Database) throws {
        let place = try LedgerStatement(
            again: database, "UPDATE run_accounts SET cursor = ?3 WHERE run = ?1 AND account = ?2")
        place.bind(1, run)
        place.bind(2, done.account.rawValue)
        place.bind(3, done.cursor)
        try place.run()
        let count = try LedgerStatement(
            again: database,
            """
            UPDATE reconciliations SET pages = pages + 1, transactions = transactions + ?2
            WHERE id = ?1
            """)
        count.bind(1, run)
        count.bind(2, done.transactions)
        try count.run()
    }

    /// Rows that settle one transaction of the ledger are judged together, in whatever order they
    /// were read.
    private struct Seating {
        private let others, judge: LedgerStatement

        init(_ database: Database) throws {
            others = try LedgerStatement(
                again: database,
                """
                SELECT created, id, amount, finding, currency FROM settlements
                WHERE transaction_id = ?1 AND id <> ?2
                """)
            judge = try LedgerStatement(
                again: database,
                "UPDATE settlements SET finding = ?3 WHERE created = ?1 AND id = ?2")
        }

        func seat(_ settlement: inout Settlement) throws {
            guard let transaction = settlement.transaction, let held = settlement.held else {
                return
            }
            let own = settlement.statement
            let currency = settlement.heldCurrency ?? own.currency
            var lines = try lines(of: transaction, without: own.id, in: currency)
            guard !lines.isEmpty else { return }
            lines.append(
                LineGroup.Line(
                    created: own.created.seconds, id: own.id, amount: own.amount,
                    finding: settlement.finding, isForeign: own.currency != currency))
            lines.sort { ($0.created, $0.id) < ($1.created, $1.id) }
            let findings = LineGroup.findings(of: lines, held: held)
            for (line, finding) in zip(lines, findings) {
                if line.id == own.id {
                    settlement.finding = finding
                } else if line.finding != finding {
                    judge.bind(1, line.created)
                    judge.bind(2, line.id)
                    judge.bind(3, finding.rawValue)
                    try judge.run()
                }
            }
        }

        private func lines(
            of transaction: Int64, without id: String, in currency: Currency
        ) throws -> [LineGroup.Line] {
            others.bind(1, transaction)
            others.bind(2, id)
            defer { others.reset() }
            var lines: [LineGroup.Line] = []
            while try others.step() {
                lines.append(
                    LineGroup.Line(
                        created: others.integer(0), id: others.text(1),
                        amount: MinorUnits(others.integer(2)),
                        finding: SettlementFinding(rawValue: others.integer(3)) ?? .none,
                        isForeign: others.text(4) != currency.code))
            }
            return lines
        }
    }

    /// What the rows that settle one transaction of the ledger come to, and the oldest of them;
    /// nil where there is one only. Duplicates are left out.
    func group(
        of transaction: Int64
    ) throws(LedgerError) -> (amount: MinorUnits, oldest: String)? {
        try rows(
            """
            SELECT sum(amount) OVER (), id, count(*) OVER () FROM settlements
            WHERE transaction_id = ? AND finding <> \(SettlementFinding.duplicate.rawValue)
            ORDER BY created, id LIMIT 1
            """, { $0.bind(1, transaction) }
        ) { $0.integer(2) > 1 ? (MinorUnits($0.integer(0)), $0.text(1)) : nil }.first ?? nil
    }

    /// Rows that something is wrong with, in the order of their source.
    func open(after place: OpenPlace, limit: Int) throws(LedgerError) -> [Settlement] {
        try rows(
            """
            SELECT \(Self.settlementColumns) FROM settlements
            WHERE open = 1 AND (source, created, id) > (?, ?, ?)
            ORDER BY source, created, id LIMIT ?
            """,
            {
                $0.bind(1, orNull: place.source)
                $0.bind(2, place.created)
                $0.bind(3, orNull: place.id)
                $0.bind(4, Int64(limit))
            }, Self.settlement)
    }

    /// Open rows of one source.
    func open(source: String) throws(LedgerError) -> [Settlement] {
        try rows(
            "SELECT \(Self.settlementColumns) FROM settlements "
                + "WHERE open = 1 AND source = ? LIMIT 100",
            { $0.bind(1, orNull: source) }, Self.settlement)
    }

    /// Stores what a second look at stored rows has found.
    func judge(_ settlements: [Settlement]) throws(LedgerError) {
        try write { database in
            let update = try LedgerStatement(
                again: database,
                """
                UPDATE settlements SET transaction_id = ?3, finding = ?4, fee_state = ?5,
                    payment = coalesce(?6, payment)
                WHERE created = ?1 AND id = ?2
                """)
            let seating = try Seating(database)
            for settlement in settlements {
                var settlement = settlement
                try seating.seat(&settlement)
                update.bind(1, settlement.statement.created.seconds)
                update.bind(2, settlement.statement.id)
                update.bind(3, orNull: settlement.transaction)
                update.bind(4, settlement.finding.rawValue)
                update.bind(5, settlement.feeState.rawValue)
                update.bind(6, orNull: settlement.statement.payment)
                try update.run()
            }
        }
    }

    /// Forgets what stood in the statement of this period once and no longer does, in the accounts
    /// that were read. What stood beside it is open until it is judged again.
    func dropVanished(run: Int64, from: Instant, to: Instant) throws(LedgerError) {
        let isGone = """
            created >= ?1 AND created < ?2 AND run < ?3 AND account IN
                (SELECT account FROM run_accounts WHERE run = ?3 AND failure IS NULL)
            """
        func bind(_ statement: LedgerStatement) {
            statement.bind(1, from.seconds)
            statement.bind(2, to.seconds)
            statement.bind(3, run)
        }
        try execute(
            """
            UPDATE settlements SET finding = \(SettlementFinding.otherAmount.rawValue)
            WHERE finding = 0 AND transaction_id IN
                (SELECT transaction_id FROM settlements WHERE \(isGone))
            """, bind)
        try execute("DELETE FROM settlements WHERE \(isGone)", bind)
    }

    /// The ledger's transaction that the row of a line settles.
    func transaction(of line: BalanceTransaction) throws(LedgerError) -> Int64? {
        try rows(
            "SELECT transaction_id FROM settlements WHERE created = ? AND id = ?",
            {
                $0.bind(1, line.created.seconds)
                $0.bind(2, line.id)
            }, { $0.integerOrNull(0) }
        ).first ?? nil
    }

    /// When the newest line of an account's statement was written; nil while it has none.
    func newest(of account: StripeAccount) throws(LedgerError) -> Instant? {
        try rows(
            "SELECT created FROM settlements WHERE account = ? ORDER BY created DESC LIMIT 1",
            { $0.bind(1, orNull: account.rawValue) }, { Instant(seconds: $0.integer(0)) }
        ).first
    }

    /// What stored rows settle of a transaction of the ledger.
    ///
    /// - Parameter before: only rows of before this.
    /// - Returns: their sum, and whether it is a break that it is another than the ledger's.
    func settledAmount(
        of transaction: Int64, before: Instant = Instant(seconds: .max)
    ) throws(LedgerError) -> (sum: MinorUnits, isBreak: Bool) {
        try rows(
            """
            SELECT coalesce(sum(amount), 0),
                coalesce(max(finding = \(SettlementFinding.otherAmount.rawValue)), 0)
            FROM settlements WHERE transaction_id = ? AND created < ?
            """,
            {
                $0.bind(1, transaction)
                $0.bind(2, before.seconds)
            }, { (MinorUnits($0.integer(0)), $0.integer(1) != 0) }
        ).first ?? (.zero, false)
    }

    /// Which of the ledger's transactions in this range are settled.
    func settled(_ transactions: ClosedRange<Int64>) throws(LedgerError) -> Set<Int64> {
        Set(
            try rows(
                "SELECT transaction_id FROM settlements WHERE transaction_id BETWEEN ? AND ?",
                {
                    $0.bind(1, transactions.lowerBound)
                    $0.bind(2, transactions.upperBound)
                }, { $0.integer(0) }))
    }

    /// Whether the statement holds this balance transaction.
    func holds(_ id: String, created: Instant) throws(LedgerError) -> Bool {
        try !rows(
            "SELECT 1 FROM settlements WHERE created = ? AND id = ?",
            {
                $0.bind(1, created.seconds)
                $0.bind(2, id)
            }, { _ in true }
        ).isEmpty
    }

    /// What was read in a period and what a run booked of it, by account and currency.
    func sums(
        run: Int64, from: Instant, to: Instant
    ) throws(LedgerError) -> [CurrencySummary] {
        try rows(
            """
            SELECT account, currency, count(*), sum(open = 0), sum(amount), sum(fee), sum(net),
                sum(booked_by IS ?3 AND \(Self.isBooked)),
                -- What was not booked whole, of that the fee.
                sum(CASE WHEN booked_by IS ?3 AND \(Self.isBooked)
                    THEN iif(booked_whole, -net, fee) ELSE 0 END),
                sum(abs(net)), sum(iif(open = 0, abs(net), 0))
            FROM settlements WHERE created >= ?1 AND created < ?2 GROUP BY account, currency
            """,
            {
                $0.bind(1, from.seconds)
                $0.bind(2, to.seconds)
                $0.bind(3, run)
            }
        ) { row in
            CurrencySummary(
                account: StripeAccount(row.text(0)), currency: try Self.currency(row.text(1)),
                transactions: row.integer(2), matched: row.integer(3),
                turnover: row.integer(9), matchedTurnover: row.integer(10),
                gross: row.integer(4), fees: row.integer(5), net: row.integer(6),
                booked: row.integer(7), bookedAmount: row.integer(8))
        }
    }

    private static func bind(_ settlement: Settlement, to row: LedgerStatement) {
        let statement = settlement.statement
        row.bind(1, statement.created.seconds)
        row.bind(2, statement.id)
        row.bind(3, statement.type)
        row.bind(4, orNull: statement.source)
        row.bind(5, orNull: statement.reportingCategory)
        row.bind(6, statement.currency.code)
        row.bind(7, statement.amount.rawValue)
        row.bind(8, statement.fee.rawValue)
        row.bind(9, statement.net.rawValue)
        row.bind(10, statement.availableOn.seconds)
        row.bind(11, statement.isConverted ? 1 : 0)
        row.bind(12, orNull: settlement.transaction)
        row.bind(13, settlement.finding.rawValue)
        row.bind(14, settlement.feeState.rawValue)
        row.bind(15, orNull: settlement.bookedBy)
        row.bind(16, settlement.account.rawValue)
        row.bind(17, orNull: statement.payment)
        row.bind(18, settlement.isBookedWhole ? 1 : 0)
    }
}
