import AppendLog
import Vocabulary

/// A line over what there was of the last hour. Its labels are text beside the drawing, which is
/// stretched.
struct OverviewChart {
    struct Line {
        var key, path: String
        /// A class: the first line is blue, a second one grey.
        var tone: String
        var words: String
        /// `t40`: how far down it ends, in per cent.
        var place: String
    }

    var key, name: String
    /// What one would see.
    var sentence: String
    /// The value at the upper edge, zero being at the lower one; empty where nothing was more than
    /// zero, since a scale of nothing means nothing.
    var top: String
    /// How far back the left edge lies.
    var span: String
    var lines: [Line]

    private static let width = 400.0
    private static let height = 88.0
    /// Points of an hour: each of half a minute.
    private static let pointCount = 120
    private static let bucketsPerPoint = LiveLimits.bucketCount / pointCount
    /// Points from edge to edge: ten minutes, half an hour, an hour. The least that holds all there
    /// are, so that a line of the first minutes is no stroke in a corner.
    private static let windows = [20, 60, pointCount]

    /// Half a minute: when it ended, and its value, nil for none.
    private typealias Point = (endedAt: Int64, value: Double?)

    static func throughput(_ history: [LiveHistory.Bucket]) -> OverviewChart {
        let points = points(history) { buckets in
            let seconds = Double(buckets.count) * Double(LiveLimits.bucketSeconds)
            return Double(buckets.reduce(0) { $0 + $1.booked }) / seconds
        }
        let top = ceiling(points.compactMap(\.value).max() ?? 0)
        let now = points.isEmpty ? "" : ShownRate.words(points.last?.value ?? 0)
        return OverviewChart(
            key: "throughput", name: "Throughput",
            sentence: sentence(
                "Throughput, transactions a second", points, now: now) { ShownRate.words($0) },
            top: label(points, "\(short(top))/s"), span: span(points),
            lines: [
                line("throughput", points, top, "ln b2", now, at: tenths(points, top))
            ])
    }

    static func latency(_ history: [LiveHistory.Bucket], _ seen: LiveFigures) -> OverviewChart {
        func milliseconds(_ path: KeyPath<LiveHistory.Latency, UInt64>) -> [Point] {
            points(history) { buckets in
                let most = buckets.filter { $0.booked > 0 }.map { $0.toLedger[keyPath: path] }.max()
                return most.map { Double($0) / 1_000 }
            }
        }
        let (p50, p99) = (milliseconds(\.p50), milliseconds(\.p99))
        let top = ceiling(p99.compactMap(\.value).max() ?? 0)
        func words(_ microseconds: UInt64) -> String {
            microseconds == 0 ? "–" : ShownNumber.decimal(Double(microseconds) / 1_000, 1)
        }
        let (now50, now99) = (words(seen.toLedger.p50), words(seen.toLedger.p99))
        var (upper, lower) = (tenths(p99, top), tenths(p50, top))
        // Two words at one height could not be read.
        if lower - upper < 2 {
            upper = min(upper, 8)
            lower = upper + 2
        }
        let lines = [
            line("p99", p99, top, "ln b2", p99.isEmpty ? "" : "p99 \(now99)", at: upper),
            line("p50", p50, top, "ln", p50.isEmpty ? "" : "p50 \(now50)", at: lower),
        ]
        return OverviewChart(
            key: "latency", name: "Request to ledger",
            sentence: sentence(
                "From Stripe’s request to the ledger, p99 in milliseconds", p99,
                now: "\(now99), p50 \(now50)") { ShownNumber.decimal($0, 1) },
            top: label(p99, "\(short(top)) ms"), span: span(p99), lines: lines)
    }

    // MARK: Points

    private static func points(
        _ history: [LiveHistory.Bucket], _ value: ([LiveHistory.Bucket]) -> Double?
    ) -> [Point] {
        // Whole points alone, counted from the end: the newest never jumps.
        let count = history.count / bucketsPerPoint
        let first = history.count - count * bucketsPerPoint
        return (0..<count).map { place in
            let begin = first + place * bucketsPerPoint
            let buckets = Array(history[begin..<begin + bucketsPerPoint])
            return (buckets[bucketsPerPoint - 1].endedAt, value(buckets))
        }
    }

    private static func line(
        _ key: String, _ points: [Point], _ top: Double, _ tone: String, _ words: String,
        at tenths: Int
    ) -> Line {
        let step = width / Double(window(points) - 1)
        var path = ""
        var isDrawing = false
        for (place, point) in points.enumerated() {
            guard let value = point.value else {
                isDrawing = false
                continue
            }
            let x = width - Double(points.count - 1 - place) * step
            let y = short(height * (1 - value / top))
            path += (isDrawing ? "L" : "M") + short(x) + " " + y
            let isLast = place + 1 == points.count || points[place + 1].value == nil
            // A point alone is a short stroke.
            if !isDrawing, isLast { path += "H" + short(x - step / 2) }
            isDrawing = true
        }
        return Line(key: key, path: path, tone: tone, words: words, place: "t\(tenths * 10)")
    }

    private static func window(_ points: [Point]) -> Int {
        windows.first { $0 >= points.count } ?? pointCount
    }

    /// The words of the upper edge; none where no value lies above zero.
    private static func label(_ points: [Point], _ words: String) -> String {
        points.contains { $0.value.map { $0 > 0 } ?? false } ? words : ""
    }

    private static func span(_ points: [Point]) -> String {
        guard !points.isEmpty else { return "begins after half a minute" }
        let seconds = Int64(window(points) * bucketsPerPoint) * LiveLimits.bucketSeconds
        return seconds == 3_600 ? "the last hour" : "the last \(ShownAge.words(seconds: seconds))"
    }

    /// How far down a line ends, in tenths: below the words of the upper edge.
    private static func tenths(_ points: [Point], _ top: Double) -> Int {
        let share = (points.last?.value ?? 0) / top
        return min(10, max(2, 10 - Int((share * 10).rounded())))
    }

    private static func sentence(
        _ what: String, _ points: [Point], now: String, _ words: (Double) -> String
    ) -> String {
        let values = points.compactMap { point in point.value.map { (point.endedAt, $0) } }
        guard let least = values.map(\.1).min(), let most = values.max(by: { $0.1 < $1.1 }) else {
            return "\(what): nothing yet, the first half minute is not over."
        }
        let seconds = Int64(points.count * bucketsPerPoint) * LiveLimits.bucketSeconds
        let clock = ShownMoment(Instant(seconds: most.0)).clock.prefix(5)
        return "\(what), over the last \(ShownAge.words(seconds: seconds)): between "
            + "\(words(least)) and \(words(most.1)), now \(now). Highest at \(clock)."
    }

    /// The next of 1, 2, 5, 10, 20 … that is not below it.
    private static func ceiling(_ value: Double) -> Double {
        var unit = 0.1
        while true {
            for step in [1.0, 2, 5] where unit * step >= value { return unit * step }
            unit *= 10
        }
    }

    private static func short(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
    }
}
