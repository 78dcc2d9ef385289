/// How long things took, in nanoseconds, in fixed memory and to within 0.4 %.
///
/// Values are counted in buckets whose width grows with the value, as in HdrHistogram: 128 buckets
/// for every power of two, one for each value below 256.
package struct LatencyHistogram: Sendable {
    /// Larger values, from about 18 minutes, count as this one in percentiles.
    package static let valueMax: UInt64 = (1 << 40) - 1

    private static let subBucketBits = 7
    private var counts = [UInt64](repeating: 0, count: Self.index(of: Self.valueMax) + 1)
    package private(set) var count: UInt64 = 0
    package private(set) var max: UInt64 = 0

    package init() {}

    private var sum: Double = 0

    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    mutating func record(_ nanoseconds: UInt64) {
        counts[Self.index(of: Swift.min(nanoseconds, Self.valueMax))] += 1
        count += 1
        sum += Double(nanoseconds)
        max = Swift.max(max, nanoseconds)
    }

    /// The value that this share of all values does not exceed, to within 0.4 %; zero when there
    /// are none.
    /// - Parameter share: 0 ... 1.
    package func value(atShare share: Double) -> UInt64 {
        precondition((0...1).contains(share), "share \(share)")
        guard count > 0 else { return 0 }
        let rank = Swift.max(1, UInt64((share * Double(count)).rounded(.up)))
        var passed: UInt64 = 0
        for (index, bucket) in counts.enumerated() {
            passed += bucket
            if passed >= rank { return Swift.min(Self.middle(of: index), max) }
        }
        return max
    }

    private static func index(of value: UInt64) -> Int {
        let width = UInt64.bitWidth - value.leadingZeroBitCount
        let shift = Swift.max(0, width - subBucketBits - 1)
        return shift << subBucketBits + Int(value >> UInt64(shift))
    }

    private static func middle(of index: Int) -> UInt64 {
        let half = 1 << subBucketBits
        guard index >= 2 * half else { return UInt64(index) }
        let shift = UInt64(index / half - 1)
        let lowest = UInt64(index % half + half) << shift
        return lowest + (1 << shift) / 2
    }
}
