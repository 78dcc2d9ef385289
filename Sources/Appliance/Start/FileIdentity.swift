import Foundation

/// Which file a name leads to, however it is called.
struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// nil if there is nothing of that name.
    init?(at path: String) {
        var status = stat()
        // SAFETY: stat fills the struct it is handed and keeps no pointer to it.
        guard stat(path, &status) == 0 else { return nil }
        (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }

    init?(ofOpen descriptor: Int32) {
        var status = stat()
        // SAFETY: fstat fills the struct it is handed and keeps no pointer to it.
        guard fstat(descriptor, &status) == 0 else { return nil }
        (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
}
