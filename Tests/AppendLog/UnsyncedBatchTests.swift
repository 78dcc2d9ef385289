import AppendLog
import Glibc
import Synchronization
import Testing

/// A simulated disk that lets a test look around in the middle of a sync.
private struct WatchedDisk: Disk {
    let disk: SimulatedDisk
    let watcher: Watcher

    final class Watcher: Sendable {
        private let body = Mutex<(@Sendable () -> Void)?>(nil)

        func watch(_ body: @escaping @Sendable () -> Void) { self.body.withLock { $0 = body } }
        /// Called without the lock, because the body asks the log.
        func syncs(_ path: String) { if path.hasSuffix(".log") { body.withLock { $0 }?() } }
    }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        WatchedFile(file: try disk.open(path, mode), path: path, watcher: watcher)
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

private final class WatchedFile: DiskFile {
    let file: any DiskFile
    let path: String
    let watcher: WatchedDisk.Watcher

    init(file: any DiskFile, path: String, watcher: WatchedDisk.Watcher) {
        (self.file, self.path, self.watcher) = (file, path, watcher)
    }

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
        watcher.syncs(path)
        try file.sync()
    }
    func dropCache() throws(DiskError) { try file.dropCache() }
}

@Suite("A batch before its sync")
struct UnsyncedBatchTests {
    /// What can be seen of a topic from outside.
    private struct View: Hashable {
        var end: Int64
        var texts: [String]
        var toldCount: Int
    }

    @Test("is not visible, and nobody is told that it is stored")
    func unseen() throws {
        let watcher = WatchedDisk.Watcher()
        let scheduler = SteppedScheduler()
        let log = try Log.open(
            at: "/log", disk: WatchedDisk(disk: SimulatedDisk(seed: 1), watcher: watcher),
            scheduler: scheduler)
        let topic = try log.topic(TopicName("t"))
        topic.append([makeRecord("first")]) { _ in }
        scheduler.run()
        let told = Mutex(0)
        let views = Mutex<[View]>([])
        @Sendable func look() {
            let stored = (try? topic.read(from: .zero)) ?? []
            let view = View(
                end: topic.highWatermark.rawValue, texts: texts(stored),
                toldCount: told.withLock { $0 })
            views.withLock { $0.append(view) }
        }
        watcher.watch { look() }
        topic.append([makeRecord("second")]) { _ in told.withLock { $0 += 1 } }
        scheduler.run()
        look()
        #expect(
            views.withLock { $0 } == [
                View(end: 1, texts: ["first"], toldCount: 0),
                View(end: 2, texts: ["first", "second"], toldCount: 1),
            ])
    }

    @Test("that failed to sync stops the log for good, although the disk works again")
    func failedSync() throws {
        let disk = SimulatedDisk(seed: 1)
        let scheduler = SteppedScheduler()
        let log = try Log.open(at: "/log", disk: disk, scheduler: scheduler)
        let topic = try log.topic(TopicName("t"))
        let answers = Mutex<[String]>([])
        for (text, failing) in [("first", [:]), ("second", [.sync: EIO]), ("third", [:])]
            as [(String, [DiskError.Operation: Int32])]
        {
            disk.faults.failing = failing
            topic.append([makeRecord(text)]) { result in
                let answer =
                    switch result {
                    case .success: "stored"
                    case .failure(.poisoned): "poisoned"
                    case .failure(let error): "\(error)"
                    }
                answers.withLock { $0.append(answer) }
            }
            scheduler.run()
        }
        #expect(answers.withLock { $0 } == ["stored", "poisoned", "poisoned"])
        #expect(log.poison != nil)
        #expect(topic.highWatermark == Offset(1))
    }
}
