import Foundation

/// The table's ratios as bars, from the line where both are equal: to the right is more, to the
/// left is less, doubling at every line. A tick marks the goal.
struct BenchChart {
    let rows: [BenchRow]

    private static let rowHeight = 26.0
    private static let labelWidth = 430.0
    private static let plotWidth = 420.0
    private static let noteWidth = 110.0
    private static let top = 64.0

    private enum Colour: String {
        case met = "#2e7d5b"
        case missed = "#c0503c"
        case neutral = "#6b7a90"
    }

    /// One SVG document without outside references.
    func svg() -> String {
        let shown = rows.filter { $0.ratio.map { $0 > 0 && $0.isFinite } ?? false }
        let powers = Self.powers(of: shown)
        let width = Self.labelWidth + Self.plotWidth + Self.noteWidth
        let height = Self.top + Double(shown.count) * Self.rowHeight + 20
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" "
                + "height=\"\(Int(height))\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" "
                + "font-family=\"system-ui, sans-serif\" font-size=\"12\">",
            "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
            text(16, 24, "Each measurement as a ratio to its limit in the same run", size: 15),
        ]
        lines += grid(powers, height: height)
        for (index, row) in shown.enumerated() {
            lines += bar(row, at: Self.top + Double(index) * Self.rowHeight, powers)
        }
        return lines.joined(separator: "\n") + "\n</svg>\n"
    }

    /// The powers of two that the plot spans; 1 (the zeroth) is among them.
    private static func powers(of rows: [BenchRow]) -> ClosedRange<Int> {
        let all = rows.flatMap { [$0.ratio, $0.goalRatio].compactMap { $0 } }.map(log2)
        let low = Int((all.min() ?? -1).rounded(.down))
        let high = Int((all.max() ?? 1).rounded(.up))
        return min(low, -1)...max(high, 1)
    }

    private func x(_ ratio: Double, _ powers: ClosedRange<Int>) -> Double {
        let span = Double(powers.upperBound - powers.lowerBound)
        return Self.labelWidth + (log2(ratio) - Double(powers.lowerBound)) / span * Self.plotWidth
    }

    private func grid(_ powers: ClosedRange<Int>, height: Double) -> [String] {
        // At most a dozen lines, and always the one at 1.
        let step = max(1, powers.count / 10)
        return powers.filter { $0 % step == 0 }.flatMap { power -> [String] in
            let ratio = pow(2, Double(power))
            let place = x(ratio, powers)
            let colour = power == 0 ? "#222222" : "#dddddd"
            return [
                "<line x1=\"\(fixed(place))\" x2=\"\(fixed(place))\" "
                    + "y1=\"\(fixed(Self.top - 10))\" y2=\"\(fixed(height - 16))\" "
                    + "stroke=\"\(colour)\"/>",
                text(place, Self.top - 16, Self.ratioLabel(ratio), anchor: "middle"),
            ]
        }
    }

    private static func ratioLabel(_ ratio: Double) -> String {
        ratio >= 1 ? "\(Int(ratio))×" : "1/\(Int((1 / ratio).rounded()))×"
    }

    private func bar(_ row: BenchRow, at y: Double, _ powers: ClosedRange<Int>) -> [String] {
        guard let ratio = row.ratio else { return [] }
        let (one, end) = (x(1, powers), x(ratio, powers))
        let colour: Colour = row.isMet.map { $0 ? .met : .missed } ?? .neutral
        var lines = [
            text(Self.labelWidth - 12, y + 14, "\(row.part): \(row.measure)", anchor: "end"),
            "<rect x=\"\(fixed(min(one, end)))\" y=\"\(fixed(y + 3))\" "
                + "width=\"\(fixed(max(1.5, abs(end - one))))\" height=\"15\" "
                + "fill=\"\(colour.rawValue)\"/>",
        ]
        if let goal = row.goalRatio {
            let place = fixed(x(goal, powers))
            lines.append(
                "<line x1=\"\(place)\" x2=\"\(place)\" y1=\"\(fixed(y))\" y2=\"\(fixed(y + 21))\" "
                    + "stroke=\"#222222\" stroke-width=\"2\" stroke-dasharray=\"3 2\"/>")
        }
        let better = row.better == .lower ? " less is better" : ""
        lines.append(
            text(
                Self.labelWidth + Self.plotWidth + 6, y + 14,
                BenchRow.display(ratio) + "×" + better, size: row.better == .lower ? 10 : 12))
        return lines
    }

    private func text(
        _ x: Double, _ y: Double, _ words: String, anchor: String = "start", size: Int = 12
    ) -> String {
        let escaped = words.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
        return "<text x=\"\(fixed(x))\" y=\"\(fixed(y))\" text-anchor=\"\(anchor)\" "
            + "font-size=\"\(size)\" fill=\"#222222\">\(escaped)</text>"
    }

    private func fixed(_ number: Double) -> String { String(format: "%.1f", number) }
}
