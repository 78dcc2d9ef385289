import AppendLog
import Foundation
import Logging

/// A data folder that this process holds and whose parts fit together: what everybody needs who
/// writes into it, the daemon as well as a command while no daemon runs.
struct HeldFolder: Sendable {
    let folder: DataFolder
    let lock: FolderLock
    /// What a start makes up for.
    let plan: StartPlan

    /// Locks the folder, then compares every part with every other, before any is written to.
    ///
    /// - Throws: `LogError.locked` naming the process that has the folder; `StartRefusal` when the
    ///   parts do not fit, and nothing is changed then.
    init(_ folder: DataFolder, logger: Logger) throws {
        self.folder = folder
        lock = try FolderLock(folder.path)
        switch StartComparison.verdict(of: try folder.survey.state(isHeld: true)) {
        case .refuse(let refusal): throw refusal
        case .proceed(let plan):
            for note in plan.notes { logger.warning("\(note)") }
            self.plan = plan
        }
    }

    /// Sets every stage back, durably, to where outputs of it were lost. Call it before anything is
    /// done with the log that was opened here.
    ///
    /// The loss is known only by the marks of how far each topic had come, and the log writes new
    /// marks with the first cursor and at its end. A process that died then, before a stage had
    /// derived again what was lost, would leave a folder that looks sound and lacks it for good.
    func makeUp(in log: Log) async throws(LogError) {
        // A cursor tells where the others go on; scoring goes on where its snapshot is.
        if let from = plan.rewinds[ScoreStage.name],
            let origin = FeatureSnapshotFile.origin(at: folder.featureSnapshot), origin.next > from
        {
            unlink(folder.featureSnapshot)
        }
        var cursors: [GroupCursor] = []
        for (producer, input, _) in FolderSurvey.derivations {
            guard let from = plan.rewinds[producer] else { continue }
            let cursor = GroupCursor(
                group: try GroupName(producer), topic: try TopicName(input.rawValue), next: from)
            let known = log.cursors.committed(group: cursor.group, topic: cursor.topic)
            if let known, known > from { cursors.append(cursor) }
        }
        try await log.cursors.commit(cursors)
    }
}
