package import GRDB
import GRDBSQLite

/// The ledger in one SQLite file: WAL, every commit synced, every rule of docs/formats/ledger.md
/// kept by the file itself.
///
/// Blocking: call it from a queue of its own, off the cooperative pool. A process opens it once for
/// writing; who only reads opens the file again with `SQLiteLedgerReader`.
package final class SQLiteLedger: Ledger, RebookingLedger, SQLiteReading, @unchecked Sendable {
    // `@unchecked Sendable`: `booking` and its caches are touched only inside `queue`, which GRDB
    // runs serially; `queue` is immutable.
    package let queue: DatabaseQueue
    /// nil once closed.
    private var booking: Booking<SQLiteRows>?

    private init(queue: DatabaseQueue, booking: Booking<SQLiteRows>) {
        self.queue = queue
        self.booking = booking
    }

    /// Opens the ledger, makes it when there is none, and brings an older one to this schema.
    /// - Parameters:
    ///   - path: of the file; its folder must exist.
    ///   - busyTimeoutSeconds: how long a call waits for a lock that another process holds.
    ///   - original: the ledger that this one is a copy of.
    ///   - clockMilliseconds: the wall clock, milliseconds since 1970, for `posted_at` alone.
    package static func open(
        path: String, busyTimeoutSeconds: Double = 5, original: (any LedgerOriginal)? = nil,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) throws(LedgerError) -> SQLiteLedger {
        do {
            let queue = try SQLiteFile.open(
                path, readOnly: false, busyTimeoutSeconds: busyTimeoutSeconds)
            let version = try queue.writeWithoutTransaction { try SQLiteFile.storedVersion($0) }
            if version > 0, version < LedgerSchema.version {
                try SchemaCopy.keep(of: path, schema: version)
            }
            return try open(queue, original: original, clockMilliseconds: clockMilliseconds)
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// The ledger of a database that is open already.
    static func open(
        _ queue: DatabaseQueue, original: (any LedgerOriginal)? = nil,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) throws -> SQLiteLedger {
        let booking = try queue.writeWithoutTransaction { database in
            try SQLiteFile.migrate(database)
            try SQLiteFile.checkVersion(database)
            return Booking(
                try SQLiteRows(database), original: original, clockMilliseconds: clockMilliseconds)
        }
        return SQLiteLedger(queue: queue, booking: booking)
    }

    package func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
    ) throws(LedgerError) -> PostOutcome {
        try booking { try $0.post(inputs, positions, places) }
    }

    package func adopt(log: String) throws(LedgerError) {
        let point = try point()
        guard !point.logs.contains(log) || point.next == nil else { return }
        try booking { try $0.adopt { _ in log } }
    }

    package func inherit(renewalsAfter transaction: Int64) throws(LedgerError) {
        try booking { try $0.inherit(renewalsAfter: transaction) }
    }

    package func rebook(by stamps: any LedgerStamps) throws(LedgerError) {
        try booking { $0.stamps = stamps }
    }

    private func booking<Value>(
        _ body: (Booking<SQLiteRows>) throws -> Value
    ) throws(LedgerError) -> Value {
        do {
            return try queue.writeWithoutTransaction { _ in
                guard let booking else { preconditionFailure("this ledger is closed") }
                return try body(booking)
            }
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    /// Finalises every statement and closes the file; the last to close it empties the WAL.
    package func close() throws(LedgerError) {
        do {
            queue.writeWithoutTransaction { _ in booking = nil }
            try queue.close()
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }
}

/// The ledger's file, opened for reading: sees the last commit, and neither holds the writer up nor
/// makes or changes anything.
package final class SQLiteLedgerReader: SQLiteReading {
    package let queue: DatabaseQueue

    /// What was opened in place of a file that cannot be read where it is.
    private let copy: LedgerCopy?

    private init(queue: DatabaseQueue, copy: LedgerCopy? = nil) {
        self.queue = queue
        self.copy = copy
    }

    /// In a folder that nobody can write to, such as a backup's, SQLite cannot make the shared
    /// memory that it reads a write-ahead log by: what is left in one is read from a copy.
    ///
    /// - Parameters:
    ///   - path: of the file, or a URI for SQLite.
    ///   - busyTimeoutSeconds: how long a call waits for a lock that another process holds.
    package static func open(
        path: String, busyTimeoutSeconds: Double = 5
    ) throws(LedgerError) -> SQLiteLedgerReader {
        do throws(LedgerError) {
            return SQLiteLedgerReader(queue: try opened(path, busyTimeoutSeconds))
        } catch {
            guard case .cannotOpen = error, LedgerCopy.isNeeded(for: path) else { throw error }
        }
        let copy = try LedgerCopy(of: path)
        return SQLiteLedgerReader(queue: try opened(copy.ledger, busyTimeoutSeconds), copy: copy)
    }

    private static func opened(
        _ path: String, _ busyTimeoutSeconds: Double
    ) throws(LedgerError) -> DatabaseQueue {
        do {
            let queue = try SQLiteFile.open(
                path, readOnly: true, busyTimeoutSeconds: busyTimeoutSeconds)
            try queue.writeWithoutTransaction { try SQLiteFile.checkVersion($0) }
            return queue
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// Breaks off what is read on another thread; that then throws.
    package func interrupt() { queue.interrupt() }

    package func close() throws(LedgerError) {
        do { try queue.close() } catch { throw LedgerError(error, path: queue.path) }
        copy?.remove()
    }
}

/// How the file is opened, and brought to this program's schema.
enum SQLiteFile {
    /// Pages of 4 KiB that SQLite keeps in memory: 16 MiB hold the inner pages of the movement
    /// index of some ten million movements.
    private static let cacheKiB = 16_384

    /// Pages in the write-ahead log from which on they are copied into the database: 8 MiB. A
    /// longer log is copied less often, since most pages are written again and again; but while it
    /// grows, each sync writes the file's length too, and takes half as long again.
    private static let checkpointPages = 2_048

    /// From this one on SQLite knows `IS DISTINCT FROM`, in which `verify` compares.
    private static let libraryMin: Int32 = 3_039_000

    /// - Parameter number: of the library that is loaded, as `sqlite3_libversion_number` has it.
    static func checkLibrary(_ number: Int32) throws(LedgerError) {
        guard number < libraryMin else { return }
        func words(_ number: Int32) -> String {
            "\(number / 1_000_000).\(number / 1_000 % 1_000).\(number % 1_000)"
        }
        throw .oldSQLite(found: words(number), needed: words(libraryMin))
    }

    static func open(
        _ path: String, readOnly: Bool, busyTimeoutSeconds: Double
    ) throws -> DatabaseQueue {
        try checkLibrary(sqlite3_libversion_number())
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeoutSeconds)
        configuration.label = "ledger"
        configuration.prepareDatabase { try prepare($0, readOnly: readOnly) }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

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

    static func migrate(_ database: Database) throws {
        var version = try storedVersion(database)
        if version < 1 { try checkEmpty(database) }
        while version < LedgerSchema.version {
            try database.inTransaction(.immediate) {
                // Another process may have migrated while this one waited for the lock.
                version = try storedVersion(database)
                if version < LedgerSchema.version {
                    try database.execute(sql: LedgerSchema.migrations[Int(version)])
                    version += 1
                }
                return .commit
            }
        }
    }

    static func checkVersion(_ database: Database) throws {
        let version = try storedVersion(database)
        if version < 1 {
            try checkEmpty(database)
            throw LedgerError.noSchema
        }
        if version > LedgerSchema.version {
            throw LedgerError.newerSchema(found: version, known: LedgerSchema.version)
        }
    }

    /// A ledger is made in a file that holds nothing; the first migration is one transaction.
    private static func checkEmpty(_ database: Database) throws {
        let table = try String.fetchOne(
            database, sql: "SELECT name FROM sqlite_schema ORDER BY name LIMIT 1")
        if let table {
            throw LedgerError.corrupt(
                code: 0, detail: "it has \(table), and no schema version that says what it is")
        }
    }

    /// The number of the last migration that the file has seen; 0 before the first.
    static func storedVersion(_ database: Database) throws -> Int64 {
        guard try database.tableExists("schema_version") else { return 0 }
        return try Int64.fetchOne(database, sql: "SELECT max(version) FROM schema_version") ?? 0
    }
}

extension LedgerError {
    /// What GRDB or a statement threw, in the ledger's own words.
    package init(_ error: any Error, path: String) {
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
