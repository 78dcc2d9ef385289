internal import GRDB
internal import GRDBSQLite

/// SQLite's own result code of a call that failed. `SQLiteLedger` turns it into a `LedgerError`.
struct SQLiteFailure: Error {
    let code: Int32
    let message: String

    var ledgerError: LedgerError {
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
/// Use it only inside the queue of the database that made it. A statement is reset before its
/// user returns, so that no read transaction stays open.
final class LedgerStatement {
    private let statement: Statement
    private let handle: OpaquePointer

    init(_ database: Database, _ sql: String) throws {
        statement = try database.makeStatement(sql: sql)
        handle = statement.sqliteStatement
    }

    func bind(_ index: Int32, _ number: Int64) {
        // SAFETY: `statement` keeps the handle alive.
        sqlite3_bind_int64(handle, index, number)
    }

    func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            // SAFETY: SQLite copies the bytes before the call returns (SQLITE_TRANSIENT). An empty
            // text has no address and would bind NULL.
            let first = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            if let first {
                sqlite3_bind_text(handle, index, first, Int32(bytes.count), transient)
            } else {
                sqlite3_bind_zeroblob(handle, index, 0)
            }
        }
    }

    func bind(_ index: Int32, _ blob: [UInt8]) {
        // SAFETY: SQLite copies the bytes before the call returns (SQLITE_TRANSIENT).
        blob.withUnsafeBytes {
            _ = sqlite3_bind_blob(handle, index, $0.baseAddress, Int32($0.count), transient)
        }
    }

    /// - Returns: whether a row is ready.
    func step() throws -> Bool {
        // SAFETY: `statement` keeps the handle alive.
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let connection = sqlite3_db_handle(handle)
        let failure = SQLiteFailure(
            code: sqlite3_extended_errcode(connection),
            message: String(cString: sqlite3_errmsg(connection)))
        sqlite3_reset(handle)
        throw failure
    }

    /// Steps to the end and resets.
    /// - Returns: the number of rows that an INSERT or UPDATE changed.
    @discardableResult
    func run() throws -> Int {
        while try step() {}
        let changes = sqlite3_changes(sqlite3_db_handle(handle))
        sqlite3_reset(handle)
        return Int(changes)
    }

    func reset() { sqlite3_reset(handle) }

    // SAFETY: of the three readers below: the column's memory is SQLite's until the next step, and
    // is copied here.
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    func blob(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        let count = Int(sqlite3_column_bytes(handle, column))
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }
}

// SAFETY: −1 is the value that SQLite's documentation gives SQLITE_TRANSIENT.
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
