import AppendLog
import Foundation
import LogSupport
import Testing

/// Bit rot and batches in the wrong place, on a small log.
@Suite("Damage")
struct DamageTests {
    static let path = "/log"
    static let folder = "/log/t-0"
    static let segment = "/log/t-0/00000000000000000000.log"
    static let batchCount = 6

    /// A log of six batches of two records; killed, or closed.
    struct Built {
        let disk: SimulatedDisk
        let values: [[UInt8]]
        /// Where each batch begins, and the last one ends.
        let positions: [Int]
    }

    static func build(isClosed: Bool) throws -> Built {
        let disk = SimulatedDisk(seed: 1)
        let scheduler = SteppedScheduler()
        let log = try open(disk, scheduler)
        let topic = try log.topic(try TopicName("t"))
        var values: [[UInt8]] = []
        var positions = [0]
        for batch in 0..<batchCount {
            let records = (0..<2).map { index in
                Record(
                    key: Array("k\(batch)".utf8)[...],
                    value: Array(
                        "value \(batch) \(index) \(String(repeating: "x", count: batch * 7))".utf8)[
                            ...],
                    timestamp: Timestamp(milliseconds: Int64(batch * 10 + index)))
            }
            values += records.map { Array($0.value ?? []) }
            topic.append(records) { _ in }
            scheduler.run()
            positions.append(Int(topic.byteCount))
        }
        if isClosed { log.close {} }
        scheduler.run()
        disk.kill()
        return Built(disk: disk, values: values, positions: positions)
    }

    static func open(_ disk: SimulatedDisk, _ scheduler: SteppedScheduler = SteppedScheduler())
        throws -> Log
    {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 8 << 10
        configuration.preallocationBytes = 4 << 10
        configuration.indexIntervalBytes = 100
        configuration.tailCacheBytesMax = 0
        configuration.newIdentity = LogIdentity(high: 1, low: 2)
        return try Log.open(
            at: path, disk: disk, clock: ManualLogClock(), scheduler: scheduler,
            configuration: configuration)
    }

    static func readAll(_ log: Log) throws -> [[UInt8]] {
        let topic = try log.topic(try TopicName("t"))
        var values: [[UInt8]] = []
        while Int64(values.count) < topic.highWatermark.rawValue {
            // Small reads, so that each batch is looked for and checked by itself.
            values += try topic.read(from: Offset(Int64(values.count)), byteCountMax: 1)
                .map { Array($0.record.value ?? []) }
        }
        return values
    }

    @Test(
        "a bit flipped after a crash is refused by offset, cut off with the last batch, or harmless"
    )
    func bitRotAfterCrash() throws {
        let end = try Self.build(isClosed: false).positions[Self.batchCount]
        for position in 0..<end {
            let built = try Self.build(isClosed: false)
            built.disk.flip(Self.segment, at: position, bit: position % 8)
            let damaged = built.disk.contents[Self.segment]
            let batch = (built.positions.firstIndex { $0 > position } ?? 0) - 1
            do {
                let values = try Self.readAll(try Self.open(built.disk))
                if values == built.values { continue }
                #expect(batch == Self.batchCount - 1, "lost something with byte \(position)")
                #expect(values == built.values.dropLast(2), "byte \(position)")
            } catch LogError.corrupt(let corruption) {
                #expect(corruption.file == Self.segment)
                #expect(corruption.offset == Offset(Int64(batch * 2)), "byte \(position)")
                #expect(
                    built.disk.contents[Self.segment] == damaged, "byte \(position): changed it")
                #expect(throws: LogError.corrupt(corruption)) { try Self.open(built.disk) }
            }
        }
    }

    @Test(
        "a bit flipped after a clean shutdown is never cut off: start, reading or verify names it"
    )
    func bitRotAfterClose() throws {
        let end = try Self.build(isClosed: true).positions[Self.batchCount]
        for position in 0..<end {
            let built = try Self.build(isClosed: true)
            built.disk.flip(Self.segment, at: position, bit: position % 8)
            let batch = (built.positions.firstIndex { $0 > position } ?? 0) - 1
            let contents = built.disk.contents
            do {
                let log = try Self.open(built.disk)
                #expect(try log.topic(try TopicName("t")).highWatermark == Offset(12))
                let outside = try Log.openReadOnly(at: Self.path, disk: built.disk)
                let verified = try outside.topics[0].verify().corruption
                #expect(verified?.offset == Offset(Int64(batch * 2)), "byte \(position)")
                #expect(try Self.readAll(log) == built.values, "byte \(position)")
            } catch LogError.corrupt(let corruption) {
                #expect(corruption.offset == Offset(Int64(batch * 2)), "byte \(position)")
                guard batch == Self.batchCount - 1 else { continue }
                // What was acknowledged last is looked at before anything is written.
                #expect(built.disk.contents[Self.segment] == contents[Self.segment])
                #expect(throws: LogError.corrupt(corruption)) { try Self.open(built.disk) }
            }
        }
    }

    @Test(
        "a damaged index, time index or checkpoint is rebuilt",
        arguments: [".index", ".timeindex", "checkpoint"])
    func damagedIndex(suffix: String) throws {
        let built = try Self.build(isClosed: true)
        let path =
            suffix == "checkpoint"
            ? Self.folder + "/checkpoint" : Self.folder + "/00000000000000000000" + suffix
        let size = try #require(built.disk.contents[path]?.count)
        #expect(size > 0)
        for position in 0..<size {
            let built = try Self.build(isClosed: true)
            built.disk.flip(path, at: position, bit: position % 8)
            #expect(try Self.readAll(try Self.open(built.disk)) == built.values, "byte \(position)")
        }
        try built.disk.remove(path)
        #expect(try Self.readAll(try Self.open(built.disk)) == built.values)
    }

    @Test("a batch in another's place is refused", arguments: 0..<6, 0..<6)
    func misdirected(from: Int, to: Int) throws {
        guard from != to else { return }
        for isClosed in [false, true] {
            let built = try Self.build(isClosed: isClosed)
            let bytes = try #require(built.disk.contents[Self.segment])
            let batch = Array(bytes[built.positions[from]..<built.positions[from + 1]])
            built.disk.overwrite(Self.segment, at: built.positions[to], with: batch)
            let error = #expect(throws: LogError.self) {
                try Self.readAll(try Self.open(built.disk))
            }
            guard case .corrupt(let corruption) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(corruption.offset == Offset(Int64(to * 2)))
        }
    }

    @Test("a lost write in the middle is refused, with a note beside the segment")
    func lostWrite() throws {
        let built = try Self.build(isClosed: false)
        let range = built.positions[2]..<built.positions[3]
        built.disk.overwrite(
            Self.segment, at: range.lowerBound, with: [UInt8](repeating: 0, count: range.count))
        let error = #expect(throws: LogError.self) { try Self.open(built.disk) }
        #expect(
            error
                == .corrupt(
                    Corruption(
                        file: Self.segment, position: Int64(range.lowerBound), offset: Offset(4),
                        kind: .missing)))
        let note = built.disk.contents[Self.folder + "/00000000000000000000.quarantine"]
        #expect(String(decoding: note ?? [], as: UTF8.self).contains("offset 4"))
    }

    @Test("a log shorter than its checkpoint is refused")
    func shortened() throws {
        let built = try Self.build(isClosed: true)
        let file = try built.disk.open(Self.segment, .readWrite)
        try file.truncate(Int64(built.positions[5]))
        let error = #expect(throws: LogError.self) { try Self.open(built.disk) }
        guard case .corrupt(let corruption) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(corruption.kind == .missing)
    }

    @Test("a segment that is gone is refused")
    func missingSegment() throws {
        let built = try Self.build(isClosed: true)
        try built.disk.remove(Self.segment)
        #expect(throws: LogError.self) { try Self.open(built.disk) }
    }
}
