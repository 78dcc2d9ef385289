import AppendLog
package import Appliance
import Foundation
import Logging
import ServiceLifecycle
package import Vocabulary

/// The way of a payment, in order. Read this first.
///
///     Stripe ─▶ Gate ─▶ webhook.received         verified, admitted once, on disk, then 200
///                            │
///                        Validate                ValidateStage, EventValidator
///                            ▼
///                      payment.validated ──▶ dead.letter, with a reason ──▶ RedriveStage: back
///                            │
///                    Features + Score            ScoreStage, Scoring: FeatureEngine, FraudModel,
///                            │                   Verdicts
///                            ▼
///             payment.features · payment.scored ◀── payment.review: people's decisions ──┐
///                            │                                                           │
///                         Ledger                 LedgerDesk, Booking, SQLiteRows: entries,
///                            │                   reviews, position, one commit           │
///                            ▼                                                           │
///             ledger.posted · payment.review ────────────────────────────────────────────┘
///
/// Every arrow is a durable topic, so that each step can die at any moment and go on where it was.
/// A step knows its topics through a `Flow` alone; here they are the embedded log's.
struct Pipeline {
    let plane: EmbeddedPlane
    let ledger: SQLiteLedger
    let steps: PipelineSteps
    let folder: DataFolder
    /// Stages that make up for outputs which were lost before anybody had read them, and from
    /// where.
    var rewinds: [String: Offset] = [:]

    /// The steps behind the gate.
    func services() throws -> [DaemonPart: any Service] {
        [.redrive: redrive(), .validate: validate(), .score: try score(), .ledger: book()]
    }

    private func redrive() -> any Service {
        let flow = plane.flow(RedriveStage.self, rewind: rewinds[RedriveStage.name])
        return StageRunner(logger: plane.logger) { (RedriveStage(), try flow()) }
    }

    private func validate() -> any Service {
        let (steps, flow) = (
            steps, plane.flow(ValidateStage.self, rewind: rewinds[ValidateStage.name])
        )
        return StageRunner(logger: plane.logger) { (steps.validate(), try flow()) }
    }

    private func score() throws -> any Service {
        let (path, limits, verdicts) = (
            folder.featureSnapshot, steps.featureLimits, try steps.verdicts()
        )
        let (steps, plane) = (steps, plane)
        let input = plane.topics[EmbeddedScoreStage.input]
        let rewind = rewinds[EmbeddedScoreStage.name]
        let checkpoint = LogCheckpoint.snapshot(
            everyCount: StageLimits.snapshotIntervalCount
        ) { state, next in
            try FeatureSnapshotFile.write(state.encode, of: input, before: next, to: path)
        }
        return StageRunner(logger: plane.logger) {
            let (features, next) = Self.restoredFeatures(
                from: path, limits: limits, log: input, notBeyond: rewind)
            plane.logger.info(
                "features restored",
                metadata: [
                    "position": "\(next.rawValue)", "of": "\(input.highWatermark.rawValue)",
                ])
            let flow = try LogFlow(
                log: plane.log, topics: plane.topics, step: FlowStep(EmbeddedScoreStage.self),
                checkpoint: checkpoint, start: [EmbeddedScoreStage.input: next],
                standstills: plane.counters.standstills, logger: plane.logger)
            return (steps.score(features, verdicts), flow)
        }
    }

    private func book() -> any Service {
        let (plane, ledger) = (plane, ledger)
        let start = LedgerStart(
            log: plane.log, topics: plane.topics, standstills: plane.counters.standstills,
            logger: plane.logger)
        return LedgerService(
            desk: {
                LedgerDesk(ledger: ledger, clock: plane.clock, counters: plane.counters)
            }, logger: plane.logger
        ) { desk in try await start.flow(for: &desk) }
    }

    /// The engine as it was last saved. Without a usable snapshot (none, damaged, of another log,
    /// or beyond what has to be derived again) it starts empty and reads the whole topic again; the
    /// log refuses the outputs it has.
    private static func restoredFeatures(
        from path: String, limits: FeatureLimits, log: Topic, notBeyond rewind: Offset?
    ) -> (FeatureEngine, next: Offset) {
        guard let saved = FeatureSnapshotFile.read(path, of: log, limits: limits),
            saved.next <= rewind ?? Offset(.max)
        else { return (FeatureEngine(limits: limits), log.start) }
        return (saved.engine, max(saved.next, log.start))
    }
}

/// The pure steps as the settings want them: the same in every plane, and in a replay.
package struct PipelineSteps: Sendable {
    let settings: Settings
    package let model: FraudModel
    let counters: Counters

    init(_ settings: Settings, model: FraudModel, counters: Counters) {
        self.settings = settings
        self.model = model
        self.counters = counters
        counters.drift.begin(model.schema.features, model.schema.distribution)
    }

    /// Loads the model that the settings name.
    package init(_ settings: Settings, counters: Counters) throws {
        let place: ModelLocation = settings.modelPath.map { .file(path: $0) } ?? .embedded
        self.init(settings, model: try place.load(), counters: counters)
    }

    package func validate() -> ValidateStage {
        ValidateStage(
            validator: EventValidator(defaultMerchant: settings.defaultMerchant),
            counters: counters)
    }

    package func score(_ features: FeatureEngine, _ verdicts: Verdicts) -> EmbeddedScoreStage {
        score(EmbeddedFeatures(features), verdicts)
    }

    package func score<Source: FeatureSource>(
        _ source: Source, _ verdicts: Verdicts
    ) -> ScoreStage<Source> {
        ScoreStage(
            scoring: Scoring(source: source, verdicts: verdicts, model: model),
            schemaVersion: model.schema.version, counters: counters)
    }

    /// The model's thresholds, tightened by the settings.
    package func verdicts() throws -> Verdicts {
        Verdicts(
            thresholds: try model.schema.thresholds.tightened(
                review: settings.reviewFrom, block: settings.blockFrom),
            amountLimits: settings.amountLimits)
    }

    package var featureLimits: FeatureLimits {
        FeatureLimits(customersMax: settings.customersMax, movementsMax: settings.movementsMax)
    }
}
