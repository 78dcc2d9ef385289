package import AppendLog
package import Appliance
import Vocabulary

extension Replay {
    /// The pipeline that `settings` describe, from their data folder into a fresh one.
    package init(of settings: Settings, into folder: String, through to: Offset? = nil) throws {
        let steps = try PipelineSteps(settings, counters: Counters())
        let fresh = try DataFolder(at: folder)
        let features = FeatureEngine(limits: steps.featureLimits)
        try self.init(
            original: settings.dataPath,
            fresh: (log: fresh.log, ledger: fresh.ledger, features: fresh.featureSnapshot),
            through: to, clock: SystemLogClock(),
            stages: (steps.validate(), steps.score(features, try steps.verdicts())))
    }
}
