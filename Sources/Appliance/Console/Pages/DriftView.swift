import Foundation
import Vocabulary

/// How far what the model sees, and what it says, has moved from what it learned from.
struct DriftView {
    /// One input, or the score.
    struct Row {
        /// In a person's words; and as the model calls it.
        var name, id: String
        /// The population stability index, with three decimals; nil until there is one.
        var index: String?
        var state: ShownState
        /// Shares by bin: of training as an area, since the start as a line. Empty before there
        /// is anything to draw.
        var before, now: String
        /// The same in words.
        var sentence: String
    }

    var rows: [Row]
    /// Payments since the start.
    var count: String
    /// What stands in place of an index before there is one.
    var waits: String?

    static let width = 120.0
    static let height = 16.0
    /// From which on an index is customarily taken for a shift, and for another population
    /// (Siddiqi, Credit Risk Scorecards, 2006).
    static let (movedFrom, otherFrom) = (0.1, 0.25)

    /// - Returns: nil where nothing is counted against, as of a model that does not say what it
    ///   learned from.
    init?(_ readings: [ModelDrift.Reading]) {
        guard let first = readings.first else { return nil }
        let payments = Int64(first.counts.reduce(0, +))
        count = ShownNumber.count(payments, "payment")
        let window = ShownAmount.grouped(Int64(ModelDrift.windowCount))
        waits = readings.contains { $0.stabilityIndex != nil }
            ? nil : "An index is taken of each \(window) payments; \(count) were scored so far."
        rows = readings.map(Self.row)
    }

    private static func row(_ reading: ModelDrift.Reading) -> Row {
        let before = shares(reading.bins.counts)
        let now = shares(reading.counts)
        let name = name(of: reading.name)
        return Row(
            name: name, id: ShownText.escaped(reading.name),
            index: reading.stabilityIndex.map { ShownNumber.decimal($0, 3) },
            state: state(reading.stabilityIndex), before: area(before, most(before, now)),
            now: line(now, most(before, now)), sentence: sentence(name, before, now))
    }

    private static func name(of input: String) -> String {
        switch input {
        case "tx_velocity_1m": "Payments in a minute"
        case "tx_velocity_1h": "Payments in an hour"
        case "amount_zscore": "Amount beside the usual"
        case "merchant_risk_score": "Disputes at the merchant"
        case "device_switch_flag": "Another device"
        case "country_mismatch_flag": "Card and billing country"
        case "failed_attempts_1h": "Failures in an hour"
        case "log_seconds_since_last": "Time since the last payment"
        case "score": "Score"
        default: ShownText.escaped(input)
        }
    }

    private static func state(_ index: Double?) -> ShownState {
        switch index {
        case nil: ShownState("Not yet", dot: "o")
        case let index? where index >= otherFrom: ShownState("Another population", "wait")
        case let index? where index >= movedFrom: ShownState("Shifted")
        default: ShownState("As in training")
        }
    }

    /// Empty where nothing was counted.
    private static func shares(_ counts: [Int]) -> [Double] {
        let sum = counts.reduce(0, +)
        return sum > 0 ? counts.map { Double($0) / Double(sum) } : []
    }

    private static func most(_ before: [Double], _ now: [Double]) -> Double {
        max((before + now).max() ?? 0, .leastNormalMagnitude)
    }

    // MARK: The drawing

    private static func area(_ shares: [Double], _ most: Double) -> String {
        steps(shares, most).map { left, right, top in
            "M\(number(left)) \(number(height))V\(number(top))H\(number(right))"
                + "V\(number(height))Z"
        }.joined()
    }

    private static func line(_ shares: [Double], _ most: Double) -> String {
        steps(shares, most).enumerated().map { place, step in
            place == 0
                ? "M\(number(step.left)) \(number(step.top))H\(number(step.right))"
                : "V\(number(step.top))H\(number(step.right))"
        }.joined()
    }

    private static func steps(
        _ shares: [Double], _ most: Double
    ) -> [(left: Double, right: Double, top: Double)] {
        let slot = width / Double(max(1, shares.count))
        return shares.enumerated().map { place, share in
            (Double(place) * slot, Double(place + 1) * slot, height * (1 - share / most))
        }
    }

    private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func sentence(
        _ name: String, _ before: [Double], _ now: [Double]
    ) -> String {
        let pairs = zip(before, now).enumerated()
        guard let widest = pairs.max(by: { abs($0.1.0 - $0.1.1) < abs($1.1.0 - $1.1.1) }) else {
            return "\(name): nothing scored yet."
        }
        let (was, since) = widest.element
        return "\(name): bin \(widest.offset + 1) of \(before.count) differs "
            + "most, \(ShownNumber.decimal(was * 100, 1)) % in training and "
            + "\(ShownNumber.decimal(since * 100, 1)) % since the start."
    }
}
