import Daemon
import Foundation
import Terminal

/// What root does beside a service that runs as somebody else is done as that user: files of root's
/// among the service's own are files that it can neither read nor remove.
enum FolderOwner {
    /// Who has begun this command, whoever it goes on as.
    static let caller = NSUserName()

    /// Where this process is root's and the folder is not, it goes on as the folder's owner, for
    /// good.
    ///
    /// - Parameters:
    ///   - path: of a folder, by whatever links.
    ///   - dir: a folder that is made first, and given to the owner, where it is missing and only
    ///     root may write where it belongs (``RootsPlace``); nil where none is needed.
    /// - Throws: `.cannotRun`
    static func become(
        of path: String, making dir: String? = nil
    ) throws(CommandFailure) {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        guard let found = try? FileManager.default.attributesOfItem(atPath: target) else { return }
        try become(found, of: path) { owner, group throws(CommandFailure) in
            // Elsewhere the owner makes it, who may write there or has no business there.
            guard let dir, let place = RootsPlace.path(of: dir), mkdir(place, 0o700) == 0 else {
                return
            }
            guard lchown(place, owner, group) == 0 else {
                throw failed("give \(dir) to the owner of \(path)")
            }
        }
    }

    /// Where this process is root's and the way to a place, or what is there, is somebody else's,
    /// it goes on as that one, for good: what is written there is what they might have written.
    ///
    /// - Throws: `.cannotRun`
    static func become(onTheWayTo place: String) throws(CommandFailure) {
        guard let found = RootsPlace.stranger(on: place) else { return }
        try become(found, of: place) { _, _ in }
    }

    /// - Parameter before: is told the user and the group, while this process is root's.
    private static func become(
        _ found: RootsPlace.Attributes, of path: String,
        _ before: (uid_t, gid_t) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        guard geteuid() == 0,
            let owner = (found[.ownerAccountID] as? NSNumber)?.uint32Value, owner != 0,
            let group = (found[.groupOwnerAccountID] as? NSNumber)?.uint32Value
        else { return }
        _ = caller
        try before(owner, group)
        // The user's other groups, by which a mount may let it in; a user without a name has none.
        let name = found[.ownerAccountName] as? String
        let hasGroups = name.map { initgroups($0, group) } ?? setgroups(0, nil)
        guard hasGroups == 0, setgid(group) == 0, setuid(owner) == 0 else {
            throw failed("go on as the owner of \(path)")
        }
    }

    /// The same for who writes to `place`, where that lies in the folder or is to be made there:
    /// what is written elsewhere is whose command it is.
    ///
    /// - Throws: `.cannotRun`
    static func become(of path: String, toWriteAt place: String) throws(CommandFailure) {
        // What is not there yet leads to no folder by links.
        var there = URL(filePath: place).standardizedFileURL
        while there.path != "/", !FileManager.default.fileExists(atPath: there.path) {
            there.deleteLastPathComponent()
        }
        let (folder, target) = (DataFolder.canonical(path), DataFolder.canonical(there.path))
        if (target + "/").hasPrefix(folder + "/") { try become(of: path) }
    }

    private static func failed(_ what: String) -> CommandFailure {
        .cannotRun("cannot \(what): \(String(cString: strerror(errno)))")
    }
}
