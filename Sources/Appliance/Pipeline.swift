import AppendLog
import Foundation
import Logging
import ServiceLifecycle
import Vocabulary

/// The way of a payment, in order. Read this first.
///
///     Stripe ─▶ Gate ─▶ webhook.received         verified, admitted once, on disk, then 200
///                            │
///                        Validate                ValidateStage, EventValidator
///                            ▼
///                      payment.validated ──▶ dead.letter, with a reason ──▶ RedriveStage: back
///                            │
///                    Features + Score            ScoreStage, Scoring: FeatureEngine, FraudModel, Verdicts
///                            ▼
///            payment.features · payment.scored · payment.review
///                            │
///                         Ledger                 LedgerService, SQLiteLedger: entries + position, one commit
///                            ▼
///                      ledger.posted
///
/// Every arrow is a durable topic, so that each step can die at any moment and go on where it was.
struct Pipeline {
    let log: Log
    let topics: Topics
    let ledger: SQLiteLedger
    let model: FraudModel
    let settings: Settings
    let folder: DataFolder
    let clock: any LogClock
    let counters: Counters
    let logger: Logger
    /// Stages that make up for outputs which were lost before anybody had read them, and from where.
    var rewinds: [String: Offset] = [:]

    /// The steps behind the gate, in the order in which a payment passes them.
    func services() throws -> [any Service] {
        [redrive(), validate(), try score(), book()]
    }

    private func redrive() -> any Service {
        StageRunner(
            log: log, topics: topics, logger: logger, rewind: rewinds[RedriveStage.name]
        ) { (RedriveStage(), nil) }
    }

    private func validate() -> any Service {
        let (merchant, counters) = (settings.defaultMerchant, counters)
        return StageRunner(
            log: log, topics: topics, logger: logger, rewind: rewinds[ValidateStage.name]
        ) {
            let validator = EventValidator(defaultMerchant: merchant)
            return (ValidateStage(validator: validator, counters: counters), nil)
        }
    }

    private func score() throws -> any Service {
        let verdicts = try Self.verdicts(settings, model)
        let path = folder.featureSnapshot
        let limits = Self.featureLimits(settings)
        let (model, counters, logger) = (model, counters, logger)
        let input = topics[ScoreStage.input]
        let rewind = rewinds[ScoreStage.name]
        return StageRunner<ScoreStage>(
            log: log, topics: topics, logger: logger,
            checkpoint: .snapshot(everyCount: StageLimits.snapshotIntervalCount) { state, next in
                try FeatureSnapshotFile.write(state, of: input, before: next, to: path)
            }
        ) {
            let features = Self.restoredFeatures(
                from: path, limits: limits, log: input, notBeyond: rewind)
            let position = max(Offset(features.position), input.start)
            logger.info("features restored", metadata: [
                "position": "\(position.rawValue)", "of": "\(input.highWatermark.rawValue)",
            ])
            let scoring = Scoring(
                features: features, verdicts: verdicts, model: model)
            let stage = ScoreStage(
                scoring: scoring, schemaVersion: model.schema.version, counters: counters)
            return (stage, position)
        }
    }

    /// The model's thresholds, tightened by the settings.
    static func verdicts(_ settings: Settings, _ model: FraudModel) throws -> Verdicts {
        Verdicts(
            thresholds: try model.schema.thresholds.tightened(
                review: settings.reviewFrom, block: settings.blockFrom),
            amountLimits: settings.amountLimits)
    }

    static func featureLimits(_ settings: Settings) -> FeatureLimits {
        FeatureLimits(customersMax: settings.customersMax, movementsMax: settings.movementsMax)
    }

    private func book() -> any Service {
        LedgerService(
            log: log, topics: topics, ledger: ledger, clock: clock, counters: counters,
            logger: logger)
    }

    /// The engine as it was last saved. Without a usable snapshot (none, damaged, of another log, or
    /// beyond what has to be derived again) it starts empty and reads the whole topic again; the log
    /// refuses the outputs it has.
    private static func restoredFeatures(
        from path: String, limits: FeatureLimits, log: Topic, notBeyond rewind: Offset?
    ) -> FeatureEngine {
        guard let engine = FeatureSnapshotFile.read(path, of: log, limits: limits),
            engine.position <= rewind?.rawValue ?? .max
        else { return FeatureEngine(limits: limits) }
        return engine
    }
}
