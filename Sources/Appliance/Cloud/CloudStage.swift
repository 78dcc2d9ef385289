import AppendLog
package import Appliance
package import Vocabulary

/// `webhook.received` → `payment.validated` and `payment.scored`, in one step: what was validated
/// is scored in the same transaction. `payment.features` tells of vectors that come late.
///
/// Both outputs have the webhook's record as their source: where what was validated will stand in
/// its topic is not known before the transaction is committed.
package struct CloudStage<Source: FeatureSource>: Stage {
    package static var name: String { "score" }
    package static var input: TopicID { .webhookReceived }
    package static var inputs: [TopicID] { [.webhookReceived, .paymentFeatures] }
    package static var outputs: [TopicID] { [.paymentValidated, .paymentScored, .deadLetter] }

    private var validate: ValidateStage
    private var score: ScoreStage<Source>
    private var validated = Validated()

    /// A run that was validated, and waits to be scored.
    private struct Validated {
        /// The first record's place; a run that is prepared again is not counted again.
        var first: SourcePlace?
        var outputs: [StageOutput] = []
        var events: [PlacedRecord] = []
    }

    package init(validate: ValidateStage, score: ScoreStage<Source>) {
        self.validate = validate
        self.score = score
    }

    package mutating func prepare(_ records: [PlacedRecord]) async throws {
        if validated.first == nil || validated.first != records.first?.place {
            validated = validated(records)
        }
        try await score.prepare(validated.events)
    }

    private mutating func validated(_ records: [PlacedRecord]) -> Validated {
        let outputs = validate.process(records.filter { $0.place.topic == .webhookReceived })
        var events = records.filter { $0.place.topic == .paymentFeatures }
        for output in outputs where output.topic == .paymentValidated {
            guard case .record(let place) = output.source else { continue }
            events.append(PlacedRecord(place: place, record: output.record))
        }
        return Validated(first: records.first?.place, outputs: outputs, events: events)
    }

    package mutating func process(_ records: [PlacedRecord]) -> [StageOutput] {
        let run = validated
        validated = Validated()
        return run.outputs + score.process(run.events)
    }

    package mutating func finished() { score.finished() }
}
