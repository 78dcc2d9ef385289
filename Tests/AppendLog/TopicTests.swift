import AppendLog
import Foundation
import LogSupport
import Testing

@Suite("Topics on a real disk")
struct TopicTests {
    let folder: ScratchFolder
    let name: TopicName

    init() throws {
        folder = try ScratchFolder()
        name = try TopicName("webhook.received")
    }

    @Test("many writers get dense offsets, each its own, and all of it survives")
    func groupCommit() async throws {
        let log = try Log.open(at: folder.log)
        let topic = try log.topic(name)
        let told = try await withThrowingTaskGroup(of: [(Offset, String)].self) { group in
            for task in 0..<64 {
                group.addTask {
                    var told: [(Offset, String)] = []
                    for index in 0..<10 {
                        let text = "\(task)-\(index)"
                        let range = try await topic.append([
                            makeRecord(text), makeRecord(text + "b"),
                        ])
                        #expect(range.lowerBound.distance(to: range.upperBound) == 2)
                        #expect(topic.highWatermark >= range.upperBound)
                        told.append((range.lowerBound, text))
                    }
                    return told
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        await log.close()
        let again = try Log.open(at: folder.log)
        let stored = try again.topic(name).readAll()
        #expect(stored.map(\.offset.rawValue) == Array(0..<Int64(stored.count)))
        #expect(stored.count == 64 * 10 * 2)
        for (offset, text) in told {
            #expect(texts([stored[Int(offset.rawValue)]]) == [text])
            #expect(texts([stored[Int(offset.rawValue) + 1]]) == [text + "b"])
        }
        #expect(again.recovery[name] == RecoveryReport())
        await again.close()
    }

    @Test("a folder has one owner, and says who it is")
    func lock() async throws {
        let log = try Log.open(at: folder.log)
        #expect(throws: LogError.locked(path: folder.log, by: getpid())) {
            try Log.open(at: folder.log)
        }
        await log.close()
        await log.close()
        await #expect(throws: LogError.closed) {
            try await log.topic(name).append([makeRecord("x")])
        }
        await (try Log.open(at: folder.log)).close()
    }

    @Test(
        "a folder has one owner, also when its lock file is removed or replaced",
        arguments: [true, false])
    func lockFileGone(isReplaced: Bool) async throws {
        let log = try Log.open(at: folder.log)
        try FileManager.default.removeItem(atPath: folder.log + "/lock")
        if isReplaced {
            try Data("1\n".utf8).write(to: URL(fileURLWithPath: folder.log + "/lock"))
        }
        // The folder itself is held; a topic's folder would be too, but only once it was touched.
        let refusal = #expect(throws: LogError.self) { try Log.open(at: folder.log) }
        guard case .locked(folder.log, _)? = refusal else {
            Issue.record("refused for another reason: \(String(describing: refusal))")
            return await log.close()
        }
        await log.close()
        await (try Log.open(at: folder.log)).close()
    }

    @Test("of a file that somebody deletes nothing is acknowledged")
    func deleted() async throws {
        let log = try Log.open(at: folder.log)
        let topic = try log.topic(name)
        _ = try await topic.append([makeRecord("here")])
        try FileManager.default.removeItem(atPath: folder.log + "/\(name)-0")
        await #expect(throws: LogError.self) { try await topic.append([makeRecord("nowhere")]) }
        guard case .poisoned(let error)? = log.poison else {
            Issue.record("it goes on: \(String(describing: log.poison))")
            return
        }
        #expect(error.code == ENOENT)
        await log.close()
    }

    @Test("who follows the tail is woken by the append, without polling")
    func followsTheTail() async throws {
        let log = try Log.open(at: folder.log)
        let topic = try log.topic(name)
        let follower = Task {
            var seen: [String] = []
            var next = Offset.zero
            while seen.count < 50 {
                try await topic.waitForRecords(from: next)
                let records = try topic.read(from: next)
                seen += texts(records)
                next = records.last?.offset.advanced(by: 1) ?? next
            }
            return seen
        }
        for index in 0..<50 { _ = try await topic.append([makeRecord("\(index)")]) }
        #expect(try await follower.value == (0..<50).map { "\($0)" })

        let cancelled = Task { try await topic.waitForRecords(from: Offset(50)) }
        cancelled.cancel()
        await #expect(throws: LogError.cancelled) { try await cancelled.value }
        let closed = Task { try await topic.waitForRecords(from: Offset(50)) }
        await log.close()
        await #expect(throws: LogError.closed) { try await closed.value }
    }

    @Test("segments roll, and reads and times are found in all of them", arguments: [0, 1 << 20])
    func rolls(tailCacheBytesMax: Int) async throws {
        var configuration = LogConfiguration.small
        configuration.tailCacheBytesMax = tailCacheBytesMax
        let log = try Log.open(at: folder.log, configuration: configuration)
        let topic = try log.topic(name)
        for index in 0..<200 {
            let text = "\(index) " + String(repeating: "x", count: 100)
            _ = try await topic.append([makeRecord(text, at: Int64(index * 10))])
        }
        #expect(topic.segments.count > 5)
        #expect(
            topic.segments.map(\.end).dropLast() == topic.segments.map(\.baseOffset).dropFirst())
        for byteCountMax in [1, 1000, 1 << 20] {
            let stored = try topic.readAll(byteCountMax: byteCountMax)
            #expect(stored.map(\.offset.rawValue) == Array(0..<200))
        }
        for offset in Int64(0)..<200 {
            #expect(
                try topic.read(from: Offset(offset), byteCountMax: 1).first?.offset
                    == Offset(offset))
            #expect(
                try topic.offset(at: Timestamp(milliseconds: offset * 10 - 3)) == Offset(offset))
        }
        #expect(try topic.offset(at: Timestamp(milliseconds: 1991)) == nil)
        #expect(try topic.read(from: Offset(200)).isEmpty)
        #expect(
            throws: LogError.offsetOutOfRange(
                requested: Offset(201), start: .zero, highWatermark: Offset(200))
        ) { try topic.read(from: Offset(201)) }
        await log.close()
    }

    @Test("retention deletes whole segments, but nothing that a group still needs")
    func retention() async throws {
        var configuration = LogConfiguration.small
        configuration.retentionBytes = 8 << 10
        let log = try Log.open(at: folder.log, configuration: configuration)
        let topic = try log.topic(name)
        let group = try GroupName("ledger")
        for index in 0..<200 {
            _ = try await topic.append([
                makeRecord("\(index) " + String(repeating: "x", count: 100))
            ])
        }
        let before = topic.segments
        try await log.cursors.commit(before[2].end, group: group, topic: name)
        #expect(try await log.applyRetention() == [name: 3])
        #expect(topic.start == before[2].end)
        #expect(throws: LogError.self) { try topic.read(from: .zero) }
        #expect(try topic.readAll().first?.offset == before[2].end)

        try await log.cursors.remove(group: group)
        #expect(try await log.applyRetention()[name] ?? 0 > 0)
        #expect(topic.byteCount <= 8 << 10)
        let kept = topic.segments
        await log.close()
        let again = try Log.open(at: folder.log, configuration: configuration)
        #expect(try again.topic(name).segments == kept)
        let files = try FileManager.default.contentsOfDirectory(
            atPath: folder.log + "/webhook.received-0")
        #expect(files.filter { $0.hasSuffix(".log") }.count == kept.count)
        #expect(files.filter { $0.hasSuffix(".deleted") }.isEmpty)
        await again.close()
    }

    @Test("a topic's folder that two logs share through a link is one log's at a time")
    func shared() async throws {
        let first = try Log.open(at: folder.path + "/first")
        _ = try await first.topic(name).append([makeRecord("a")])
        let second = try Log.open(at: folder.path + "/second")
        await second.close()
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/second/webhook.received-0",
            withDestinationPath: folder.path + "/first/webhook.received-0")
        let place = folder.path + "/second/webhook.received-0"
        #expect(throws: LogError.locked(path: place, by: getpid())) {
            try Log.open(at: folder.path + "/second")
        }
        // While it runs, too.
        let third = try Log.open(at: folder.path + "/third")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/third/webhook.received-0",
            withDestinationPath: folder.path + "/first/webhook.received-0")
        #expect(throws: LogError.locked(
            path: folder.path + "/third/webhook.received-0", by: getpid())
        ) {
            try third.topic(name)
        }
        await third.close()
        await first.close()
    }

    @Test("more segments than a process may have files are verified and listed")
    func manySegments() async throws {
        let log = try Log.open(at: folder.log, configuration: .small)
        let topic = try log.topic(name)
        for index in 0..<300 {
            _ = try await topic.append([
                makeRecord("\(index) " + String(repeating: "x", count: 3_500))
            ])
        }
        let before = openFileCount()
        #expect(topic.segments.count > 250)
        let outside = try #require(try Log.openReadOnly(at: folder.log).topic(name))
        #expect(try outside.verify().corruption == nil)
        #expect(outside.segments.count == topic.segments.count)
        var next = outside.start
        while next < outside.end {
            let records = try outside.read(from: next, byteCountMax: 1)
            next = try #require(records.last).offset.advanced(by: 1)
        }
        // Other suites have files of their own meanwhile; a leak would be hundreds.
        #expect(openFileCount() - before < 200)
        await log.close()
    }

    private func openFileCount() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
    }

    @Test("a segment and its records age")
    func ages() async throws {
        let clock = ManualLogClock(milliseconds: 1_000_000)
        var configuration = LogConfiguration.small
        configuration.segmentAgeMaxMilliseconds = 1000
        configuration.retentionAgeMilliseconds = 5000
        let log = try Log.open(at: folder.log, clock: clock, configuration: configuration)
        let topic = try log.topic(name)
        _ = try await topic.append([makeRecord("old", at: clock.now().milliseconds)])
        clock.advance(milliseconds: 1001)
        _ = try await topic.append([makeRecord("new", at: clock.now().milliseconds)])
        #expect(topic.segments.count == 2)
        #expect(try await log.applyRetention() == [name: 0])
        clock.advance(milliseconds: 4500)
        #expect(try await log.applyRetention() == [name: 1])
        #expect(texts(try topic.readAll()) == ["new"])
        clock.advance(milliseconds: 9000)
        #expect(try await log.applyRetention() == [name: 1])
        #expect(topic.start == topic.highWatermark)
        await log.close()
    }

    @Test("a producer's source is taken once, also after a restart")
    func sources() async throws {
        let producer = try ProducerName("score")
        func outputs(_ sources: [Int64]) -> [SourcedRecord] {
            sources.map { SourcedRecord(source: Offset($0), record: makeRecord("of \($0)")) }
        }
        let log = try Log.open(at: folder.log)
        let topic = try log.topic(name)
        #expect(topic.lastSource(of: producer) == nil)
        let first = try await topic.append(outputs([3, 3, 5]), producer: producer)
        #expect(first == AppendOutcome(appended: Offset(0)..<Offset(3), refusedCount: 0))
        let again = try await topic.append(outputs([3, 3, 5, 6]), producer: producer)
        #expect(again == AppendOutcome(appended: Offset(3)..<Offset(4), refusedCount: 3))
        let other = try await topic.append(outputs([5]), producer: try ProducerName("validate"))
        #expect(other.refusedCount == 0)
        await #expect(throws: LogError.sourcesOutOfOrder(source: Offset(8), after: Offset(9))) {
            try await topic.append(outputs([9, 8]), producer: producer)
        }
        await log.close()
        let reopened = try Log.open(at: folder.log)
        let same = try reopened.topic(name)
        #expect(same.lastSource(of: producer) == Offset(6))
        #expect(try await same.append(outputs([6]), producer: producer).refusedCount == 1)
        #expect(
            try same.read(from: .zero)[0].record.header("source-offset").map(Array.init)
                == Array("3".utf8))
        await reopened.close()
    }

    @Test("what cannot be appended is refused by name")
    func refusals() async throws {
        var configuration = LogConfiguration()
        configuration.queuedBytesMax = 1000
        let log = try Log.open(at: folder.log, configuration: configuration)
        let topic = try log.topic(name)
        let huge = Record(
            key: nil, value: [UInt8](repeating: 1, count: Limits.recordBytesMax)[...],
            timestamp: Timestamp(milliseconds: 0))
        let large = Record(
            key: nil, value: [UInt8](repeating: 1, count: Limits.recordBytesMax - 100)[...],
            timestamp: Timestamp(milliseconds: 0))
        let tooLarge = await #expect(throws: LogError.self) { try await topic.append([huge]) }
        guard case .recordTooLarge = tooLarge else { return #expect(Bool(false)) }
        let tooMany = await #expect(throws: LogError.self) {
            try await topic.append([large, large, large])
        }
        guard case .appendTooLarge = tooMany else { return #expect(Bool(false)) }
        #expect(try await topic.append([large]) == Offset(0)..<Offset(1))
        #expect(try topic.read(from: .zero, byteCountMax: 1).count == 1)
        #expect(try await topic.append([]) == Offset(1)..<Offset(1))
        await log.close()
    }

    @Test("a full queue refuses, and takes appends again when it has drained")
    func queueFull() async throws {
        var configuration = LogConfiguration()
        configuration.queuedBytesMax = 300
        let scheduler = SteppedScheduler()
        let log = try Log.open(at: folder.log, scheduler: scheduler, configuration: configuration)
        let topic = try log.topic(name)
        let refusals = Refusals()
        for _ in 0..<4 { topic.append([makeRecord("x")]) { refusals.add($0) } }
        #expect(refusals.errors.count == 1)
        guard case .queueFull(_, 300) = refusals.errors.first else { return #expect(Bool(false)) }
        #expect(refusals.errors.first?.isRetryable == true)
        scheduler.run()
        topic.append([makeRecord("x")]) { refusals.add($0) }
        scheduler.run()
        #expect(topic.highWatermark == Offset(4))
    }

    @Test("topics are made once, listed in order, and named by Kafka's rule")
    func names() async throws {
        let log = try Log.open(at: folder.log)
        #expect(try log.topic(name) === log.topic(name))
        _ = try log.topic(try TopicName("a"))
        #expect(log.topicNames.map(\.rawValue) == ["a", "webhook.received"])
        for bad in [
            "", ".", "..", "a/b", "a b", "ä", "__cursors", String(repeating: "x", count: 250),
        ] {
            #expect(throws: LogError.invalidTopicName(bad)) { try TopicName(bad) }
        }
        await log.close()
    }

    @Test("kafka-python reads every segment with valid checksums")
    func kafka() async throws {
        let log = try Log.open(at: folder.log, configuration: .small)
        let topic = try log.topic(name)
        let producer = try ProducerName("score")
        for index in 0..<40 {
            _ = try await topic.append(
                (0..<5).map { makeRecord("\(index) \($0) " + String(repeating: "x", count: 50)) })
            _ = try await topic.append(
                [SourcedRecord(source: Offset(Int64(index)), record: makeRecord("derived"))],
                producer: producer)
        }
        // The last one while it is open, with its zero tail; the others trimmed.
        var offset: Int64 = 0
        for segment in topic.segments {
            for batch in try KafkaPython.read(segment: URL(fileURLWithPath: segment.file)) {
                #expect(batch.crcIsValid == true)
                #expect(batch.baseOffset == offset)
                #expect(
                    batch.records.map(\.offset)
                        == (0..<batch.records.count).map { offset + Int64($0) })
                if batch.producerId != -1 { #expect(batch.producerId == producer.id) }
                offset += Int64(batch.records.count)
            }
        }
        #expect(Offset(offset) == topic.highWatermark)
        await log.close()
    }
}

/// Collects the errors that completions get.
final class Refusals: @unchecked Sendable {
    // Guarded by `lock`.
    private var stored: [LogError] = []
    private let lock = NSLock()

    func add(_ result: Result<Range<Offset>, LogError>) {
        if case .failure(let error) = result { lock.withLock { stored.append(error) } }
    }

    var errors: [LogError] { lock.withLock { stored } }
}

/// A sync interval lets appends share a sync without making a lone one wait.
@Suite("Sync interval")
struct SyncIntervalTests {
    @Test("appends that come within the interval share a sync; the records are all there, in order")
    func shared() async throws {
        let folder = try ScratchFolder()
        var configuration = LogConfiguration()
        configuration.syncIntervalMicroseconds = 20_000
        let log = try Log.open(at: folder.path + "/log", configuration: configuration)
        let topic = try log.topic(TopicName("events"))
        let record = Record(key: nil, value: [1, 2, 3], timestamp: Timestamp(milliseconds: 1))
        // The first takes a sync for itself; the others come while the interval runs.
        _ = try await topic.append([record])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = try await topic.append([record]) } }
            try await group.waitForAll()
        }
        let batches = try topic.readBatches(from: .zero, byteCountMax: 1 << 20)
        #expect(batches.map(\.header.recordCount).reduce(0, +) == 51)
        #expect(batches.count <= 4)
        await log.close()
    }

    @Test("an interval out of bounds is refused")
    func bounds() throws {
        let folder = try ScratchFolder()
        var configuration = LogConfiguration()
        configuration.syncIntervalMicroseconds = -1
        #expect(throws: LogError.configuration("syncIntervalMicroseconds")) {
            try Log.open(at: folder.path + "/log", configuration: configuration)
        }
    }
}
