import Appliance
import ArgumentParser
import Foundation
import Reconcile
import Terminal
import Vocabulary

/// `tillbox report …`: what an accountant asks for.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Close a month: opening, activity by kind, closing, in transit.",
        subcommands: [Month.self])

    /// `report month`
    struct Month: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A month of Stripe's balance, beside Stripe's own statement.",
            discussion: """
                Reads the data folder, also while the daemon runs. Dated as Stripe's \
                ending-balance report dates it, in UTC. Exit codes: 0 equal to Stripe's statement, \
                1 not equal, or not compared since no reconciliation has read the whole month, \
                2 wrong usage, 3 cannot run.
                """)
        @OptionGroup var data: DataOptions
        @Argument(help: "The month, as 2026-10.") var month: String
        @Flag(help: "Answer with one JSON document.") var json = false
        @Flag(help: "A CSV for whoever keeps the books; a line for every amount.") var csv = false
        @Flag(help: "One page made for printing.") var html = false
        @Option(help: "Write to this file; standard output by default.") var out: String?

        func validate() throws {
            guard CalendarMonth(month) != nil else {
                throw ValidationError("the month must be written as 2026-10")
            }
            guard [json, csv, html].filter({ $0 }).count <= 1 else {
                throw ValidationError("choose one of --json, --csv and --html")
            }
        }

        mutating func run() async throws {
            guard let month = CalendarMonth(month) else { return }
            let ledger = try await data.folder().ledger()
            let report: MonthReport
            do {
                report = try StatementStore(of: ledger).monthReport(month)
            } catch {
                throw CommandFailure.cannotRun(error.description)
            }
            let text = text(of: report)
            if let out {
                let file = try WholeFile(out)
                do {
                    try file.write(text)
                    try file.keep()
                } catch {
                    file.discard()
                    throw error
                }
            } else {
                try Output.standard.write(Array(text.utf8))
            }
            guard report.isRight else {
                throw CommandFailure.foundSomething(PastedCommand.completed(advice(on: report)))
            }
        }

        private func text(of report: MonthReport) -> String {
            if csv { return report.csv }
            let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
            if html { return MonthPage.html(report, writtenAt: now) }
            guard json else { return MonthText.of(report) }
            var writer = JSONWriter(capacity: 4096)
            report.encode(into: &writer)
            return String(decoding: writer.bytes, as: UTF8.self) + "\n"
        }

        private func advice(on report: MonthReport) -> String {
            report.isCompared
                ? "the ledger differs from Stripe's statement; see `tillbox reconcile show last`"
                : "not compared with Stripe; when the month is over, `tillbox reconcile run`"
        }
    }
}

/// A month as a person reads it on a terminal.
enum MonthText {
    static func of(_ report: MonthReport) -> String {
        var parts = report.balances.map { balance($0, report) }
        if parts.isEmpty { parts = ["no money had moved by the end of \(report.month)"] }
        parts.append(report.verdict)
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func balance(
        _ balance: MonthReport.Balance, _ report: MonthReport
    ) -> String {
        let code = balance.currency.code
        func row(
            _ name: String, _ count: Int64?, _ amount: Int64, _ stripe: Int64? = nil
        ) -> [String: Table.Cell] {
            func shown(_ amount: Int64?) -> Table.Cell {
                guard let amount else { return .none }
                return .amount(balance.currency.display(MinorUnits(amount)))
            }
            var cells: [String: Table.Cell] = [code: .text(name), "ledger": shown(amount)]
            cells["stripe"] = shown(stripe)
            if let count { cells["number"] = .number(count) }
            return cells
        }
        let statement = balance.statement
        var rows = [row("opening", nil, balance.opening, statement?.opening)]
        rows += balance.activities.map { row("  \($0.kind)", $0.count, $0.amount) }
        rows += [
            row("activity", nil, balance.activity, statement?.activity),
            row("payouts", nil, balance.payouts, statement?.payouts),
            row("closing", nil, balance.closing, statement?.closing),
        ]
        if let inTransit = balance.inTransit {
            rows.append(row("in transit", balance.inTransitCount, inTransit))
        }
        let table = Table(columns: [code, "number", "ledger", "stripe"], rows: rows).text()
        let head = balance.account.id.map { "account \(ShownText.escaped($0))\n" } ?? ""
        let note = balance.inTransit.map { _ in "\n(in transit \(report.transitWords))" } ?? ""
        return head + table + note
    }
}
