internal import Foundation

/// What a file system tells of a file without reading it.
///
/// Two looks at one path that give the same version saw the same bytes. Whoever writes to a file,
/// or changes its size, sets the time of its last change of status, which no program can set to
/// what it likes (POSIX.1-2017, 4.9, and `st_ctim` in `<sys/stat.h>`); another file that takes the
/// path has another inode, and was renamed to it at another time.
///
/// The number of the device is no part of it: it may be another one after each start of a machine.
public struct FileVersion: Hashable, Sendable {
    public var inode: UInt64
    /// The file's size.
    public var byteCount: Int64
    /// When it was last changed, in nanoseconds since 1970.
    public var changed: Int64

    public init(inode: UInt64, byteCount: Int64, changed: Int64) {
        self.inode = inode
        self.byteCount = byteCount
        self.changed = changed
    }
}

extension Disk {
    public func version(of path: String) throws(DiskError) -> FileVersion? { nil }
}

extension PosixDisk {
    /// nil of a file that was changed within the last two seconds, or in the future: a second
    /// change may bear the same time, because file systems tell it in ticks.
    public func version(of path: String) throws(DiskError) -> FileVersion? {
        var status = stat()
        // SAFETY: stat fills the struct it is handed and keeps no pointer to it.
        guard stat(path, &status) == 0 else {
            throw DiskError(operation: .size, path: path, code: errno)
        }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        #if os(Linux)
            let changed = status.st_ctim
        #else
            let changed = status.st_ctimespec
        #endif
        guard changed.tv_sec >= 0, changed.tv_sec < Int.max / 1_000_000_000,
            changed.tv_sec <= now.tv_sec - Limits.versionAgeMinSeconds
        else { return nil }
        return FileVersion(
            inode: UInt64(status.st_ino), byteCount: Int64(status.st_size),
            changed: Int64(changed.tv_sec) * 1_000_000_000 + Int64(changed.tv_nsec))
    }
}
