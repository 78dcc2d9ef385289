import AppendLog
import LogSupport
import Synchronization
import TestSupport
import Testing

/// What appending and reading cost in calls, bytes and allocations: numbers that do not depend on
/// how fast a machine is, a little above what was measured.
@Suite("Costs")
struct CostTests {
    /// Appends so many batches to a fresh log, after some to warm it up.
    private func appends(
        _ count: Int, of batch: Int
    ) async throws -> (disk: CountingDisk, topic: Topic, log: Log) {
        let disk = CountingDisk()
        let log = try Log.open(at: "/log", disk: disk)
        let topic = try log.topic(TopicName("events"))
        let records = Self.records(batch)
        _ = try await topic.append(records)
        disk.reset()
        for _ in 0..<count { _ = try await topic.append(records) }
        return (disk, topic, log)
    }

    private static func records(_ count: Int) -> [Record] {
        (0..<count).map { number in
            Record(
                key: ArraySlice("evt_\(number)".utf8),
                value: ArraySlice(repeating: 7, count: 1_000),
                headers: [
                    RecordHeader("schema", "cost/1"), RecordHeader("event-id", "evt_\(number)"),
                    RecordHeader("source-offset", "\(number)"),
                ],
                timestamp: Timestamp(milliseconds: 1_767_571_200_000))
        }
    }

    @Test("an append is one write and one sync; small ones write zeros ahead once in a hundred")
    func small() async throws {
        let (disk, _, log) = try await appends(200, of: 1)
        let counts = disk.counts
        #expect(counts.syncs == 200)
        #expect(counts.writes <= 203)
        #expect(counts.others == 0)
        // As much again in zeros, which the next appends overwrite.
        #expect(counts.bytesWritten <= 200 * 1_200 + 3 * (128 << 10))
        await log.close()
    }

    @Test("a large append is one write and one sync, and 5 % of framing")
    func large() async throws {
        let (disk, _, log) = try await appends(20, of: 256)
        let counts = disk.counts
        #expect(counts.syncs == 20)
        #expect(counts.writes == 20)
        #expect(counts.others == 0)
        #expect(counts.bytesWritten <= 20 * 256 * 1_080)
        await log.close()
    }

    @Test("what is allocated is counted", .enabled(if: Allocations.areCounted))
    func counter() {
        var kept: [UInt8] = []
        let asked = Allocations.ofThread { kept = [UInt8](repeating: 1, count: 4_096) }
        #expect(asked.count >= 1 && asked.bytes >= 4_096, "\(asked) for \(kept.count)")
    }

    @Test("reading takes six calls a mebibyte at most, and no byte twice", arguments: [1, 16, 256])
    func reading(batch: Int) async throws {
        let (disk, topic, log) = try await appends(4_096 / batch, of: batch)
        let end = topic.highWatermark
        await log.close()
        let again = try Log.open(at: "/log", disk: disk)
        let opened = try again.topic(TopicName("events"))
        disk.reset()
        var next = opened.start
        while next < end {
            next = try #require(opened.read(from: next).last).offset.advanced(by: 1)
        }
        let byteCount = Int(opened.byteCount)
        #expect(disk.counts.bytesRead <= byteCount + byteCount / 50)
        #expect(disk.counts.reads <= 6 * (byteCount >> 20) + 6)
        await again.close()
    }

    @Test(
        "records are decoded into one array, with no memory for each",
        .enabled(if: Allocations.isOptimizedBuild))
    func decoding() throws {
        var bytes: [UInt8] = []
        let records = Self.records(1_000)
        RecordBatch.encode(records, baseOffset: .zero, into: &bytes)
        var decoded = try RecordBatch.records(in: bytes[...])
        let spent = try Allocations.ofThread { decoded = try RecordBatch.records(in: bytes[...]) }
        #expect(decoded.map(\.record) == records)
        #expect(spent.count <= 2)
        #expect(spent.bytes <= 1_000 * 112)
    }

    @Test(
        "a batch is encoded into one buffer of its size",
        .enabled(if: Allocations.isOptimizedBuild))
    func encoding() {
        let records = Self.records(1_000)
        var bytes: [UInt8] = []
        // What is made for ever, by whichever test comes first, is not meant.
        RecordBatch.encode(Self.records(1), baseOffset: .zero, into: &bytes)
        bytes = []
        let spent = Allocations.ofThread {
            RecordBatch.encode(records, baseOffset: .zero, into: &bytes)
        }
        #expect(bytes.count > 1_000_000)
        #expect(spent.count <= 2)
        #expect(spent.bytes <= bytes.count + bytes.count / 10)
    }
}

/// A simulated disk that counts what is asked of the files with batches.
private final class CountingDisk: Disk {
    struct Counts: Sendable {
        var writes = 0
        var syncs = 0
        var reads = 0
        /// Whatever else changes a file.
        var others = 0
        var bytesWritten = 0
        var bytesRead = 0
    }

    private let disk = SimulatedDisk(seed: 1)
    private let state = Mutex(Counts())

    var counts: Counts { state.withLock { $0 } }
    func reset() { state.withLock { $0 = Counts() } }
    func count(_ body: (inout Counts) -> Void) { state.withLock { body(&$0) } }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        let file = try disk.open(path, mode)
        return path.hasSuffix(".log") ? CountingFile(file: file, disk: self) : file
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
    func version(of path: String) throws(DiskError) -> FileVersion? {
        try disk.version(of: path)
    }
    func lock(_ folder: String, file: String) throws(LockError) -> any DiskLock {
        try disk.lock(folder, file: file)
    }
}

private final class CountingFile: DiskFile {
    private let file: any DiskFile
    private let disk: CountingDisk

    init(file: any DiskFile, disk: CountingDisk) { (self.file, self.disk) = (file, disk) }

    func size() throws(DiskError) -> Int64 { try file.size() }
    func read(at position: Int64, count: Int) throws(DiskError) -> [UInt8] {
        let bytes = try file.read(at: position, count: count)
        disk.count { ($0.reads, $0.bytesRead) = ($0.reads + 1, $0.bytesRead + bytes.count) }
        return bytes
    }
    func write(_ bytes: [UInt8], _ range: Range<Int>, at position: Int64) throws(DiskError) -> Int {
        let done = try file.write(bytes, range, at: position)
        disk.count { ($0.writes, $0.bytesWritten) = ($0.writes + 1, $0.bytesWritten + done) }
        return done
    }
    func preallocate(_ byteCount: Int64) throws(DiskError) {
        disk.count { $0.others += 1 }
        try file.preallocate(byteCount)
    }
    func truncate(_ byteCount: Int64) throws(DiskError) {
        disk.count { $0.others += 1 }
        try file.truncate(byteCount)
    }
    func sync() throws(DiskError) {
        disk.count { $0.syncs += 1 }
        try file.sync()
    }
    func dropCache() throws(DiskError) { try file.dropCache() }
}
