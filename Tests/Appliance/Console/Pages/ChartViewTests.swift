import Foundation
import Testing

@testable import Console
@testable import Vocabulary

@Suite("Charts of the console")
struct ChartViewTests {
    private static func chart(
        _ values: [Double?], _ form: ChartView.Series.Form = .bars
    ) -> ChartView {
        ChartView(
            "Volume", ChartView.Series(form: form, values: values),
            days: 20_000...(20_000 + Int64(values.count) - 1),
            words: { ShownNumber.decimal($0, 0) }, label: { ShownNumber.decimal($0, 0) })
    }

    @Test("the axis ends at a round number that is not below the highest value", arguments: [
        (0.0, 1.0), (1, 1), (1.1, 2), (3, 5), (7, 10), (10, 10), (1_000, 1_000), (1_001, 2_000),
        (0.031, 0.05), (-4, 1), (.infinity, 1),
    ])
    func bounds(value: Double, expected: Double) {
        #expect(abs(ChartView.round(above: value) - expected) < expected / 1_000_000)
    }

    @Test("a sentence says what one would see")
    func sentence() {
        let chart = Self.chart([4, 0, 9, 2])
        #expect(
            chart.sentence == "Volume by day from 4 Oct 2024 to 7 Oct 2024: between 0 and 9, "
                + "highest on 6 Oct 2024, last 2.")
        #expect(Self.chart([3, 3]).sentence.hasSuffix("5 Oct 2024: 3."))
        #expect(Self.chart([nil, nil]).sentence.hasSuffix("5 Oct 2024: nothing."))
    }

    @Test("a year that is one stands once beside the drawing", arguments: [
        (20_000, "4 Oct to 6 Oct 2024 UTC"), (20_087, "30 Dec 2024 to 1 Jan 2025 UTC"),
    ] as [(Int64, String)])
    func span(first: Int64, expected: String) {
        let chart = ChartView(
            "Volume", ChartView.Series(values: [1, 2, 3]), days: first...(first + 2),
            words: { ShownNumber.decimal($0, 0) }, label: { ShownNumber.decimal($0, 0) })
        #expect(chart.span == expected)
    }

    @Test("bars stand on zero, which is at the bottom unless something lies below it")
    func bars() {
        let chart = Self.chart([10, 0, nil, 5])
        #expect(chart.marks.count == 1)
        // Two bars: nothing is drawn for nothing.
        #expect(chart.marks[0].path == "M15.0 88.0V0.0H85.0V88.0ZM315.0 88.0V44.0H385.0V88.0Z")
        #expect(chart.ends.map(\.words) == ["10", "5"])
        let mixed = Self.chart([10, -10])
        #expect(mixed.marks.map(\.tone) == ["bar", "lim"])
        #expect(mixed.marks[1].path == "M0 44.0H400")
        #expect(mixed.ends.map(\.words) == ["10", "0"])
        #expect(Self.chart([nil]).marks.isEmpty)
    }

    @Test("a line breaks where there is no value, and a day alone is a stroke")
    func lines() {
        let chart = Self.chart([10, 5, nil, 0, nil], .line)
        #expect(chart.marks[0].path == "M0.0 0.0L100.0 44.0M300.0 88.0M292.0 88.0H308.0")
        #expect(chart.ends.last?.place == "t100" && chart.ends.last?.isStrong == true)
        // The line's own label takes the place of one that it would cover.
        #expect(Self.chart([10, 5], .line).ends.map(\.place) == ["t0", "t50"])
    }

    @Test("where there is nothing to draw a word stands, and no scale of nothing")
    func empty() {
        for (values, form, words) in [
            ([0.0, 0], ChartView.Series.Form.bars, "Nothing on these days"),
            ([nil, nil], .bars, "Nothing on these days"), ([nil], .line, "No value on these days"),
            ([0, nil], .line, "Zero on these days"),
        ] as [([Double?], ChartView.Series.Form, String)] {
            let chart = Self.chart(values, form)
            #expect(chart.empty == words && chart.marks.isEmpty && chart.ends.isEmpty)
        }
        #expect(Self.chart([0, 1]).empty == nil && Self.chart([-1, 0], .line).empty == nil)
    }

    @Test("a year of days stays small, each number finite")
    func year() {
        let values = (0..<1_096).map { day -> Double? in day % 7 == 0 ? nil : Double(day) * 1e9 }
        for form in [ChartView.Series.Form.bars, .line] {
            let chart = Self.chart(values, form)
            #expect(chart.marks[0].path.utf8.count < 50_000)
            #expect(!chart.marks[0].path.contains("nan"))
        }
    }
}
