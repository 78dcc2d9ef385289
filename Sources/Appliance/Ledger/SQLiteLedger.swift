internal import GRDB

/// The ledger in one SQLite file: WAL, every commit synced, every rule of docs/formats/ledger.md
/// kept by the file itself.
///
/// Blocking: call it from a queue of its own, off the cooperative pool. A process opens it once for
/// writing; readers (the command line, the console) open it again with `readOnly` and see the last
/// commit without holding the writer up.
final class SQLiteLedger: @unchecked Sendable {
    // `@unchecked Sendable`: `writer` and its caches are touched only inside `queue`, which GRDB
    // runs serially; `queue` is immutable.
    let queue: DatabaseQueue
    /// nil when opened for reading, and once closed.
    private var writer: LedgerWriter?

    private init(queue: DatabaseQueue, writer: LedgerWriter?) {
        self.queue = queue
        self.writer = writer
    }

    /// Opens the ledger, and makes it when there is none.
    /// - Parameters:
    ///   - path: of the file; its folder must exist.
    ///   - readOnly: neither makes nor changes anything; `post` is then a bug.
    ///   - busyTimeoutSeconds: how long a call waits for a lock that another process holds.
    ///   - clockMilliseconds: the wall clock, milliseconds since 1970, for `posted_at` alone.
    static func open(
        path: String, readOnly: Bool = false, busyTimeoutSeconds: Double = 5,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) throws(LedgerError) -> SQLiteLedger {
        do {
            var configuration = Configuration()
            configuration.readonly = readOnly
            configuration.foreignKeysEnabled = true
            configuration.busyMode = .timeout(busyTimeoutSeconds)
            configuration.label = "ledger"
            configuration.prepareDatabase { try prepare($0, readOnly: readOnly) }
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { database in
                if !readOnly { try migrate(database) }
                try checkVersion(database)
            }
            let writer = try readOnly ? nil : queue.writeWithoutTransaction {
                try LedgerWriter($0, clockMilliseconds)
            }
            return SQLiteLedger(queue: queue, writer: writer)
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// One database transaction: everything of the batch with its positions, or nothing.
    ///
    /// A refused input stores nothing and does not touch the others.
    /// - Throws: whatever is thrown, nothing of the batch is stored, and the positions stand where
    ///   they stood. Retry only what `isRetryable`.
    func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition] = []
    ) throws(LedgerError) -> PostOutcome {
        do {
            return try queue.writeWithoutTransaction { database in
                guard let writer else {
                    preconditionFailure("this ledger was opened for reading, or is closed")
                }
                return try writer.post(inputs, positions)
            }
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Notes which log this ledger is booked from, and its last transaction, unless it is noted.
    func adopt(log: String) throws(LedgerError) {
        let point = try point()
        guard !point.logs.contains(log) || point.next == nil else { return }
        _ = try post(
            [],
            positions: [
                ConsumerPosition(topic: LedgerNote.logPrefix + log, nextOffset: 0),
                ConsumerPosition(topic: LedgerNote.next, nextOffset: point.head + 1),
            ])
    }

    /// Runs `body` on one snapshot of the database.
    func reading<Value>(
        _ body: (Database) throws -> Value
    ) throws(LedgerError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Finalises every statement and closes the file; the last to close it empties the WAL.
    func close() throws(LedgerError) {
        do {
            queue.writeWithoutTransaction { _ in writer = nil }
            try queue.close()
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }
}

// MARK: - Opening

extension SQLiteLedger {
    /// Pages of 4 KiB that SQLite keeps in memory: 16 MiB hold the inner pages of the movement
    /// index of some ten million movements.
    private static let cacheKiB = 16_384

    /// Pages in the write-ahead log from which on they are copied into the database. Most of them are
    /// written again and again, so that a longer log is copied less often: 32 MiB.
    private static let checkpointPages = 8_192

    private static func prepare(_ database: Database, readOnly: Bool) throws {
        // Closing the gate sorts in temporary tables; in memory they cost a third.
        try database.execute(
            sql: "PRAGMA cache_size = -\(cacheKiB); PRAGMA temp_store = MEMORY")
        guard !readOnly else { return }
        // FULL: NORMAL loses committed transactions in a power cut.
        try database.execute(
            sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                + "PRAGMA wal_autocheckpoint = \(checkpointPages)")
    }

    private static func migrate(_ database: Database) throws {
        var version = try storedVersion(database)
        while version < LedgerSchema.version {
            try database.inTransaction(.immediate) {
                // Another process may have migrated while this one waited for the lock.
                version = try storedVersion(database)
                if version < LedgerSchema.version {
                    try database.execute(sql: LedgerSchema.migrations[Int(version)].sql)
                    version += 1
                }
                return .commit
            }
        }
    }

    private static func checkVersion(_ database: Database) throws {
        let version = try storedVersion(database)
        if version == 0 { throw LedgerError.noSchema }
        if version > LedgerSchema.version {
            throw LedgerError.newerSchema(found: version, known: LedgerSchema.version)
        }
    }

    private static func storedVersion(_ database: Database) throws -> Int64 {
        guard try database.tableExists("schema_version") else { return 0 }
        return try Int64.fetchOne(database, sql: "SELECT max(version) FROM schema_version") ?? 0
    }
}

extension LedgerError {
    /// What GRDB or a statement threw, in the ledger's own words.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as LedgerError: self = error
        case let error as SQLiteFailure: self = error.ledgerError
        case let error as DatabaseError:
            self =
                SQLiteFailure(
                    code: error.extendedResultCode.rawValue, message: error.message ?? ""
                ).ledgerError
        default: self = .invariant(code: 0, detail: String(describing: error))
        }
        if case .cannotOpen(let code, _) = self { self = .cannotOpen(code: code, path: path) }
    }
}
