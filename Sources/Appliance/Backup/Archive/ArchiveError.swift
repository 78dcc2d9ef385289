package import AppendLog
import Foundation

/// Why a month cannot be sealed, or its segments not be moved. Each case's description is one
/// sentence that says what to do.
package enum ArchiveError: Error, Hashable, Sendable {
    /// A system call on the data folder or on a cold one failed.
    case disk(DiskError)
    /// No room for what is to be written; nothing was removed.
    case full(path: String)
    /// No room in the data folder for what is to come back, in bytes; nothing was changed.
    case noRoom(path: String, needed: Int64, free: Int64)
    /// Another command seals or moves there.
    case busy(path: String, by: Int32)

    // Of sealing.
    case notOver(month: String)
    /// Seals follow each other month by month.
    case notNext(month: String, due: String)
    /// The first seal is of a later month, and has it within.
    case within(month: String, first: String)
    /// Records of the month, or of one before it that is not sealed, are no longer in the log.
    case removed(topic: String, from: Int64, start: Int64)
    case sealDamaged(file: String, reason: String)
    /// Written by a newer Tillbox.
    case sealNewer(file: String, format: Int64, known: Int64)
    /// Nothing says yet which log it is.
    case noIdentity(path: String)

    // Of moving.
    /// No sealed month is as old as `archive.keep_months` wants it.
    case nothingSealed(keptMonths: Int)
    case notAFolder(path: String)
    /// The folder holds files, and is no cold folder.
    case notCold(path: String)
    case otherLog(path: String, holds: String, given: String)
    /// What was moved there before is not there: its disk is not mounted.
    case gone(path: String)
    case withinData(path: String)
    /// What was read again is not what was written.
    case copyDiffers(file: String)
    /// Where a segment is to go lies another one of its name: of this log at another time.
    case taken(file: String)
    /// A cold file holds what the log has no more, and the index does not name it.
    case notNamed(file: String)
    /// A cold file is not what was moved there.
    case coldDiffers(file: String)
}

extension ArchiveError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .disk(let error):
            "\(error); check the folder, its disk and who may write there, then try again"
        case .full(let path):
            "there is no room in \(path) for what is to be written; free some space there, then "
                + "try again: nothing was removed"
        case .noRoom(let path, let needed, let free):
            "\(path) has no room for the cold segments, and nothing was brought back: "
                + DiskRoom.words(needed: needed, free: free)
                + "; free some space, then try again"
        case .busy(let path, let process):
            "another `tillbox archive` works on \(path)"
                + (process > 0 ? " (process \(process))" : "")
                + "; wait until it has ended, then try again"
        case .notOver(let month):
            "\(month) is not over (UTC); seal it when its last day is"
        case .notNext(let month, let due):
            "\(month) is not the next month; seal \(due) first"
        case .within(let month, let first):
            "\(month) is sealed with \(first), the first month that was, which took in all that "
                + "came before it"
        case .removed(let topic, let from, let start):
            "\(topic) begins at offset \(start), and what lay from offset \(from) on was removed "
                + "by log.retention_days; a month is sealed before that: set it later, or not at "
                + "all"
        case .sealDamaged(let file, let reason):
            "the seal \(file) does not hold (\(reason)); put it back from a backup, and see "
                + "`tillbox archive verify`"
        case .sealNewer(let file, let format, let known):
            "\(file) was written by a newer Tillbox (format \(format), this one knows \(known)); "
                + "use that one"
        case .noIdentity(let path):
            "the log in \(path) has no identity yet; start the daemon once, which gives it one"
        case .nothingSealed(let months):
            "no sealed month is older than archive.keep_months, which is \(months); seal months "
                + "with `tillbox archive seal`, or wait"
        case .notAFolder(let path): "\(path) is no folder; name the one that is to hold cold files"
        case .notCold(let path):
            "\(path) holds other files and is no cold folder; name that, or an empty folder"
        case .otherLog(let path, let holds, let given):
            "\(path) has the cold files of another data folder (log \(holds), and this is "
                + "\(given)); name a folder of its own for each"
        case .gone(let path):
            "segments were moved to \(path) before, and it is no cold folder now; is its disk "
                + "mounted? To go on elsewhere, name another folder"
        case .withinData(let path):
            "\(path) lies within the data folder, or holds it; cold files are kept elsewhere, best "
                + "on another disk"
        case .copyDiffers(let file):
            "\(file) reads otherwise than it was written, and nothing was removed; look at that "
                + "disk, then try again or name another folder"
        case .taken(let file):
            "\(file) holds something else than the segment that is to be moved there: it is "
                + "damaged, or of this log before a backup was restored; keep it elsewhere and "
                + "take it away, or name another folder"
        case .notNamed(let file):
            "\(file) has records that the log has no more, and log/cold does not name it: put "
                + "log/cold back from the newest backup, then try again"
        case .coldDiffers(let file):
            "\(file) is not what was moved there; put it back from a copy, then try again"
        }
    }

    /// What a failed system call means here.
    ///
    /// - Parameter folder: where there is no room, if that is what failed.
    init(_ error: DiskError, writingInto folder: String) {
        self = [ENOSPC, EDQUOT, EFBIG].contains(error.code) ? .full(path: folder) : .disk(error)
    }
}
