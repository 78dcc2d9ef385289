import LogSupport
import Synchronization
import TestSupport
import Testing

@testable import AppendLog

@Suite("What a log remembers of the segments that it has looked at")
struct SegmentLooksTests {
    private static let path = "/log"
    private static let folder = "/log/t-0"

    /// Where each sealed segment's file was read, by a start of the log.
    private static func readsOfStart(
        _ disk: SimulatedDisk, lookedAt: LogLooks? = nil
    ) async throws -> Set<String> {
        let read = Mutex<Set<String>>([])
        let watched = SyncingDisk(
            disk, willRead: { path in read.withLock { _ = $0.insert(path) } })
        let log = try Log.open(
            at: path, disk: watched, configuration: .small, lookedAt: lookedAt)
        _ = try log.topic(TopicName("t"))
        await log.close()
        return read.withLock { $0.filter { $0.hasPrefix(folder) && $0.hasSuffix(".log") } }
    }

    /// Appends records of which a segment holds four.
    private static func fill(_ topic: Topic, _ count: Int) async throws {
        for number in 0..<count {
            _ = try await topic.append([
                makeRecord("\(number) " + String(repeating: "x", count: 900))
            ])
        }
    }

    /// A log with more than ten sealed segments.
    private static func build(
        _ disk: SimulatedDisk, isClosed: Bool = true
    ) async throws -> [SegmentSummary] {
        let log = try Log.open(at: path, disk: disk, configuration: .small)
        let topic = try log.topic(TopicName("t"))
        try await fill(topic, 60)
        let segments = topic.segments
        if isClosed { await log.close() } else { disk.kill() }
        try #require(segments.count > 11)
        return segments
    }

    @Test("a start reads none of those that it knows, but the last one before the tail")
    func known() async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk)
        let lastTwo = Set(segments.suffix(2).map(\.file))
        for _ in 0..<3 {
            #expect(try await Self.readsOfStart(disk).isSubset(of: lastTwo))
        }
    }

    @Test("a start after a kill reads each once, and the next one none")
    func killed() async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk, isClosed: false)
        let sealed = Set(segments.dropLast().map(\.file))
        #expect(try await Self.readsOfStart(disk).isSuperset(of: sealed))
        #expect(try await Self.readsOfStart(disk).intersection(sealed).count == 1)
    }

    @Test("who has looked at them without a lock saves the next start the reads, and itself")
    func handedOver() async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk, isClosed: false)
        let looks = try #require(
            Log.openReadOnly(at: Self.path, disk: disk, checksSegments: true).looks)
        #expect(looks.topics.values.map(\.segments.count).max() == segments.count - 1)
        #expect(disk.contents["\(Self.folder)/looks"] == nil, "a reader writes nothing")
        let lastTwo = Set(segments.suffix(2).map(\.file))
        #expect(try await Self.readsOfStart(disk, lookedAt: looks).isSubset(of: lastTwo))
        #expect(try await Self.readsOfStart(disk).isSubset(of: lastTwo))
    }

    @Test("retention notes those that were sealed meanwhile, as a kill will not")
    func retention() async throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try Log.open(at: Self.path, disk: disk, configuration: .small)
        let topic = try log.topic(TopicName("t"))
        try await Self.fill(topic, 60)
        _ = try await log.applyRetention()
        let lastTwo = Set(topic.segments.suffix(2).map(\.file))
        disk.kill()
        #expect(try await Self.readsOfStart(disk).isSubset(of: lastTwo))
    }

    @Test("of very many sealed meanwhile the newest are noted, the others by the next start")
    func many() async throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try Log.open(at: Self.path, disk: disk, configuration: .small)
        let topic = try log.topic(TopicName("t"))
        try await Self.fill(topic, 400)
        _ = try await log.applyRetention()
        let sealed = topic.segments.dropLast().map(\.file)
        try #require(sealed.count > Limits.looksAtOnceMax + 10)
        disk.kill()
        let newest = Set(sealed.suffix(Limits.looksAtOnceMax).dropLast())
        let others = Set(sealed.dropLast(Limits.looksAtOnceMax))
        let read = try await Self.readsOfStart(disk)
        #expect(read.isSuperset(of: others) && read.isDisjoint(with: newest))
        #expect(try await Self.readsOfStart(disk).isDisjoint(with: others.union(newest)))
    }

    @Test("a disk that cannot tell whether files change has each looked at, every time")
    func noVersions() async throws {
        let disk = SimulatedDisk(seed: 1)
        disk.faults.tellsNoVersions = true
        let segments = try await Self.build(disk)
        let sealed = Set(segments.dropLast().map(\.file))
        for _ in 0..<2 {
            #expect(try await Self.readsOfStart(disk).isSuperset(of: sealed))
        }
    }

    /// What somebody does to a known segment.
    enum Change: String, CaseIterable {
        case cut, longer, overwritten, gone, other, exchanged, nextGone
    }

    private static func apply(
        _ change: Change, to place: Int, of segments: [SegmentSummary], on disk: SimulatedDisk
    ) throws {
        let (file, next) = (segments[place].file, segments[place + 1].file)
        func put(_ bytes: [UInt8], at path: String) throws {
            let written = try disk.open(path + ".new", .create)
            try written.writeAll(bytes, at: 0)
            try written.sync()
            try disk.rename(path + ".new", to: path)
            try disk.syncDirectory(folder)
        }
        let (own, other) = (disk.contents[file] ?? [], disk.contents[next] ?? [])
        switch change {
        case .cut: try disk.open(file, .readWrite).truncate(Int64(own.count - 7))
        case .longer: try put(own + other, at: file)
        case .overwritten:
            disk.overwrite(file, at: own.count - 9, with: [1, 2, 3])
        case .gone: try disk.remove(file)
        case .nextGone: try disk.remove(next)
        case .other: try put(other, at: file)
        case .exchanged:
            try disk.rename(file, to: file + ".x")
            try disk.rename(next, to: file)
            try disk.rename(file + ".x", to: next)
        }
        try disk.syncDirectory(folder)
    }

    @Test(
        "a known segment that changes is looked at again, and refused for what is wrong with it",
        arguments: Change.allCases, [0, 4])
    func changed(change: Change, place: Int) async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk)
        _ = try await Self.readsOfStart(disk)
        try Self.apply(change, to: place, of: segments, on: disk)
        let before = disk.contents
        for _ in 0..<2 {
            await #expect(throws: LogError.self) { _ = try await Self.readsOfStart(disk) }
            disk.kill()
            #expect(disk.contents == before, "what is refused stays as it was")
        }
        #expect(throws: LogError.self) {
            try Log.openReadOnly(at: Self.path, disk: disk, checksSegments: true)
        }
    }

    @Test("one that was put back as it was is read, and known again")
    func restored() async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk)
        let file = segments[3].file
        let bytes = try #require(disk.contents[file])
        disk.overwrite(file, at: 0, with: bytes)
        let lastTwo = Set(segments.suffix(2).map(\.file))
        #expect(try await Self.readsOfStart(disk).subtracting(lastTwo) == [file])
        #expect(try await Self.readsOfStart(disk).isSubset(of: lastTwo))
    }

    @Test("a flipped bit that no file system tells of is found by whoever reads it")
    func rotten() async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk)
        disk.flip(segments[3].file, at: Int(segments[3].byteCount) - 30, bit: 1)
        _ = try await Self.readsOfStart(disk)
        let log = try Log.openReadOnly(at: Self.path, disk: disk)
        let topic = try #require(log.topic(TopicName("t")))
        #expect(throws: LogError.self) {
            try topic.read(from: segments[3].end.advanced(by: -1))
        }
    }

    // MARK: The file

    private static func looks(_ count: Int) -> TopicLooks {
        var looks = TopicLooks()
        for number in 0..<Int64(count) {
            looks.add(
                .init(
                    end: Offset(number * 7 + 7),
                    version: FileVersion(
                        inode: .max - UInt64(number), byteCount: number << 30,
                        changed: 1_795_000_000_123_456_789 + number)),
                of: Offset(number * 7))
        }
        return looks
    }

    @Test("the file says what was noted, to the last bit", arguments: [0, 1, 3, 2_000])
    func roundTrip(count: Int) throws {
        let looks = Self.looks(count)
        let bytes = looks.encoded(stamp: 0x7FFF_FFFE)
        #expect(bytes.count == 24 + count * 40)
        let read = try #require(TopicLooks(decoding: bytes, stamp: 0x7FFF_FFFE))
        #expect(read.segments == looks.segments && read.isStored)
        #expect(TopicLooks(decoding: bytes, stamp: 0x7FFF_FFFD) == nil, "another topic's")
    }

    @Test("a file that is cut, longer, or wrong in a bit says nothing")
    func damaged() {
        let bytes = Self.looks(3).encoded(stamp: 5)
        for count in bytes.indices {
            #expect(TopicLooks(decoding: Array(bytes[..<count]), stamp: 5) == nil)
            for bit in 0..<8 {
                var other = bytes
                other[count] ^= 1 << UInt8(bit)
                #expect(TopicLooks(decoding: other, stamp: 5) == nil, "byte \(count) bit \(bit)")
            }
        }
        #expect(TopicLooks(decoding: bytes + [0], stamp: 5) == nil)
    }

    @Test(
        "a start does without the file, and makes it anew",
        arguments: ["missing", "empty", "cut", "another topic's", "a folder"])
    func lost(what: String) async throws {
        let disk = SimulatedDisk(seed: 1)
        let segments = try await Self.build(disk)
        let file = "\(Self.folder)/looks"
        let bytes = try #require(disk.contents[file])
        switch what {
        case "missing": try disk.remove(file)
        case "empty": try disk.open(file, .readWrite).truncate(0)
        case "cut": try disk.open(file, .readWrite).truncate(Int64(bytes.count - 1))
        case "another topic's": disk.overwrite(file, at: 12, with: [0, 0, 0, 9])
        default:
            try disk.remove(file)
            try disk.createDirectory(file)
        }
        let sealed = Set(segments.dropLast().map(\.file))
        #expect(try await Self.readsOfStart(disk).isSuperset(of: sealed))
        guard what != "a folder" else { return }
        #expect(disk.contents[file] == bytes)
    }

    // MARK: The machine's own disk

    @Test("a file's version stays while nobody changes it, and is another after each change")
    func versions() async throws {
        let folder = try TemporaryFolder()
        let (path, other) = (folder.file("a"), folder.file("b"))
        let disk = PosixDisk()
        for path in [path, other] {
            try disk.open(path, .create).writeAll(Array("first".utf8), at: 0)
        }
        #expect(try disk.version(of: path) == nil, "it was changed a moment ago")
        func settled() async throws -> FileVersion {
            try await eventually("\(path) was changed long ago") {
                try disk.version(of: path) != nil
            }
            return try #require(try disk.version(of: path))
        }
        let first = try await settled()
        #expect(first.byteCount == 5)
        _ = try disk.open(path, .read).read(at: 0, count: 5)
        #expect(try disk.version(of: path) == first, "it was read")
        let file = try disk.open(path, .readWrite)
        try file.writeAll(Array("again".utf8), at: 0)
        #expect(try disk.version(of: path) == nil)
        let second = try await settled()
        #expect(second != first && second.inode == first.inode && second.byteCount == 5)
        try disk.rename(other, to: path)
        #expect(try disk.version(of: path) == nil, "its name is new")
        #expect(try await settled().inode != first.inode)
        #expect(throws: DiskError.self) { try disk.version(of: folder.file("none")) }
    }
}
