package import AppendLog
package import Logging
import ServiceLifecycle
import Vocabulary

/// Declines what nobody has decided in time. It never approves: what was held becomes due as a
/// refund, by a decision like a person's, whose name is `expiry`.
///
/// Time counts from when the payment was booked as held, by this machine's clock: an event that
/// comes late has all of it.
package struct ReviewExpiry: Service {
    let desk: ReviewDesk
    let ledger: any LedgerReading
    /// Seconds that a person has.
    let afterSeconds: Int64
    let clock: any LogClock
    let logger: Logger
    var sleep: @Sendable (_ milliseconds: Int64) async throws -> Void

    /// Whose decision it is.
    package static let actor = ReservedNames.expiry
    private static let lookMilliseconds: Int64 = 60_000
    private static let pageCount = 100
    /// Reviews that one look declines at most.
    private static let declinedCountMax = 1_000

    package init(
        desk: ReviewDesk, ledger: any LedgerReading, afterSeconds: Int64, clock: any LogClock,
        logger: Logger,
        sleep: @escaping @Sendable (_ milliseconds: Int64) async throws -> Void = {
            try await Task.sleep(for: .milliseconds($0))
        }
    ) {
        self.desk = desk
        self.ledger = ledger
        self.afterSeconds = afterSeconds
        self.clock = clock
        self.logger = logger
        self.sleep = sleep
    }

    package func run() async throws {
        do {
            // It reads the ledger from the disk.
            try await withTaskExecutorPreference(OwnThread("tillbox.expiry")) {
                try await cancelWhenGracefulShutdown { try await self.work() }
            }
        } catch is CancellationError {
            return
        }
    }

    private func work() async throws {
        while !Task.isCancelled {
            await look()
            try await sleep(Self.lookMilliseconds)
        }
    }

    /// One look: declines what is overdue. What cannot be now is at the next one.
    func look() async {
        do {
            for review in try overdue() {
                guard !Task.isCancelled else { return }
                try await decline(review)
            }
        } catch {
            logger.warning(
                "overdue reviews are not declined now; they stay held, and are looked at again",
                metadata: ["error": "\(error)"])
        }
    }

    /// Reviews are listed in the order of their booking, so that the first that has time left ends
    /// the search.
    private func overdue() throws(LedgerError) -> [Review] {
        var overdue: [Review] = []
        var after = TransactionID(0)
        while overdue.count < Self.declinedCountMax {
            let page = try ledger.openReviews(after: after, limit: Self.pageCount)
            for review in page {
                guard let left = try Self.secondsLeft(
                    of: review, in: ledger, after: afterSeconds, now: clock.now()),
                    left <= 0
                else { return overdue }
                overdue.append(review)
            }
            guard page.count == Self.pageCount, let last = page.last else { break }
            after = last.payment
        }
        return overdue
    }

    /// Seconds that are left to decide a review, 0 or less when it is overdue; nil where the ledger
    /// does not have its payment.
    package static func secondsLeft(
        of review: Review, in ledger: any LedgerReading, after seconds: Int64, now: Timestamp
    ) throws(LedgerError) -> Int64? {
        guard let payment = try ledger.transaction(review.payment) else { return nil }
        return seconds - (now.milliseconds - payment.postedAtMilliseconds) / 1_000
    }

    private func decline(_ review: Review) async throws {
        let request = ReviewRequest(expiredAfterSeconds: afterSeconds)
        do {
            _ = try await desk.decide(review.movement.rawValue, request)
        } catch let refusal as ReviewRefusal {
            // Somebody was first, which is better.
            logger.debug(
                "an overdue review is not declined",
                metadata: ["movement": "\(review.movement)", "code": "\(refusal.code)"])
            return
        }
        logger.notice(
            "nobody has decided a review in time: it is declined, and a refund is due",
            metadata: ["movement": "\(review.movement)"])
    }
}
