import AppendLog
import Appliance
import Backup
import Foundation
import Logging
import Vocabulary

/// A data folder that this process holds and whose parts fit together: what everybody needs who
/// writes into it, the daemon as well as a command while no daemon runs.
struct HeldFolder: Sendable {
    let folder: DataFolder
    let lock: FolderLock
    /// What a start makes up for.
    let plan: StartPlan
    /// What was seen of the log's segments; nil where there is no log yet.
    let looks: LogLooks?

    /// Locks the folder, then compares every part with every other, before any is written to.
    /// Blocks while a command has it.
    ///
    /// - Parameter isDaemon: whether it is kept, so that another daemon need not wait for it.
    /// - Throws: `LogError.locked` naming the process that has the folder; `StartRefusal` when the
    ///   parts do not fit, and nothing is changed then.
    init(_ folder: DataFolder, isDaemon: Bool = false, logger: Logger) throws {
        self.folder = folder
        lock = try FolderLock(folder.path, isDaemon: isDaemon) { holder in
            logger.warning(
                "a command has the data folder; waiting for it",
                metadata: [
                    "command": "\(holder)",
                    "seconds_at_most": "\(StageLimits.folderPatienceSeconds)",
                ])
        }
        try lock.hold(folder.ledger)
        guard !BackupRestore.isUnfinished(in: folder.path) else {
            throw BackupError.halfRestored(path: folder.path)
        }
        let state = try folder.survey.state(isHeld: true)
        looks = state.looks
        switch StartComparison.verdict(of: state) {
        case .refuse(let refusal): throw refusal
        case .proceed(let plan):
            for note in plan.notes { logger.warning("\(note)") }
            self.plan = plan
        }
    }

    /// Sets every stage back to where outputs of it were lost.
    func makeUp(in log: Log) async throws(LogError) {
        try await plan.makeUp(in: log, featureSnapshot: folder.featureSnapshot)
    }
}

extension EmbeddedPlane {
    /// Hands the plane of a folder whose daemon does not run to a command that writes there. The
    /// folder is held and compared as by a daemon's start, and its losses are made up for.
    ///
    /// - Throws: `LogError.locked` where a daemon runs; `StartRefusal`; what `body` throws.
    package static func offline<Value>(
        _ settings: Settings, _ body: (EmbeddedPlane) async throws -> Value
    ) async throws -> Value {
        var quiet = Logger(label: "tillbox")
        quiet.logLevel = .error
        let held = try HeldFolder(DataFolder(existingAt: settings.dataPath), logger: quiet)
        defer { held.lock.release() }
        let plane = try EmbeddedPlane(
            logAt: held.folder.log, gateSnapshot: held.folder.gateSnapshot, settings: settings,
            counters: Counters(), logger: quiet, lookedAt: held.looks)
        let outcome: Result<Value, any Error>
        do {
            try await held.makeUp(in: plane.log)
            outcome = .success(try await body(plane))
        } catch {
            outcome = .failure(error)
        }
        await plane.log.close()
        return try outcome.get()
    }

    /// Deletes the segments that have a copy in a cold folder, as a daemon does within a minute.
    ///
    /// - Returns: how many; nil where a daemon runs, which does it.
    /// - Throws: `StartRefusal`, `LogError`
    package static func releaseCold(_ settings: Settings) async throws -> Int? {
        do {
            return try await offline(settings) { plane in
                try await plane.log.releaseCold().values.reduce(0, +)
            }
        } catch LogError.locked {
            return nil
        }
    }
}

extension StartPlan {
    /// Sets every stage back, durably, to where outputs of it were lost. Call it before anything is
    /// done with the log that was opened after the comparison.
    ///
    /// The loss is known by the marks of how far each topic had come. Once the topic has come as
    /// far again they say nothing more, or say that its batches are others: so they are taken back
    /// together with the cursors, and a process that dies meanwhile goes on from these. What the
    /// ledger publishes again it knows without a cursor.
    func makeUp(in log: Log, featureSnapshot: String) async throws(LogError) {
        guard !rewinds.isEmpty || publishesAgain else { return }
        // A cursor tells where the others go on; scoring goes on where its snapshot is.
        if let from = rewinds[EmbeddedScoreStage.name],
            case .whole(let origin) = FeatureSnapshotFile.look(at: featureSnapshot),
            origin.next > from
        {
            unlink(featureSnapshot)
        }
        var cursors: [GroupCursor] = []
        for (producer, input, _) in FolderSurvey.derivations {
            guard let from = rewinds[producer] else { continue }
            let cursor = GroupCursor(
                group: try GroupName(producer), topic: try TopicName(input.rawValue), next: from)
            let known = log.cursors.committed(group: cursor.group, topic: cursor.topic)
            if let known, known > from { cursors.append(cursor) }
        }
        try await log.cursors.setBack(cursors)
    }
}
