import Foundation
import Vocabulary

/// A chart of a value a UTC day: bars or a line in a stretched drawing, its labels beside it as
/// text, two gridlines, zero at the bottom unless something lies below it.
struct ChartView {
    /// What is drawn for one value a day; nil breaks a line, and is no bar.
    struct Series {
        enum Form { case bars, line }

        var form = Form.bars
        var values: [Double?]
    }

    struct Mark { var tone, path: String }
    struct End {
        var words, place: String
        var isStrong: Bool
    }

    var name: String
    /// What one would see, for who does not.
    var sentence: String
    var marks: [Mark]
    var ends: [End]
    /// The drawing's first and last day.
    var span: String
    /// What stands in place of a drawing where there is nothing to draw: no value, or nothing but
    /// zeros.
    var empty: String?

    static let width = 400.0
    static let height = 88.0
    /// Slots above which bars stand without gaps.
    private static let gapsMax = 120

    /// - Parameters:
    ///   - days: the first and the last, counted from 1970-01-01; as many as there are values.
    ///   - words: a value with its unit, for the sentence.
    ///   - label: a value on the axis, in few letters.
    init(
        _ name: String, _ series: Series, days: ClosedRange<Int64>,
        words: (Double) -> String, label: (Double) -> String
    ) {
        let known = series.values.compactMap { $0 }
        let scale = Scale(known)
        self.name = name
        span = Self.span(days)
        sentence = Self.sentence(name, series.values, days, words)
        let isEmpty = known.allSatisfy { $0 == 0 }
        empty = isEmpty ? Self.words(ofEmpty: series, known) : nil
        marks = isEmpty ? [] : [Self.mark(series, scale)]
        if scale.low < 0 {
            let zero = Self.number(scale.place(of: 0))
            marks.append(Mark(tone: "lim", path: "M0 \(zero)H\(Int(Self.width))"))
        }
        // A scale of nothing but zeros means nothing.
        ends = isEmpty ? [] : [
            End(words: label(scale.high), place: "t0", isStrong: false),
            End(words: label((scale.high + scale.low) / 2), place: "t50", isStrong: false),
        ]
        if !isEmpty, series.form == .line, let last = known.last {
            let tenth = Int((scale.place(of: last) / Self.height * 10).rounded())
            // Of two labels in one place the line's own is the one to read.
            ends.removeAll { abs(($0.place == "t0" ? 0 : 5) - tenth) < 2 }
            ends.append(
                End(words: label(last), place: tenth == 0 ? "t0" : "t\(tenth)0", isStrong: true))
        }
    }

    // MARK: The drawing

    /// From values to heights, up to a round number.
    private struct Scale {
        var low, high: Double

        init(_ values: [Double]) {
            let bounds = (values.min() ?? 0, values.max() ?? 0)
            high = ChartView.round(above: bounds.1)
            low = bounds.0 < 0 ? -ChartView.round(above: -bounds.0) : 0
        }

        func place(of value: Double) -> Double {
            ChartView.height * (1 - (value - low) / (high - low))
        }
    }

    /// The least of 1, 2 and 5 times a power of ten that is not below a value; 1 for none.
    static func round(above value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        let power = pow(10, log10(value).rounded(.down))
        // What is a power itself may come out of the logarithm a hair beside it.
        return [0.5, 1, 2, 5, 10].lazy.map { $0 * power }.first { $0 >= value * 0.999_999 }
            ?? 10 * power
    }

    private static func mark(_ series: Series, _ scale: Scale) -> Mark {
        series.form == .bars
            ? Mark(tone: "bar", path: bars(series.values, scale))
            : Mark(tone: "ln b2", path: line(series.values, scale))
    }

    private static func bars(_ values: [Double?], _ scale: Scale) -> String {
        let slot = width / Double(max(1, values.count))
        let gap = values.count > gapsMax ? 0 : slot * 0.15
        let zero = number(scale.place(of: 0))
        return values.enumerated().map { place, value in
            guard let value, value != 0 else { return "" }
            let (left, right) = (Double(place) * slot + gap, Double(place + 1) * slot - gap)
            return "M\(number(left)) \(zero)V\(number(scale.place(of: value)))"
                + "H\(number(right))V\(zero)Z"
        }.joined()
    }

    private static func line(_ values: [Double?], _ scale: Scale) -> String {
        let step = width / Double(max(1, values.count - 1))
        var path = ""
        for (place, value) in values.enumerated() {
            guard let value else { continue }
            let (x, y) = (Double(place) * step, number(scale.place(of: value)))
            let isAfter = place > 0 && values[place - 1] != nil
            let isBefore = place + 1 < values.count && values[place + 1] != nil
            path += "\(isAfter ? "L" : "M")\(number(x)) \(y)"
            // A day alone is a stroke as long as its place is wide.
            if !isAfter, !isBefore {
                let half = max(2, min(8, step / 2))
                path += "M\(number(max(0, x - half))) \(y)H\(number(min(width, x + half)))"
            }
        }
        return path
    }

    private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    // MARK: The words

    /// A day without a sum has nothing, a day without a rate has no value.
    private static func words(ofEmpty series: Series, _ known: [Double]) -> String {
        if series.form == .bars { return "Nothing on these days" }
        return known.isEmpty ? "No value on these days" : "Zero on these days"
    }

    private static func day(_ day: Int64) -> String { ShownMoment(Instant(utcDay: day)).day }

    /// `30 Oct to 28 Nov 2026 UTC`: the year stands once where it is one, for it stands small.
    private static func span(_ days: ClosedRange<Int64>) -> String {
        let (first, last) = (day(days.lowerBound), day(days.upperBound))
        let begin = first.suffix(5) == last.suffix(5) ? first.dropLast(5) : first[...]
        return "\(begin) to \(last) UTC"
    }

    private static func sentence(
        _ name: String, _ values: [Double?], _ days: ClosedRange<Int64>, _ words: (Double) -> String
    ) -> String {
        let span = "\(name) by day from \(day(days.lowerBound)) to \(day(days.upperBound))"
        let known = values.enumerated().compactMap { place, value in value.map { (place, $0) } }
        guard let least = known.min(by: { $0.1 < $1.1 }), let most = known.max(by: { $0.1 < $1.1 }),
            let last = known.last
        else { return "\(span): nothing." }
        guard least.1 < most.1 else { return "\(span): \(words(most.1))." }
        return "\(span): between \(words(least.1)) and \(words(most.1)), highest on "
            + "\(day(days.lowerBound + Int64(most.0))), last \(words(last.1))."
    }
}
