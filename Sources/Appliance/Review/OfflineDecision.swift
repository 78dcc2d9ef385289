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
        let waiting = try WaitingDecisions(
            in: topic, from: try ledger.position(topic: TopicID.paymentReview.rawValue))
        if let earlier = waiting[movement] {
            throw ReviewRefusal.beingDecided(movement, by: earlier.by)
        }
        _ = try await decisions.append(request.record(on: review, at: clock.now()))
        return ReviewAnswer(review: review, isBooked: false)
    }
}
