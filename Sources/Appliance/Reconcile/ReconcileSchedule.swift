package import Vocabulary

/// When runs and sweeps are due. Pure: it is told the time and what was done.
package struct ReconcileSchedule: Hashable, Sendable {
    /// Minutes after midnight, UTC, of the nightly run; nil for none.
    package var nightlyMinute: Int?
    /// Seconds between two sweeps; nil for none.
    package var sweepSeconds: Int64?
    /// Seconds after which a failed run or sweep is tried again.
    var retrySeconds: Int64 = 600

    package init(nightlyMinute: Int? = nil, sweepSeconds: Int64? = nil, retrySeconds: Int64 = 600) {
        self.nightlyMinute = nightlyMinute
        self.sweepSeconds = sweepSeconds
        self.retrySeconds = retrySeconds
    }

    /// Reads `02:30`.
    ///
    /// - Returns: nil unless `text` is an hour and a minute of a day.
    package static func minute(of text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...2).contains($0.count) }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), (0..<24).contains(hour),
            (0..<60).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }

    /// When the next nightly run is due; in the past when one was missed. Nil without a schedule.
    ///
    /// - Parameters:
    ///   - finished: the end of the period of the last run that went well.
    ///   - begun: when any run began last.
    func nightlyDue(finished: Instant?, begun: RunRecord?, now: Instant) -> Instant? {
        guard let nightlyMinute else { return nil }
        let last = Self.lastOccurrence(ofMinute: nightlyMinute, before: now)
        if let finished, finished >= last {
            return Instant(seconds: last.seconds + 86_400)
        }
        return retry(after: begun.flatMap { $0.state == .failed ? $0.startedAt : nil }, now)
    }

    /// A run that begins later than this after its time has missed it; one looks every minute.
    static let punctualSeconds: Int64 = 120

    /// How many nights' times have passed, more than a moment ago, since a run went well.
    ///
    /// - Parameter finished: the end of that run's period.
    func nightsMissed(since finished: Instant, now: Instant) -> Int64 {
        guard let nightlyMinute else { return 0 }
        let past = Instant(seconds: now.seconds - Self.punctualSeconds)
        guard finished < past else { return 0 }
        let last = Self.lastOccurrence(ofMinute: nightlyMinute, before: past)
        let known = Self.lastOccurrence(ofMinute: nightlyMinute, before: finished)
        return (last.seconds - known.seconds) / 86_400
    }

    /// When the next sweep is due.
    func sweepDue(finished: SweepRecord?, begun: SweepRecord?, now: Instant) -> Instant? {
        guard let sweepSeconds else { return nil }
        if let begun, begun.state == .failed, begun.id > finished?.id ?? 0 {
            return retry(after: begun.startedAt, now)
        }
        guard let finished else { return now }
        // The one whose period ends last need not be the one that was done last: what could not be
        // stored ends a period before its time.
        let last = max(finished.startedAt, begun?.startedAt ?? finished.startedAt)
        return Instant(seconds: last.seconds + sweepSeconds)
    }

    private func retry(after failed: Instant?, _ now: Instant) -> Instant {
        guard let failed else { return now }
        return max(now, Instant(seconds: failed.seconds + retrySeconds))
    }

    /// The last time before or at `now` that a day was this many minutes old.
    package static func lastOccurrence(ofMinute minute: Int, before now: Instant) -> Instant {
        let shifted = now.seconds - Int64(minute) * 60
        let intoDay = ((shifted % 86_400) + 86_400) % 86_400
        return Instant(seconds: now.seconds - intoDay)
    }
}
