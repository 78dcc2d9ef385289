import AppendLog
import Vocabulary

/// The topics of contracts §2.
enum TopicID: String, CaseIterable, Sendable {
    case webhookReceived = "webhook.received"
    case paymentValidated = "payment.validated"
    case paymentFeatures = "payment.features"
    case paymentScored = "payment.scored"
    case paymentReview = "payment.review"
    case ledgerPosted = "ledger.posted"
    case deadLetter = "dead.letter"
}

/// The daemon's topics, opened.
struct Topics: Sendable {
    private let byID: [TopicID: Topic]

    /// Opens every topic of `log`, creating those that are absent.
    init(of log: Log) throws(LogError) {
        var byID: [TopicID: Topic] = [:]
        for id in TopicID.allCases {
            byID[id] = try log.topic(try TopicName(id.rawValue))
        }
        self.byID = byID
    }

    subscript(id: TopicID) -> Topic {
        guard let topic = byID[id] else { preconditionFailure("\(id) was not opened") }
        return topic
    }
}

/// One record that a stage derived, and what from.
struct StageOutput: Sendable {
    var topic: TopicID
    /// Offset in the stage's input topic.
    var source: Offset
    var record: Record
}

/// One step of the pipeline: records of one topic in, records of others out.
///
/// A stage does no I/O and reads no clock. The same inputs from the same state give the same
/// outputs, which is what lets a runner repeat it after a crash and the log refuse the repetition.
protocol Stage: SendableMetatype {
    /// Names the stage as a producer and as a consumer group; never changes.
    static var name: String { get }
    static var input: TopicID { get }
    /// Every topic that the stage may write to.
    static var outputs: [TopicID] { get }

    /// Outputs in the order of their sources; all outputs of one source together.
    mutating func process(_ records: [StoredRecord]) -> [StageOutput]

    /// The state that a restart needs, or nil for a stage without any.
    func snapshot() -> [UInt8]?
}

extension Stage {
    func snapshot() -> [UInt8]? { nil }
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
    /// A derived record: it keeps its source's key order, arrival time and the headers of contracts §2.
    static func derived(
        topic: TopicID, from source: StoredRecord, eventID: EventID, schema: RecordHeader, key: String,
        value: [UInt8]
    ) -> StageOutput {
        StageOutput(
            topic: topic, source: source.offset,
            record: Record(
                key: ArraySlice(key.utf8), value: value[...],
                headers: [
                    RecordHeader("event-id", eventID.rawValue),
                    schema,
                    RecordHeader(SourcedRecord.headerName, String(source.offset.rawValue)),
                ],
                timestamp: source.record.timestamp))
    }
}
