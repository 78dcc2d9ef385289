package import Appliance
import Vocabulary

extension PipelineSteps {
    /// The steps that the settings describe, with another model in the place of theirs.
    ///
    /// - Parameter path: the other model's file; nil leaves the one that the settings name.
    /// - Throws: `ModelError`.
    package init(_ settings: Settings, modelAt path: String?) throws {
        var settings = settings
        if let path { settings.modelPath = path }
        try self.init(settings, counters: Counters())
    }

    /// The verdicts of thresholds that somebody tries, looser ones too, beside the settings' amount
    /// limits. What is nil is as it would be in use.
    ///
    /// - Throws: `ModelError.thresholdsOutOfOrder`.
    package func verdicts(reviewFrom: Double?, blockFrom: Double?) throws -> Verdicts {
        let used = try verdicts()
        return Verdicts(
            thresholds: try ModelSchema.Thresholds.checked(
                review: reviewFrom ?? used.thresholds.review,
                block: blockFrom ?? used.thresholds.block),
            amountLimits: used.amountLimits)
    }
}
