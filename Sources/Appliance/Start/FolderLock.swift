package import AppendLog
import Foundation
import Synchronization

/// The data folder, held by this process for as long as it runs: the folder itself is locked, not a
/// file in it, so that nobody gets in by removing or replacing a file.
package final class FolderLock: Sendable {
    private let path: String
    private let root: FileIdentity?
    /// Descriptors by path; empty once all are released.
    private let held: Mutex<[String: Int32]>

    /// Blocks while it waits: for a command, which has the folder for a moment, up to `patience`;
    /// beside a daemon, which keeps it, a command asks that one instead, and another daemon gives
    /// up after a second, in which one that is ending would have ended. So does a command where
    /// nobody has noted that he has it: who has let go may have started a program at that moment,
    /// which has it still until it is loaded.
    ///
    /// - Parameter waits: is told now and then for whom.
    /// - Throws: `LogError.locked` naming the process that has the folder; `LogError.disk`.
    package init(
        _ path: String, isDaemon: Bool = false,
        patience: Duration = .seconds(StageLimits.folderPatienceSeconds),
        waits: (FolderHolder) -> Void = { _ in }
    ) throws(LogError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw .disk(DiskError(operation: .lock, path: path, code: code))
        }
        let wait = FolderWait(
            forCommand: patience, forDaemon: min(patience, .seconds(isDaemon ? 1 : 0)),
            forNobody: min(patience, .seconds(1)))
        // Where a file system locks no folders, the log's own lock has to do.
        guard wait.lock(descriptor, of: path, waits) else {
            close(descriptor)
            throw .locked(path: path, by: Self.holder(of: path))
        }
        root = FileIdentity(ofOpen: descriptor)
        held = Mutex([path: descriptor])
        FolderHolder.here(isDaemon: isDaemon).note(in: path)
    }

    /// The process that has the folder; 0 where nothing says it.
    private static func holder(of path: String) -> Int32 {
        if let holder = FolderHolder(notedIn: path) { return holder.process }
        let text = try? String(contentsOfFile: path + "/log/lock", encoding: .utf8)
        return Int32((text ?? "").prefix { $0.isNumber }) ?? 0
    }

    /// Holds a file of the folder too, if it is there: mounted from elsewhere, it may be another
    /// daemon's. Idempotent.
    ///
    /// Whoever closes a descriptor of a file lets go of all locks that SQLite has on it: this one
    /// is closed by `release()`, behind the ledger.
    package func hold(_ file: String) throws(LogError) {
        let isFree = held.withLock { held in
            guard held[file] == nil else { return true }
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return true }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                close(descriptor)
                return false
            }
            held[file] = descriptor
            return true
        }
        guard isFree else { throw .locked(path: file, by: 0) }
    }

    deinit { release() }

    /// Lets others in. Idempotent.
    package func release() {
        held.withLock { held in
            // At its path there may be another folder by now.
            if !held.isEmpty, FileIdentity(at: path) == root { FolderHolder.forget(in: path) }
            for descriptor in held.values { close(descriptor) }
            held = [:]
        }
    }

    /// What the folder is made of now, for a later look.
    package func parts(_ names: [String]) -> FolderParts {
        var parts = FolderParts(root: root, path: path)
        for name in names { parts.known[name] = FileIdentity(at: "\(path)/\(name)") }
        return parts
    }
}

/// How long a folder that somebody has is waited for.
private struct FolderWait {
    let forCommand: Duration
    let forDaemon: Duration
    /// For somebody who has left no note.
    let forNobody: Duration

    /// - Returns: whether it is locked.
    func lock(_ descriptor: Int32, of path: String, _ waits: (FolderHolder) -> Void) -> Bool {
        let began = ContinuousClock.now
        var told: ContinuousClock.Instant?
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            let holder = FolderHolder(notedIn: path)
            let isCommand = holder.map { !$0.isDaemon } ?? false
            let patience = holder == nil ? forNobody : isCommand ? forCommand : forDaemon
            let now = ContinuousClock.now
            guard now - began < patience else { return false }
            if let holder, isCommand, told.map({ now - $0 > .seconds(1) }) ?? true {
                waits(holder)
                told = now
            }
            usleep(20_000)
        }
        return true
    }
}

/// The folder and the files in it that must not be exchanged under a daemon.
package struct FolderParts: Sendable {
    let root: FileIdentity?
    let path: String
    fileprivate(set) var known: [String: FileIdentity] = [:]

    /// What is no longer where it was; nil while all is well.
    package func lost() -> FolderLost? {
        guard FileIdentity(at: path) == root else { return FolderLost(path: path) }
        for (name, identity) in known.sorted(by: { $0.key < $1.key })
        where FileIdentity(at: "\(path)/\(name)") != identity {
            return FolderLost(path: "\(path)/\(name)")
        }
        return nil
    }
}

/// A part of the data folder was deleted, moved or replaced under the daemon.
package struct FolderLost: Error, Hashable, Sendable, CustomStringConvertible {
    var path: String

    package var description: String {
        "stopped to protect the data: \(path) was deleted, moved or replaced while the daemon ran; "
            + "put it back as it was, then start again"
    }
}
