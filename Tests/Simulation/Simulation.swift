import AppendLog
import Foundation
import LogSupport
import Synchronization

/// One history: a run of appends, reads, commits and so on, that is a function of its seed, with
/// faults.
///
/// Everything happens on the caller's thread, in steps; nothing sleeps.
final class Simulation {
    /// What a history may contain besides power cuts.
    struct Options {
        var stepCount = 40
        var retention = true
        var shortWrites = true
        /// The number of the operation during which the power fails.
        var powerCutAt: Int?
        /// Error numbers by operation.
        var failures: [Int: Int32] = [:]
        /// Whether syncs are retried after a failure, as a log must never do.
        var retriesSync = false
        var faults = SimulatedDisk.Faults()
        /// Where the history notes what it came to; nil if nobody asks.
        var visits: Visits?
    }

    static let path = "/log"
    static let topics = ["alpha", "beta"].compactMap { try? TopicName($0) }
    static let groups = ["readers", "ledger"].compactMap { try? GroupName($0) }
    static let producers = ["score", "validate"].compactMap { try? ProducerName($0) }

    let disk: SimulatedDisk
    let clock = ManualLogClock()
    var scheduler = SteppedScheduler()
    var generator: SeededGenerator
    let options: Options
    var log: Log?
    /// As long as the log is open.
    var openTopics: [TopicName: Topic] = [:]
    /// What it came to since the log was opened; see `Visits`.
    var sinceOpening: Set<SimulationState> = []
    /// Whether the history may close the log and open it again.
    var isReopening = true

    var models: [TopicName: TopicModel] = [:]
    var cursors: [CursorKey: CursorModel] = [:]
    /// What the log has answered since it was last asked.
    let answers = Answers()
    /// Values are numbered, so that every record is unlike any other.
    var valueCount = 0

    enum Answer: Sendable {
        case append(TopicName, Int, Result<AppendOutcome, LogError>)
        case cursor(GroupName, TopicName, Int, Result<Void, LogError>)
    }

    init(seed: UInt64, options: Options = Options()) {
        generator = SeededGenerator(seed: seed)
        self.options = options
        disk = SimulatedDisk(seed: seed ^ 0xD15C)
        var faults = options.faults
        faults.powerCutAt = options.powerCutAt
        faults.failures = options.failures
        if options.shortWrites, seed % 3 == 0 { faults.shortWriteOneIn = 3 }
        disk.faults = faults
        for topic in Self.topics { models[topic] = TopicModel() }
    }

    static func configuration(retention: Bool) -> LogConfiguration {
        var configuration = LogConfiguration()
        configuration.newIdentity = LogIdentity(high: 3, low: 4)
        configuration.segmentBytesMax = 16 << 10
        configuration.segmentAgeMaxMilliseconds = 60_000
        configuration.preallocationBytes = 8 << 10
        configuration.indexIntervalBytes = 512
        configuration.batchBytesMax = 4 << 10
        configuration.batchRecordsMax = 12
        configuration.checkpointBytes = 6 << 10
        configuration.tailCacheBytesMax = 4 << 10
        if retention { configuration.retentionBytes = 40 << 10 }
        return configuration
    }

    /// What a log must never do: call sync again when it failed. The second call succeeds, over
    /// pages that are lost.
    private static func retrying(_ disk: SimulatedDisk) -> SyncingDisk {
        SyncingDisk(disk) { _, file throws(DiskError) in
            do { try file.sync() } catch { try file.sync() }
        }
    }

    // MARK: The log's life

    func open() throws {
        scheduler = SteppedScheduler()
        do {
            log = try Log.open(
                at: Self.path, disk: options.retriesSync ? Self.retrying(disk) : disk, clock: clock,
                scheduler: scheduler,
                configuration: Self.configuration(retention: options.retention))
            for topic in Self.topics { openTopics[topic] = try log?.topic(topic) }
            noteOpening()
        } catch {
            log = nil
            throw error
        }
    }

    func topic(_ name: TopicName) throws -> Topic {
        guard let log else { throw SimulationFailure(what: "the log is not open") }
        return try log.topic(name)
    }

    /// Whether the history holds a full disk.
    var mayRunOut: Bool {
        disk.faults.capacityBytes != nil || options.failures.values.contains(ENOSPC)
    }

    /// Whether the log has stopped, and the history with it.
    var isOver: Bool { disk.isPowerOff || log == nil || log?.poison != nil }

    /// Steps until the end, or until the log stops.
    func run(steps: Int) throws {
        for _ in 0..<steps where !isOver {
            try step()
            try takeAnswers()
        }
        // What is still queued runs to its end, or into the fault.
        scheduler.run()
        try takeAnswers()
    }

    private func step() throws {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<30: try appendPlain()
        case 30..<50: try appendSourced()
        case 50..<75: scheduler.step(using: &generator)
        case 75..<83: try commitCursor()
        case 83..<84: removeGroup()
        case 84..<92: try checkRead()
        case 92..<94: clock.advance(milliseconds: Int64.random(in: 1...40_000, using: &generator))
        case 94..<97: try applyRetention()
        case 97..<98 where isReopening: try reopenCleanly()
        default: scheduler.run()
        }
    }

    func reopenCleanly() throws {
        let isClosed = Mutex(false)
        log?.close { isClosed.withLock { $0 = true } }
        scheduler.run()
        try takeAnswers()
        guard isClosed.withLock({ $0 }) else { throw SimulationFailure(what: "close never ended") }
        if isOver { return }
        let before = models
        do {
            try open()
        } catch {
            // The fault came while the log was opened again.
            guard disk.isPowerOff || !options.failures.isEmpty else { throw error }
            return
        }
        for (name, model) in before where try topic(name).highWatermark != model.highWatermark {
            throw SimulationFailure(what: "\(name) changed over a clean shutdown")
        }
        // A full disk may have kept the last checkpoint from being written.
        for report in log?.recovery.values ?? [:].values
        where report != RecoveryReport() && !mayRunOut {
            throw SimulationFailure(what: "a clean shutdown needed recovery: \(report)")
        }
    }

    // MARK: Steps

    private func someTopic() -> TopicName {
        Self.topics[Int.random(in: 0..<Self.topics.count, using: &generator)]
    }

    private func someValue() -> [UInt8] {
        valueCount += 1
        // Mostly small, sometimes several pages.
        let count =
            generator.isOne(in: 8)
            ? Int.random(in: 0...9000, using: &generator)
            : Int.random(in: 0...300, using: &generator)
        var filler = SeededGenerator(seed: UInt64(valueCount))
        return Array("\(valueCount):".utf8)
            + (0..<count).map { _ in UInt8(truncatingIfNeeded: filler.next()) }
    }

    private func record(_ value: [UInt8]) -> Record {
        let skew = Int64.random(in: -5...5, using: &generator)
        return Record(
            key: nil, value: value[...],
            timestamp: Timestamp(milliseconds: clock.now().milliseconds + skew))
    }

    private func appendPlain() throws {
        let name = someTopic()
        let values = (0..<Int.random(in: 1...4, using: &generator)).map { _ in someValue() }
        let index = models[name]?.appends.count ?? 0
        models[name]?.appends.append(TopicModel.Append(values: values))
        try topic(name).append(values.map(record)) { [answers] result in
            let outcome = result.map { AppendOutcome(appended: $0, refusedCount: 0) }
            answers.add(.append(name, index, outcome))
        }
    }

    /// A stage's append; now and then it repeats itself, as after a crash.
    private func appendSourced() throws {
        let name = someTopic()
        let producer = Self.producers[Int.random(in: 0..<2, using: &generator)]
        var source = models[name]?.nextSource[producer] ?? 0
        if generator.isOne(in: 3) {
            source = max(0, source - Int64.random(in: 1...3, using: &generator))
        }
        var outputs: [SourcedRecord] = []
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let count = Int.random(in: 1...2, using: &generator)
            for _ in 0..<count {
                var record = record(someValue())
                record.headers = [
                    RecordHeader("producer", producer.rawValue),
                    RecordHeader("outputs", "\(count)"),
                ]
                outputs.append(SourcedRecord(source: Offset(source), record: record))
            }
            source += Int64.random(in: 1...2, using: &generator)
        }
        let known = models[name]?.nextSource[producer] ?? 0
        models[name]?.nextSource[producer] = max(source, known)
        let index = models[name]?.appends.count ?? 0
        models[name]?.appends.append(
            TopicModel.Append(
                values: outputs.map { Array($0.record.value ?? []) }, producer: producer,
                sources: outputs.map(\.source)))
        try topic(name).append(outputs, producer: producer) { [answers] result in
            answers.add(.append(name, index, result))
        }
    }

    private func commitCursor() throws {
        let name = someTopic()
        let group = Self.groups[Int.random(in: 0..<2, using: &generator)]
        let end = try topic(name).highWatermark.rawValue
        let offset = Offset(Int64.random(in: max(0, end - 10)...end, using: &generator))
        let key = CursorKey(group: group, topic: name)
        cursors[key, default: CursorModel()].requested.append(offset)
        let index = cursors[key].map { $0.requested.count - 1 } ?? 0
        log?.cursors.commit(offset, group: group, topic: name) { [answers] result in
            answers.add(.cursor(group, name, index, result))
        }
    }

    private func removeGroup() {
        // Only a settled group, so that the model need not order removals among commits.
        let group = Self.groups[1]
        scheduler.run()
        try? takeAnswers()
        guard !isOver else { return }
        for topic in Self.topics {
            cursors[CursorKey(group: group, topic: topic)]?.requested.append(nil)
        }
        let isDone = Mutex(false)
        log?.cursors.remove(group: group) { result in
            if case .success = result { isDone.withLock { $0 = true } }
        }
        scheduler.run()
        guard isDone.withLock({ $0 }) else { return }
        for topic in Self.topics { cursors[CursorKey(group: group, topic: topic)] = nil }
    }

    private func applyRetention() throws {
        for name in Self.topics where !isOver {
            let topic = try topic(name)
            let needed = log?.cursors.smallest(in: name)
            // Until the log has said so, anything that no group needs may go.
            let limit = min(needed ?? topic.highWatermark, topic.highWatermark)
            let known = models[name]?.deletableBefore ?? .zero
            models[name]?.deletableBefore = max(known, limit)
            let before = topic.start
            let isAppending = models[name]?.appends.contains { $0.outcome == nil } ?? false
            _ = topic.applyRetentionNow(needed: needed)
            if isAppending, topic.start > before { visit(.retentionDuringAppend) }
            if let needed, topic.start > before, topic.start > needed {
                throw SimulationFailure(
                    what: "retention went past a group at \(needed) to \(topic.start)")
            }
        }
    }

    // MARK: Answers

    /// Notes what the log said, and whether it may say so.
    func takeAnswers() throws {
        for answer in answers.take() {
            switch answer {
            case .append(let name, let index, let result):
                models[name]?.appends[index].outcome = result
                if case .success(let outcome) = result { try didAppend(name, index, outcome) }
                if case .failure(let error) = result { try check(error) }
            case .cursor(let group, let name, let index, let result):
                let key = CursorKey(group: group, topic: name)
                guard case .success = result else { continue }
                guard let requested = cursors[key]?.requested, index < requested.count else {
                    continue
                }
                cursors[key]?.durable = requested[index]
                // Later requests may still turn up; earlier ones may not.
                cursors[key]?.settled = index + 1
            }
        }
    }

    private func check(_ error: LogError) throws {
        noteFailure(error)
        switch error {
        case .poisoned, .closed: return
        case .diskFull where mayRunOut: return
        default: throw SimulationFailure(what: "an append failed with \(error)")
        }
    }

    private func didAppend(_ name: TopicName, _ index: Int, _ outcome: AppendOutcome) throws {
        guard var model = models[name] else { return }
        noteAppend(outcome, to: name)
        let append = model.appends[index]
        guard
            Int(outcome.appended.lowerBound.distance(to: outcome.appended.upperBound))
                + outcome.refusedCount
                == append.values.count
        else { throw SimulationFailure(what: "append of \(append.values.count) got \(outcome)") }
        if !outcome.appended.isEmpty, outcome.appended.lowerBound != model.highWatermark {
            throw SimulationFailure(
                what: "\(name): \(outcome) does not follow \(model.highWatermark)")
        }
        // Sources do not decrease, so what was refused came first.
        for (place, value) in append.values.dropFirst(outcome.refusedCount).enumerated() {
            model.durable[outcome.appended.lowerBound.advanced(by: Int64(place))] = value
        }
        if let producer = append.producer {
            let last = model.lastSource[producer] ?? Offset(-1)
            guard outcome.refusedCount == append.sources.count(where: { $0 <= last }) else {
                throw SimulationFailure(
                    what: "\(name): \(outcome) of \(append.sources) after \(last)")
            }
            model.lastSource[producer] = max(last, append.sources.last ?? last)
        }
        model.highWatermark = max(model.highWatermark, outcome.appended.upperBound)
        models[name] = model
    }
}

/// What the log has answered since somebody looked.
final class Answers: Sendable {
    private let answers = Mutex<[Simulation.Answer]>([])

    func add(_ answer: Simulation.Answer) { answers.withLock { $0.append(answer) } }

    func take() -> [Simulation.Answer] {
        answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }
}
