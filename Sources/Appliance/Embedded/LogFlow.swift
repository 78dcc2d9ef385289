package import AppendLog
package import Logging
import ServiceLifecycle
package import Vocabulary

/// The flow of the embedded plane: topics of this process's own log.
///
/// Exactly once between topics: the outputs carry the offset they were derived from and the log
/// refuses those it has, so a run that died anywhere below repeats itself harmlessly.
///
///     read ─▶ (the step) ─▶ append (all topics, synced) ─▶ position ─▶ cursor, now and then
///                  ▲                                                      │
///                  └───────────── a crash resumes at the cursor ──────────┘
package struct LogFlow: Flow {
    private let log: Log
    private let topics: Topics
    private let step: FlowStep
    private let logger: Logger
    private let checkpoint: LogCheckpoint
    private let patience: DiskPatience
    private let deadLetters: RationedLog

    /// What is read next, and up to where everything is done, by input.
    private var reading: [TopicID: Offset]
    private var done: [TopicID: Offset]
    /// What a restart would resume from, and when that was stored.
    private var saved: (done: [TopicID: Offset], at: ContinuousClock.Instant)
    /// The positions that who looks from outside knows of.
    private var told: (done: [TopicID: Offset], at: ContinuousClock.Instant)
    private var hasBegun = false
    private var drainUntil: ContinuousClock.Instant?
    private var gathering = Gathering()

    /// - Parameters:
    ///   - start: where to begin; an input that it does not name begins at the step's cursor.
    ///   - rewind: where to begin if the cursor is beyond it, by input.
    package init(
        log: Log, topics: Topics, step: FlowStep, checkpoint: LogCheckpoint = .cursor,
        start: [TopicID: Offset] = [:], rewind: [TopicID: Offset] = [:],
        standstills: Standstills = Standstills(), logger: Logger
    ) throws(LogError) {
        self.log = log
        self.topics = topics
        self.step = step
        self.checkpoint = checkpoint
        self.logger = logger
        patience = DiskPatience(stage: step.name, standstills: standstills, logger: logger)
        deadLetters = RationedLog(logger: logger)
        let group = try GroupName(step.name)
        var done: [TopicID: Offset] = [:]
        for id in step.inputs {
            let topic = topics[id]
            let cursor = log.cursors.committed(group: group, topic: topic.name)
            let resume = min(cursor ?? topic.start, rewind[id] ?? .init(.max))
            done[id] = max(start[id] ?? resume, topic.start)
        }
        (self.done, reading) = (done, done)
        // No snapshot was attempted yet: the first is due as soon as there is enough for it.
        let sinceAttempt = checkpoint.isCursor ? 0 : StageLimits.snapshotRetrySeconds
        saved = (done, .now - .seconds(sinceAttempt))
        told = (done, .now)
    }

    // MARK: Reading

    package mutating func next(bytesMax: Int) async throws -> Run? {
        try await begin()
        while true {
            guard hasRecords else {
                guard drainUntil == nil else { return nil }
                try await wait()
                continue
            }
            if let drainUntil, .now > drainUntil { return nil }
            if drainUntil == nil { await gathering.pause() }
            let run = try read(bytesMax)
            guard !run.next.isEmpty else { continue }
            gathering.took(run.records.count)
            return run
        }
    }

    /// Whether there is something to read now.
    var hasRecords: Bool {
        step.inputs.contains { reading[$0, default: .zero] < topics[$0].highWatermark }
    }

    private mutating func read(_ bytesMax: Int) throws(LogError) -> Run {
        var run = Run(records: [], next: [])
        for id in step.inputs {
            let from = reading[id, default: .zero]
            guard from < topics[id].highWatermark else { continue }
            let records = try topics[id].read(from: from, byteCountMax: bytesMax)
                .prefix(step.recordCountMax)
            guard let last = records.last else { continue }
            run.records.reserveCapacity(run.records.count + records.count)
            for stored in records {
                run.records.append(
                    PlacedRecord(
                        place: SourcePlace(topic: id, offset: stored.offset),
                        record: stored.record))
            }
            let place = SourcePlace(topic: id, offset: last.offset).next
            run.next.append(place)
            reading[id] = place.offset
        }
        return run
    }

    private enum Waited { case records, tellingIsDue, stopping }

    private mutating func wait() async throws {
        let due = done != told.done ? told.at + .seconds(1) : nil
        switch try await waited(until: due) {
        case .records: break
        case .stopping: drainUntil = .now + .seconds(StageLimits.drainSecondsMax)
        case .tellingIsDue:
            if try await tell(), checkpoint.isCursor { saved.done = done }
            told = (done, .now)
        }
    }

    /// Waits for records.
    ///
    /// - Parameter due: when the position is to be told though nothing comes; nil when it is known.
    private func waited(until due: ContinuousClock.Instant?) async throws -> Waited {
        let waits = step.inputs.map { (topic: topics[$0], next: reading[$0, default: .zero]) }
        do {
            return try await cancelWhenGracefulShutdown {
                if due == nil, waits.count == 1 {
                    try await waits[0].topic.waitForRecords(from: waits[0].next)
                    return .records
                }
                return try await withThrowingTaskGroup(of: Waited.self) { group in
                    for (topic, next) in waits {
                        group.addTask {
                            try await topic.waitForRecords(from: next)
                            return .records
                        }
                    }
                    if let due {
                        group.addTask {
                            try await Task.sleep(until: due, clock: .continuous)
                            return .tellingIsDue
                        }
                    }
                    defer { group.cancelAll() }
                    return try await group.next() ?? .records
                }
            }
        } catch LogError.cancelled {
            return .stopping
        } catch is CancellationError {
            return .stopping
        }
    }

    // MARK: Writing

    package mutating func finish(
        _ outputs: [StageOutput], consumed: [SourcePlace], checkpoint state: () -> StageState?
    ) async throws -> [TopicID: Int] {
        try await begin()
        let repeated = try await append(outputs)
        for place in consumed { done[place.topic] = place.offset }
        if isDue {
            if try await save(state) { saved.done = done }
            saved.at = .now
            told = (done, saved.at)
        }
        return repeated
    }

    /// Appends to every topic at once: their syncs overlap.
    ///
    /// - Returns: by topic, how many records the log had already.
    private func append(_ outputs: [StageOutput]) async throws -> [TopicID: Int] {
        let batches = step.batches(outputs)
        if batches.count == 1 {
            return [batches[0].producer.topic: try await append(batches[0])]
        }
        return try await withThrowingTaskGroup(of: (TopicID, Int).self) { group in
            for batch in batches {
                group.addTask { (batch.producer.topic, try await append(batch)) }
            }
            var repeated: [TopicID: Int] = [:]
            for try await (id, count) in group { repeated[id, default: 0] += count }
            return repeated
        }
    }

    /// A full disk is waited out: what was read stays in the input, so nothing is lost meanwhile.
    private func append(_ batch: FlowStep.Batch) async throws -> Int {
        let (id, records) = (batch.producer.topic, batch.records)
        let name = step.name(of: batch.producer)
        let outcome = try await patience.waitingOut(id.rawValue) {
            try await topics[id].append(records, producer: ProducerName(name))
        }
        if id == .deadLetter {
            for sourced in records { deadLetters.tell(of: sourced.record, from: step.name) }
        }
        return outcome.refusedCount
    }

    package func checksum(before place: SourcePlace) async throws -> UInt32? {
        try topics[place.topic].checksum(before: place.offset)
    }

    // MARK: Rows

    /// The folder is one process's.
    package var isShared: Bool { false }
    package var leads: Bool { true }

    package func lastRow(in topic: TopicID) async throws -> Int64? {
        topics[topic].lastSource(of: try ProducerName(step.name))?.rawValue
    }

    /// Of `ledger.posted` alone, where rows and offsets both have no gaps, so that one tells the
    /// other.
    package func row(_ number: Int64, in id: TopicID) async throws -> Record? {
        guard id == .ledgerPosted, let last = try await lastRow(in: id) else { return nil }
        let topic = topics[id]
        let end = topic.highWatermark.advanced(by: -1)
        return try topic.record(at: end.advanced(by: number - last))
    }

    package func waitingOut<Value>(
        _ what: String, _ attempt: () async throws -> Value
    ) async throws -> Value {
        try await patience.waitingOut(what, attempt)
    }

    package mutating func close(checkpoint state: () -> StageState?) async throws {
        if done != saved.done { _ = try await save(state) }
    }
}

// MARK: - Positions

extension LogFlow {
    private mutating func begin() async throws {
        guard !hasBegun else { return }
        hasBegun = true
        if !checkpoint.isCursor { try await keepInput() }
    }

    /// Retention keeps what the slowest group has not read. So before the progress is told of, the
    /// position that a restart resumes from must stand beside it.
    private func keepInput() async throws {
        let group = try GroupName(step.name)
        for id in step.inputs
        where log.cursors.committed(group: group, topic: topics[id].name) == nil {
            _ = try await store(id, as: step.name)
        }
    }

    private var isDue: Bool {
        switch checkpoint {
        case .cursor: .now - saved.at > .seconds(1)
        case .snapshot(let everyCount, _):
            // After one that could not be written the next attempt is not made at once.
            step.inputs.contains { id in
                saved.done[id, default: .zero].distance(to: done[id, default: .zero])
                    >= everyCount
            } && .now - saved.at > .seconds(StageLimits.snapshotRetrySeconds)
        }
    }

    /// Both only spare the next start some work, so that finding no room for them stops nothing.
    ///
    /// The cursor stays behind a snapshot that could not be written: retention follows it, and must
    /// keep what the older snapshot needs.
    ///
    /// - Returns: whether the position is stored.
    private func save(_ state: () -> StageState?) async throws -> Bool {
        if case .snapshot(_, let store) = checkpoint, let state = state() {
            do {
                // A snapshot goes on behind outputs that must be there: how far they reach is
                // noted first.
                try await log.cursors.mark()
                try store(state, done[step.inputs[0], default: .zero])
            } catch let error as LogError where !error.isRetryable {
                throw error
            } catch {
                logger.warning(
                    "snapshot not written; the next start reads more of the log",
                    metadata: ["stage": "\(step.name)", "error": "\(error)"])
                return false
            }
        }
        return try await storeAll(as: step.name)
    }

    /// Saves where an idle step is, for who looks from outside.
    private func tell() async throws -> Bool {
        if checkpoint.isCursor { return try await storeAll(as: step.name) }
        let group = try GroupName(step.name)
        let isKept = step.inputs.allSatisfy {
            log.cursors.committed(group: group, topic: topics[$0].name) != nil
        }
        return isKept ? try await storeAll(as: step.progressGroup) : false
    }

    private func storeAll(as group: String) async throws -> Bool {
        var isStored = true
        for id in step.inputs where try await !store(id, as: group) { isStored = false }
        return isStored
    }

    private func store(_ id: TopicID, as group: String) async throws -> Bool {
        do {
            try await log.cursors.commit(
                done[id, default: .zero], group: GroupName(group), topic: topics[id].name)
            return true
        } catch {
            guard error.isRetryable else { throw error }
            logger.warning(
                "position not stored; the next start repeats some work",
                metadata: [
                    "stage": "\(step.name)", "error": "\(error)",
                ])
            return false
        }
    }
}

/// Stores what a restart resumes from.
package enum LogCheckpoint: Sendable {
    /// Nothing but the position, as the step's cursor, at most once a second.
    case cursor
    /// The step's state too, through this function; the cursor follows it.
    case snapshot(
        everyCount: Int, @Sendable (_ state: StageState, _ next: Offset) throws -> Void)

    var isCursor: Bool { if case .cursor = self { true } else { false } }
}

/// What the log knows a step by. These names stand in stored folders and never change.
package struct FlowStep: Hashable, Sendable {
    /// The consumer group's too.
    package let name: String
    /// The first is the one that a snapshot's position counts in.
    let inputs: [TopicID]
    /// Records of one input that a run holds at most.
    let recordCountMax: Int
    /// Whether its producers are called by their input too.
    private let namesInputs: Bool

    package init(
        name: String, inputs: [TopicID], recordCountMax: Int = .max, namesInputs: Bool = false
    ) {
        precondition(!inputs.isEmpty, "\(name) reads nothing")
        self.name = name
        self.inputs = inputs
        self.recordCountMax = recordCountMax
        self.namesInputs = namesInputs
    }

    package init(_ stage: (some Stage).Type) { self.init(name: stage.name, inputs: stage.inputs) }

    /// The ledger's.
    static func ledger(_ inputs: [TopicID] = LedgerStep.inputs) -> Self {
        Self(
            name: LedgerStep.name, inputs: inputs, recordCountMax: StageLimits.ledgerBatchCount,
            namesInputs: true)
    }

    /// The group whose cursor tells how far a step with a large state has read; what it resumes
    /// from is its snapshot's position, saved rarely, which retention follows.
    package var progressGroup: String { name + "-progress" }

    /// Who appends: the log keeps the last source of each producer of a topic, so that sources of
    /// different kinds need producers of their own.
    struct Producer: Hashable, Sendable {
        /// Where it appends.
        var topic: TopicID
        /// Of whose records; nil for rows, and where it is not told apart.
        var input: TopicID?
    }

    func producer(of output: StageOutput) -> Producer {
        guard case .record(let place) = output.source, namesInputs else {
            return Producer(topic: output.topic, input: nil)
        }
        return Producer(topic: output.topic, input: place.topic)
    }

    /// What one producer appends at once.
    struct Batch: Sendable {
        var producer: Producer
        var records: [SourcedRecord] = []
    }

    /// The outputs by their producers, of which there are few.
    func batches(_ outputs: [StageOutput]) -> [Batch] {
        var batches: [Batch] = []
        for output in outputs {
            let producer = producer(of: output)
            let place = batches.firstIndex { $0.producer == producer } ?? batches.count
            if place == batches.count { batches.append(Batch(producer: producer)) }
            batches[place].records.append(output.sourced)
        }
        return batches
    }

    func name(of producer: Producer) -> String {
        producer.input.map { "\(name):\($0.rawValue)" } ?? name
    }
}

extension StageOutput {
    /// As the embedded log takes it, whose topics have one partition.
    var sourced: SourcedRecord {
        switch source {
        case .record(let place): SourcedRecord(source: place.offset, record: record)
        case .row(let number): SourcedRecord(source: Offset(number), record: record)
        }
    }
}
