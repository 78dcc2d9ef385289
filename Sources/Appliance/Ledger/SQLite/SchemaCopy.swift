internal import AppendLog
internal import Foundation
internal import GRDB

/// A database as it was before a newer schema is brought to it, beside it: the way back to the
/// program that knew it, and what is left where the change goes wrong.
///
/// It is whole and on the disk before the first statement of a migration runs, write-ahead log and
/// all; without room for it nothing is migrated. One that is there already was made by an attempt
/// before this one, and stays. Those of earlier versions go once a newer one is there: what they
/// lack has long been booked. ``SQLiteFileCopy`` makes it.
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
        removeCopies(of: database, before: version)
    }

    /// Best effort: one that stays takes room and nothing else.
    private static func removeCopies(of database: String, before version: Int64) {
        let place = URL(filePath: database)
        let (folder, prefix) = (
            place.deletingLastPathComponent().path, place.lastPathComponent + ".schema-"
        )
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(prefix) {
            // With what a copy that was cut off has left.
            let number = name.dropFirst(prefix.count).split(separator: ".").first
            guard let known = number.flatMap({ Int64($0) }), known < version else { continue }
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
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
