import Foundation
import Terminal

/// What a measurement should come to (docs/BENCHMARKS.md).
enum BenchGoal: Hashable, Sendable {
    case ratioAtLeast(Double)
    case ratioAtMost(Double)
    case atLeast(Double)
    case atMost(Double)

    var text: String {
        switch self {
        case .ratioAtLeast(let bound): "≥ \(BenchRow.display(bound))×"
        case .ratioAtMost(let bound): "≤ \(BenchRow.display(bound))×"
        case .atLeast(let bound): "≥ \(BenchRow.display(bound))"
        case .atMost(let bound): "≤ \(BenchRow.display(bound))"
        }
    }

    func holds(value: Double, ratio: Double?) -> Bool {
        switch self {
        case .ratioAtLeast(let bound): ratio.map { $0 >= bound } ?? false
        case .ratioAtMost(let bound): ratio.map { $0 <= bound } ?? false
        case .atLeast(let bound): value >= bound
        case .atMost(let bound): value <= bound
        }
    }
}

/// One measurement: the median of its rounds, beside the median of what it is compared with.
struct BenchRow: Hashable, Sendable, Codable {
    enum Better: String, Sendable, Codable { case higher, lower }

    var part: String
    var measure: String
    var unit: String
    var better: Better
    /// The median of the rounds.
    var value: Double
    var peer: String?
    var peerValue: Double?
    /// The median of the rounds' own ratios, value to peer.
    var ratio: Double?
    var ratioLow: Double?
    var ratioHigh: Double?
    var goal: String?
    /// The goal as a ratio, where it is one.
    var goalRatio: Double?
    var isMet: Bool?
    var rounds: Int

    /// - Parameters:
    ///   - values: one for each round, at least one.
    ///   - peers: the peer's in the same rounds.
    init(
        _ part: String, _ measure: String, unit: String, better: Better = .higher,
        _ values: [Double], against peer: String? = nil, _ peers: [Double] = [],
        goal: BenchGoal? = nil
    ) {
        precondition(!values.isEmpty, "\(part) \(measure): no round")
        precondition(
            peer == nil || peers.count == values.count, "\(part) \(measure): unpaired rounds")
        self.part = part
        self.measure = measure
        self.unit = unit
        self.better = better
        self.peer = peer
        value = Self.median(values)
        rounds = values.count
        if peer != nil {
            let ratios = zip(values, peers).map { $0 / $1 }
            peerValue = Self.median(peers)
            ratio = Self.median(ratios)
            ratioLow = ratios.min()
            ratioHigh = ratios.max()
        }
        self.goal = goal?.text
        isMet = goal?.holds(value: value, ratio: ratio)
        switch goal {
        case .ratioAtLeast(let bound), .ratioAtMost(let bound): goalRatio = bound
        default: goalRatio = nil
        }
    }

    /// The middle value; of an even number the mean of the two in the middle.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The value that this share of the samples does not exceed.
    ///
    /// - Parameter samples: at least one, in any order.
    static func quantile(_ share: Double, of samples: [Double]) -> Double {
        precondition(!samples.isEmpty, "no samples")
        let rank = Int((Double(samples.count) * share).rounded(.up))
        return samples.sorted()[max(0, min(samples.count, rank) - 1)]
    }

    /// Three digits or so, and commas between thousands.
    static func display(_ number: Double) -> String {
        switch abs(number) {
        case 1000...: Figures.grouped(Int(number.rounded()))
        case 100...: String(format: "%.0f", number)
        case 10...: String(format: "%.1f", number)
        case 1...: String(format: "%.2f", number)
        case 0: "0"
        default: String(format: "%.3f", number)
        }
    }
}

/// A whole run: a table for people, JSON for programs, Markdown for the documentation.
struct BenchReport: Hashable, Sendable, Codable {
    var machine: BenchMachine
    var rounds: Int
    /// Whether the sizes were small: such numbers show that it works, nothing else.
    var quick: Bool
    /// The other program, where every ratio is to one.
    var against: String?
    var rows: [BenchRow] = []

    init(machine: BenchMachine, _ context: BenchContext) {
        self.machine = machine
        rounds = context.rounds
        quick = context.isQuick
    }

    private static let columns = [
        "part", "measure", "median", "unit", "against", "its median", "ratio", "spread", "goal",
        "met",
    ]

    private func cells(_ row: BenchRow) -> [String] {
        [
            row.part, row.measure, BenchRow.display(row.value), row.unit, row.peer ?? "",
            row.peerValue.map(BenchRow.display) ?? "",
            row.ratio.map { BenchRow.display($0) + "×" } ?? "", spread(row), row.goal ?? "",
            row.isMet.map { $0 ? "yes" : "no" } ?? "",
        ]
    }

    private func spread(_ row: BenchRow) -> String {
        guard let low = row.ratioLow, let high = row.ratioHigh else { return "" }
        return "\(BenchRow.display(low))–\(BenchRow.display(high))"
    }

    private static let numberColumns: Set = ["median", "its median", "ratio"]

    func text() -> String {
        let all = rows.map(cells)
        let widths = Self.columns.indices.map { column in
            all.map { $0[column].count }.max() ?? 0
        }
        let table = Table(
            columns: Self.columns,
            rows: all.map { cells in
                var row: [String: Table.Cell] = [:]
                for (index, name) in Self.columns.enumerated() {
                    let cell = cells[index]
                    let padding = String(repeating: " ", count: widths[index] - cell.count)
                    row[name] = .text(Self.numberColumns.contains(name) ? padding + cell : cell)
                }
                return row
            })
        return head.joined(separator: "\n") + "\n\n" + table.text()
    }

    func markdown() -> String {
        let rule = Self.columns.map { Self.numberColumns.contains($0) ? "---:" : "---" }
        let lines = [Self.columns, rule] + rows.map(cells)
        return head.joined(separator: "  \n") + "\n\n"
            + lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    private var head: [String] {
        var head = machine.sentences
        head.append(
            "Medians of \(rounds) alternating rounds; the ratio is the median of the rounds' "
                + "ratios, the spread their smallest and largest.")
        if let against { head.append("Every ratio is to the other program: \(against).") }
        if quick { head.append("QUICK: small sizes, not fit to be quoted.") }
        return head
    }

    /// One JSON document; its keys are in snake case and stay as they are.
    func json() -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("a report of numbers and words must encode")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
