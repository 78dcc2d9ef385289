package import GRDB
internal import GRDBSQLite

/// SQLite's own result code of a call that failed. `SQLiteLedger` turns it into a `LedgerError`.
package struct SQLiteFailure: Error {
    package let code: Int32
    package let message: String

    package init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    package var ledgerError: LedgerError {
        switch code & 0xFF {
        case SQLITE_FULL: .diskFull
        case SQLITE_BUSY, SQLITE_LOCKED: .busy
        case SQLITE_NOMEM: .outOfMemory
        case SQLITE_IOERR: .io(code: code)
        case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT: .corrupt(code: code, detail: message)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH:
            .cannotOpen(code: code, path: "ledger.sqlite")
        default: .invariant(code: code, detail: message)
        }
    }
}

/// One prepared statement of GRDB, driven through SQLite's C calls: on the way of a payment GRDB's
/// own binding and row types cost more than the row.
///
/// Use it only inside the queue of the database that made it. Bind every parameter anew before
/// each run. A statement is reset before its user returns, so that no read transaction stays open.
package final class LedgerStatement {
    private let statement: Statement
    private let handle: OpaquePointer
    /// Texts and blobs of this run. SQLite reads them where they are: a copy of its own would cost
    /// it two calls of the allocator each.
    private let kept: UnsafeMutableRawBufferPointer
    private var keptCount = 0

    /// - Parameter keptBytes: room for what one run binds; what does not fit is copied by SQLite.
    package init(_ database: Database, _ sql: String, keptBytes: Int = 0) throws {
        statement = try database.makeStatement(sql: sql)
        handle = statement.sqliteStatement
        kept = .allocate(byteCount: keptBytes, alignment: 1)
    }

    /// One that the connection prepares once, for a query that comes again and again. Two of the
    /// same text must not be in use at once.
    package init(again database: Database, _ sql: String, keptBytes: Int = 0) throws {
        statement = try database.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
        kept = .allocate(byteCount: keptBytes, alignment: 1)
    }

    // SAFETY: `statement` keeps the handle alive. A statement that the connection keeps is given
    // back with nothing bound and no row under way, also where its user threw in the middle; so
    // `kept` outlives every use.
    deinit {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        kept.deallocate()
    }

    package func bind(_ index: Int32, _ number: Int64) {
        // SAFETY: `statement` keeps the handle alive.
        sqlite3_bind_int64(handle, index, number)
    }

    package func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            // SAFETY: `keep` says how long SQLite may read where. An empty text has no address and
            // would bind NULL.
            let (start, lifetime) = keep(UnsafeRawBufferPointer(bytes))
            if let first = start?.assumingMemoryBound(to: CChar.self) {
                sqlite3_bind_text(handle, index, first, Int32(bytes.count), lifetime)
            } else {
                sqlite3_bind_zeroblob(handle, index, 0)
            }
        }
    }

    func bind(_ index: Int32, _ blob: [UInt8]) {
        blob.withUnsafeBytes { bytes in
            // SAFETY: `keep` says how long SQLite may read where.
            let (start, lifetime) = keep(bytes)
            _ = sqlite3_bind_blob(handle, index, start, Int32(bytes.count), lifetime)
        }
    }

    /// Binds NULL for nil, and an empty text as such.
    package func bind(_ index: Int32, orNull text: String?) {
        guard let text else {
            sqlite3_bind_null(handle, index)
            return
        }
        // SAFETY: SQLite copies the text before it returns. A count, since the text may hold a NUL.
        sqlite3_bind_text(handle, index, text, Int32(text.utf8.count), copied)
    }

    /// Binds NULL for nil.
    package func bind(_ index: Int32, orNull number: Int64?) {
        // SAFETY: `statement` keeps the handle alive.
        if let number {
            sqlite3_bind_int64(handle, index, number)
        } else {
            sqlite3_bind_null(handle, index)
        }
    }

    /// Binds NULL for nil.
    func bind(_ index: Int32, orNull number: Double?) {
        // SAFETY: `statement` keeps the handle alive.
        if let number {
            sqlite3_bind_double(handle, index, number)
        } else {
            sqlite3_bind_null(handle, index)
        }
    }

    /// Copies the bytes to where they stay until the next run, if there is room.
    private func keep(
        _ bytes: UnsafeRawBufferPointer
    ) -> (start: UnsafeRawPointer?, lifetime: sqlite3_destructor_type?) {
        guard let source = bytes.baseAddress, let first = kept.baseAddress,
            kept.count - keptCount >= bytes.count
        else { return (bytes.baseAddress, copied) }
        // SAFETY: the guard has found room; nil is SQLITE_STATIC, and `kept` is overwritten only
        // after the run.
        let place = first + keptCount
        place.copyMemory(from: source, byteCount: bytes.count)
        keptCount += bytes.count
        return (UnsafeRawPointer(place), nil)
    }

    /// - Returns: whether a row is ready.
    package func step() throws -> Bool {
        // SAFETY: `statement` keeps the handle alive.
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let connection = sqlite3_db_handle(handle)
        let failure = SQLiteFailure(
            code: sqlite3_extended_errcode(connection),
            message: String(cString: sqlite3_errmsg(connection)))
        reset()
        throw failure
    }

    /// Steps to the end and resets.
    /// - Returns: the number of rows that an INSERT or UPDATE changed.
    @discardableResult
    package func run() throws -> Int {
        while try step() {}
        let changes = sqlite3_changes(sqlite3_db_handle(handle))
        reset()
        return Int(changes)
    }

    /// Runs an INSERT OR FAIL of several rows.
    /// - Returns: how many rows are stored: all, or those before the first that a UNIQUE refused.
    func runUntilDuplicate() throws -> Int {
        do {
            return try run()
        } catch let failure as SQLiteFailure where failure.code == uniqueRefused {
            return Int(sqlite3_changes(sqlite3_db_handle(handle)))
        }
    }

    package func reset() {
        sqlite3_reset(handle)
        keptCount = 0
    }

    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    package func double(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

    package func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    package func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(handle, column) else { return "" }
        // SAFETY: so many bytes are SQLite's until the next step, and are copied here.
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    package func blob(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        // SAFETY: as of a text.
        let count = Int(sqlite3_column_bytes(handle, column))
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// SQLITE_CONSTRAINT_UNIQUE, a macro that Swift cannot read.
private let uniqueRefused = SQLITE_CONSTRAINT | 8 << 8

// SAFETY: −1 is the value that SQLite's documentation gives SQLITE_TRANSIENT.
private let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
