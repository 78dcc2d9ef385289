package import AppendLog
package import Vocabulary

/// Where people's decisions are written: the end of `payment.review`.
package protocol DecisionLog: Sendable {
    /// The place behind the last record that may be a decision of this payment; nil where there is
    /// none.
    func end(of movement: MovementKey) async throws -> SourcePlace?
    /// - Returns: the record's place, once it is durable.
    func append(_ decision: Record) async throws -> SourcePlace
}

/// What became of a decision.
package struct ReviewAnswer: Hashable, Sendable {
    /// As the ledger has it; before the ledger has booked the decision, as it was before.
    package var review: Review
    /// Whether the ledger has booked it yet; it will.
    package var isBooked: Bool
}

/// Takes people's decisions, one for each review. A decision is a record; the ledger moves the
/// money when it reads it.
///
/// In the embedded plane there is one, in the process that holds the log's lock, so it alone writes
/// decisions. Of two that several processes write at the same moment the ledger takes the first,
/// and a decline behind an approval:
///
///     request A                              request B, of the same payment
///     claim it; wait until the ledger has
///     read all decisions; open? append
///       … sync                               claimed: waits for A
///     wait until the ledger has read it      written: decided by A
///     (a crash here: the record stands, and the ledger books it after the start)
///                                            not open: decided by A
package actor ReviewDesk {
    private let decisions: any DecisionLog
    private let ledger: any LedgerReading
    private let clock: any LogClock
    private let waitMilliseconds: Int
    /// Seconds for which a decision waits for whoever was first; again so long for the ledger to
    /// book the decisions before it, and once more for its own.
    package static let waitSeconds: Int64 = 10
    /// Seconds after which who asked need not wait on: the three waits, and as long for the disk.
    /// A disk may take longer yet; the decision then stands although nobody was told.
    package static let answerSecondsMax = 4 * waitSeconds
    private let queue = BlockingQueue("tillbox.review")
    /// Who is deciding which payment.
    private var claims: [MovementKey: Claim] = [:]

    private struct Claim {
        var by: String
        /// Whether the decision is on disk: from here on it stands.
        var isWritten = false
    }

    /// - Parameter waitMilliseconds: how long each of a decision's waits lasts at most.
    package init(
        decisions: any DecisionLog, ledger: any LedgerReading, clock: any LogClock,
        waitMilliseconds: Int = Int(waitSeconds) * 1_000
    ) {
        self.decisions = decisions
        self.ledger = ledger
        self.clock = clock
        self.waitMilliseconds = waitMilliseconds
    }

    /// - Parameter id: see `ReviewName`.
    /// - Throws: `ReviewRefusal`, `LedgerError`, and what an append throws; then the decision may
    ///   still have been written, and asking again says so.
    package func decide(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer {
        let movement = ReviewName.movement(id)
        try await claim(movement, by: request.by)
        defer { claims[movement] = nil }
        if let end = try await decisions.end(of: movement) {
            guard try await hasConsidered(end) else { throw ReviewRefusal.ledgerBehind }
        }
        guard let review = try await review(movement) else { throw ReviewRefusal.unknown(id) }
        guard review.state == .open else { throw ReviewRefusal.closed(review) }
        let place = try await decisions.append(request.record(on: review, at: clock.now()))
        claims[movement]?.isWritten = true
        guard try await hasConsidered(place.next),
            let decided = try await self.review(movement)
        else { return ReviewAnswer(review: review, isBooked: false) }
        let outcome = try await queue.run { [ledger] () throws(LedgerError) in
            try ledger.decision(at: place.offset.rawValue, partition: place.partition)
        }
        // Somebody else may write decisions too; of two that are considered the ledger knows which.
        guard outcome?.tookEffect == true else { throw ReviewRefusal.closed(decided) }
        return ReviewAnswer(review: decided, isBooked: true)
    }

    /// Waits for who is deciding the same payment, until that is written or has failed.
    private func claim(_ movement: MovementKey, by name: String) async throws {
        let giveUpAt = ContinuousClock.now + .milliseconds(waitMilliseconds)
        while let claim = claims[movement] {
            guard !claim.isWritten else {
                throw ReviewRefusal.beingDecided(movement, by: claim.by)
            }
            guard ContinuousClock.now < giveUpAt else {
                throw ReviewRefusal.beingTaken(movement, by: claim.by)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        claims[movement] = Claim(by: name)
    }

    private func review(_ movement: MovementKey) async throws(LedgerError) -> Review? {
        try await queue.run { [ledger] () throws(LedgerError) in try ledger.review(of: movement) }
    }

    /// Waits until the ledger has read a partition of `payment.review` up to `end`.
    private func hasConsidered(_ end: SourcePlace) async throws -> Bool {
        let giveUpAt = ContinuousClock.now + .milliseconds(waitMilliseconds)
        while true {
            let next = try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.position(topic: end.topic.rawValue, partition: end.partition)
            }
            if next ?? 0 >= end.offset.rawValue { return true }
            guard ContinuousClock.now < giveUpAt else { return false }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension ReviewRequest {
    /// The record that says so.
    func record(on review: Review, at now: Timestamp) -> Record {
        let record = ReviewRecord(
            movement: review.movement, state: decision.state, reasons: [], score: nil, by: by,
            at: Instant(seconds: now.milliseconds / 1000), note: note)
        return LedgerStep.decision(record, on: review.eventID, at: now)
    }
}

/// What people call a review: its payment, `charge:ch_…` or `ch_…`.
package enum ReviewName {
    package static func movement(_ id: String) -> MovementKey {
        MovementKey(id.hasPrefix("charge:") ? id : "charge:\(id)")
    }
}
