import AppendLog
import Logging
import ServiceLifecycle

/// Drives one stage: follows its input, appends its outputs, remembers how far it came.
///
/// Exactly once between topics: the outputs carry the offset they were derived from and the log
/// refuses those it has, so a run that died anywhere below repeats itself harmlessly.
///
///     read ─▶ process ─▶ append (all topics, synced) ─▶ position ─▶ cursor, now and then
///                  ▲                                                   │
///                  └────────── a crash resumes at the cursor ──────────┘
final class StageRunner<Step: Stage>: Service {
    private let log: Log
    private let topics: Topics
    private let logger: Logger
    private let checkpoint: Checkpoint
    private let rewind: Offset?
    private let makeStage: @Sendable () throws -> (stage: Step, position: Offset?)

    /// Stores what a restart resumes from.
    enum Checkpoint: Sendable {
        /// Nothing but the position, as the stage's cursor, at most once a second.
        case cursor
        /// The stage's state too, through this function; the cursor follows it.
        case snapshot(
            everyCount: Int, @Sendable (_ state: [UInt8], _ next: Offset) throws -> Void)
    }

    /// - Parameters:
    ///   - rewind: where to start if the stage's cursor is beyond it.
    ///   - makeStage: the stage as it was at `position`; nil starts at the stage's cursor.
    init(
        log: Log, topics: Topics, logger: Logger, checkpoint: Checkpoint = .cursor,
        rewind: Offset? = nil,
        makeStage: @escaping @Sendable () throws -> (stage: Step, position: Offset?)
    ) {
        self.log = log
        self.topics = topics
        self.logger = logger
        self.checkpoint = checkpoint
        self.rewind = rewind
        self.makeStage = makeStage
    }

    /// Runs until graceful shutdown, then drains what has arrived, for at most ``drainSecondsMax``.
    func run() async throws {
        var (stage, position) = try makeStage()
        let input = topics[Step.input]
        var next = try position ?? resumePoint(of: input)
        var saved = next
        var savedAt = ContinuousClock.now
        var drainUntil: ContinuousClock.Instant?
        var gathering = Gathering()
        while true {
            if next >= input.highWatermark {
                guard drainUntil == nil else { break }
                let more = try await waitUnlessStopping(for: next, in: input)
                if !more { drainUntil = .now + .seconds(StageLimits.drainSecondsMax) }
                continue
            }
            if let drainUntil, .now > drainUntil { break }
            if drainUntil == nil { await gathering.pause() }
            let records = try input.read(from: next, byteCountMax: StageLimits.batchByteCount)
            guard let last = records.last else { continue }
            gathering.took(records.count)
            try await append(stage.process(records))
            next = last.offset.advanced(by: 1)
            if isDue(saved: saved, next: next, savedAt: savedAt) {
                try await save(stage, next, in: input)
                (saved, savedAt) = (next, .now)
            }
        }
        if next > saved { try await save(stage, next, in: input) }
        logger.info("stage stopped", metadata: ["stage": "\(Step.name)", "position": "\(next.rawValue)"])
    }

    private func resumePoint(of input: Topic) throws -> Offset {
        let cursor = log.cursors.committed(group: try GroupName(Step.name), topic: input.name)
        return max(min(cursor ?? input.start, rewind ?? .init(.max)), input.start)
    }

    /// - Returns: false when graceful shutdown ended the wait.
    private func waitUnlessStopping(for next: Offset, in input: Topic) async throws -> Bool {
        do {
            try await cancelWhenGracefulShutdown { try await input.waitForRecords(from: next) }
            return true
        } catch LogError.cancelled {
            return false
        }
    }

    /// Appends to every topic at once: their syncs overlap.
    private func append(_ outputs: [StageOutput]) async throws {
        guard !outputs.isEmpty else { return }
        let byTopic = Dictionary(grouping: outputs, by: \.topic)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (id, outputs) in byTopic {
                let records = outputs.map { SourcedRecord(source: $0.source, record: $0.record) }
                group.addTask { try await self.append(records, to: id) }
            }
            try await group.waitForAll()
        }
    }

    /// A full disk is waited out: what was read stays in the input, so nothing is lost meanwhile.
    private func append(_ records: [SourcedRecord], to id: TopicID) async throws {
        var waitMilliseconds = 100
        while !(try await isAppended(records, to: id)) {
            try await Task.sleep(for: .milliseconds(waitMilliseconds))
            waitMilliseconds = min(waitMilliseconds * 2, StageLimits.retryMillisecondsMax)
        }
    }

    /// - Returns: false when the same append may succeed later.
    private func isAppended(
        _ records: [SourcedRecord], to id: TopicID
    ) async throws(LogError) -> Bool {
        do {
            _ = try await topics[id].append(records, producer: ProducerName(Step.name))
            return true
        } catch {
            guard error.isRetryable else { throw error }
            logger.error("append refused, waiting", metadata: [
                "stage": "\(Step.name)", "topic": "\(id.rawValue)", "error": "\(error)",
            ])
            return false
        }
    }

    private func isDue(saved: Offset, next: Offset, savedAt: ContinuousClock.Instant) -> Bool {
        switch checkpoint {
        case .cursor: .now - savedAt > .seconds(1)
        case .snapshot(let everyCount, _): saved.distance(to: next) >= everyCount
        }
    }

    private func save(_ stage: Step, _ next: Offset, in input: Topic) async throws {
        if case .snapshot(_, let store) = checkpoint, let state = stage.snapshot() {
            // A snapshot goes on behind outputs that must be there: how far they reach is noted first.
            try await log.cursors.mark()
            try store(state, next)
        }
        try await log.cursors.commit(next, group: GroupName(Step.name), topic: input.name)
    }
}

/// Lets records gather before the next batch while there are many of them, because a batch costs a
/// sync in each topic it writes to, however small it is, and the gate waits for the same disk.
/// Records that come singly are never kept waiting.
struct Gathering {
    private var startedAt = ContinuousClock.now
    /// Records a second, smoothed over about ``StageLimits/gatherMemorySeconds``.
    private var rate = 0.0

    /// A batch of `count` records begins.
    mutating func took(_ count: Int) {
        let seconds = (ContinuousClock.now - startedAt) / .seconds(1)
        let weight = min(1, seconds / StageLimits.gatherMemorySeconds)
        rate += (Double(count) / max(seconds, 1e-6) - rate) * weight
        startedAt = .now
    }

    /// Waits until the next batch is due.
    func pause() async {
        guard rate >= StageLimits.gatherFromRate else { return }
        let due = startedAt + .milliseconds(StageLimits.gatherMilliseconds)
        if due > .now {
            // Ended early by a cancelled task, which the next append or read then notices.
            try? await Task.sleep(until: due, tolerance: .zero, clock: .continuous)
        }
    }
}

/// Bounds of the stages.
enum StageLimits {
    /// Milliseconds from the start of a batch to the start of the next one, under load.
    static let gatherMilliseconds = 10
    /// Records a second from which on they are let gather.
    static let gatherFromRate = 400.0
    /// Seconds over which the rate is smoothed.
    static let gatherMemorySeconds = 0.25

    /// Bytes of input that a stage takes at once; bounds its memory and its outputs' batch.
    static let batchByteCount = 1 << 20
    /// Seconds that a stopping stage goes on with what has already arrived; the rest waits for the next start.
    static let drainSecondsMax = 1
    /// Longest wait between two attempts at a full disk.
    static let retryMillisecondsMax = 5000
    /// Records between two snapshots of the feature state.
    static let snapshotIntervalCount = 200_000
    /// Inputs that one ledger transaction takes at most.
    static let ledgerBatchCount = 2048
}
