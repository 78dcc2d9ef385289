import Appliance
internal import GRDB
import Vocabulary

/// Sweeps for missed events: the tables `sweeps` and `sweep_accounts`.
extension StatementStore {
    /// Ends the sweeps that a crash left unfinished. They are not taken up again: the next one
    /// begins where they did.
    func abandonSweeps() throws(LedgerError) {
        try execute(
            """
            UPDATE sweeps SET state = 'failed', failure = 'the daemon was stopped'
            WHERE state = 'reading'
            """)
    }

    /// Notes a new sweep.
    func beginSweep(from: Instant, to: Instant, at now: Instant) throws(LedgerError) -> Int64 {
        try write { database in
            let statement = try LedgerStatement(
                database,
                """
                INSERT INTO sweeps (state, period_from, period_to, started_at)
                VALUES ('reading', ?, ?, ?)
                """)
            statement.bind(1, from.seconds)
            statement.bind(2, to.seconds)
            statement.bind(3, now.seconds)
            try statement.run()
            return database.lastInsertedRowID
        }
    }

    /// Stores how a sweep stands.
    func update(_ sweep: SweepRecord) throws(LedgerError) {
        try execute(
            """
            UPDATE sweeps SET state = ?2, finished_at = ?3, events = ?4, missed = ?5,
                oldest_missed = ?6, failure = ?7, unswept_accounts = ?8, period_to = ?9
            WHERE id = ?1
            """
        ) {
            $0.bind(1, sweep.id)
            $0.bind(2, sweep.state.rawValue)
            $0.bind(3, orNull: sweep.finishedAt?.seconds)
            $0.bind(4, sweep.events)
            $0.bind(5, sweep.missed)
            $0.bind(6, orNull: sweep.oldestMissed?.seconds)
            $0.bind(7, orNull: sweep.failure)
            $0.bind(8, sweep.unsweptAccounts)
            $0.bind(9, sweep.to.seconds)
        }
    }

    /// Notes until when missed events of a connected account have been looked for, or why that
    /// failed; the place of an earlier sweep then stays.
    func sweptTo(
        _ moment: Instant?, _ account: StripeAccount, failure: String?
    ) throws(LedgerError) {
        try execute(
            """
            INSERT INTO sweep_accounts VALUES (?1, ?2, ?3) ON CONFLICT (account)
                DO UPDATE SET swept_to = coalesce(?2, swept_to), failure = ?3
            """
        ) {
            $0.bind(1, account.rawValue)
            $0.bind(2, orNull: moment?.seconds)
            $0.bind(3, orNull: failure)
        }
    }

    /// Until when missed events of a connected account have been looked for; nil for never, and
    /// where a wrong clock says so.
    func sweptTo(
        _ account: StripeAccount, notAfter latest: Instant
    ) throws(LedgerError) -> Instant? {
        try rows(
            "SELECT swept_to FROM sweep_accounts WHERE account = ? AND swept_to <= ?",
            {
                $0.bind(1, account.rawValue)
                $0.bind(2, latest.seconds)
            }, { Instant(seconds: $0.integer(0)) }
        ).first
    }

    /// Until when missed events of all these accounts have been looked for; nil where those of one
    /// never were.
    func sweptTo(
        _ accounts: [StripeAccount], notAfter latest: Instant
    ) throws(LedgerError) -> Instant? {
        guard var swept = try lastFinishedSweep(notAfter: latest)?.to else { return nil }
        for account in accounts where account != .own {
            guard let own = try sweptTo(account, notAfter: latest) else { return nil }
            swept = min(swept, own)
        }
        return swept
    }

    /// The last sweep that ended well. What reaches beyond `latest` is passed over.
    func lastFinishedSweep(notAfter latest: Instant) throws(LedgerError) -> SweepRecord? {
        try sweeps(
            where: """
            state = 'finished' AND period_to <= ?1 AND started_at <= ?1
            ORDER BY period_to DESC LIMIT 1
            """
        ) { $0.bind(1, latest.seconds) }.first
    }

    /// The last sweep that was begun, not beyond `latest`.
    func lastBegunSweep(notAfter latest: Instant) throws(LedgerError) -> SweepRecord? {
        try sweeps(where: "started_at <= ? ORDER BY id DESC LIMIT 1") {
            $0.bind(1, latest.seconds)
        }.first
    }
}
