/// The one door to the file system.
///
/// Paths are absolute or relative as the caller likes; the log only ever appends `/name` to the
/// path it was opened at. All calls block. Sizes and positions are in bytes.
public protocol Disk: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile
    /// Makes the folder, unless it is there; its parent must be.
    func createDirectory(_ path: String) throws(DiskError)
    /// The names in a folder, in no order.
    func list(_ path: String) throws(DiskError) -> [String]
    func exists(_ path: String) throws(DiskError) -> Bool
    /// Replaces `destination` if it is there. Durable only after `syncDirectory`.
    func rename(_ path: String, to destination: String) throws(DiskError)
    /// Durable only after `syncDirectory`.
    func remove(_ path: String) throws(DiskError)
    /// Makes creations, renames and removals in the folder durable.
    func syncDirectory(_ path: String) throws(DiskError)
    func freeBytes(_ path: String) throws(DiskError) -> Int64
    /// Which version of a file lies at `path`; nil where the disk cannot tell for sure whether it
    /// will have changed by the next look.
    func version(of path: String) throws(DiskError) -> FileVersion?
    /// Takes the folder for this process until the returned object is gone or released.
    ///
    /// Both the folder itself and the file in it are locked, so that nobody gets in by removing the
    /// file; the file says who is in.
    ///
    /// - Throws: `.heldBy` if another process, or another holder in this one, has it.
    func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock
}

/// An open file. It is closed when the last reference goes.
public protocol DiskFile: AnyObject, Sendable {
    func size() throws(DiskError) -> Int64
    /// Up to `count` bytes from `position`; fewer only at the end of the file.
    func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8]
    /// The same behind what `bytes` holds already.
    func read(at position: Int64, count: Int, into bytes: inout [UInt8]) throws(DiskError)
    /// Writes some of `bytes[range]`, and says how many.
    func write(_ bytes: [UInt8], _ range: Range<Int>, at position: Int64) throws(DiskError) -> Int
    /// Makes sure that the file has space for, and at least the size of, `byteCount` bytes; new
    /// ones are zero.
    func preallocate(_ byteCount: Int64) throws(DiskError)
    func truncate(_ byteCount: Int64) throws(DiskError)
    /// Makes the file's bytes and size durable. After a failure nobody knows which are: never
    /// retry. A file without a name, which somebody has deleted, cannot be made durable: that is a
    /// failure too.
    func sync() throws(DiskError)
    /// Forgets what memory holds of the file's clean pages, so that the next reads come from the
    /// disk.
    func dropCache() throws(DiskError)
    /// Says that the `count` bytes from `position` will be read soon. A hint: it waits for nothing,
    /// promises nothing and cannot fail.
    func willRead(at position: Int64, count: Int)
}

public protocol DiskLock: AnyObject, Sendable {
    func release()
}

extension DiskFile {
    public func willRead(at position: Int64, count: Int) {}

    public func read(
        at position: Int64, count: Int, into bytes: inout [UInt8]
    ) throws(DiskError) {
        bytes += try read(at: position, count: count)
    }

    /// Writes all of `bytes`, however many calls it takes.
    package func writeAll(_ bytes: [UInt8], at position: Int64) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            done += try write(bytes, done..<bytes.count, at: position + Int64(done))
        }
    }
}

extension Disk {
    /// Takes a folder of the log for this process.
    func locked(_ folder: String) throws(LogError) -> any DiskLock {
        do {
            return try lock(folder, file: "lock")
        } catch {
            switch error {
            case .heldBy(let process): throw .locked(path: folder, by: process)
            case .disk(let error): throw .disk(error)
            }
        }
    }
}

public enum OpenMode: Hashable, Sendable {
    case read
    /// Fails if the file is not there.
    case readWrite
    /// Makes the file, or empties it.
    case create
}

public enum LockError: Error, Hashable, Sendable {
    /// The id is 0 if it could not be read.
    case heldBy(Int32)
    case disk(DiskError)
}

/// A system call that failed.
public struct DiskError: Error, Hashable, Sendable {
    public enum Operation: String, Hashable, Sendable, CaseIterable {
        case open, createDirectory, list, rename, remove, syncDirectory, freeBytes, lock
        case size, read, write, preallocate, truncate, sync, dropCache
    }

    public var operation: Operation
    public var path: String
    /// The system's error number.
    public var code: Int32

    public init(operation: Operation, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }
}
