package import AppendLog
import Foundation

/// Why a backup cannot be made, read or restored. Each case's description is one sentence that says
/// what to do.
package enum BackupError: Error, Hashable, Sendable {
    /// A system call on the backup's folder, or on the data folder, failed.
    case disk(DiskError)
    /// No room for what is to be written; what was complete before is left as it was.
    case full(path: String)
    /// No room for the files of a backup where it is to be restored, in bytes.
    case noRoom(path: String, needed: Int64, free: Int64)
    /// Another backup of this folder is being made; the process is 0 where nothing names it.
    case busy(path: String, by: Int32)
    case notAFolder(path: String)
    /// The folder holds files, and is no backup's.
    case notABackup(path: String)
    /// The folder's backups are of another log.
    case otherLog(path: String, holds: String, given: String)
    /// Written by a newer Tillbox.
    case newer(path: String, format: Int64, known: Int64)
    case keyMissing(path: String)
    case keyNotUsed(path: String)
    case wrongKey(path: String)
    /// The key file holds something else than a key.
    case badKey(path: String)
    /// No backup of that name, or none at all.
    case noBackup(path: String, name: String?)
    /// A file of the backup is missing, cut, or not what was written.
    case damaged(file: String, reason: String)
    /// The data folder does not hold what a backup is made of.
    case nothingToCopy(path: String)
    /// Retention, or a restart, took files away while they were copied, several times.
    case neverStill(path: String)
    /// Where a backup is to be restored, something is there.
    case notEmpty(path: String, name: String)
    /// An earlier restore into the folder has not come to its end.
    case halfRestored(path: String)
    /// The last backup went into the folder, which has none any more.
    case gone(path: String, note: String)
    /// The folder to back up into lies within the data folder, or the other way round.
    case withinItself(path: String)
}

extension BackupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .disk(let error):
            "\(error); check the folder, its disk and who may write there, then try again"
        case .full(let path):
            "there is no room in \(path) for what is to be written; free some space, or keep fewer "
                + "backups there (backup.keep); the backups that were complete are still there"
        case .noRoom(let path, let needed, let free):
            "\(path) has no room for the backup, and nothing was restored: "
                + DiskRoom.words(needed: needed, free: free)
                + "; free some space, or restore to another disk"
        case .busy(let path, let process):
            "another backup into \(path) is under way"
                + (process > 0 ? " (process \(process))" : "")
                + "; wait until it has ended, then try again"
        case .notAFolder(let path): "\(path) is no folder; name the backup's folder"
        case .notABackup(let path):
            "\(path) holds other files and is no folder of Tillbox's backups; name that, or an "
                + "empty folder"
        case .otherLog(let path, let holds, let given):
            "\(path) has the backups of another data folder (log \(holds), and this is \(given)); "
                + "name a folder of its own for each"
        case .newer(let path, let format, let known):
            "\(path) was written by a newer Tillbox (format \(format), this one knows \(known)); "
                + "use that one"
        case .keyMissing(let path):
            "the backups in \(path) are encrypted; name the file with their key with --key-file "
                + "(backup.key_file)"
        case .keyNotUsed(let path):
            "the backups in \(path) are not encrypted, and a key was given; leave it away, or name "
                + "an empty folder for encrypted ones"
        case .wrongKey(let path):
            "the key is not the one of the backups in \(path); name the file with theirs"
        case .badKey(let path):
            "\(path) holds no key, which is 64 hex digits; make one with: openssl rand -hex 32"
        case .noBackup(let path, let name?):
            "there is no backup \(name) in \(path); `tillbox backup list \(path)` names those "
                + "that are"
        case .noBackup(let path, nil):
            "there is no complete backup in \(path); make one with `tillbox backup \(path)`"
        case .damaged(let file, let reason):
            "\(file) is damaged (\(reason)), and nothing was restored from it; name an older "
                + "backup with --backup, or another copy of the folder"
        case .nothingToCopy(let path):
            "there is no log and ledger in \(path); name the data folder with --data, and start "
                + "the daemon once before its first backup"
        case .neverStill(let path):
            "files of \(path) were removed while they were copied, several times; is another "
                + "program cleaning up there? Try again"
        case .notEmpty(let path, let name):
            "\(path) is not empty (it holds \(name)), and a backup is restored into an empty "
                + "folder only; name another with --data, or move what is there away"
        case .halfRestored(let path):
            "a restore into \(path) did not come to its end, and what is there is not whole; run "
                + "`tillbox restore DIR` again, which begins anew there, or remove the folder"
        case .gone(let path, let note):
            "the last backup went into \(path), and there is none there now; is its disk mounted? "
                + "To begin anew there, remove \(note)"
        case .withinItself(let path):
            "\(path) lies within the data folder, or holds it; a backup is kept elsewhere, best on "
                + "another disk"
        }
    }

    /// What a failed system call means here.
    ///
    /// - Parameter folder: where there is no room, if that is what failed.
    init(_ error: DiskError, writingInto folder: String? = nil) {
        self = [ENOSPC, EDQUOT, EFBIG].contains(error.code)
            ? .full(path: folder ?? error.path) : .disk(error)
    }
}
