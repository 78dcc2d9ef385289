internal import GRDB

/// Stripe's statement as last read: the table `settlements`.
extension StatementStore {
    /// The page of the statement that is done when the next one is stored.
    struct PageMark: Hashable, Sendable {
        var cursor: String
        var transactions: Int64
    }

    /// Where a row stands in the order of open rows.
    struct OpenPlace: Hashable, Sendable {
        var source = ""
        var created = Int64.min
        var id = ""
    }

    private static let columns = """
        created, id, type, source, category, currency, amount, fee, net, available_on, converted,
        transaction_id, finding, fee_state, booked_by
        """

    /// Whether what a run appended for a row is booked: its fee, or, where it has none, all of it.
    static let isBooked = "(fee_state = 1 OR (fee_state = 0 AND finding = 0))"

    /// Stores a page, and with it that the page before is wholly done.
    ///
    /// What an earlier reading, or this one before a crash, knew of who booked a row stays.
    func store(
        _ settlements: [Settlement], run: Int64, done: PageMark?
    ) throws(LedgerError) {
        try write { database in
            let upsert = try LedgerStatement(
                database,
                """
                INSERT INTO settlements (\(Self.columns), run)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                ON CONFLICT (created, id) DO UPDATE SET type = ?3, source = ?4, category = ?5,
                    currency = ?6, amount = ?7, fee = ?8, net = ?9, available_on = ?10,
                    converted = ?11, transaction_id = ?12, fee_state = ?14,
                    -- A payment and its failure that were seen to cancel each other still do.
                    finding = iif(finding = 0 AND transaction_id IS NULL AND amount = ?7
                        AND ?13 = 1, 0, ?13),
                    booked_by = coalesce(booked_by, ?15), run = ?16
                """, keptBytes: 1024)
            let seating = try Seating(database)
            for settlement in settlements {
                var settlement = settlement
                try seating.seat(&settlement)
                Self.bind(settlement, to: upsert)
                upsert.bind(16, run)
                try upsert.run()
            }
            if let done { try Self.mark(done, of: run, in: database) }
        }
    }

    func mark(_ done: PageMark, of run: Int64) throws(LedgerError) {
        try write { try Self.mark(done, of: run, in: $0) }
    }

    private static func mark(_ done: PageMark, of run: Int64, in database: Database) throws {
        let statement = try LedgerStatement(
            database,
            """
            UPDATE reconciliations SET cursor = ?2, pages = pages + 1,
                transactions = transactions + ?3 WHERE id = ?1
            """)
        statement.bind(1, run)
        statement.bind(2, done.cursor)
        statement.bind(3, done.transactions)
        try statement.run()
    }

    /// Of several rows that settle one transaction of the ledger the oldest does; the others are
    /// duplicates, whichever was read first.
    private struct Seating {
        private let twins, unseat: LedgerStatement

        init(_ database: Database) throws {
            twins = try LedgerStatement(
                database,
                "SELECT created, id FROM settlements WHERE transaction_id = ?1 AND id <> ?2")
            unseat = try LedgerStatement(
                database,
                """
                UPDATE settlements SET transaction_id = NULL, finding = ?3
                WHERE created = ?1 AND id = ?2
                """)
        }

        func seat(_ settlement: inout Settlement) throws {
            guard let transaction = settlement.transaction else { return }
            twins.bind(1, transaction)
            twins.bind(2, settlement.statement.id)
            defer { twins.reset() }
            guard try twins.step() else { return }
            let (created, id) = (twins.integer(0), twins.text(1))
            let own = (settlement.statement.created.seconds, settlement.statement.id)
            if (created, id) < own {
                settlement.transaction = nil
                settlement.finding = .duplicate
            } else {
                twins.reset()
                unseat.bind(1, created)
                unseat.bind(2, id)
                unseat.bind(3, SettlementFinding.duplicate.rawValue)
                try unseat.run()
            }
        }
    }

    /// Rows that something is wrong with, in the order of their source.
    func open(after place: OpenPlace, limit: Int) throws(LedgerError) -> [Settlement] {
        try rows(
            """
            SELECT \(Self.columns) FROM settlements
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
            "SELECT \(Self.columns) FROM settlements WHERE open = 1 AND source = ? LIMIT 100",
            { $0.bind(1, orNull: source) }, Self.settlement)
    }

    /// Stores what a second look at stored rows has found.
    func judge(_ settlements: [Settlement]) throws(LedgerError) {
        try write { database in
            let update = try LedgerStatement(
                database,
                """
                UPDATE settlements SET transaction_id = ?3, finding = ?4, fee_state = ?5
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
                try update.run()
            }
        }
    }

    /// Forgets what stood in the statement of this period once and no longer does.
    func dropVanished(run: Int64, from: Instant, to: Instant) throws(LedgerError) {
        try execute("DELETE FROM settlements WHERE created >= ? AND created < ? AND run < ?") {
            $0.bind(1, from.seconds)
            $0.bind(2, to.seconds)
            $0.bind(3, run)
        }
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

    /// What was read in a period and what a run booked of it, by currency.
    func sums(
        run: Int64, from: Instant, to: Instant
    ) throws(LedgerError) -> [CurrencySummary] {
        try rows(
            """
            SELECT currency, count(*), sum(open = 0), sum(amount), sum(fee), sum(net),
                sum(booked_by IS ?3 AND \(Self.isBooked)),
                -- What stands alone was booked whole, and so was what takes a payment back; of the
                -- others, their fee.
                sum(CASE WHEN booked_by IS ?3 AND \(Self.isBooked)
                    THEN iif(fee_state = 0 OR transaction_id NOT NULL
                        AND type IN ('payment_failure_refund', 'payment_reversal'), -net, fee)
                    ELSE 0 END)
            FROM settlements WHERE created >= ?1 AND created < ?2 GROUP BY currency
            """,
            {
                $0.bind(1, from.seconds)
                $0.bind(2, to.seconds)
                $0.bind(3, run)
            }
        ) { row in
            CurrencySummary(
                currency: try Self.currency(row.text(0)), transactions: row.integer(1),
                matched: row.integer(2), gross: row.integer(3), fees: row.integer(4),
                net: row.integer(5), booked: row.integer(6), bookedAmount: row.integer(7))
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
    }

    static func settlement(_ row: LedgerStatement) throws -> Settlement {
        guard let finding = SettlementFinding(rawValue: row.integer(12)),
            let feeState = FeeState(rawValue: row.integer(13))
        else { throw LedgerError.corrupt(code: 0, detail: "settlements \(row.text(1))") }
        let statement = BalanceTransaction(
            id: row.text(1), type: row.text(2), source: row.text(3),
            reportingCategory: row.textOrNull(4), amount: MinorUnits(row.integer(6)),
            fee: MinorUnits(row.integer(7)), net: MinorUnits(row.integer(8)),
            currency: try currency(row.text(5)), created: Instant(seconds: row.integer(0)),
            availableOn: Instant(seconds: row.integer(9)), isConverted: row.integer(10) != 0)
        return Settlement(
            statement: statement, transaction: row.integerOrNull(11), finding: finding,
            feeState: feeState, bookedBy: row.integerOrNull(14))
    }

    static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }
}
