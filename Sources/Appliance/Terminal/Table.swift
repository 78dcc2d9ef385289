import Foundation
import Vocabulary

/// A command's answer: aligned columns for people, or one JSON document with stable keys.
package struct Table {
    package enum Cell: Hashable, Sendable {
        case text(String)
        case number(Int64)
        case decimal(Double, places: Int)
        /// Money in major units, with as many decimals as Stripe gives the currency.
        case amount(String)
        /// `yes` or `no` to a person, `true` or `false` to a program.
        case flag(Bool)
        case none

        fileprivate var display: String {
            switch self {
            case .text(let text): ShownText.escaped(text)
            case .number(let number): String(number)
            case .decimal(let value, let places): String(format: "%.\(places)f", value)
            case .amount(let text): text
            case .flag(let isSet): isSet ? "yes" : "no"
            case .none: "-"
            }
        }

        fileprivate var isNumeric: Bool {
            switch self {
            case .text, .flag: false
            // A missing number is shown where the number would stand.
            case .number, .decimal, .amount, .none: true
            }
        }
    }

    package var columns: [String]
    /// A missing cell is shown as `-` and written as null.
    package var rows: [[String: Cell]]

    package init(columns: [String], rows: [[String: Cell]]) {
        self.columns = columns
        self.rows = rows
    }

    /// Prints to standard output; in JSON as `{"<name>":[{…},…]}`.
    package func print(asJSON: Bool, named name: String) throws(CommandFailure) {
        try Output.standard.line(asJSON ? json(named: name) : text())
    }

    /// Columns aligned by two spaces, numbers to the right.
    package func text() -> String {
        guard !rows.isEmpty else { return "nothing to show" }
        let widths = columns.map { column in
            rows.reduce(column.count) { max($0, ($1[column] ?? .none).display.count) }
        }
        let numeric = columns.map { column in
            let cells = rows.map { $0[column] ?? .none }
            return cells.allSatisfy(\.isNumeric) && cells.contains { $0 != .none }
        }
        func line(_ cells: [String]) -> String {
            cells.indices.map { index in
                let padding = String(repeating: " ", count: widths[index] - cells[index].count)
                return numeric[index] ? padding + cells[index] : cells[index] + padding
            }
            .joined(separator: "  ")
            .trimmingTrailingSpaces()
        }
        let body = rows.map { row in line(columns.map { (row[$0] ?? .none).display }) }
        return ([line(columns)] + body).joined(separator: "\n")
    }

    /// `{"<name>":[{…},…]}`
    package func json(named name: String) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key(named: name)
        writer.beginArray()
        for row in rows {
            writer.beginObject()
            for column in columns {
                writer.key(named: column)
                switch row[column] ?? .none {
                case .text(let text), .amount(let text): writer.string(text)
                case .number(let number): writer.int(number)
                case .decimal(let value, _): writer.double(value)
                case .flag(let isSet): writer.bool(isSet)
                case .none: writer.null()
                }
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension String {
    fileprivate func trimmingTrailingSpaces() -> String {
        var trimmed = self
        while trimmed.last == " " { trimmed.removeLast() }
        return trimmed
    }
}

/// A progress line on a terminal; nothing where standard error is not one.
package final class ProgressBar {
    private let label: String
    private let isShown = isatty(STDERR_FILENO) == 1
    private var shownAt: ContinuousClock.Instant?

    package init(label: String) { self.label = label }

    /// Redraws at most ten times a second.
    package func show(_ done: Int64, of total: Int64, _ detail: String = "") {
        guard isShown, shownAt.map({ .now - $0 > .milliseconds(100) }) ?? true else { return }
        shownAt = .now
        let share = total > 0 ? Double(done) / Double(total) : 1
        let filled = Int(share * 30)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
        let percent = String(format: "%3.0f", share * 100)
        ErrorOutput.write("\r\u{1B}[K\(label) \(bar) \(percent) % \(detail)")
    }

    /// Removes the line.
    package func clear() {
        guard isShown, shownAt != nil else { return }
        ErrorOutput.write("\r\u{1B}[K")
    }
}
