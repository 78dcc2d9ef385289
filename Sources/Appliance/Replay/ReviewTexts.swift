import AppendLog
package import Vocabulary

/// Compares what the ledger keeps of reviews and decisions with `payment.review`, which has both:
/// people's decisions came from there, and the ledger's own openings and closings were told there.
/// None of it moves money, so that the chain says nothing of it.
///
/// What the ledger has read or told since it was looked at is left out, and so is what retention
/// has removed.
package struct ReviewTexts {
    private let ledger: any LedgerReading
    /// Of `payment.review`, how far the ledger has considered it.
    private let next: Offset
    /// Places of decisions that the log has not shown yet.
    private var unseen: Set<Int64>
    /// The ledger's own changes, a page at a time, in the order of their numbers.
    private var page: [ReviewChange] = []

    private typealias Fault = LedgerVerification.Fault
    private static let pageCount = 500

    /// - Parameter topic: opens `payment.review`, behind the first look at the ledger, so that it
    ///   has all that the ledger knows; nil where there is none.
    /// - Returns: the first row that says something else.
    /// - Throws: `LedgerError`, `StoreFailure`, what `topic` throws.
    package static func fault(
        in ledger: any LedgerReading, _ topic: () throws -> TopicReader?
    ) throws -> LedgerVerification.Fault? {
        let point = try ledger.point()
        var texts = ReviewTexts(
            ledger, next: Offset(point.positions[TopicID.paymentReview.rawValue] ?? 0),
            unseen: Set(point.places.keys))
        guard let topic = try topic() else { return nil }
        do {
            return try texts.fault(in: topic)
        } catch LedgerError.olderSchema {
            // It keeps neither; the next start brings it up to date from what it has.
            return nil
        }
    }

    private init(_ ledger: any LedgerReading, next: Offset, unseen: Set<Int64>) {
        self.ledger = ledger
        self.next = next
        self.unseen = unseen
    }

    private mutating func fault(in topic: TopicReader) throws -> Fault? {
        let document = JSONDocument()
        var from = topic.start
        let end = topic.end
        unseen = unseen.filter { $0 >= from.rawValue && $0 < next.rawValue }
        while from < end {
            let records = try topic.read(from: from, byteCountMax: 1 << 20)
            guard let last = records.last else { break }
            for stored in records {
                let review = try? ReviewRecord(stored.record.value ?? [], using: document)
                if let review, let fault = try fault(of: review, stored) { return fault }
            }
            from = last.offset.advanced(by: 1)
        }
        return unseen.min().map { place in
            Fault(
                check: "decision", row: "decisions at \(place)",
                expected: "a decision there in payment.review", found: "none")
        }
    }

    private mutating func fault(of review: ReviewRecord, _ stored: StoredRecord) throws -> Fault? {
        guard ReplaySource.isOwn(stored, review) else {
            guard stored.offset < next, review.by != PostingRules.scoringActor else { return nil }
            return try fault(ofDecision: review, at: stored.offset.rawValue)
        }
        // Releases before the ledger kept reviews had scoring tell of them.
        guard stored.record.text("stage") == LedgerStep.name, let id = stored.source?.rawValue
        else { return nil }
        return try fault(ofChange: id, review, stored.record)
    }

    // MARK: Decisions

    private mutating func fault(ofDecision review: ReviewRecord, at place: Int64) throws -> Fault? {
        unseen.remove(place)
        let row = "decisions at \(place)"
        guard let kept = try ledger.decision(at: place, partition: 0) else {
            return Fault(
                check: "decision", row: row, expected: "the decision on \(review.movement)",
                found: "none")
        }
        // Of what earlier releases considered only the place is kept.
        guard !kept.record.movement.rawValue.isEmpty else { return nil }
        return Self.difference("decision", row, [
            ("movement", review.movement.rawValue, kept.record.movement.rawValue),
            ("state", review.state.rawValue, kept.record.state.rawValue),
            ("decided_by", review.by, kept.record.by),
            ("decided_at", "\(review.at.seconds)", "\(kept.record.at.seconds)"),
            ("note", review.note, kept.record.note),
        ])
    }

    // MARK: Openings and closings

    private mutating func fault(
        ofChange id: Int64, _ review: ReviewRecord, _ record: Record
    ) throws -> Fault? {
        let row = "reviews \(id)"
        if page.last.map({ $0.id < id }) ?? true || page.first.map({ $0.id > id }) ?? true {
            page = try ledger.reviewChanges(after: id - 1, limit: Self.pageCount)
        }
        guard let kept = page.first(where: { $0.id == id }) else {
            return Fault(
                check: "review", row: row, expected: "the \(review.state.rawValue) review of "
                    + "\(review.movement)", found: "none")
        }
        return Self.difference("review", row, [
            ("movement", review.movement.rawValue, kept.record.movement.rawValue),
            ("state", review.state.rawValue, kept.record.state.rawValue),
            ("event_id", record.text("event-id"), kept.eventID.rawValue),
            ("at", "\(review.at.seconds)", "\(kept.record.at.seconds)"),
            ("score", review.score.map { "\($0)" }, kept.record.score.map { "\($0)" }),
            (
                "reasons", ReviewReasons.text(review.reasons),
                ReviewReasons.text(kept.record.reasons)
            ),
            ("note", review.note, kept.record.note),
            (
                "posted_at", "\(record.timestamp.milliseconds)",
                "\(kept.postedAtMilliseconds)"
            ),
        ])
    }

    /// The first column that says something else than the log.
    private static func difference(
        _ check: String, _ row: String, _ columns: [(name: String, log: String?, kept: String?)]
    ) -> Fault? {
        columns.first { $0.log != $0.kept }.map { column in
            Fault(
                check: check, row: "\(row), \(column.name)",
                expected: "\(shown(column.log)) as in payment.review", found: shown(column.kept))
        }
    }

    private static func shown(_ text: String?) -> String {
        text.map { "“\(ShownText.escaped(String($0.prefix(shownCount))))”" } ?? "none"
    }

    private static let shownCount = 80
}
