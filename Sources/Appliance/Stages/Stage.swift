import AppendLog
package import Vocabulary

/// One step of the pipeline: records of some topics in, records of others out.
///
/// `process` does no I/O and reads no clock. The same inputs from the same state give the same
/// outputs, which is what lets a runner repeat it after a crash and the log refuse the repetition.
package protocol Stage: SendableMetatype {
    /// Names the stage as a producer and as a consumer group; never changes.
    static var name: String { get }
    /// The topic that the stage follows.
    static var input: TopicID { get }
    /// Every topic that the stage reads; `input` is the first.
    static var inputs: [TopicID] { get }
    /// Every topic that the stage may write to.
    static var outputs: [TopicID] { get }

    /// Fetches what `process` needs of the run and what is not in it.
    ///
    /// - Throws: what the outside world failed with; the run is then not taken in.
    mutating func prepare(_ records: [PlacedRecord]) async throws

    /// Outputs in the order of their sources; all outputs of one source together.
    ///
    /// - Parameter records: those that were prepared last.
    mutating func process(_ records: [PlacedRecord]) -> [StageOutput]

    /// The outputs of what was processed last stand. A run that is given up, or prepared anew since
    /// something outside failed, is not told of here.
    ///
    /// Each stage says what it does then, if only nothing: one that wraps another and forgot to
    /// pass this on would leave what that one waits for waiting.
    mutating func finished()

    /// The state that a restart needs, or nil for a stage without any.
    func snapshot() -> StageState?
}

extension Stage {
    package static var inputs: [TopicID] { [input] }
    package mutating func prepare(_ records: [PlacedRecord]) async throws {}
    package func snapshot() -> StageState? { nil }
}

/// The `schema` headers of derived records, made once.
enum SchemaHeader {
    static let paymentValidated = of(PaymentEvent.self)
    static let paymentFeatures = of(FeaturesRecord.self)
    static let paymentScored = of(ScoredPayment.self)
    static let paymentReview = of(ReviewRecord.self)
    static let ledgerPosted = of(LedgerPosted.self)

    private static func of(_ record: (some JSONRecord).Type) -> RecordHeader {
        RecordHeader("schema", "\(record.schema)")
    }
}

extension StageOutput {
    /// The dead letter of a record that the stage refuses.
    static func letter(
        of failed: PlacedRecord, stage: String, reason: String, detail: String,
        eventID: String? = nil
    ) -> StageOutput {
        let letter = DeadLetter(of: failed.place, stage: stage, reason: reason, detail: detail)
        return StageOutput(
            topic: .deadLetter, source: .record(failed.place),
            record: letter.record(of: failed.record, eventID: eventID))
    }

    /// A dead letter for a record of ours that cannot be read: damage, or a newer writer.
    static func undecodable(
        _ failed: PlacedRecord, stage: String, _ error: RecordCodecError
    ) -> StageOutput {
        letter(of: failed, stage: stage, reason: "record_malformed", detail: "\(error)")
    }
}
