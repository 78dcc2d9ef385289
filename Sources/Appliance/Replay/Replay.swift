package import AppendLog
import Foundation
import Vocabulary

/// `tillbox replay`: the whole pipeline again, and whether it comes to the same.
///
/// The stages work at a batch while the one before is stored and booked. Both block, on the disk
/// and on SQLite, so each side has a thread of its own.
package struct Replay {
    let source: ReplaySource
    let target: ReplayTarget
    let featurePath: String
    let stages: ReplayStages

    /// - Parameters:
    ///   - original: the data folder, stopped or not.
    ///   - fresh: a folder that exists and is empty.
    ///   - stages: the pipeline's own, new.
    /// - Throws: `ReplayError`, `LogError`, `LedgerError`.
    package init(
        original: String, fresh: (log: String, ledger: String, features: String),
        through to: Offset?, clock: any LogClock,
        stages: (validate: ValidateStage, score: EmbeddedScoreStage)
    ) throws {
        source = try ReplaySource(folder: original)
        self.stages = try ReplayStages(
            source, through: to, validate: stages.validate, score: stages.score)
        featurePath = fresh.features
        let ledger = try SQLiteLedger.open(
            path: fresh.ledger, clockMilliseconds: { clock.now().milliseconds })
        try ledger.inherit(renewalsAfter: source.ledger.renewalsAfter())
        target = try ReplayTarget(
            log: try Log.open(at: fresh.log, clock: clock), ledger: ledger,
            featurePath: fresh.features,
            chain: ChainComparison(source.ledger, through: source.point.head))
    }

    /// - Parameter progress: webhooks done, and of how many.
    package func run(progress: (Int64, Int64) -> Void) async throws -> ReplayReport {
        try await withTaskExecutorPreference(OwnThread("tillbox.replay.stages")) {
            try await compare(progress)
        }
    }

    private func compare(_ progress: (Int64, Int64) -> Void) async throws -> ReplayReport {
        let (target, storing) = (target, OwnThread("tillbox.replay.target"))
        var stages = stages
        try await withThrowingTaskGroup(of: Void.self) { group in
            while let batch = try stages.next() {
                try await group.next()
                group.addTask(executorPreference: storing) { try await target.take(batch) }
                progress(stages.received.rawValue, stages.total.rawValue)
            }
            try await group.waitForAll()
        }
        if let state = stages.snapshot() {
            try await target.store(state.encode, to: featurePath)
        }
        var report = ReplayReport()
        stages.report(into: &report)
        report.deadLetters = stages.letters.comparedCount
        report.differences.merge(stages.letters.differences)
        return try await target.finish(
            isWhole: stages.isWhole, source: source, into: report)
    }
}
