import Vocabulary

/// The daemon's counters at one moment.
struct DemoFigures: Sendable {
    var at: ContinuousClock.Instant
    private var values: [Counters.Name: Int]
    /// Payments booked, in minor units.
    var volume: [Currency: Int64]
    /// Microseconds, at 0.5 and 0.99.
    var endToEnd: [Int64]
    var acknowledged: [Int64]

    init(
        at: ContinuousClock.Instant, values: [Counters.Name: Int], volume: [Currency: Int64] = [:],
        endToEnd: [Int64] = [0, 0], acknowledged: [Int64] = [0, 0]
    ) {
        self.at = at
        self.values = values
        self.volume = volume
        self.endToEnd = endToEnd
        self.acknowledged = acknowledged
    }

    init(_ counters: Counters) {
        self.init(
            at: .now,
            values: Dictionary(
                uniqueKeysWithValues: Counters.Name.allCases.map { ($0, counters[$0]) }),
            volume: counters.volume, endToEnd: counters.endToEnd.quantiles([0.5, 0.99]),
            acknowledged: counters.acknowledged.quantiles([0.5, 0.99]))
    }

    subscript(name: Counters.Name) -> Int { values[name] ?? 0 }

    /// Payments and failed payments that have a verdict, better informed ones not counted again.
    var judged: Int { self[.approved] + self[.flagged] + self[.blocked] }

    /// Increase a second since an earlier moment.
    func rate(_ name: Counters.Name, since earlier: Self) -> Double {
        let span = (at - earlier.at) / .seconds(1)
        return span > 0 ? Double(self[name] - earlier[name]) / span : 0
    }

    /// The rate of `judged`.
    func judgedRate(since earlier: Self) -> Double {
        [.approved, .flagged, .blocked].reduce(0) { $0 + rate($1, since: earlier) }
    }
}

/// Numbers as the demo shows them.
enum DemoNumber {
    static func grouped(_ number: Int) -> String { grouped(decimal: String(number)) }

    /// `1234567.89` as `1,234,567.89`.
    static func grouped(decimal: String) -> String {
        let parts = decimal.split(separator: ".", maxSplits: 1)
        let whole = String(
            parts[0].reversed().enumerated().map { index, digit in
                index > 0 && index % 3 == 0 && digit != "-" ? ",\(digit)" : "\(digit)"
            }.joined().reversed())
        return parts.count > 1 ? "\(whole).\(parts[1])" : whole
    }

    static func money(_ amount: Int64, _ currency: Currency) -> String {
        grouped(decimal: currency.display(MinorUnits(amount)))
    }

    static func perSecond(_ rate: Double) -> String { "\(grouped(Int(rate.rounded())))/s" }

    /// `3.2 ms`, `1.5 s`.
    static func duration(_ microseconds: Int64) -> String {
        let isLong = microseconds >= 1_000_000
        let tenths = (microseconds + (isLong ? 50_000 : 50)) / (isLong ? 100_000 : 100)
        return "\(tenths / 10).\(tenths % 10) " + (isLong ? "s" : "ms")
    }
}
