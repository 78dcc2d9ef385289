import Appliance

/// What is usual of a number that came several times: mean and standard deviation, as the feature
/// `amount_zscore` has them of a customer's amounts (``FeatureBounds/amountsMin``, and the
/// deviation of a population). Every page and route that says "usual" means this.
struct UsualRange: Hashable, Sendable {
    var count: Int
    var mean: Double
    /// Of the population.
    var deviation: Double

    /// Values from which on something is usual.
    static let countMin = Int(FeatureBounds.amountsMin)
    /// Deviations on each side of the mean within which a value is usual.
    private static let deviations = 2.0

    /// - Returns: nil for fewer values than ``countMin``.
    init?(_ values: [Double]) {
        guard values.count >= Self.countMin else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        (count, self.mean) = (values.count, mean)
        deviation = (squares / Double(values.count)).squareRoot()
    }

    var low: Double { mean - Self.deviations * deviation }
    var high: Double { mean + Self.deviations * deviation }
}
