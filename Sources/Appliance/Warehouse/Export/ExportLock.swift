import Foundation

/// Keeps a second export out of a folder for as long as it lives.
final class ExportLock {
    private let descriptor: Int32

    /// - Throws: `WarehouseError.busy`, `.disk`
    init(_ folder: String) throws(WarehouseError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw .disk(path: folder, code: code)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { throw .busy(path: folder) }
            throw .disk(path: folder, code: code)
        }
        // Only now: `deinit` closes it too, which runs where all properties were set, and the
        // number may be somebody else's by then.
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
