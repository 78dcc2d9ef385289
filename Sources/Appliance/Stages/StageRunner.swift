package import AppendLog
package import Logging
import ServiceLifecycle
package import Vocabulary

/// Drives one stage over a flow: takes runs in, finishes them, until the daemon stops.
///
/// It has a thread of its own, since what it does may block: reading from the disk, the model, a
/// snapshot.
package final class StageRunner<Step: Stage, Source: Flow>: Service {
    private let logger: Logger
    private let thread = OwnThread("tillbox.\(Step.name)")
    private let begin: @Sendable () async throws -> (stage: Step, flow: Source)

    /// - Parameter begin: the stage as it was last stored, and a flow that goes on from there.
    ///   Called at the start, and again after another instance has taken over some of the input.
    package init(
        logger: Logger,
        begin: @escaping @Sendable () async throws -> (stage: Step, flow: Source)
    ) {
        self.logger = logger
        self.begin = begin
    }

    /// Runs until graceful shutdown, then drains what has arrived, for at most
    /// ``StageLimits/drainSecondsMax``.
    package func run() async throws {
        do {
            try await withTaskExecutorPreference(thread) {
                try await StageLoop.run(Step.name, logger) {
                    var (stage, flow) = try await begin()
                    let trace = StepTrace(Step.name, logger)
                    while try await flow.turn(&stage, tracing: trace) {}
                    try await flow.close(checkpoint: { stage.snapshot() })
                }
            }
        } catch is StoppedWhileWaiting {
            StageLoop.tellOfWaiting(Step.name, logger)
        }
        logger.debug("stage stopped", metadata: ["stage": "\(Step.name)"])
    }
}

extension Flow {
    /// Takes one run through a stage.
    ///
    /// - Parameter trace: told of the run once it is finished.
    /// - Returns: false when the daemon stops and what had arrived is taken in.
    mutating func turn(
        _ stage: inout some Stage, tracing trace: StepTrace? = nil
    ) async throws -> Bool {
        guard let run = try await next(bytesMax: StageLimits.batchByteCount) else { return false }
        try await waitingOut("what the stage asks") { try await stage.prepare(run.records) }
        let outputs = stage.process(run.records)
        try await finish(outputs, consumed: run.next, checkpoint: { stage.snapshot() })
        stage.finished()
        trace?.tell(run.records, outputs)
        return true
    }
}

/// What every step does alike around its turns.
enum StageLoop {
    /// Runs `body` to its end, anew for as long as another instance takes over.
    static func run(
        _ stage: String, _ logger: Logger, _ body: () async throws -> Void
    ) async throws {
        // Also of a daemon that stops already: what had arrived is drained.
        repeat {
            do {
                return try await body()
            } catch is FlowFenced {
                logger.warning(
                    "another instance has taken over; the stage begins anew",
                    metadata: ["stage": "\(stage)"])
            }
            // Ended early by a stop, which the next look notices.
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .milliseconds(StageLimits.fencedMilliseconds))
            }
        } while !Task.isShuttingDownGracefully && !Task.isCancelled
    }

    /// A stop while there was no room.
    static func tellOfWaiting(_ stage: String, _ logger: Logger) {
        logger.warning(
            "stage stopped while it waited for room; the next start goes on there",
            metadata: ["stage": "\(stage)"])
    }
}

extension RationedLog {
    /// Tells of a dead letter, by what its headers say.
    package func tell(of letter: Record, from stage: String) {
        let reason = letter.text("reason") ?? "unknown"
        warning(
            "dead letter", kind: reason,
            [
                "stage": stage, "detail": letter.text("detail") ?? "",
                "event_id": letter.text("event-id") ?? "", "offset": letter.text("offset") ?? "",
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
package enum StageLimits {
    /// Milliseconds from the start of a batch to the start of the next one, under load.
    static let gatherMilliseconds = 10
    /// Records a second from which on they are let gather.
    static let gatherFromRate = 400.0
    /// Seconds over which the rate is smoothed.
    static let gatherMemorySeconds = 0.25

    /// Bytes of input that a stage takes at once; bounds its memory and its outputs' batch.
    static let batchByteCount = 1 << 20
    /// Seconds that a stopping stage goes on with what has already arrived; the rest waits for the
    /// next start.
    static let drainSecondsMax = 1
    /// Seconds for which a start, or a command, waits for a command that has the folder for a
    /// moment: several of them may come before it, one after the other.
    package static let folderPatienceSeconds = 10
    /// Longest wait between two attempts at a full disk.
    static let retryMillisecondsMax = 5000
    /// Wait before a stage begins anew that another instance has pushed aside.
    static let fencedMilliseconds = 200
    /// Seconds from one attempt at a snapshot to the next.
    static let snapshotRetrySeconds = 5
    /// Records between two snapshots of the feature state.
    package static let snapshotIntervalCount = 200_000
    /// Inputs that one ledger transaction takes at most.
    package static let ledgerBatchCount = 2048
}
