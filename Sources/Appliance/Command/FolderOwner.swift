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
        guard geteuid() == 0,
            let attributes = try? FileManager.default.attributesOfItem(atPath: target),
            let owner = (attributes[.ownerAccountID] as? NSNumber)?.uint32Value, owner != 0,
            let group = (attributes[.groupOwnerAccountID] as? NSNumber)?.uint32Value
        else { return }
        _ = caller
        // Elsewhere the owner makes it, who may write there or has no business there.
        if let dir, let place = RootsPlace.path(of: dir), mkdir(place, 0o700) == 0,
            lchown(place, owner, group) != 0
        {
            throw failed("give \(dir) to the owner of \(path)")
        }
        // The user's other groups, by which a mount may let it in; a user without a name has none.
        let name = attributes[.ownerAccountName] as? String
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
