import Foundation
import SystemPackage

/// Parts of a data folder that lie elsewhere.
///
/// A link shares what is written with whoever else has the file: a copy of the folder has the same
/// link, and two daemons, each with a folder of its own, would write to one topic or one ledger.
/// What SQLite keeps beside the ledger lies beside the link's target besides. A part that is
/// mounted at its place is one's own: what is mounted twice is held by whoever writes to it first.
struct FolderLinks {
    let log: String
    let ledger: String

    /// The first part that is a link, as a sentence; nil where there is none.
    func refusal() -> StartRefusal? {
        for suffix in ["", "-wal", "-shm"] {
            if let refusal = Self.refusal(ledger + suffix) { return refusal }
        }
        for folder in Self.names(in: log) where folder.hasSuffix("-0") {
            let path = "\(log)/\(folder)"
            if let refusal = Self.refusal(path) { return refusal }
            for name in Self.names(in: path) {
                if let refusal = Self.refusal("\(path)/\(name)") { return refusal }
            }
        }
        return nil
    }

    /// In an order of their own, so that every look names the same part.
    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    }

    private static func refusal(_ path: String) -> StartRefusal? {
        guard let status = try? FilePath(path).stat(followTargetSymlink: false) else { return nil }
        switch status.type {
        case .symbolicLink:
            return StartRefusal(
                reason: "\(path) is a symbolic link, and what is written there would be written "
                    + "somewhere else",
                remedy: "Move what it leads to here; to keep it on another disk, mount that at its "
                    + "place (mount --bind)")
        case .regular where status.linkCount > 1:
            return StartRefusal(
                reason:
                    "\(path) has another name elsewhere (a hard link), and what is written here "
                    + "would change that too",
                remedy: "Make it a file of its own: cp -p FILE FILE.own && mv FILE.own FILE")
        default: return nil
        }
    }
}
