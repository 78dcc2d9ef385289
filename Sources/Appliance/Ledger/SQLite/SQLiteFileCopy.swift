internal import Foundation
internal import GRDB

/// A copy of an SQLite file as it is at one moment, also while others write to it: by SQLite's
/// online backup (sqlite.org/backup.html), within one transaction that only reads, so that no
/// commit begins it anew and none is held up.
package enum SQLiteFileCopy {
    /// Pages between two looks whether to go on.
    private static let pagesPerStep: Int32 = 1_024

    /// Writes the copy; what lies at `destination` is replaced. It is one file, without a
    /// write-ahead log, and not synced.
    ///
    /// - Parameters:
    ///   - path: of the file; the ledger's, or another of the data folder.
    ///   - emptied: tables whose rows the copy is to lack.
    ///   - goesOn: asked now and then; false throws `CancellationError`.
    /// - Throws: `LedgerError`, `CancellationError`.
    package static func write(
        _ path: String, to destination: String, emptying emptied: [String] = [],
        goesOn: () -> Bool = { true }
    ) throws {
        remove(destination)
        // Where nobody can write, SQLite cannot read a write-ahead log: a private copy can be read.
        let copy = LedgerCopy.isNeeded(for: path) ? try LedgerCopy(of: path) : nil
        defer { copy?.remove() }
        do {
            let source = try SQLiteFile.open(
                copy?.ledger ?? path, readOnly: true, busyTimeoutSeconds: 5)
            defer { try? source.close() }
            let target = try DatabaseQueue(path: destination)
            try source.inTransaction(.snapshot) { database in
                // The first read fixes the moment.
                _ = try Int64.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema")
                try target.writeWithoutTransaction { copied in
                    try copied.execute(sql: "PRAGMA synchronous = OFF")
                    // GRDB takes an optional closure, which counts as one that it keeps.
                    try withoutActuallyEscaping(goesOn) { goesOn in
                        try database.backup(to: copied, pagesPerStep: pagesPerStep) { progress in
                            if !progress.isCompleted, !goesOn() { throw CancellationError() }
                        }
                    }
                }
            }
            try target.writeWithoutTransaction { copied in
                for table in emptied { try copied.execute(sql: "DELETE FROM \(table)") }
            }
            // The last one to close it leaves no write-ahead log behind.
            try target.close()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// A copy that did not come to its end, and what SQLite keeps beside one.
    static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }
}
