/// When a delivery that failed is tried again: after a wait that grows by a factor, with jitter,
/// until the attempts or the time are used up.
package struct RetrySchedule: Hashable, Sendable {
    /// The wait after the first failure, in milliseconds; at least 1.
    package var firstMilliseconds: Int64
    /// What each wait is multiplied by for the next, at least 1.
    package var factor: Double
    /// No wait is longer.
    package var longestMilliseconds: Int64
    /// Attempts in all, at least 1.
    package var attemptsMax: Int
    /// Nothing is tried later than this after the first attempt.
    package var windowMilliseconds: Int64
    /// A wait is drawn between itself less and itself plus this share of it; 0 ..< 1.
    var jitterShare = 0.2

    package init(
        firstMilliseconds: Int64, factor: Double, longestMilliseconds: Int64, attemptsMax: Int,
        windowMilliseconds: Int64, jitterShare: Double = 0.2
    ) {
        self.firstMilliseconds = firstMilliseconds
        self.factor = factor
        self.longestMilliseconds = longestMilliseconds
        self.attemptsMax = attemptsMax
        self.windowMilliseconds = windowMilliseconds
        self.jitterShare = jitterShare
    }

    /// In live mode Stripe tries for up to three days with an exponential back-off
    /// (docs.stripe.com/webhooks#automatic-retries). It does not publish the waits; these come
    /// close to those that receivers report: minutes at first, half days at the end.
    static let live = RetrySchedule(
        firstMilliseconds: 5 * 60_000, factor: 3, longestMilliseconds: 12 * 3_600_000,
        attemptsMax: 16, windowMilliseconds: 3 * 86_400_000)

    /// In test mode Stripe tries three times over a few hours (the same page).
    static let test = RetrySchedule(
        firstMilliseconds: 30 * 60_000, factor: 4, longestMilliseconds: 4 * 3_600_000,
        attemptsMax: 3, windowMilliseconds: 6 * 3_600_000)

    /// For work at a desk: fast enough to watch, and patient enough for a receiver that restarts.
    package static let quick = RetrySchedule(
        firstMilliseconds: 200, factor: 2, longestMilliseconds: 10_000, attemptsMax: 20,
        windowMilliseconds: 3 * 86_400_000)

    /// What the schedules are called on the command line.
    package enum Name: String, CaseIterable, Sendable {
        case quick, test, live

        package var schedule: RetrySchedule {
            switch self {
            case .quick: .quick
            case .test: .test
            case .live: .live
            }
        }
    }

    /// The wait before the next attempt, or nil when the delivery is given up.
    ///
    /// - Parameters:
    ///   - made: attempts that failed, at least 1.
    ///   - elapsed: milliseconds since the first of them.
    ///   - unit: a number from 0 up to but not including 1, for the jitter.
    func wait(afterAttempts made: Int, elapsed: Int64, unit: Double) -> Int64? {
        guard made < attemptsMax else { return nil }
        var wait = Double(firstMilliseconds)
        for _ in 1..<max(made, 1) where wait < Double(longestMilliseconds) { wait *= factor }
        wait = min(wait, Double(longestMilliseconds))
        let jittered = max(1, Int64(wait * (1 + jitterShare * (2 * unit - 1))))
        return elapsed + jittered <= windowMilliseconds ? jittered : nil
    }
}
