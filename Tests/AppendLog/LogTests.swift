import AppendLog
import Foundation
import LogSupport
import Testing

@Suite("Logs: opening, stopping, looking at")
struct LogTests {
    let name: TopicName
    let group: GroupName

    init() throws {
        name = try TopicName("t")
        group = try GroupName("readers")
    }

    @Test("a failed sync poisons the whole log, and tells who waits for it")
    func poison() async throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try Log.open(at: "/log", disk: disk)
        let topic = try log.topic(name)
        let other = try log.topic(try TopicName("other"))
        _ = try await topic.append([makeRecord("kept")])
        let waiting = Task { await log.waitForPoison() }
        disk.faults.failing = [.sync: EIO]
        let thrown = await #expect(throws: LogError.self) {
            try await topic.append([makeRecord("lost")])
        }
        let error = try #require(thrown)
        guard case .poisoned(let failure) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(failure.operation == .sync)
        disk.faults.failing = [:]
        #expect(await waiting.value == error)
        #expect(log.poison == error)
        await #expect(throws: error) { try await topic.append([makeRecord("x")]) }
        await #expect(throws: error) { try await other.append([makeRecord("x")]) }
        await #expect(throws: error) { try await topic.waitForRecords(from: Offset(1)) }
        #expect(texts(try topic.readAll()) == ["kept"])
        await log.close()
        disk.kill()
        let again = try Log.open(at: "/log", disk: disk)
        #expect(texts(try again.topic(name).readAll()).first == "kept")
        await again.close()
    }

    @Test("a full disk refuses appends and keeps on reading; space lets it go on")
    func diskFull() async throws {
        let disk = SimulatedDisk(seed: 1)
        var configuration = LogConfiguration.small
        configuration.tailCacheBytesMax = 0
        let log = try Log.open(at: "/log", disk: disk, configuration: configuration)
        let topic = try log.topic(name)
        _ = try await topic.append([makeRecord("first")])
        disk.faults.capacityBytes = Int(Int64.max / 2) - Int(try log.freeBytes() / 2)
        disk.faults.capacityBytes = 0
        // What is allocated already still takes a while to fill.
        var appended = 1
        var refusal: LogError?
        while refusal == nil {
            do {
                _ = try await topic.append([makeRecord(String(repeating: "x", count: 500))])
                appended += 1
            } catch {
                refusal = error
            }
        }
        guard case .diskFull = refusal else {
            return #expect(Bool(false), "\(String(describing: refusal))")
        }
        #expect(refusal?.isRetryable == true)
        #expect(try topic.readAll().count == appended)
        disk.faults.capacityBytes = nil
        #expect(try await topic.append([makeRecord("on")]).lowerBound == Offset(Int64(appended)))
        await log.close()
    }

    @Test("cursors are durable, may go back, and show lag")
    func cursors() async throws {
        let folder = try ScratchFolder()
        let log = try Log.open(at: folder.log)
        let topic = try log.topic(name)
        for index in 0..<10 { _ = try await topic.append([makeRecord("\(index)")]) }
        #expect(log.cursors.committed(group: group, topic: name) == nil)
        try await log.cursors.commit(Offset(7), group: group, topic: name)
        try await log.cursors.commit(Offset(4), group: group, topic: name)
        await #expect(throws: LogError.self) {
            try await log.cursors.commit(Offset(11), group: group, topic: name)
        }
        #expect(log.cursors.groups == [group])
        #expect(
            log.cursors.positions(of: group) == [
                name: GroupPosition(committed: Offset(4), lagRecords: 6)
            ])
        await log.close()

        #expect(try Log.openReadOnly(at: folder.log).cursors == [group: [name: Offset(4)]])
        let again = try Log.open(at: folder.log)
        #expect(again.cursors.committed(group: group, topic: name) == Offset(4))
        try await again.cursors.remove(group: group)
        #expect(again.cursors.groups.isEmpty)
        await again.close()
        #expect(try Log.openReadOnly(at: folder.log).cursors.isEmpty)
    }

    @Test("the cursors' topic stays small however often they are committed")
    func cursorsStaySmall() async throws {
        let folder = try ScratchFolder()
        let log = try Log.open(at: folder.log, configuration: .small)
        let topic = try log.topic(name)
        _ = try await topic.append((0..<500).map { makeRecord("\($0)") })
        let other = try GroupName("other")
        try await log.cursors.commit(Offset(3), group: other, topic: name)
        for index in Int64(0)..<500 {
            try await log.cursors.commit(Offset(index), group: group, topic: name)
        }
        await log.close()
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.log + "/__cursors-0")
        #expect(files.filter { $0.hasSuffix(".log") }.count <= 2)
        let again = try Log.open(at: folder.log, configuration: .small)
        #expect(again.cursors.committed(group: group, topic: name) == Offset(499))
        #expect(again.cursors.committed(group: other, topic: name) == Offset(3))
        await again.close()
    }

    @Test("a log in use can be looked at from outside, without a trace")
    func readOnly() async throws {
        let folder = try ScratchFolder()
        let log = try Log.open(at: folder.log, configuration: .small)
        let topic = try log.topic(name)
        for index in 0..<100 {
            _ = try await topic.append([makeRecord("\(index)", at: Int64(index))])
        }
        func listing() throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: folder.log).sorted()
        }
        let before = try listing()
        let outside = try Log.openReadOnly(at: folder.log)
        let seen = try #require(outside.topic(name))
        #expect(seen.start == .zero)
        #expect(seen.end == Offset(100))
        #expect(seen.segments == topic.segments)
        #expect(texts(try seen.read(from: Offset(98))) == ["98", "99"])
        #expect(try seen.offset(at: Timestamp(milliseconds: 50)) == Offset(50))
        var last: VerificationProgress?
        let report = try seen.verify { last = $0 }
        #expect(report.corruption == nil)
        #expect(report.recordCount == 100)
        #expect(last?.bytesDone == last?.bytesTotal)
        #expect(try listing() == before)
        await log.close()
    }

    @Test("a configuration out of bounds is refused by name")
    func configuration() throws {
        let folder = try ScratchFolder()
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 1
        #expect(throws: LogError.configuration("segmentBytesMax")) {
            try Log.open(at: folder.log, configuration: configuration)
        }
    }

    @Test("a folder that cannot be written is one sentence")
    func notWritable() {
        let error = #expect(throws: LogError.self) { try Log.open(at: "/proc/nowhere/log") }
        #expect(error.map { "\($0)".contains("/proc/nowhere/log") } == true)
    }
}
