import AppendLog
import Logging
import ServiceLifecycle
import Vocabulary

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
    private let patience: DiskPatience
    private let deadLetters: RationedLog
    private let rewind: Offset?
    private let makeStage: @Sendable () throws -> (stage: Step, position: Offset?)

    /// Stores what a restart resumes from.
    enum Checkpoint: Sendable {
        /// Nothing but the position, as the stage's cursor, at most once a second.
        case cursor
        /// The stage's state too, through this function; the cursor follows it.
        case snapshot(
            everyCount: Int, @Sendable (_ state: [UInt8], _ next: Offset) throws -> Void)

        var isCursor: Bool { if case .cursor = self { true } else { false } }
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
        patience = DiskPatience(stage: Step.name, logger: logger)
        deadLetters = RationedLog(logger: logger)
        self.rewind = rewind
        self.makeStage = makeStage
    }

    /// Runs until graceful shutdown, then drains what has arrived, for at most ``drainSecondsMax``.
    func run() async throws {
        do {
            try await follow()
        } catch is StoppedWhileWaiting {
            logger.warning("stage stopped while it waited for room; the next start goes on there", metadata: [
                "stage": "\(Step.name)"
            ])
        }
    }

    private func follow() async throws {
        var (stage, position) = try makeStage()
        let input = topics[Step.input]
        var next = try position ?? resumePoint(of: input)
        var saved = next
        var savedAt = ContinuousClock.now
        // The position that who looks from outside knows of.
        var told = (next: next, at: savedAt)
        if !checkpoint.isCursor { try await keepInput(from: next, of: input) }
        var drainUntil: ContinuousClock.Instant?
        var gathering = Gathering()
        while true {
            if next >= input.highWatermark {
                guard drainUntil == nil else { break }
                let due = next > told.next ? told.at + .seconds(1) : nil
                switch try await wait(for: next, in: input, until: due) {
                case .records: break
                case .stopping: drainUntil = .now + .seconds(StageLimits.drainSecondsMax)
                case .tellingIsDue:
                    if try await tell(next, in: input), checkpoint.isCursor { saved = next }
                    told = (next, .now)
                }
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
                if try await save(stage, next, in: input) { saved = next }
                savedAt = .now
                told = (next, savedAt)
            }
        }
        if next > saved { _ = try await save(stage, next, in: input) }
        logger.debug("stage stopped", metadata: [
            "stage": "\(Step.name)", "position": "\(next.rawValue)",
        ])
    }

    private func resumePoint(of input: Topic) throws -> Offset {
        let cursor = log.cursors.committed(group: try GroupName(Step.name), topic: input.name)
        return max(min(cursor ?? input.start, rewind ?? .init(.max)), input.start)
    }

    /// The group whose cursor tells how far a stage with a large state has read; what it resumes from
    /// is its snapshot's position, saved rarely, which retention follows.
    static var progressGroup: String { Step.name + "-progress" }

    /// Retention keeps what the slowest group has not read. So before the progress is told of, the
    /// position that a restart resumes from must stand beside it.
    private func keepInput(from next: Offset, of input: Topic) async throws {
        let group = try GroupName(Step.name)
        guard log.cursors.committed(group: group, topic: input.name) == nil else { return }
        _ = try await store(next, of: input, as: Step.name)
    }

    /// Saves where an idle stage is, for who looks from outside.
    private func tell(_ next: Offset, in input: Topic) async throws -> Bool {
        if checkpoint.isCursor { return try await store(next, of: input, as: Step.name) }
        let group = try GroupName(Step.name)
        guard log.cursors.committed(group: group, topic: input.name) != nil else { return false }
        return try await store(next, of: input, as: Self.progressGroup)
    }

    private enum Waited { case records, tellingIsDue, stopping }

    /// Waits for records.
    ///
    /// - Parameter due: when the position is to be told though nothing comes; nil when it is known.
    private func wait(
        for next: Offset, in input: Topic, until due: ContinuousClock.Instant?
    ) async throws -> Waited {
        do {
            return try await cancelWhenGracefulShutdown {
                guard let due else {
                    try await input.waitForRecords(from: next)
                    return .records
                }
                return try await withThrowingTaskGroup(of: Waited.self) { group in
                    group.addTask {
                        try await input.waitForRecords(from: next)
                        return .records
                    }
                    group.addTask {
                        try await Task.sleep(until: due, clock: .continuous)
                        return .tellingIsDue
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
        _ = try await patience.waitingOut(id.rawValue) {
            try await topics[id].append(records, producer: ProducerName(Step.name))
        }
        if id == .deadLetter {
            for sourced in records { deadLetters.tell(of: sourced.record, from: Step.name) }
        }
    }

    private func isDue(saved: Offset, next: Offset, savedAt: ContinuousClock.Instant) -> Bool {
        switch checkpoint {
        case .cursor: .now - savedAt > .seconds(1)
        case .snapshot(let everyCount, _):
            // After one that could not be written the next attempt is not made at once.
            saved.distance(to: next) >= everyCount
                && .now - savedAt > .seconds(StageLimits.snapshotRetrySeconds)
        }
    }

    /// Both only spare the next start some work, so that finding no room for them stops nothing.
    ///
    /// The cursor stays behind a snapshot that could not be written: retention follows it, and must
    /// keep what the older snapshot needs.
    ///
    /// - Returns: whether the position is stored.
    private func save(_ stage: Step, _ next: Offset, in input: Topic) async throws -> Bool {
        if case .snapshot(_, let store) = checkpoint, let state = stage.snapshot() {
            do {
                // A snapshot goes on behind outputs that must be there: how far they reach is
                // noted first.
                try await log.cursors.mark()
                try store(state, next)
            } catch let error as LogError where !error.isRetryable {
                throw error
            } catch {
                logger.warning("snapshot not written; the next start reads more of the log", metadata: [
                    "stage": "\(Step.name)", "error": "\(error)",
                ])
                return false
            }
        }
        return try await store(next, of: input, as: Step.name)
    }

    private func store(_ next: Offset, of input: Topic, as group: String) async throws -> Bool {
        do {
            try await log.cursors.commit(next, group: GroupName(group), topic: input.name)
            return true
        } catch {
            guard error.isRetryable else { throw error }
            logger.warning("position not stored; the next start repeats some work", metadata: [
                "stage": "\(Step.name)", "error": "\(error)",
            ])
            return false
        }
    }
}

extension RationedLog {
    /// Tells of a dead letter, by what its headers say.
    func tell(of letter: Record, from stage: String) {
        let reason = letter.text("reason") ?? "unknown"
        warning(
            "dead letter", kind: reason,
            [
                "stage": stage, "detail": letter.text("detail") ?? "",
                "event": letter.text("event-id") ?? "", "offset": letter.text("offset") ?? "",
            ])
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
    /// Seconds from one attempt at a snapshot to the next.
    static let snapshotRetrySeconds = 5
    /// Records between two snapshots of the feature state.
    static let snapshotIntervalCount = 200_000
    /// Inputs that one ledger transaction takes at most.
    static let ledgerBatchCount = 2048
}
