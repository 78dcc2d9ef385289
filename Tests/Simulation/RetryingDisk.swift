import AppendLog

/// What a log must never be: one that calls sync again when it failed. The second call succeeds,
/// over pages that are lost.
struct RetryingDisk: Disk {
    let disk: SimulatedDisk

    init(_ disk: SimulatedDisk) { self.disk = disk }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        RetryingFile(try disk.open(path, mode))
    }
    func createDirectory(_ path: String) throws(DiskError) { try disk.createDirectory(path) }
    func list(_ path: String) throws(DiskError) -> [String] { try disk.list(path) }
    func exists(_ path: String) throws(DiskError) -> Bool { try disk.exists(path) }
    func rename(_ path: String, to destination: String) throws(DiskError) {
        try disk.rename(path, to: destination)
    }
    func remove(_ path: String) throws(DiskError) { try disk.remove(path) }
    func syncDirectory(_ path: String) throws(DiskError) { try disk.syncDirectory(path) }
    func freeBytes(_ path: String) throws(DiskError) -> Int64 { try disk.freeBytes(path) }
    func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock {
        try disk.lock(folder, file: file)
    }
}

private final class RetryingFile: DiskFile {
    let file: any DiskFile

    init(_ file: any DiskFile) { self.file = file }

    func size() throws(DiskError) -> Int64 { try file.size() }
    func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8] {
        try file.read(at: position, count: count)
    }
    func write(_ bytes: [UInt8], _ range: Range<Int>, at position: Int64) throws(DiskError) -> Int {
        try file.write(bytes, range, at: position)
    }
    func preallocate(_ byteCount: Int64) throws(DiskError) { try file.preallocate(byteCount) }
    func truncate(_ byteCount: Int64) throws(DiskError) { try file.truncate(byteCount) }
    func sync() throws(DiskError) {
        do { try file.sync() } catch { try file.sync() }
    }
    func dropCache() throws(DiskError) { try file.dropCache() }
}
