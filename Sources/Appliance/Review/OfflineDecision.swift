package import AppendLog
package import Vocabulary

/// A decision in a folder whose daemon does not run: the record is written, and the ledger books it
/// when the daemon starts next.
package struct OfflineDecision {
    package let decisions: any DecisionLog
    /// `payment.review`.
    package let topic: TopicReader
    package let ledger: any LedgerReading
    package let clock: any LogClock

    package init(
        decisions: any DecisionLog, topic: TopicReader, ledger: any LedgerReading,
        clock: any LogClock
    ) {
        self.decisions = decisions
        self.topic = topic
        self.ledger = ledger
        self.clock = clock
    }

    /// - Throws: `ReviewRefusal`, `LedgerError`, `StoreFailure`.
    package func decide(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer {
        let movement = ReviewName.movement(id)
        guard let review = try ledger.review(of: movement) else {
            throw ReviewRefusal.unknown(id)
        }
        guard review.state == .open else { throw ReviewRefusal.closed(review) }
        if let earlier = try undecided(movement) {
            throw ReviewRefusal.beingDecided(movement, by: earlier.by)
        }
        _ = try await decisions.append(request.record(on: review, at: clock.now()))
        return ReviewAnswer(review: review, isBooked: false)
    }

    /// A decision that the ledger has not read yet.
    private func undecided(_ movement: MovementKey) throws -> ReviewRecord? {
        let document = JSONDocument()
        let read = try ledger.position(topic: TopicID.paymentReview.rawValue)
        var next = max(read.map { Offset($0) } ?? topic.start, topic.start)
        while next < topic.end {
            let records = try topic.read(from: next, byteCountMax: 1 << 20)
            guard let last = records.last else { break }
            for stored in records {
                guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                    record.movement == movement, PostingRules.decision(of: record) != nil
                else { continue }
                return record
            }
            next = last.offset.advanced(by: 1)
        }
        return nil
    }
}
