internal import Foundation

/// A private copy of a ledger that lies where nobody can write, with its write-ahead log; removed
/// with its owner.
///
/// It is whole, because what nobody can write to stands still. Of a folder that is mounted
/// read-only while a daemon writes to it elsewhere, SQLite reads by the daemon's own shared memory,
/// and no copy is made.
final class LedgerCopy: Sendable {
    private let folder: String
    var ledger: String { folder + "/ledger.sqlite" }

    static func isNeeded(for path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && access(place(of: path), W_OK) != 0
    }

    private static func place(of path: String) -> String {
        URL(filePath: path).deletingLastPathComponent().path
    }

    /// - Throws: `.notCopied` where there is no room for it.
    init(of path: String) throws(LedgerError) {
        let files = FileManager.default
        folder = files.temporaryDirectory.path + "/tillbox-ledger-\(UUID().uuidString)"
        do {
            try files.createDirectory(
                atPath: folder, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
            for suffix in ["", "-wal"] where files.fileExists(atPath: path + suffix) {
                try files.copyItem(atPath: path + suffix, toPath: ledger + suffix)
                // The copy has the rights of a file that nobody may write to.
                try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: ledger + suffix)
            }
        } catch {
            try? files.removeItem(atPath: folder)
            throw .notCopied(path: path, to: folder)
        }
    }

    deinit { remove() }

    /// Idempotent.
    func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
