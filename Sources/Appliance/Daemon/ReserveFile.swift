import Foundation
import Logging
import ServiceLifecycle

/// Space kept back for the daemon's own shutdown: when the disk is full it is given up, so that the
/// last checkpoints and cursors, and the ledger's write-ahead log, still find room.
struct ReserveFile: Sendable {
    /// Bytes kept back.
    static let byteCount: Int64 = 8 << 20

    let path: String

    /// Takes the space, where the file does not have it already.
    ///
    /// - Returns: false when the disk has not that much to give.
    func take() -> Bool {
        let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard posix_fallocate(descriptor, 0, off_t(Self.byteCount)) == 0 else {
            // What it could take would only be missing elsewhere.
            unlink(path)
            return false
        }
        return true
    }

    /// Gives the space back when the disk has less left than that.
    ///
    /// - Returns: whether it did.
    func releaseIfNeeded() -> Bool {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return false }
        let free = Int64(status.f_bavail) * Int64(status.f_frsize)
        return free < Self.byteCount && unlink(path) == 0
    }
}

/// Gives the reserve up when the daemon stops, before any other service does: what they write last
/// then finds room.
struct ReserveRelease: Service {
    let file: ReserveFile
    let logger: Logger

    func run() async throws {
        // Thrown when another service failed; the shutdown that follows needs room just as much.
        try? await gracefulShutdown()
        if file.releaseIfNeeded() {
            logger.warning("the disk is full: the reserve file is given up for the shutdown")
        }
    }
}
