import Foundation
import Vocabulary

/// The folder of a twin, held for as long as this lives: two twins would write their calls between
/// each other's, and the journal would tell neither's state.
package final class TwinFolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder where there is none.
    ///
    /// - Throws: `.inUse` while another twin has it, `.folderUnusable`.
    package init(_ folder: String) throws(TwinError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw .folderUnusable(path: folder, reason: ErrorWords.reason(of: error))
        }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .folderUnusable(path: folder, reason: String(cString: strerror(errno)))
        }
        // Where a file system locks no folders, nobody is kept out.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw .inUse(folder: folder)
        }
        self.descriptor = descriptor
    }

    /// Lets others in; the kernel does where the process is killed.
    deinit { close(descriptor) }
}
