/// Records a second over the last seconds: one count a second, the oldest forgotten.
struct DeliveryRate: Sendable {
    /// Seconds that it looks back.
    static let seconds: Int64 = 10

    private var counts: [Int64: Int64] = [:]

    /// - Parameter now: milliseconds of the monotonic clock.
    mutating func add(_ count: Int, at now: Int64) {
        let second = now / 1_000
        counts[second, default: 0] += Int64(count)
        if counts.count > Self.seconds { counts = counts.filter { $0.key > second - Self.seconds } }
    }

    /// From the first second in which something came, at most so many back.
    func value(at now: Int64) -> Double {
        let second = now / 1_000
        let seen = counts.filter { $0.key > second - Self.seconds }
        guard let first = seen.keys.min() else { return 0 }
        return Double(seen.values.reduce(0, +)) / Double(max(1, second - first + 1))
    }
}
