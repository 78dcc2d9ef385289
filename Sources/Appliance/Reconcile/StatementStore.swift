internal import GRDB

/// What reconciliation keeps: its runs, Stripe's statement as last read, and the breaks (migration
/// 0002). Blocking: call it off the cooperative pool.
///
/// It writes through the ledger's own connection, so that the two wait for each other instead of
/// refusing each other. A transaction here is a page of the statement at most, a millisecond or
/// two, because postings wait meanwhile. A dry run has a file of its own that nobody keeps.
final class StatementStore: Sendable {
    private let queue: DatabaseQueue

    /// - Parameter ledger: opened for writing; or for reading, where nothing is stored.
    init(of ledger: SQLiteLedger) { queue = ledger.queue }

    /// A store that is gone when it is closed, on disk as soon as memory does not hold it.
    init() throws(LedgerError) {
        do {
            queue = try DatabaseQueue(path: "")
            try queue.write { database in
                try database.execute(sql: "CREATE TABLE schema_version (version INTEGER)")
                try database.execute(sql: LedgerSchema.migration2)
            }
        } catch {
            throw LedgerError(error, path: "a temporary file")
        }
    }

    /// Runs `body` in one transaction.
    func write<Value>(_ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.write(body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Runs `body` on one snapshot.
    func read<Value>(_ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Runs one statement.
    func execute(
        _ sql: String, _ bind: (LedgerStatement) -> Void = { _ in }
    ) throws(LedgerError) {
        try write { database in
            let statement = try LedgerStatement(database, sql)
            bind(statement)
            try statement.run()
        }
    }

    /// Every row of a query.
    func rows<Row>(
        _ sql: String, _ bind: (LedgerStatement) -> Void = { _ in },
        _ row: (LedgerStatement) throws -> Row
    ) throws(LedgerError) -> [Row] {
        try read { database in
            let statement = try LedgerStatement(database, sql)
            defer { statement.reset() }
            bind(statement)
            var rows: [Row] = []
            while try statement.step() { rows.append(try row(statement)) }
            return rows
        }
    }
}

// MARK: - Runs

extension StatementStore {
    private static let runColumns = """
        id, cause, state, period_from, period_to, started_at, finished_at, livemode, cursor,
        pages, transactions, failure
        """

    /// Notes a new run.
    /// - Returns: its number.
    func create(
        _ cause: RunRecord.Cause, from: Instant, to: Instant, at now: Instant
    ) throws(LedgerError) -> Int64 {
        try write { database in
            let statement = try LedgerStatement(
                database,
                """
                INSERT INTO reconciliations (cause, state, period_from, period_to, started_at)
                VALUES (?, 'queued', ?, ?, ?)
                """)
            statement.bind(1, cause.rawValue)
            statement.bind(2, from.seconds)
            statement.bind(3, to.seconds)
            statement.bind(4, now.seconds)
            try statement.run()
            return database.lastInsertedRowID
        }
    }

    func run(_ id: Int64) throws(LedgerError) -> RunRecord? {
        try rows(
            "SELECT \(Self.runColumns) FROM reconciliations WHERE id = ?", { $0.bind(1, id) },
            Self.run
        ).first
    }

    /// Runs that are not over, the oldest first: what a start takes up again.
    func unfinished() throws(LedgerError) -> [RunRecord] {
        try rows(
            """
            SELECT \(Self.runColumns) FROM reconciliations
            WHERE state NOT IN ('finished', 'failed') ORDER BY id
            """, { _ in }, Self.run)
    }

    /// The newest runs, from before `before` on.
    func runs(before: Int64?, limit: Int) throws(LedgerError) -> [RunRecord] {
        try rows(
            """
            SELECT \(Self.runColumns) FROM reconciliations WHERE id < ? ORDER BY id DESC LIMIT ?
            """,
            {
                $0.bind(1, before ?? .max)
                $0.bind(2, Int64(limit))
            }, Self.run)
    }

    /// The run that ended well and reaches furthest without a gap before it, and the last that was
    /// begun.
    func lastRuns() throws(LedgerError) -> (finished: RunRecord?, begun: RunRecord?) {
        let ended = try rows(
            "SELECT \(Self.runColumns) FROM reconciliations WHERE state = 'finished' ORDER BY id",
            { _ in }, Self.run)
        let finished = ended.reduce(nil as RunRecord?) { reached, run in
            guard let reached else { return run }
            // What somebody asked of a part of the time leaves the rest to be read.
            return run.from <= reached.to && run.to >= reached.to ? run : reached
        }
        return (finished, try runs(before: nil, limit: 1).first)
    }

    func set(_ state: RunRecord.State, of run: Int64) throws(LedgerError) {
        try execute("UPDATE reconciliations SET state = ?2 WHERE id = ?1") {
            $0.bind(1, run)
            $0.bind(2, state.rawValue)
        }
    }

    func set(livemode: Bool, of run: Int64) throws(LedgerError) {
        try execute("UPDATE reconciliations SET livemode = ?2 WHERE id = ?1") {
            $0.bind(1, run)
            $0.bind(2, livemode ? 1 : 0)
        }
    }

    /// Forgets the place in the statement: the run reads it from the newest on again. What it has
    /// read until then counts as read by an earlier one, so that what is gone now is noticed.
    func rewind(_ run: RunRecord) throws(LedgerError) {
        try write { database in
            let age = try LedgerStatement(
                database,
                """
                UPDATE settlements SET run = 0 WHERE created >= ? AND created < ? AND run = ?
                """)
            age.bind(1, run.from.seconds)
            age.bind(2, run.to.seconds)
            age.bind(3, run.id)
            try age.run()
            let rewind = try LedgerStatement(
                database,
                "UPDATE reconciliations SET cursor = NULL, pages = 0, transactions = 0 WHERE id = ?")
            rewind.bind(1, run.id)
            try rewind.run()
        }
    }

    /// Ends a run: well, or with the reason why not.
    func end(_ run: Int64, at now: Instant, failure: String?) throws(LedgerError) {
        try execute(
            """
            UPDATE reconciliations SET state = ?2, finished_at = ?3, failure = ?4 WHERE id = ?1
            """
        ) {
            $0.bind(1, run)
            $0.bind(2, failure == nil ? "finished" : "failed")
            $0.bind(3, now.seconds)
            $0.bind(4, orNull: failure)
        }
    }

    private static func run(_ row: LedgerStatement) throws -> RunRecord {
        guard let cause = RunRecord.Cause(rawValue: row.text(1)),
            let state = RunRecord.State(rawValue: row.text(2))
        else { throw LedgerError.corrupt(code: 0, detail: "reconciliations \(row.integer(0))") }
        return RunRecord(
            id: row.integer(0), cause: cause, state: state,
            from: Instant(seconds: row.integer(3)), to: Instant(seconds: row.integer(4)),
            startedAt: Instant(seconds: row.integer(5)),
            finishedAt: row.integerOrNull(6).map(Instant.init(seconds:)),
            livemode: row.integerOrNull(7).map { $0 != 0 }, cursor: row.textOrNull(8),
            pages: row.integer(9), transactions: row.integer(10), failure: row.textOrNull(11))
    }
}

// MARK: - Sweeps

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
                oldest_missed = ?6, failure = ?7 WHERE id = ?1
            """
        ) {
            $0.bind(1, sweep.id)
            $0.bind(2, sweep.state.rawValue)
            $0.bind(3, orNull: sweep.finishedAt?.seconds)
            $0.bind(4, sweep.events)
            $0.bind(5, sweep.missed)
            $0.bind(6, orNull: sweep.oldestMissed?.seconds)
            $0.bind(7, orNull: sweep.failure)
        }
    }

    /// The newest sweeps, from before `before` on.
    func sweeps(before: Int64?, limit: Int) throws(LedgerError) -> [SweepRecord] {
        try sweeps("id < ? ORDER BY id DESC LIMIT ?") {
            $0.bind(1, before ?? .max)
            $0.bind(2, Int64(limit))
        }
    }

    func sweep(_ id: Int64) throws(LedgerError) -> SweepRecord? {
        try sweeps("id = ?") { $0.bind(1, id) }.first
    }

    /// The last sweep that ended well.
    func lastFinishedSweep() throws(LedgerError) -> SweepRecord? {
        try sweeps("state = 'finished' ORDER BY period_to DESC LIMIT 1") { _ in }.first
    }

    private func sweeps(
        _ condition: String, _ bind: (LedgerStatement) -> Void
    ) throws(LedgerError) -> [SweepRecord] {
        try rows(
            """
            SELECT id, state, period_from, period_to, started_at, finished_at, events, missed,
                oldest_missed, failure
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
                events: row.integer(6), missed: row.integer(7),
                oldestMissed: row.integerOrNull(8).map(Instant.init(seconds:)),
                failure: row.textOrNull(9))
        }
    }
}
