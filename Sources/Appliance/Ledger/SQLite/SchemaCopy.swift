internal import AppendLog
internal import Foundation
internal import GRDB

/// A database as it was before a newer schema is brought to it, beside it: the way back to the
/// program that knew it, and what is left where the change goes wrong.
///
/// It is whole and on the disk before the first statement of a migration runs, write-ahead log and
/// all; without room for it nothing is migrated. One that is there already was made by an attempt
/// before this one, and stays. ``SQLiteFileCopy`` makes it.
package enum SchemaCopy {
    /// Of a database and the version of the schema that it has there.
    package static func path(of database: String, schema version: Int64) -> String {
        "\(database).schema-\(version)"
    }

    /// - Parameter version: that the file has now.
    /// - Throws: what SQLite says where it cannot be read, or there is no room.
    package static func keep(of database: String, schema version: Int64) throws(LedgerError) {
        let copy = path(of: database, schema: version)
        guard !FileManager.default.fileExists(atPath: copy) else { return }
        let draft = copy + ".new"
        do {
            try SQLiteFileCopy.write(database, to: draft)
            try settle(draft, as: copy)
        } catch {
            SQLiteFileCopy.remove(draft)
            throw LedgerError(error, path: copy)
        }
    }

    private static func settle(_ draft: String, as copy: String) throws(LedgerError) {
        let disk = PosixDisk()
        do throws(DiskError) {
            try disk.open(draft, .read).sync()
            try disk.rename(draft, to: copy)
            try disk.syncDirectory(URL(filePath: copy).deletingLastPathComponent().path)
        } catch {
            // As SQLite names the two.
            throw [ENOSPC, EDQUOT].contains(error.code)
                ? .diskFull : .io(code: ResultCode.SQLITE_IOERR.rawValue)
        }
    }
}
