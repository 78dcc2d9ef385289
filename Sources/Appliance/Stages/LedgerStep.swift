import AppendLog
import Vocabulary

/// The ledger's step between its topics, without log or database: from records to what is to be
/// booked, and from what was booked to the records that follow.
///
///     payment.scored, payment.review ─▶ inputs ─▶ (the ledger) ─▶ outcome ─▶ dead.letter
///                                                                           ledger.posted
///                                                                           payment.review
///
/// The daemon and a replay go through it, so that both decide alike.
struct LedgerStep {
    /// Names the step as a producer and as a consumer group; never changes.
    static let name = "ledger"
    static let inputs = [TopicID.paymentScored, .paymentReview]

    /// A record that could be read, and what it says.
    struct Input: Sendable {
        var topic: TopicID
        var stored: StoredRecord
        var input: LedgerInput
    }

    /// Records on their way into one transaction of the ledger.
    struct Batch: Sendable {
        var inputs: [Input] = []
        /// Dead letters already, by their topic.
        fileprivate(set) var undecodable: [(topic: TopicID, letter: SourcedRecord)] = []

        var ledgerInputs: [LedgerInput] { inputs.map(\.input) }

        /// Where people's decisions stand, by their place among the inputs. Two topics have no
        /// order between them, so the ledger's own is kept: a replay needs it for the same chain.
        ///
        /// - Parameter scoredNext: the offset in `payment.scored` that is read next, given a place.
        func places(_ scoredNext: (Int) -> Offset) -> [Int: DecisionPlace] {
            var places: [Int: DecisionPlace] = [:]
            for (place, input) in inputs.enumerated() {
                guard case .review(let record) = input.input,
                    record.by != PostingRules.scoringActor
                else { continue }
                places[place] = DecisionPlace(
                    decision: input.stored.offset.rawValue,
                    scoredNext: scoredNext(place).rawValue)
            }
            return places
        }
    }

    private let document = JSONDocument()

    /// Reads the next record of a topic; one that cannot be read is a dead letter.
    func add(_ stored: StoredRecord, of topic: TopicID, to batch: inout Batch) {
        let value = stored.record.value ?? []
        do throws(RecordCodecError) {
            let input: LedgerInput =
                topic == .paymentScored
                ? .scored(try ScoredPayment(value, using: document))
                : .review(try ReviewRecord(value, using: document))
            batch.inputs.append(Input(topic: topic, stored: stored, input: input))
        } catch {
            let output = StageOutput.undecodable(stored, topic: topic, stage: Self.name, error)
            batch.undecodable.append(
                (topic, SourcedRecord(source: output.source, record: output.record)))
        }
    }

    // MARK: What follows

    /// Dead letters for what the posting rules refused and for what could not be read, by the topic
    /// that they are of, each topic's in its order.
    static func letters(
        of outcome: PostOutcome, _ batch: Batch
    ) -> [TopicID: [SourcedRecord]] {
        var letters: [TopicID: [SourcedRecord]] = [:]
        for (topic, letter) in batch.undecodable { letters[topic, default: []].append(letter) }
        for (place, input) in batch.inputs.enumerated() {
            guard case .refused(let refusal) = outcome.inputs[place] else { continue }
            letters[input.topic, default: []].append(
                letter(of: input, refusal, outcome.details[place]))
        }
        return letters.mapValues { $0.sorted { $0.source < $1.source } }
    }

    /// The producer of dead letters of one topic's records: their sources are its offsets.
    static func letterProducer(_ topic: TopicID) throws(LogError) -> ProducerName {
        try ProducerName("\(name):\(topic.rawValue)")
    }

    /// - Parameter detail: what it told, what is booked, and what was expected.
    private static func letter(
        of input: Input, _ refusal: PostingRefusal, _ detail: String?
    ) -> SourcedRecord {
        let letter = DeadLetter(
            topic: input.topic.rawValue, offset: input.stored.offset, stage: name,
            reason: refusal.code, detail: detail ?? "expected \(refusal.expectation)")
        return SourcedRecord(
            source: input.stored.offset, record: letter.record(of: input.stored))
    }

    /// Records for `ledger.posted`; the transactions' numbers are their sources.
    static func posted(_ transactions: [PostedTransaction]) -> [SourcedRecord] {
        transactions.map {
            SourcedRecord(source: Offset($0.id.rawValue), record: record(of: $0))
        }
    }

    /// Records for `payment.review`; the changes' numbers are their sources.
    ///
    /// Their key is the movement, as a decision's is, so that all that is said of one review keeps
    /// its order.
    static func reviews(_ changes: [ReviewChange]) -> [SourcedRecord] {
        changes.map { change in
            SourcedRecord(
                source: Offset(change.id),
                record: Record(
                    key: ArraySlice(change.record.movement.rawValue.utf8),
                    value: change.record.encoded()[...],
                    headers: [
                        RecordHeader("event-id", change.eventID.rawValue),
                        SchemaHeader.paymentReview,
                        RecordHeader(SourcedRecord.headerName, String(change.id)),
                        RecordHeader("stage", name),
                    ],
                    timestamp: Timestamp(milliseconds: change.postedAtMilliseconds)))
        }
    }

    /// The record of a person's decision, for `payment.review`: it was derived from no other.
    ///
    /// - Parameter eventID: of the event whose scoring opened the review, where it is known.
    static func decision(
        _ record: ReviewRecord, on eventID: EventID?, at timestamp: Timestamp
    ) -> Record {
        Record(
            key: ArraySlice(record.movement.rawValue.utf8), value: record.encoded()[...],
            headers: [
                RecordHeader("event-id", eventID?.rawValue ?? ""), SchemaHeader.paymentReview,
                RecordHeader(SourcedRecord.headerName, "-1"),
            ],
            timestamp: timestamp)
    }

    private static func record(of transaction: PostedTransaction) -> Record {
        let posting = transaction.posting
        return Record(
            key: ArraySlice(posting.movement.rawValue.utf8),
            value: LedgerPosted(transaction).encoded()[...],
            headers: [
                RecordHeader("event-id", posting.eventID.rawValue),
                SchemaHeader.ledgerPosted,
                RecordHeader(SourcedRecord.headerName, String(transaction.id.rawValue)),
            ],
            timestamp: Timestamp(milliseconds: transaction.postedAtMilliseconds))
    }
}

extension LedgerPosted {
    /// The record of a booked transaction.
    init(_ transaction: PostedTransaction) {
        let posting = transaction.posting
        self.init(
            id: transaction.id.rawValue, movement: posting.movement, eventID: posting.eventID,
            kind: posting.kind.name, effectiveAt: posting.effectiveAt,
            postedAt: Instant(seconds: transaction.postedAtMilliseconds / 1000),
            entries: posting.entries.map {
                Entry(account: $0.account.rawValue, currency: $0.currency, amount: $0.amount)
            },
            hash: String(hex: transaction.hash))
    }
}
