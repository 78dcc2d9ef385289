import AppendLog
import LogSupport
import Testing

/// Where a topic begins: at 0, or where retention has noted that it will. A first segment that went
/// in any other way is missed.
@Suite("Where a topic begins")
struct BeginningTests {
    private static let path = "/log"
    private static let name = "a"

    private func open(_ disk: SimulatedDisk) throws -> (log: Log, scheduler: SteppedScheduler) {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 4 << 10
        configuration.preallocationBytes = 4 << 10
        configuration.indexIntervalBytes = 1
        configuration.retentionBytes = 6 << 10
        configuration.newIdentity = LogIdentity(high: 7, low: 7)
        let scheduler = SteppedScheduler()
        let log = try Log.open(
            at: Self.path, disk: disk, clock: ManualLogClock(), scheduler: scheduler,
            configuration: configuration)
        return (log, scheduler)
    }

    /// A topic of several segments of small batches, still open.
    private func grown(_ disk: SimulatedDisk) throws -> (Log, Topic, SteppedScheduler) {
        let (log, scheduler) = try open(disk)
        let topic = try log.topic(try TopicName(Self.name))
        for number in 0..<160 {
            topic.append([
                Record(
                    key: nil, value: [UInt8](repeating: UInt8(number), count: 20)[...],
                    timestamp: Timestamp(milliseconds: Int64(number)))
            ]) { _ in }
            scheduler.run()
        }
        return (log, topic, scheduler)
    }

    private func segments(_ disk: SimulatedDisk) -> [String] {
        disk.contents.keys.filter { $0.hasPrefix("/log/a-0/") && $0.hasSuffix(".log") }.sorted()
    }

    private func outcome(_ disk: SimulatedDisk) -> Result<Offset, LogError> {
        defer { disk.kill() }
        do {
            return .success(try open(disk).log.topic(try TopicName(Self.name)).start)
        } catch {
            return .failure(error as? LogError ?? .closed)
        }
    }

    /// Refused for its beginning, again and again, by who only reads too.
    private func isMissed(_ disk: SimulatedDisk) -> Bool {
        let outcomes = [outcome(disk), outcome(disk)]
        let read = #expect(throws: LogError.self) {
            try Log.openReadOnly(at: Self.path, disk: disk)
        }
        return (outcomes.map(\.failure) + [read]).allSatisfy { error in
            guard case .corrupt(let place)? = error, case .begins = place.kind else { return false }
            return true
        }
    }

    @Test(
        "a first segment that is gone is refused, before retention and after it, closed or killed")
    func gone() throws {
        for (retains, isClosed) in [(false, true), (false, false), (true, true), (true, false)] {
            let disk = SimulatedDisk(seed: 3)
            let (log, topic, scheduler) = try grown(disk)
            if retains { #expect(try topic.applyRetentionNow(needed: nil).get() > 0) }
            let start = topic.start
            if isClosed { log.close {} }
            scheduler.run()
            disk.kill()
            #expect(outcome(disk) == .success(start))
            #expect((start > .zero) == retains)
            try disk.remove(segments(disk)[0])
            #expect(isMissed(disk), "retention: \(retains), closed: \(isClosed)")
        }
    }

    @Test(
        "power cut at any moment of retention: what is left opens, at most what was to go is gone")
    func powerCuts() throws {
        let whole = SimulatedDisk(seed: 3)
        let (_, counted, _) = try grown(whole)
        let before = whole.operationCount
        _ = counted.applyRetentionNow(needed: nil)
        let end = counted.start
        for operation in before...whole.operationCount {
            for seed in UInt64(0)..<4 {
                let disk = SimulatedDisk(seed: seed)
                let (_, topic, _) = try grown(disk)
                disk.faults.powerCutAt = operation
                _ = topic.applyRetentionNow(needed: nil)
                disk.crash()
                switch outcome(disk) {
                case .success(let start): #expect(start <= end, "\(operation), \(seed)")
                case .failure(let error): Issue.record("\(operation), \(seed): \(error)")
                }
            }
        }
    }

    @Test("on a full disk retention makes room for its own note, and goes on")
    func fullDisk() throws {
        let disk = SimulatedDisk(seed: 3)
        let (_, topic, _) = try grown(disk)
        let used = disk.contents.values.reduce(0) { $0 + $1.count }
        disk.faults.capacityBytes = used
        let count = try topic.applyRetentionNow(needed: nil).get()
        #expect(count > 0)
        let start = topic.start
        disk.kill()
        #expect(outcome(disk) == .success(start))
    }

    @Test("a checkpoint of an earlier release notes no beginning, and keeps no topic from opening")
    func earlierRelease() throws {
        let disk = SimulatedDisk(seed: 3)
        let (log, topic, scheduler) = try grown(disk)
        _ = topic.applyRetentionNow(needed: nil)
        let start = topic.start
        log.close {}
        scheduler.run()
        disk.kill()
        // Without any checkpoint the topic is read from where it begins.
        try disk.remove("/log/a-0/checkpoint")
        let read = try Log.openReadOnly(at: Self.path, disk: disk)
        #expect(read.topic(try TopicName(Self.name))?.begins == .unknown)
        #expect(read.marks[try TopicName(Self.name)]?.start == start)
        #expect(outcome(disk) == .success(start))
        // From then on the new release has noted it.
        try disk.remove(segments(disk)[0])
        #expect(isMissed(disk))
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
