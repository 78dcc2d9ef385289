package import AppendLog
package import Vocabulary

/// The ledger's step between its topics, without log or database: from records to what is to be
/// booked, and from what was booked to the records that follow.
///
///     payment.scored, payment.review ─▶ inputs ─▶ (the ledger) ─▶ outcome ─▶ dead.letter
///                                                                           ledger.posted
///                                                                           payment.review
///
/// The daemon and a replay go through it, so that both decide alike.
package struct LedgerStep {
    /// Names the step as a producer and as a consumer group; never changes.
    package static let name = "ledger"
    package static let inputs = [TopicID.paymentScored, .paymentReview]

    /// Records on their way into one transaction of the ledger.
    package struct Batch: Sendable {
        /// What those that could be read say.
        package fileprivate(set) var inputs: [LedgerInput] = []
        /// Where each input stands.
        fileprivate(set) var sources: [PlacedRecord] = []
        /// Dead letters already.
        fileprivate(set) var undecodable: [StageOutput] = []

        package init() {}

        /// Where people's decisions stand, by their place among the inputs. Two topics have no
        /// order between them, so the ledger's own is kept: a replay needs it for the same chain.
        ///
        /// - Parameter scoredNext: the offset in `payment.scored` that is read next, given a place.
        package func places(_ scoredNext: (Int) -> Offset) -> [Int: DecisionPlace] {
            var places: [Int: DecisionPlace] = [:]
            for place in inputs.indices {
                guard case .review(let record) = inputs[place],
                    record.by != PostingRules.scoringActor
                else { continue }
                places[place] = DecisionPlace(
                    decision: sources[place].place.offset.rawValue,
                    partition: sources[place].place.partition,
                    scoredNext: scoredNext(place).rawValue)
            }
            return places
        }
    }

    private let document = JSONDocument()

    package init() {}

    /// Reads records; one that cannot be read is a dead letter.
    func decode(_ records: [PlacedRecord]) -> Batch {
        var batch = Batch()
        batch.inputs.reserveCapacity(records.count)
        batch.sources.reserveCapacity(records.count)
        for placed in records { add(placed, to: &batch) }
        return batch
    }

    /// Reads the next record.
    package func add(_ placed: PlacedRecord, to batch: inout Batch) {
        let value = placed.record.value ?? []
        do throws(RecordCodecError) {
            let input: LedgerInput =
                placed.place.topic == .paymentScored
                ? .scored(try ScoredPayment(value, using: document))
                : .review(try ReviewRecord(value, using: document))
            batch.inputs.append(input)
            batch.sources.append(placed)
        } catch {
            batch.undecodable.append(.undecodable(placed, stage: Self.name, error))
        }
    }

    // MARK: What follows

    /// Dead letters for what the posting rules refused and for what could not be read, in the order
    /// of their sources.
    static func letters(of outcome: PostOutcome, _ batch: Batch) -> [StageOutput] {
        var letters = batch.undecodable
        for place in batch.sources.indices {
            guard case .refused(let refusal) = outcome.inputs[place] else { continue }
            // What it told, what is booked, and what was expected.
            let detail = outcome.details[place] ?? "expected \(refusal.expectation)"
            letters.append(
                .letter(
                    of: batch.sources[place], stage: name, reason: refusal.code, detail: detail))
        }
        return letters.sorted { $0.source < $1.source }
    }

    /// Records for `ledger.posted`; the transactions' numbers are their sources.
    static func posted(_ transactions: [PostedTransaction]) -> [StageOutput] {
        var outputs = OutputBuffer(count: transactions.count)
        for transaction in transactions {
            outputs.derive(
                topic: .ledgerPosted, row: transaction.id.rawValue,
                eventID: transaction.posting.eventID, schema: SchemaHeader.ledgerPosted,
                key: transaction.posting.movement.rawValue,
                timestamp: Timestamp(milliseconds: transaction.postedAtMilliseconds),
                LedgerPosted(transaction))
        }
        return outputs.outputs()
    }

    /// Records for `payment.review`; the changes' numbers are their sources.
    ///
    /// Their key is the movement, as a decision's is, so that all that is said of one review keeps
    /// its order.
    static func reviews(_ changes: [ReviewChange]) -> [StageOutput] {
        changes.map { change in
            StageOutput(
                topic: .paymentReview, source: .row(change.id),
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
}

extension LedgerPosted {
    /// The record of a booked transaction.
    package init(_ transaction: PostedTransaction) {
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
