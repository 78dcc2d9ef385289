public import AppendLog

/// A disk that does what another does, but for the syncs of its files, which a test does itself;
/// and that says so before it reads one, and what it is told that will be read.
public struct SyncingDisk: Disk {
    /// Syncs a file, or does what a test wants to see in its place.
    public typealias Sync =
        @Sendable (_ path: String, _ file: any DiskFile) throws(DiskError) -> Void

    /// Takes note of bytes that somebody says will be read soon.
    public typealias Hinted =
        @Sendable (_ path: String, _ position: Int64, _ count: Int) -> Void

    private let disk: any Disk
    private let willRead: @Sendable (_ path: String) -> Void
    private let hinted: Hinted
    private let sync: Sync

    public init(
        _ disk: any Disk, sync: @escaping Sync = { _, file throws(DiskError) in try file.sync() },
        willRead: @escaping @Sendable (_ path: String) -> Void = { _ in },
        hinted: @escaping Hinted = { _, _, _ in }
    ) {
        self.disk = disk
        self.willRead = willRead
        self.hinted = hinted
        self.sync = sync
    }

    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        SyncingFile(
            file: try disk.open(path, mode), path: path, willRead: willRead, hinted: hinted,
            sync: sync)
    }
    public func createDirectory(_ path: String) throws(DiskError) {
        try disk.createDirectory(path)
    }
    public func list(_ path: String) throws(DiskError) -> [String] { try disk.list(path) }
    public func exists(_ path: String) throws(DiskError) -> Bool { try disk.exists(path) }
    public func rename(_ path: String, to destination: String) throws(DiskError) {
        try disk.rename(path, to: destination)
    }
    public func remove(_ path: String) throws(DiskError) { try disk.remove(path) }
    public func syncDirectory(_ path: String) throws(DiskError) { try disk.syncDirectory(path) }
    public func freeBytes(_ path: String) throws(DiskError) -> Int64 { try disk.freeBytes(path) }
    public func version(of path: String) throws(DiskError) -> FileVersion? {
        try disk.version(of: path)
    }
    public func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock {
        try disk.lock(folder, file: file)
    }
}

private final class SyncingFile: DiskFile {
    private let file: any DiskFile
    private let path: String
    private let willRead: @Sendable (String) -> Void
    private let hinted: SyncingDisk.Hinted
    private let syncing: SyncingDisk.Sync

    init(
        file: any DiskFile, path: String, willRead: @escaping @Sendable (String) -> Void,
        hinted: @escaping SyncingDisk.Hinted, sync: @escaping SyncingDisk.Sync
    ) {
        self.file = file
        self.path = path
        self.willRead = willRead
        self.hinted = hinted
        syncing = sync
    }

    func size() throws(DiskError) -> Int64 { try file.size() }
    func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8] {
        willRead(path)
        return try file.read(at: position, count: count)
    }
    func write(_ bytes: [UInt8], _ range: Range<Int>, at position: Int64) throws(DiskError) -> Int {
        try file.write(bytes, range, at: position)
    }
    func preallocate(_ byteCount: Int64) throws(DiskError) { try file.preallocate(byteCount) }
    func truncate(_ byteCount: Int64) throws(DiskError) { try file.truncate(byteCount) }
    func sync() throws(DiskError) { try syncing(path, file) }
    func dropCache() throws(DiskError) { try file.dropCache() }
    func willRead(at position: Int64, count: Int) {
        hinted(path, position, count)
        file.willRead(at: position, count: count)
    }
}
