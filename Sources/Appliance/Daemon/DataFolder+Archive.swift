import Appliance
package import Backup
import Logging

extension DataFolder {
    /// Where the folder's closed months are sealed and moved from.
    package var archivePlace: ArchivePlace {
        let folder = DataFolder(existingAt: Self.canonical(path))
        return ArchivePlace(
            folder: folder.path, log: folder.log, ledger: folder.ledger, seals: folder.archive)
    }

    /// Brings every cold segment back into a folder whose daemon does not run.
    ///
    /// - Returns: how many segments, and their bytes.
    /// - Throws: `LogError.locked` where one runs; as ``ArchiveReturn``.
    package func bringBack(
        progress: @escaping (Int64, Int64, String) -> Void
    ) throws -> (count: Int, byteCount: Int64) {
        let lock = try FolderLock(path)
        defer { lock.release() }
        return try ArchiveReturn(of: archivePlace, progress: progress).run()
    }
}
