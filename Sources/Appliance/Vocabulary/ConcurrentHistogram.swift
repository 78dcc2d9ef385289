import Synchronization

/// Durations counted by any number of threads at once.
package final class ConcurrentHistogram: Sendable {
    private let values = Mutex(LatencyHistogram())

    package init() {}

    /// Counts one duration; below one microsecond as one, from 2^40 µs (12 days) on as just below
    /// that.
    package func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        record(microseconds: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// Counts `count` durations of the same length.
    package func record(microseconds: Int64, count: Int = 1) {
        let value = UInt64(max(1, min(microseconds, Int64(LatencyHistogram.valueMax))))
        values.withLock { $0.record(value, count: UInt64(count)) }
    }

    /// Durations counted.
    package var count: Int { Int(values.withLock { $0.count }) }

    /// What was counted so far, in microseconds.
    package var snapshot: LatencyHistogram { values.withLock { $0 } }

    /// What each asked share (0…1) of the durations does not exceed, in microseconds and to within
    /// 0.8 %, all from one reading; zero where nothing was counted.
    package func quantiles(_ quantiles: [Double]) -> [Int64] {
        let values = snapshot
        return quantiles.map { Int64(values.value(atShare: $0)) }
    }
}
