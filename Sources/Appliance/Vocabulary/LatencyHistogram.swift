import Histogram

/// How long things took, in any one unit, in fixed memory (35 KiB): an HDR histogram to within
/// 0.8 %, which takes every value.
package struct LatencyHistogram: Sendable {
    /// Larger values count as this one in percentiles: about 18 minutes in nanoseconds, 12 days in
    /// microseconds.
    package static let valueMax: UInt64 = (1 << 40) - 1

    private var values = Histogram<UInt64>(
        highestTrackableValue: Self.valueMax, numberOfSignificantValueDigits: .two)
    /// The largest value, exactly.
    package private(set) var max: UInt64 = 0

    package init() {}

    package var count: UInt64 { values.totalCount }
    /// To within 0.8 %; zero when there are none.
    package var mean: Double { values.mean }

    package mutating func record(_ value: UInt64, count: UInt64 = 1) {
        values.record(Swift.min(value, Self.valueMax), count: count)
        max = Swift.max(max, value)
    }

    /// The value that this share of all values does not exceed, to within 0.8 % upwards; zero when
    /// there are none.
    ///
    /// - Parameter share: 0 ... 1.
    package func value(atShare share: Double) -> UInt64 {
        precondition((0...1).contains(share), "share \(share)")
        return Swift.min(values.valueAtPercentile(share * 100), max)
    }

    /// How many values do not exceed `bound`, to within 0.8 % of it.
    package func count(upTo bound: UInt64) -> UInt64 {
        values.count(within: 0...Swift.min(bound, Self.valueMax))
    }

    /// The same of what was recorded since `earlier`, which is this one's own past; zero when that
    /// is nothing.
    package func value(atShare share: Double, since earlier: LatencyHistogram) -> UInt64 {
        precondition((0...1).contains(share), "share \(share)")
        precondition(earlier.count <= count, "\(earlier.count) values before \(count)")
        let recent = count - earlier.count
        guard recent > 0 else { return 0 }
        let wanted = Swift.max(1, UInt64((share * Double(recent)).rounded(.up)))
        var (low, high) = (UInt64(0), max)
        while low < high {
            let middle = low + (high - low) / 2
            if count(upTo: middle) - earlier.count(upTo: middle) >= wanted {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
