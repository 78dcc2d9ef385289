internal import Foundation
internal import Synchronization

/// The machine's own file system.
public struct PosixDisk: Disk {
    public init() {}

    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            }
        let descriptor = try retrying(.open, path) {
            Foundation.open(path, flags | O_CLOEXEC, 0o600)
        }
        return PosixFile(descriptor: descriptor, path: path)
    }

    public func createDirectory(_ path: String) throws(DiskError) {
        do {
            _ = try retrying(.createDirectory, path) { mkdir(path, 0o700) }
        } catch {
            guard error.code == EEXIST else { throw error }
        }
    }

    public func list(_ path: String) throws(DiskError) -> [String] {
        // SAFETY: the stream is closed before this returns, and each entry's name is copied before
        // the next readdir overwrites it.
        guard let stream = opendir(path) else {
            throw DiskError(operation: .list, path: path, code: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw DiskError(operation: .list, path: path, code: errno) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    public func exists(_ path: String) throws(DiskError) -> Bool {
        do {
            _ = try retrying(.open, path) { access(path, F_OK) }
            return true
        } catch {
            guard error.isMissing else { throw error }
            return false
        }
    }

    public func rename(_ path: String, to destination: String) throws(DiskError) {
        _ = try retrying(.rename, path) { Foundation.rename(path, destination) }
    }

    public func remove(_ path: String) throws(DiskError) {
        _ = try retrying(.remove, path) { unlink(path) }
    }

    public func syncDirectory(_ path: String) throws(DiskError) {
        let descriptor = try retrying(.syncDirectory, path) {
            Foundation.open(path, O_RDONLY | O_CLOEXEC)
        }
        defer { close(descriptor) }
        // Not retried when interrupted: a failed sync is final.
        guard fsync(descriptor) == 0 else {
            throw DiskError(operation: .syncDirectory, path: path, code: errno)
        }
    }

    public func freeBytes(_ path: String) throws(DiskError) -> Int64 {
        var status = statvfs()
        // SAFETY: statvfs fills the struct it is handed and keeps no pointer to it.
        guard statvfs(path, &status) == 0 else {
            throw DiskError(operation: .freeBytes, path: path, code: errno)
        }
        return Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
    }

    public func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock {
        let path = folder + "/" + file
        do {
            let directory = try retrying(.lock, folder) {
                Foundation.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            }
            let first = PosixLock(descriptor: directory)
            // Some network file systems lock files only; there the file has to do.
            guard flock(directory, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                throw LockError.heldBy(Self.holder(named: path))
            }
            // It is emptied below: a link here would be somebody else's file, which root can empty.
            let descriptor = try retrying(.lock, path) {
                Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            }
            let lock = PosixLock(descriptor: descriptor, folder: first)
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                guard code == EWOULDBLOCK else {
                    throw LockError.disk(DiskError(operation: .lock, path: path, code: code))
                }
                throw LockError.heldBy(Self.holder(named: path))
            }
            // A child process must not keep the lock alive.
            let file = PosixFile(
                descriptor: fcntl(descriptor, F_DUPFD_CLOEXEC, 0), path: path)
            let text = Array("\(getpid())\n".utf8)
            try file.truncate(0)
            // The name of the holder is a courtesy; a full disk must not keep the log from opening.
            _ = try? file.write(text, 0..<text.count, at: 0)
            return lock
        } catch let error as LockError {
            throw error
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            throw .disk(DiskError(operation: .lock, path: path, code: EIO))
        }
    }
}

extension PosixDisk {
    /// The process id in a lock file; 0 if it cannot be read.
    private static func holder(named path: String) -> Int32 {
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        let text = try? PosixFile(descriptor: descriptor, path: path).read(at: 0, count: 16)
        return Int32(String(decoding: text ?? [], as: UTF8.self).prefix { $0.isNumber }) ?? 0
    }
}

/// Calls `body` until a signal does not interrupt it.
private func retrying<Value: FixedWidthInteger>(
    _ operation: DiskError.Operation, _ path: String, _ body: () -> Value
) throws(DiskError) -> Value {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        guard code == EINTR else { throw DiskError(operation: operation, path: path, code: code) }
    }
}

private final class PosixFile: DiskFile {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func size() throws(DiskError) -> Int64 {
        var status = stat()
        // SAFETY: fstat fills the struct it is handed and keeps no pointer to it.
        guard fstat(descriptor, &status) == 0 else { throw failure(.size) }
        return Int64(status.st_size)
    }

    func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8] {
        var bytes: [UInt8] = []
        try read(at: position, count: count, into: &bytes)
        return bytes
    }

    func read(at position: Int64, count: Int, into bytes: inout [UInt8]) throws(DiskError) {
        var failed: DiskError?
        // SAFETY: pread writes at most the capacity that is left, and `done` counts what it wrote.
        bytes.append(addingCapacity: count) { (added: inout OutputSpan<UInt8>) in
            added.withUnsafeMutableBufferPointer { buffer, done in
                while done < count, let base = buffer.baseAddress {
                    let got = pread(
                        descriptor, base + done, count - done, off_t(position) + off_t(done))
                    if got > 0 {
                        done += got
                    } else if got == 0 {
                        return
                    } else if errno != EINTR {
                        failed = failure(.read)
                        return
                    }
                }
            }
        }
        if let failed { throw failed }
    }

    func write(_ bytes: [UInt8], _ range: Range<Int>, at position: Int64) throws(DiskError) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range \(range)")
        // SAFETY: the range was checked against the array, whose buffer outlives the call.
        return try retrying(.write, path) {
            bytes.withUnsafeBytes {
                pwrite(
                    descriptor, $0.baseAddress.map { $0 + range.lowerBound }, range.count,
                    off_t(position))
            }
        }
    }

    func preallocate(_ byteCount: Int64) throws(DiskError) {
        #if os(Linux)
            // A file system that cannot do it has glibc write a byte to each block instead.
            while true {
                let code = posix_fallocate(descriptor, 0, off_t(byteCount))
                if code == 0 { return }
                guard code == EINTR else {
                    throw DiskError(operation: .preallocate, path: path, code: code)
                }
            }
        #else
            if try size() < byteCount { try truncate(byteCount) }
        #endif
    }

    func truncate(_ byteCount: Int64) throws(DiskError) {
        _ = try retrying(.truncate, path) { ftruncate(descriptor, off_t(byteCount)) }
    }

    func sync() throws(DiskError) {
        // Not retried, not even when interrupted: a failed sync is final.
        #if os(Linux)
            guard fdatasync(descriptor) == 0 else { throw failure(.sync) }
        #else
            guard fcntl(descriptor, F_FULLFSYNC) == 0 else { throw failure(.sync) }
        #endif
        var status = stat()
        // SAFETY: fstat fills the struct it is handed and keeps no pointer to it.
        guard fstat(descriptor, &status) == 0 else { throw failure(.sync) }
        // Deleted under us: what was written goes with the descriptor.
        guard status.st_nlink > 0 else {
            throw DiskError(operation: .sync, path: path, code: ENOENT)
        }
    }

    func dropCache() throws(DiskError) {
        #if os(Linux)
            let code = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            guard code == 0 else { throw DiskError(operation: .dropCache, path: path, code: code) }
        #endif
    }

    func willRead(at position: Int64, count: Int) {
        #if os(Linux)
            _ = posix_fadvise(descriptor, off_t(position), off_t(count), POSIX_FADV_WILLNEED)
        #endif
    }

    private func failure(_ operation: DiskError.Operation) -> DiskError {
        DiskError(operation: operation, path: path, code: errno)
    }
}

/// A descriptor that holds a `flock`; the kernel lets go of it when the process dies.
private final class PosixLock: DiskLock {
    private let descriptor: Mutex<Int32?>
    /// The lock of the folder, which goes with the file's.
    private let folder: PosixLock?

    init(descriptor: Int32, folder: PosixLock? = nil) {
        self.descriptor = Mutex(descriptor)
        self.folder = folder
    }

    deinit { release() }

    func release() {
        descriptor.withLock { descriptor in
            guard let open = descriptor else { return }
            flock(open, LOCK_UN)
            close(open)
            descriptor = nil
        }
        folder?.release()
    }
}

extension DiskError.Operation {
    /// As a person reads it, before the path.
    fileprivate var words: String {
        switch self {
        case .createDirectory: "making the folder"
        case .syncDirectory: "sync of the folder"
        case .freeBytes: "asking for the free space of"
        case .dropCache: "dropping the page cache of"
        default: "\(rawValue) of"
        }
    }
}

extension DiskError: CustomStringConvertible {
    public var description: String {
        "\(operation.words) \(path) failed: \(String(cString: strerror(code))) (\(code))"
    }

    /// Whether it says that space, or the right to it, has run out.
    var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    /// Whether it says that there is nothing of that name.
    var isMissing: Bool { code == ENOENT }
}
