package import AppendLog
package import Vocabulary

/// The folder that is replayed, seen from outside at one point; a daemon may go on in it.
///
/// The ledger's position is read first and the log opened afterwards, its topics from the derived
/// ones to `webhook.received` (the order of their names). So whatever was derived, what it was
/// derived from is seen too, and the ledger never seems ahead of the log.
package struct ReplaySource: Sendable {
    let log: ReadOnlyLog
    let ledger: any LedgerReading
    /// Where the ledger stood.
    let point: LedgerPoint
    private let topics: [TopicID: ReadOnlyTopic]

    /// - Throws: `ReplayError`, `LogError`, `LedgerError`.
    init(folder: String) throws {
        ledger = try SQLiteLedgerReader.open(path: "\(folder)/ledger.sqlite")
        point = try ledger.point()
        log = try Log.openReadOnly(at: "\(folder)/log", withCold: true)
        var topics: [TopicID: ReadOnlyTopic] = [:]
        for id in TopicID.allCases {
            guard let topic = log.topic(try TopicName(id.rawValue)) else {
                throw ReplayError.noTopic(id.rawValue)
            }
            topics[id] = topic
        }
        self.topics = topics
        let inputs = [
            TopicID.webhookReceived, .paymentValidated, .paymentScored, .paymentReview,
        ]
        for id in inputs where self[id].start > .zero {
            throw ReplayError.beginningRemoved(topic: id.rawValue, start: self[id].start.rawValue)
        }
    }

    subscript(id: TopicID) -> ReadOnlyTopic {
        guard let topic = topics[id] else { preconditionFailure("\(id) was not opened") }
        return topic
    }

    /// The offset that the ledger read next.
    func ledgerNext(_ id: TopicID) -> Offset { Offset(point.positions[id.rawValue] ?? 0) }

    /// How far a stage is known to have read its input.
    func stageNext(_ stage: String, _ id: TopicID) throws(LogError) -> Offset {
        log.cursors[try GroupName(stage)]?[try TopicName(id.rawValue)] ?? .zero
    }

    /// A record of `payment.review` that came from outside: a person's decision, or a redriven one.
    struct ReviewInput: Sendable {
        let stored: StoredRecord
        /// The scored record before which the ledger considered it; nil where it has not yet.
        let scoredNext: Offset?
    }

    /// In the order of `payment.review`, which is the order in which they were considered.
    ///
    /// - Throws: `ReplayError.placeUnknown`, `LogError`.
    func reviewInputs() throws -> [ReviewInput] {
        let document = JSONDocument()
        let end = ledgerNext(.paymentReview)
        var inputs: [ReviewInput] = []
        var (last, unknown) = (Offset.zero, Offset?.none)
        try self[.paymentReview].scan(from: .zero) { stored in
            let review = try? ReviewRecord(stored.record.value ?? [], using: document)
            guard !Self.isOwn(stored, review) else { return true }
            guard stored.offset < end else {
                inputs.append(ReviewInput(stored: stored, scoredNext: nil))
                return true
            }
            if let review, review.by != PostingRules.scoringActor {
                guard let place = point.places[stored.offset.rawValue] else {
                    unknown = stored.offset
                    return false
                }
                last = Offset(place)
            }
            inputs.append(ReviewInput(stored: stored, scoredNext: last))
            return true
        }
        if let unknown { throw ReplayError.placeUnknown(review: unknown.rawValue) }
        return inputs
    }

    /// Whether the daemon itself wrote a record of `payment.review`: the ledger, or in earlier
    /// releases scoring.
    package static func isOwn(_ stored: StoredRecord, _ review: ReviewRecord?) -> Bool {
        stored.source != nil && RedriveHeader.letter(of: stored.record) == nil
            && review?.by == PostingRules.scoringActor
    }
}

extension StoredRecord {
    /// The offset of the record it was derived from.
    var source: Offset? {
        record.text(SourcedRecord.headerName).flatMap { Int64($0) }.flatMap {
            $0 >= 0 ? Offset($0) : nil
        }
    }
}
