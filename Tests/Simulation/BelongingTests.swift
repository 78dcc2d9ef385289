import AppendLog
import Foundation
import LogSupport
import Testing

/// Files that are whole, but not where they belong: of another topic, another log, under another
/// name, or with a gap between them.
@Suite("Files where they do not belong")
struct BelongingTests {
    static let path = "/log"

    /// A log of two topics, four segments each, closed.
    private func build(
        _ identity: LogIdentity? = LogIdentity(high: 7, low: 7), isClosed: Bool = true
    ) throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 3)
        let scheduler = SteppedScheduler()
        let log = try open(disk, scheduler, identity)
        for name in ["a", "b"] {
            let topic = try log.topic(try TopicName(name))
            for number in 0..<16 {
                topic.append([
                    Record(
                        key: Array("k".utf8)[...],
                        value: Array(repeating: UInt8(number + 1), count: 900)[...],
                        headers: [RecordHeader("name", "value")],
                        timestamp: Timestamp(milliseconds: Int64(number)))
                ]) { _ in }
                scheduler.run()
            }
        }
        if isClosed { log.close {} }
        scheduler.run()
        disk.kill()
        return disk
    }

    @discardableResult
    private func open(
        _ disk: SimulatedDisk, _ scheduler: SteppedScheduler = SteppedScheduler(),
        _ identity: LogIdentity? = nil
    ) throws -> Log {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 4 << 10
        configuration.preallocationBytes = 4 << 10
        configuration.indexIntervalBytes = 512
        configuration.newIdentity = identity
        return try Log.open(
            at: Self.path, disk: disk, clock: ManualLogClock(), scheduler: scheduler,
            configuration: configuration)
    }

    private func segments(_ topic: String, _ disk: SimulatedDisk) -> [String] {
        disk.contents.keys.filter { $0.hasPrefix("/log/\(topic)-0/") && $0.hasSuffix(".log") }
            .sorted()
    }

    private func copy(
        _ source: String, _ from: SimulatedDisk, to target: String, _ disk: SimulatedDisk
    ) throws {
        let bytes = try #require(from.contents[source])
        let file = try disk.open(target, .create)
        _ = try file.write(bytes, 0..<bytes.count, at: 0)
        try file.sync()
    }

    /// Refused twice with the same error, with the same files, by a reader too.
    private func refused(_ disk: SimulatedDisk, _ what: String) {
        let before = disk.contents
        let first = #expect(throws: LogError.self, "\(what)") { try open(disk) }
        disk.kill()
        let second = #expect(throws: LogError.self, "\(what)") { try open(disk) }
        disk.kill()
        #expect(first == second, "\(what)")
        #expect(disk.contents == before, "\(what): changed")
        #expect(throws: LogError.self, "\(what)") {
            try Log.openReadOnly(at: Self.path, disk: disk, checksSegments: true)
        }
    }

    @Test("a gap between segments is refused, wherever it is")
    func gap() throws {
        for place in 0..<4 {
            let disk = try build()
            let names = segments("a", disk)
            #expect(names.count == 4)
            try disk.remove(names[place])
            refused(disk, "segment \(place) is gone")
        }
    }

    @Test("a segment that ends early is refused, wherever it is")
    func shortened() throws {
        for place in 0..<4 {
            let disk = try build()
            let file = try disk.open(segments("a", disk)[place], .readWrite)
            try file.truncate(try file.size() - 10)
            refused(disk, "segment \(place) is cut")
        }
    }

    @Test("a bit flipped in the last batch of any segment is refused, also after a crash")
    func flipped() throws {
        for isClosed in [true, false] {
            for place in 0..<4 {
                let disk = try build(isClosed: isClosed)
                // Nothing but the bytes tells of it: who trusts a file system's times reads on.
                disk.faults.tellsNoVersions = true
                let name = segments("a", disk)[place]
                let used = try #require(disk.contents[name]?.lastIndex { $0 != 0 })
                disk.flip(name, at: used - 3, bit: 2)
                refused(disk, "segment \(place), closed: \(isClosed)")
            }
        }
    }

    @Test("two segments under each other's names are refused")
    func renamed() throws {
        let disk = try build()
        let names = segments("a", disk)
        let other = try build()
        try copy(names[1], other, to: names[2], disk)
        try copy(names[2], other, to: names[1], disk)
        refused(disk, "exchanged")
    }

    @Test("segments of another topic, and of another log, are refused at the same offsets")
    func foreign() throws {
        for place in 0..<4 {
            let disk = try build()
            let (a, b) = (segments("a", disk), segments("b", disk))
            try copy(b[place], disk, to: a[place], disk)
            refused(disk, "segment \(place) of b in a")

            let mine = try build()
            try copy(a[place], try build(LogIdentity(high: 8, low: 8)), to: a[place], mine)
            refused(mine, "segment \(place) of another log")
        }
    }

    @Test("a checkpoint of another topic is not believed; the log is read instead")
    func foreignCheckpoint() throws {
        let disk = try build()
        try copy("/log/b-0/checkpoint", disk, to: "/log/a-0/checkpoint", disk)
        let log = try open(disk)
        #expect(try log.topic(try TopicName("a")).highWatermark == Offset(16))
    }

    @Test("a lost identity is found in the checkpoints; without them nobody guesses")
    func identity() throws {
        let identity = LogIdentity(high: 7, low: 7)
        let disk = try build(identity)
        try disk.remove("/log/identity")
        #expect(try open(disk).identity == identity)
        disk.kill()

        try disk.remove("/log/identity")
        for topic in ["a", "b", "__cursors"] { try disk.remove("/log/\(topic)-0/checkpoint") }
        #expect(throws: LogError.identityUnknown(path: "/log/identity")) { try open(disk) }
    }

    @Test("marks say how far each topic has come, and with which batch")
    func marks() throws {
        let disk = try build()
        let log = try Log.openReadOnly(at: Self.path, disk: disk)
        for topic in log.topics {
            let mark = try #require(log.marks[topic.name])
            #expect(mark.end == Offset(16))
            #expect(mark.checksum != nil)
            #expect(try topic.checksum(before: mark.end) == mark.checksum)
        }
    }
}
