import Synchronization

/// Durations counted in logarithmic buckets of at most 1/32 relative width, in fixed memory (10
/// KiB), by any number of threads at once.
///
/// The layout is that of an HDR histogram: 32 linear steps between each two powers of two.
package final class ConcurrentHistogram: Sendable {
    private static let stepBits = 5
    private static let bucketCount = (41 - stepBits) << stepBits
    private let buckets: [Cell]

    private final class Cell: Sendable {
        let count = Atomic<Int>(0)
    }

    package init() { buckets = (0..<Self.bucketCount).map { _ in Cell() } }

    /// Counts one duration; below one microsecond as one, from 2^40 µs (12 days) on as just below
    /// that.
    package func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        record(microseconds: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// Counts `count` durations of the same length.
    package func record(microseconds: Int64, count: Int = 1) {
        let value = UInt64(max(1, min(microseconds, (1 << 40) - 1)))
        buckets[Self.bucket(of: value)].count.add(count, ordering: .relaxed)
    }

    /// Durations counted.
    package var count: Int { buckets.reduce(0) { $0 + $1.count.load(ordering: .relaxed) } }

    /// The upper edge, in microseconds, of the bucket that holds each asked quantile (0…1), all
    /// from one reading; zero where nothing was counted.
    package func quantiles(_ quantiles: [Double]) -> [Int64] {
        let counts = buckets.map { $0.count.load(ordering: .relaxed) }
        let total = counts.reduce(0, +)
        guard total > 0 else { return quantiles.map { _ in 0 } }
        return quantiles.map { quantile in
            let rank = max(1, Int((Double(total) * quantile).rounded(.up)))
            var seen = 0
            for (index, count) in counts.enumerated() {
                seen += count
                if seen >= rank { return Self.upperEdge(of: index) }
            }
            return Self.upperEdge(of: counts.count - 1)
        }
    }

    private static func bucket(of value: UInt64) -> Int {
        let steps = UInt64(1) << stepBits
        guard value >= steps else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - stepBits
        let row = shift + 1
        return (row << stepBits) + Int((value >> UInt64(shift)) - steps)
    }

    private static func upperEdge(of bucket: Int) -> Int64 {
        let row = bucket >> stepBits
        let step = bucket & ((1 << stepBits) - 1)
        guard row > 0 else { return Int64(step) }
        return Int64((step + (1 << stepBits) + 1) << (row - 1)) - 1
    }
}
