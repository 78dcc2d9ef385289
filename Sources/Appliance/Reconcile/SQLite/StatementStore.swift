package import Appliance
internal import GRDB
import Vocabulary

/// What reconciliation keeps: its runs, Stripe's statement as last read, and the breaks (migrations
/// 0002 and 0004). Blocking: call it off the cooperative pool.
///
/// It writes through the ledger's own connection, so that the two wait for each other instead of
/// refusing each other. A transaction here is a page of the statement at most, a millisecond or
/// two, because postings wait meanwhile. A dry run has a file of its own that nobody keeps.
package final class StatementStore: Sendable {
    private let queue: DatabaseQueue

    /// - Parameter ledger: opened for writing; or for reading, where nothing is stored.
    package init(of ledger: some SQLiteReading) { queue = ledger.queue }

    /// A store that is gone when it is closed, on disk as soon as memory does not hold it.
    package init() throws(LedgerError) {
        do {
            queue = try DatabaseQueue(path: "")
            try queue.write { database in
                // Each migration says which version it makes of it.
                try database.execute(
                    sql: "CREATE TABLE schema_version (version); "
                        + "INSERT INTO schema_version VALUES (0)")
                for migration in LedgerSchema.statements {
                    try database.execute(sql: migration)
                }
            }
        } catch {
            throw LedgerError(error, path: "a temporary file")
        }
    }

    /// Runs `body` in one transaction.
    func write<Value>(_ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.inTransaction(.write, body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Runs `body` on one snapshot.
    func read<Value>(_ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.inTransaction(.snapshot, body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Runs one statement.
    func execute(
        _ sql: String, _ bind: (LedgerStatement) -> Void = { _ in }
    ) throws(LedgerError) {
        try write { database in
            let statement = try LedgerStatement(again: database, sql)
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
            let statement = try LedgerStatement(again: database, sql)
            defer { statement.reset() }
            bind(statement)
            var rows: [Row] = []
            while try statement.step() { rows.append(try row(statement)) }
            return rows
        }
    }
}

// MARK: - For who only reads

extension StatementStore: StatementRows {
    /// The first schema whose tables have Stripe's accounts.
    private static let accountsVersion: Int64 = 4

    package func found<Row>(
        _ sql: String, _ bind: (any LedgerQuery) -> Void,
        _ row: (any LedgerQuery) throws -> Row
    ) throws(LedgerError) -> [Row] {
        try rows(sql, { bind($0) }, { try row($0) })
    }

    /// A folder that an earlier release wrote last is read as it is.
    package func kept() throws(LedgerError) -> StatementSchema {
        let version = try rows(
            "SELECT max(version) FROM schema_version", { _ in }, { $0.integer(0) }
        ).first ?? 0
        if version < Self.accountsVersion { return .early }
        return version < LedgerSchema.payoutLinesVersion ? .accounts : .payoutLines
    }
}

// MARK: - Runs

extension StatementStore {
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

    /// Runs that are not over, the oldest first: what a start takes up again.
    func unfinished() throws(LedgerError) -> [RunRecord] {
        try rows(
            """
            SELECT \(Self.runColumns) FROM reconciliations
            WHERE state NOT IN ('finished', 'failed') ORDER BY id
            """, { _ in }, Self.run)
    }

    /// The run that ended well and reaches furthest without a gap before it, and the last that was
    /// begun.
    ///
    /// - Parameter latest: what reaches or began beyond this was written by a clock that was wrong,
    ///   and is passed over.
    func lastRuns(
        notAfter latest: Instant
    ) throws(LedgerError) -> (finished: RunRecord?, begun: RunRecord?) {
        let ended = try rows(
            """
            SELECT \(Self.runColumns) FROM reconciliations
            WHERE state = 'finished' AND period_to <= ? ORDER BY id
            """, { $0.bind(1, latest.seconds) }, Self.run)
        let finished = ended.reduce(nil as RunRecord?) { reached, run in
            guard let reached else { return run }
            // What somebody asked of a part of the time leaves the rest to be read.
            return run.from <= reached.to && run.to >= reached.to ? run : reached
        }
        let begun = try rows(
            """
            SELECT \(Self.runColumns) FROM reconciliations WHERE started_at <= ?
            ORDER BY id DESC LIMIT 1
            """, { $0.bind(1, latest.seconds) }, Self.run)
        return (finished, begun.first)
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

    /// How many runs and sweeps reach beyond `latest`: no clock that is right wrote them.
    func countBeyond(_ latest: Instant) throws(LedgerError) -> Int64 {
        try rows(
            """
            SELECT (SELECT count(*) FROM reconciliations WHERE period_to > ?1 OR started_at > ?1)
                + (SELECT count(*) FROM sweeps WHERE period_to > ?1 OR started_at > ?1)
                + (SELECT count(*) FROM sweep_accounts WHERE swept_to > ?1)
            """, { $0.bind(1, latest.seconds) }, { $0.integer(0) }
        ).first ?? 0
    }

    /// Notes which Stripe accounts a run covers.
    func cover(_ accounts: [StripeAccount], run: Int64) throws(LedgerError) {
        try write { database in
            let insert = try LedgerStatement(
                database, "INSERT OR IGNORE INTO run_accounts (run, account) VALUES (?, ?)")
            for account in accounts {
                insert.bind(1, run)
                insert.bind(2, account.rawValue)
                try insert.run()
            }
        }
    }

    /// The Stripe accounts of a run, the key's own first.
    func readings(of run: Int64) throws(LedgerError) -> [AccountReading] {
        try rows(
            """
            SELECT account, is_read, cursor, failure FROM run_accounts WHERE run = ?
            ORDER BY account
            """, { $0.bind(1, run) }, Self.reading)
    }

    /// Notes that an account's statement is read, or why it cannot be.
    func end(
        _ account: StripeAccount, of run: Int64, failure: String?
    ) throws(LedgerError) {
        try execute(
            "UPDATE run_accounts SET is_read = 1, failure = ?3 WHERE run = ?1 AND account = ?2"
        ) {
            $0.bind(1, run)
            $0.bind(2, account.rawValue)
            $0.bind(3, orNull: failure)
        }
    }

    /// Forgets the place in an account's statement: the run reads it from the newest on again. What
    /// it has read until then counts as read by an earlier one, so that what is gone is noticed.
    func rewind(_ run: RunRecord, _ account: StripeAccount) throws(LedgerError) {
        try write { database in
            let age = try LedgerStatement(
                database,
                """
                UPDATE settlements SET run = 0
                WHERE created >= ? AND created < ? AND run = ? AND account = ?
                """)
            age.bind(1, run.from.seconds)
            age.bind(2, run.to.seconds)
            age.bind(3, run.id)
            age.bind(4, account.rawValue)
            try age.run()
            let rewind = try LedgerStatement(
                database,
                "UPDATE run_accounts SET cursor = NULL WHERE run = ? AND account = ?")
            rewind.bind(1, run.id)
            rewind.bind(2, account.rawValue)
            try rewind.run()
            let recount = try LedgerStatement(
                database,
                """
                UPDATE reconciliations SET transactions = (SELECT count(*) FROM settlements
                    WHERE created >= ? AND created < ? AND run = ?3) WHERE id = ?3
                """)
            recount.bind(1, run.from.seconds)
            recount.bind(2, run.to.seconds)
            recount.bind(3, run.id)
            try recount.run()
        }
    }

    /// Ends a run: well, or with the reason why not.
    ///
    /// - Parameter sweptTo: until when missed events have been looked for.
    func end(
        _ run: Int64, at now: Instant, failure: String?, sweptTo: Instant? = nil
    ) throws(LedgerError) {
        try execute(
            """
            UPDATE reconciliations SET state = ?2, finished_at = ?3, failure = ?4, swept_to = ?5
            WHERE id = ?1
            """
        ) {
            $0.bind(1, run)
            $0.bind(2, failure == nil ? "finished" : "failed")
            $0.bind(3, now.seconds)
            $0.bind(4, orNull: failure)
            $0.bind(5, orNull: sweptTo?.seconds)
        }
    }
}
