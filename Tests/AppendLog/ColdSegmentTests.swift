import AppendLog
import Foundation
import Testing

/// Segments that lie in a cold folder: who reads history goes on in them, and the log lets its own
/// go only once whole copies are there.
@Suite("Cold segments")
struct ColdSegmentTests {
    private let folder: ScratchFolder
    private let name: TopicName
    private let count = 200

    init() throws {
        folder = try ScratchFolder()
        name = try TopicName("webhook.received")
    }

    private var cold: String { folder.path + "/cold" }

    /// A topic of many segments: record n is made at n + 1 ms.
    private func fill() async throws -> (log: Log, topic: Topic) {
        let log = try Log.open(at: folder.log, configuration: .small)
        let topic = try log.topic(name)
        for number in 0..<count {
            _ = try await topic.append([
                makeRecord(
                    "\(number) " + String(repeating: "x", count: 100), at: Int64(number) + 1)
            ])
        }
        return (log, topic)
    }

    /// Copies the first segments to the cold folder and notes them.
    private func move(_ number: Int, of topic: Topic, in log: Log) throws -> [ColdSegment] {
        let files = FileManager.default
        try files.createDirectory(
            atPath: cold + "/webhook.received-0", withIntermediateDirectories: true)
        var index =
            try ColdIndex.read(ofLog: folder.log, identity: log.identity)
            ?? ColdIndex(log: log.identity)
        let moved = topic.segments.prefix(number).map {
            ColdSegment(
                topic: name, baseOffset: $0.baseOffset, end: $0.end, byteCount: $0.byteCount,
                digest: "d\($0.baseOffset)", folder: cold)
        }
        for segment in moved where !files.fileExists(atPath: segment.file) {
            let last = segment.file.split(separator: "/").suffix(2).joined(separator: "/")
            try files.copyItem(atPath: "\(folder.log)/\(last)", toPath: segment.file)
        }
        index.add(moved)
        try index.write(toLog: folder.log)
        return moved
    }

    private func reader(withCold: Bool = true) throws -> ReadOnlyTopic {
        try #require(try Log.openReadOnly(at: folder.log, withCold: withCold).topic(name))
    }

    private func all(_ topic: ReadOnlyTopic) throws -> [String] {
        var (found, next): ([String], Offset) = ([], topic.start)
        while next < topic.end {
            let records = try topic.read(from: next, byteCountMax: 1 << 10)
            found += texts(records)
            next = try #require(records.last).offset.advanced(by: 1)
        }
        return found
    }

    @Test("who reads history goes on where the log's own segments begin: by offset, time, batch")
    func reading() async throws {
        let (log, topic) = try await fill()
        let before = try all(try reader())
        #expect(before.count == count)
        let moved = try move(3, of: topic, in: log)
        // Both have them now: the log's own count.
        #expect(try all(try reader()) == before)
        #expect(try await log.releaseCold() == [name: 3])
        let kept = try #require(moved.last).end
        #expect(topic.start == kept)
        #expect(try reader(withCold: false).start == kept)

        let after = try reader()
        #expect(after.start == .zero)
        #expect(try all(after) == before)
        #expect(after.segments.prefix(3).map(\.file) == moved.map(\.file))
        for number in [0, 7, Int(kept.rawValue) - 1, Int(kept.rawValue), count - 1] {
            let moment = Timestamp(milliseconds: Int64(number) + 1)
            #expect(try after.offset(at: moment) == Offset(Int64(number)))
            let last = try after.lastBatch(before: Offset(Int64(number) + 1))
            #expect(last?.header.baseOffset == Offset(Int64(number)))
        }
        let report = try after.verify()
        #expect(report.recordCount == count && report.corruption == nil)
        // The log opens and takes records without the cold folder.
        await log.close()
        try FileManager.default.removeItem(atPath: cold)
        let again = try Log.open(at: folder.log, configuration: .small)
        #expect(try await again.topic(name).append([makeRecord("new")]).lowerBound.rawValue == 200)
        await again.close()
    }

    @Test("a segment that moves under a reader is read where it moved to, in whatever way")
    func movesMeanwhile() async throws {
        let (log, topic) = try await fill()
        let before = try all(try reader())
        // Each has looked at the log before anything was moved, and has no file of it open.
        let readers = try (0..<5).map { _ in try reader() }
        let own = try reader(withCold: false)
        for reader in readers + [own] { #expect(reader.segments.count > 5) }
        let moved = try move(4, of: topic, in: log)
        #expect(try await log.releaseCold() == [name: 4])
        await log.close()

        #expect(try all(readers[0]) == before)
        let third = try texts(readers[1].read(from: moved[2].baseOffset, byteCountMax: 1))
        #expect(third.first == before[Int(moved[2].baseOffset.rawValue)])
        #expect(try all(readers[1]) == before)
        #expect(readers[1].segments.prefix(4).map(\.file) == moved.map(\.file))
        #expect(try readers[2].offset(at: Timestamp(milliseconds: 1)) == .zero)
        let report = try readers[3].verify()
        #expect(report.recordCount == count && report.corruption == nil)
        #expect(throws: LogError.self) { try own.read(from: .zero) }
        // Moved, and away by then: the folder is named.
        try FileManager.default.moveItem(atPath: cold, toPath: cold + ".away")
        for body in [{ _ = try readers[4].verify() }, { _ = try readers[4].read(from: .zero) }] {
            #expect {
                try body()
            } throws: { error in
                if case LogError.coldUnreadable(_, folder: cold) = error { true } else { false }
            }
        }
    }

    @Test("a segment stays while a group still needs it, and goes when it has read it")
    func needed() async throws {
        let (log, topic) = try await fill()
        let moved = try move(4, of: topic, in: log)
        let group = try GroupName("ledger")
        try await log.cursors.commit(moved[1].end, group: group, topic: name)
        #expect(try await log.releaseCold() == [name: 2])
        #expect(try await log.releaseCold() == [name: 0])
        try await log.cursors.commit(moved[3].end, group: group, topic: name)
        #expect(try await log.releaseCold() == [name: 2])
        #expect(try all(try reader()).count == count)
        await log.close()
    }

    @Test("a segment stays whose copy is missing or cut, and so do those behind it")
    func copies() async throws {
        let (log, topic) = try await fill()
        let moved = try move(4, of: topic, in: log)
        let whole = try Data(contentsOf: URL(filePath: moved[1].file))
        try whole.dropLast(1).write(to: URL(filePath: moved[1].file))
        let start = topic.start
        await #expect(throws: LogError.self) { try await log.releaseCold() }
        #expect(topic.start == moved[0].end && start == .zero)
        try FileManager.default.removeItem(atPath: moved[1].file)
        await #expect {
            try await log.releaseCold()
        } throws: { error in
            guard case LogError.coldUnreadable(let failure, folder: cold) = error else {
                return false
            }
            return failure.path == moved[1].file
        }
        #expect(topic.start == moved[0].end)
        try whole.write(to: URL(filePath: moved[1].file))
        #expect(try await log.releaseCold() == [name: 3])
        await log.close()
    }

    @Test("a cold folder that is away is named where it is needed, and nowhere else")
    func away() async throws {
        let (log, topic) = try await fill()
        let moved = try move(3, of: topic, in: log)
        _ = try await log.releaseCold()
        await log.close()
        let files = FileManager.default
        try files.moveItem(atPath: cold, toPath: cold + ".away")
        let reader = try reader()
        #expect(reader.start == .zero)
        #expect(try texts(reader.read(from: moved[2].end)).count > 0)
        func names(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch LogError.coldUnreadable(let error, folder: cold) {
                let words = "\(LogError.coldUnreadable(error, folder: cold))"
                return words.contains(cold) && words.contains("mount")
            } catch {
                return false
            }
        }
        #expect(names { _ = try reader.read(from: .zero) })
        #expect(names { _ = try reader.readBatches(from: Offset(3)) })
        #expect(names { _ = try reader.offset(at: Timestamp(milliseconds: 4)) })
        #expect(names { _ = try reader.verify() })
        try files.moveItem(atPath: cold + ".away", toPath: cold)
        #expect(try all(try self.reader()).count == count)
    }

    @Test("a cold file with a flipped bit is damage that names its folder")
    func damaged() async throws {
        let (log, topic) = try await fill()
        let moved = try move(3, of: topic, in: log)
        _ = try await log.releaseCold()
        await log.close()
        var bytes = try Data(contentsOf: URL(filePath: moved[1].file))
        bytes[bytes.count / 2] ^= 4
        try bytes.write(to: URL(filePath: moved[1].file))
        let reader = try reader()
        #expect {
            _ = try self.all(reader)
        } throws: { error in
            guard case LogError.coldDamaged(let place, folder: cold) = error else { return false }
            return place.file == moved[1].file
        }
        #expect(throws: LogError.self) { try reader.verify() }
    }

    @Test("the index is told whole or not at all, of its log alone, and a gap is no silence")
    func index() async throws {
        let (log, topic) = try await fill()
        let moved = try move(3, of: topic, in: log)
        let read = try #require(try ColdIndex.read(ofLog: folder.log, identity: log.identity))
        #expect(read.segments == moved && read.log == log.identity)
        let path = folder.log + "/cold"
        let bytes = try Data(contentsOf: URL(filePath: path))
        let other = LogIdentity(high: 1, low: 2)
        #expect(throws: LogError.coldIndexDamaged(path: path)) {
            try ColdIndex.read(ofLog: folder.log, identity: other)
        }
        for cut in [0, 1, bytes.count / 2, bytes.count - 1] {
            try bytes.prefix(cut).write(to: URL(filePath: path))
            #expect(throws: LogError.coldIndexDamaged(path: path)) {
                try ColdIndex.read(ofLog: folder.log, identity: nil)
            }
        }
        var spaced = ColdIndex(log: log.identity)
        spaced.add([
            ColdSegment(
                topic: name, baseOffset: .zero, end: Offset(9), byteCount: 5, digest: "d",
                folder: "/mnt/a folder  of mine")
        ])
        try spaced.write(toLog: folder.log)
        #expect(try ColdIndex.read(ofLog: folder.log, identity: nil) == spaced)
        #expect(
            throws: LogError.coldGap(topic: name.rawValue, from: Offset(9), to: Offset(12))
        ) { try spaced.segments(of: name, before: Offset(12)) }
        #expect(spaced.segments(of: name, from: .zero) == spaced.segments)
        #expect(spaced.segments(of: name, from: Offset(1)).isEmpty)
        await log.close()
    }
}
