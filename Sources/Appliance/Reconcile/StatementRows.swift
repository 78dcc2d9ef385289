package import Appliance
import Vocabulary

/// The tables of reconciliation for who only reads them, in whichever database they are: those that
/// a daemon writes, and those that a command of the cloud plane has left. Blocking.
///
/// A statement's words are those that both databases have in common.
package protocol StatementRows: StatementReading, Sendable {
    /// Every row of a query, on one snapshot.
    func found<Row>(
        _ sql: String, _ bind: (any LedgerQuery) -> Void,
        _ row: (any LedgerQuery) throws -> Row
    ) throws(LedgerError) -> [Row]
    /// Which of the tables are there.
    func kept() throws(LedgerError) -> StatementSchema
}

/// What an earlier release has made of the tables.
package enum StatementSchema: Int, Comparable, Sendable {
    /// Too old for what is asked here.
    case early
    /// Stripe accounts beside each line.
    case accounts
    /// What payouts are made of, too.
    case payoutLines

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

// MARK: - Runs

extension StatementRows {
    static var runColumns: String {
        """
        id, cause, state, period_from, period_to, started_at, finished_at, livemode, pages,
        transactions, failure, swept_to
        """
    }

    package func run(_ id: Int64) throws(LedgerError) -> RunRecord? {
        try found(
            "SELECT \(Self.runColumns) FROM reconciliations WHERE id = ?", { $0.bind(1, id) },
            Self.run
        ).first
    }

    /// The newest runs, from before `before` on.
    package func runs(before: Int64?, limit: Int) throws(LedgerError) -> [RunRecord] {
        try found(
            """
            SELECT \(Self.runColumns) FROM reconciliations WHERE id < ? ORDER BY id DESC LIMIT ?
            """,
            {
                $0.bind(1, before ?? .max)
                $0.bind(2, Int64(limit))
            }, Self.run)
    }

    static func reading(_ row: any LedgerQuery) -> AccountReading {
        AccountReading(
            account: StripeAccount(row.text(0)), isRead: row.integer(1) != 0,
            cursor: row.textOrNull(2), failure: row.textOrNull(3))
    }

    /// How many accounts a run covers, and those of them that cannot be read, at most a hundred.
    func accounts(
        of run: Int64
    ) throws(LedgerError) -> (count: Int64, unread: [AccountReading]) {
        let count = try found(
            "SELECT count(*) FROM run_accounts WHERE run = ?", { $0.bind(1, run) },
            { $0.integer(0) }
        ).first
        let unread = try found(
            """
            SELECT account, is_read, cursor, failure FROM run_accounts
            WHERE run = ? AND failure IS NOT NULL ORDER BY account LIMIT 100
            """, { $0.bind(1, run) }, Self.reading)
        return (count ?? 0, unread)
    }

    static func run(_ row: any LedgerQuery) throws -> RunRecord {
        guard let cause = RunRecord.Cause(rawValue: row.text(1)),
            let state = RunRecord.State(rawValue: row.text(2))
        else { throw LedgerError.corrupt(code: 0, detail: "reconciliations \(row.integer(0))") }
        return RunRecord(
            id: row.integer(0), cause: cause, state: state,
            from: Instant(seconds: row.integer(3)), to: Instant(seconds: row.integer(4)),
            startedAt: Instant(seconds: row.integer(5)),
            finishedAt: row.integerOrNull(6).map(Instant.init(seconds:)),
            livemode: row.integerOrNull(7).map { $0 != 0 }, pages: row.integer(8),
            transactions: row.integer(9), failure: row.textOrNull(10),
            sweptTo: row.integerOrNull(11).map(Instant.init(seconds:)))
    }
}

// MARK: - Sweeps

extension StatementRows {
    /// The newest sweeps, from before `before` on.
    package func sweeps(before: Int64?, limit: Int) throws(LedgerError) -> [SweepRecord] {
        try sweeps(where: "id < ? ORDER BY id DESC LIMIT ?") {
            $0.bind(1, before ?? .max)
            $0.bind(2, Int64(limit))
        }
    }

    package func sweep(_ id: Int64) throws(LedgerError) -> SweepRecord? {
        try sweeps(where: "id = ?") { $0.bind(1, id) }.first
    }

    func sweeps(
        where condition: String, _ bind: (any LedgerQuery) -> Void
    ) throws(LedgerError) -> [SweepRecord] {
        try found(
            """
            SELECT id, state, period_from, period_to, started_at, finished_at, events, missed,
                oldest_missed, failure, unswept_accounts
            FROM sweeps WHERE \(condition)
            """, bind
        ) { row in
            guard let state = SweepRecord.State(rawValue: row.text(1)) else {
                throw LedgerError.corrupt(code: 0, detail: "sweeps \(row.integer(0))")
            }
            return SweepRecord(
                id: row.integer(0), state: state, from: Instant(seconds: row.integer(2)),
                to: Instant(seconds: row.integer(3)), startedAt: Instant(seconds: row.integer(4)),
                finishedAt: row.integerOrNull(5).map(Instant.init(seconds:)),
                unsweptAccounts: row.integer(10), events: row.integer(6), missed: row.integer(7),
                oldestMissed: row.integerOrNull(8).map(Instant.init(seconds:)),
                failure: row.textOrNull(9))
        }
    }
}
