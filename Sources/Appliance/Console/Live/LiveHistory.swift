import NIOCore
import Vocabulary

/// How the figures were over the last hour, in memory: after a restart it begins anew.
struct LiveHistory {
    /// Ten seconds that are over.
    struct Bucket: Hashable {
        /// When it ended, in seconds since 1970.
        var endedAt: Int64
        /// Transactions booked.
        var booked: Int64
        /// From request to ledger, in microseconds; zero where nothing was booked.
        var toLedger: Latency
    }

    /// Microseconds, to within 0.8 %.
    struct Latency: Hashable {
        var p50: UInt64 = 0
        var p99: UInt64 = 0

        init() {}

        init(_ now: LatencyHistogram, since earlier: LatencyHistogram) {
            p50 = now.value(atShare: 0.5, since: earlier)
            p99 = now.value(atShare: 0.99, since: earlier)
        }
    }

    /// What was counted at some moment.
    private struct Mark {
        var booked: Int64
        var toLedger: LatencyHistogram
        var toAnswer: LatencyHistogram

        init(_ counters: Counters) {
            booked = Int64(counters[.booked])
            toLedger = counters.endToEnd.snapshot
            toAnswer = counters.acknowledged.snapshot
        }
    }

    /// The oldest first, without a gap but where the process did not run.
    private(set) var buckets = CircularBuffer<Bucket>()
    /// The last minute's buckets' beginnings, the oldest first; never empty.
    private var marks: CircularBuffer<Mark>
    /// Monotonic milliseconds at which the bucket under way ends.
    private var due: Int64
    /// Of the last minute, as of the last look.
    private(set) var toLedger = Latency()
    private(set) var toAnswer = Latency()

    /// - Parameter milliseconds: by the monotonic clock.
    init(_ counters: Counters, at milliseconds: Int64) {
        marks = [Mark(counters)]
        due = milliseconds + LiveLimits.bucketSeconds * 1_000
    }

    /// Looks again, and closes the bucket that is over.
    ///
    /// - Returns: whether one was closed.
    mutating func look(_ counters: Counters, at milliseconds: Int64, wall: Int64) -> Bool {
        let mark = Mark(counters)
        if let oldest = marks.first {
            toLedger = Latency(mark.toLedger, since: oldest.toLedger)
            toAnswer = Latency(mark.toAnswer, since: oldest.toAnswer)
        }
        guard milliseconds >= due, let begun = marks.last else { return false }
        buckets.append(
            Bucket(
                endedAt: wall / 1_000, booked: mark.booked - begun.booked,
                toLedger: Latency(mark.toLedger, since: begun.toLedger)))
        if buckets.count > LiveLimits.bucketCount { buckets.removeFirst() }
        marks.append(mark)
        if marks.count > LiveLimits.minuteBucketCount { marks.removeFirst() }
        due = milliseconds + LiveLimits.bucketSeconds * 1_000
        return true
    }
}

/// Counts of the last seconds, for rates.
struct RateWindow {
    private var samples = CircularBuffer<(milliseconds: Int64, counts: [Int64])>()

    /// - Parameters:
    ///   - counts: the same ones each time.
    ///   - milliseconds: by the monotonic clock.
    /// - Returns: of each how many there were a second; zero at the first look.
    mutating func rates(_ counts: [Int64], at milliseconds: Int64) -> [Double] {
        samples.append((milliseconds, counts))
        if samples.count > LiveLimits.rateSeconds + 1 { samples.removeFirst() }
        guard let oldest = samples.first, milliseconds > oldest.milliseconds else {
            return counts.map { _ in 0 }
        }
        let seconds = Double(milliseconds - oldest.milliseconds) / 1_000
        // Retention makes a topic shorter: that is no rate.
        return zip(counts, oldest.counts).map { now, before in
            (Double(max(0, now - before)) / seconds * 10).rounded() / 10
        }
    }
}
