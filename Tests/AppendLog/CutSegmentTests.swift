import AppendLog
import LogSupport
import Synchronization
import Testing

/// Somebody cuts a file of a log that is open, by a mistaken `truncate` or by shrinking its file
/// system. The log cannot mend it; it must say what is gone, and go on with what is not.
@Suite("A segment that is cut under an open log")
struct CutSegmentTests {
    private static let path = "/log"
    private static let count = 48

    /// What a read of one record came to.
    private enum Answer: Equatable {
        case record(String)
        case corrupt(file: String)
        case other(String)

        init(_ body: () throws -> String?) {
            do {
                self = .record(try body() ?? "nothing")
            } catch LogError.corrupt(let corruption) {
                self = .corrupt(file: corruption.file)
            } catch {
                self = .other("\(error)")
            }
        }
    }

    /// Whoever reads a topic, by offset and by time.
    private struct Reader {
        var name: String
        var read: (Offset) throws -> [StoredRecord]
        var find: (Timestamp) throws -> Offset?
    }

    private static func text(_ number: Int) -> String {
        "\(number) " + String(repeating: "x", count: 150 + number)
    }

    /// A topic of several segments, of which every read asks the disk: record n is batch n, made at
    /// n + 1 ms.
    private static func fill(_ disk: any Disk) async throws -> (log: Log, topic: Topic) {
        var configuration = LogConfiguration.small
        configuration.tailCacheBytesMax = 0
        let log = try Log.open(at: path, disk: disk, configuration: configuration)
        let topic = try log.topic(TopicName("t"))
        for number in 0..<count {
            _ = try await topic.append([makeRecord(text(number), at: Int64(number) + 1)])
        }
        return (log, topic)
    }

    /// Where each batch of a segment ends in its file.
    private static func ends(_ segment: SegmentSummary, _ topic: Topic) throws -> [Offset: Int64] {
        var (ends, position): ([Offset: Int64], Int64) = ([:], 0)
        for batch in try topic.readBatches(from: segment.baseOffset)
        where batch.header.baseOffset < segment.end {
            position += Int64(batch.bytes.count)
            ends[batch.header.baseOffset] = position
        }
        return ends
    }

    @Test(
        "is told by its name, wherever it was cut, and the other segments are read as before",
        arguments: [0, 1, 2])
    func anywhere(place: Int) async throws {
        let disk = SimulatedDisk(seed: 1)
        let (log, topic) = try await Self.fill(disk)
        let segments = topic.segments
        #expect(segments.count == 3)
        let segment = segments[place]
        let ends = try Self.ends(segment, topic)
        let whole = try #require(disk.contents[segment.file])
        let last = try #require(ends.values.max())
        let file = try disk.open(segment.file, .readWrite)
        for cut in Set(ends.values.flatMap { [$0 - 1, $0] } + stride(from: 0, to: last, by: 41))
        where cut < last {
            // One that has seen the folder whole and has opened nothing, and one that has it open.
            let fresh = try #require(
                Log.openReadOnly(at: Self.path, disk: disk).topic(topic.name))
            try file.truncate(cut)
            for reader in [
                Reader(
                    name: "the log", read: { try topic.read(from: $0, byteCountMax: 1) },
                    find: topic.offset(at:)),
                Reader(
                    name: "another", read: { try fresh.read(from: $0, byteCountMax: 1) },
                    find: fresh.offset(at:)),
            ] {
                Self.check(reader, of: segment, ends: ends, cut: cut)
            }
            disk.overwrite(segment.file, at: 0, with: whole)
        }
        #expect(try topic.readAll().count == Self.count)
        await log.close()
    }

    private static func check(
        _ reader: Reader, of segment: SegmentSummary, ends: [Offset: Int64], cut: Int64
    ) {
        let refused = Answer.corrupt(file: segment.file)
        for number in 0..<count {
            let offset = Offset(Int64(number))
            let (record, place) = (Answer.record(text(number)), Answer.record("\(number)"))
            let read = Answer { texts(try reader.read(offset)).first }
            let found = Answer {
                try reader.find(Timestamp(milliseconds: Int64(number) + 1)).map {
                    "\($0.rawValue)"
                }
            }
            let about = "\(number) by \(reader.name), cut at \(cut)"
            guard let end = ends[offset] else {
                #expect(read == record, "\(about)")
                // A search that looks through the segment on its way may stop there.
                #expect(found == place || offset >= segment.end && found == refused, "\(about)")
                continue
            }
            if end > cut {
                #expect(read == refused, "\(about)")
                #expect(found == refused, "\(about)")
            } else {
                // What is left of the file may be refused with the rest of it, but is not wrong.
                #expect(read == record || read == refused, "\(about)")
                #expect(found == place || found == refused, "\(about)")
            }
        }
    }

    @Test("in the middle of a read is told too, at each call of that read")
    func midway() async throws {
        let disk = SimulatedDisk(seed: 1)
        let countdown = Mutex<(left: Int, cut: Int64)?>(nil)
        // Cuts the file before the call that was chosen; the segment is the topic's only one.
        let segment = Self.path + "/t-0/00000000000000000000.log"
        let watched = SyncingDisk(
            disk,
            willRead: { path in
                guard path == segment else { return }
                let cut = countdown.withLock { countdown -> Int64? in
                    guard let (left, cut) = countdown else { return nil }
                    countdown = left > 1 ? (left - 1, cut) : nil
                    return left == 1 ? cut : nil
                }
                if let cut { try? disk.open(path, .readWrite).truncate(cut) }
            })
        var configuration = LogConfiguration()
        configuration.tailCacheBytesMax = 0
        let log = try Log.open(at: Self.path, disk: watched, configuration: configuration)
        let topic = try log.topic(TopicName("t"))
        let long = (0..<4).map { "\($0) " + String(repeating: "x", count: 400_000) }
        for text in long { _ = try await topic.append([makeRecord(text)]) }
        let whole = try #require(disk.contents[segment])
        var refusedCount = 0
        for call in 1...8 {
            for cut in [0, 30, 300_000, 400_200, 400_300, 900_000, 1_250_000] as [Int64] {
                countdown.withLock { $0 = (call, cut) }
                let answer = Answer {
                    texts(try topic.read(from: .zero, byteCountMax: 4 << 20)).joined()
                }
                countdown.withLock { $0 = nil }
                disk.overwrite(segment, at: 0, with: whole)
                // A read may end with the last batch that it has, but never with a part of one.
                let wholes = (1...4).map { Answer.record(long[..<$0].joined()) }
                #expect(
                    answer == .corrupt(file: segment) || wholes.contains(answer),
                    "cut at \(cut) before call \(call)")
                if answer == .corrupt(file: segment) { refusedCount += 1 }
            }
        }
        #expect(refusedCount > 10)
        #expect(try topic.readAll().count == long.count)
        await log.close()
    }

    /// Tells tasks that nothing changes any more.
    private final class End: Sendable {
        let hasCome = Atomic(false)
    }

    @Test("a real file that is cut while others read never ends the process")
    func realFile() async throws {
        let folder = try ScratchFolder()
        var configuration = LogConfiguration.small
        configuration.tailCacheBytesMax = 0
        let log = try Log.open(at: folder.log, configuration: configuration)
        let topic = try log.topic(TopicName("t"))
        for number in 0..<Self.count { _ = try await topic.append([makeRecord(Self.text(number))]) }
        let segment = topic.segments[1]
        let end = End()
        /// Reads everything again and again, the last time when nothing changes any more.
        @Sendable func read() -> [Answer] {
            while true {
                let isLast = end.hasCome.load(ordering: .acquiring)
                let answers = (0..<Self.count).map { number in
                    Answer { texts(try topic.read(from: Offset(Int64(number)))).first }
                }
                for (number, answer) in answers.enumerated() {
                    let isSound =
                        answer == .record(Self.text(number))
                        || answer == .corrupt(file: segment.file)
                    #expect(isSound, "\(number): \(answer)")
                }
                if isLast { return answers }
            }
        }
        try await withThrowingTaskGroup(of: [Answer].self) { group in
            for _ in 0..<3 { group.addTask { read() } }
            let file = try PosixDisk().open(segment.file, .readWrite)
            for size in stride(from: segment.byteCount, through: 0, by: -7) {
                try file.truncate(size)
            }
            end.hasCome.store(true, ordering: .releasing)
            for try await last in group {
                for (number, answer) in last.enumerated() {
                    let isGone = (segment.baseOffset..<segment.end).contains(Offset(Int64(number)))
                    #expect((answer == .corrupt(file: segment.file)) == isGone, "\(number)")
                }
            }
        }
        await log.close()
    }
}
