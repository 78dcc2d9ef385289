import Appliance
import ArgumentParser
import Daemon
import Foundation
import Logging
import Terminal
import Vocabulary
import Warehouse

/// `tillbox export`: files for DuckDB and BigQuery. Reads only, also while the daemon runs.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the warehouse's files: newline-delimited JSON by table and UTC day.",
        discussion: """
            docs/WAREHOUSE.md names every table and column. Run it as often as you like: what has \
            come since is added to the day that it belongs to, and a day whose rows are the same \
            is not touched. It may be stopped at any time and goes on where it was. With an API \
            key Stripe is asked what new automatic payouts are made of.
            """)

    /// Whose objects of Stripe's are exported.
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case test, live
    }

    @OptionGroup var data: DataOptions
    @Option(help: "The folder of the files. Default: warehouse in the data folder.")
    var out: String?
    @Flag(help: "Compress the files with gzip; a folder has one or the other.")
    var gzip = false
    @Option(help: "Export Stripe's objects of this mode. Default: that of the endpoints.")
    var mode: Mode?
    @Flag(
        help: """
            Then load what is new into BigQuery, as `tillbox warehouse load` does: for a job that \
            keeps no files.
            """)
    var load = false
    @Flag(help: "Answer with one JSON document.") var json = false

    func validate() throws {
        guard load, json else { return }
        throw ValidationError(
            "--load and --json are two answers; run `tillbox warehouse load --json` behind it")
    }

    mutating func run() async throws {
        let settings = try await data.settings(needsSecrets: false, needsStripe: true)
        // An hour of exporting is no way to find a setting that is missing.
        if load { try await orCannotRun { _ = try settings.bigQuery.places() } }
        let livemode = try livemode(settings)
        let out = try place(settings)
        if settings.profile != .cloud {
            try FolderOwner.become(of: settings.dataPath, toWriteAt: out)
        }
        let isCompressed = gzip
        let bar = ProgressBar(label: "exporting")
        let began = ContinuousClock.now
        let report = try await orCannotRun {
            defer { bar.clear() }
            let export = try WarehouseExport(
                try Self.source(settings, livemode), into: out, isCompressed: isCompressed,
                now: Instant(seconds: Int64(Date().timeIntervalSince1970))
            ) { what, done, total in
                bar.show(done, of: total, what)
            }
            return try await export.run()
        }
        try print(report, in: out, after: began.duration(to: .now))
        guard load else { return }
        try await WarehouseCommand.Load.load(
            { dataset in WarehouseTable.all.filter { $0.dataset == dataset } },
            from: WarehouseFolder(URL(filePath: out, directoryHint: .isDirectory)), settings)
    }

    private func livemode(_ settings: Settings) throws -> Bool {
        if let mode { return mode == .live }
        guard let livemode = settings.exportedLivemode else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "the endpoints take live and test events, and the tables of Stripe's "
                    + "objects keep no two apart; choose --mode live or --mode test")
        }
        return livemode
    }

    private func place(_ settings: Settings) throws -> String {
        if let out { return URL(filePath: out).path }
        guard settings.profile != .cloud else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "the profile cloud has no data folder; name one for the files with --out")
        }
        return "\(settings.dataPath)/warehouse"
    }

    private static func source(
        _ settings: Settings, _ livemode: Bool
    ) throws -> WarehouseSource {
        guard settings.profile == .cloud else {
            return try FolderView(path: settings.dataPath).warehouse(settings, livemode)
        }
        return try settings.quietPlane().warehouse(livemode: livemode)
    }

    private func print(
        _ report: WarehouseReport, in out: String, after duration: Duration
    ) throws {
        if json {
            var writer = JSONWriter()
            report.encode(into: &writer)
            return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
        let rows = report.tables.map { table in
            [
                "table": .text(table.dataset == "tillbox" ? table.name : "stripe/\(table.name)"),
                "days": .number(table.days), "written": .number(table.written),
                "corrected": .number(table.corrected), "rows": .number(table.rows),
            ] as [String: Table.Cell]
        }
        let columns = ["table", "days", "written", "corrected", "rows"]
        try Output.standard.line(Table(columns: columns, rows: rows).text())
        let count = report.tables.reduce(0) { $0 + $1.rows }
        let seconds = Double(duration.components.seconds)
            + Double(duration.components.attoseconds) / 1e18
        try Output.standard.line(
            "\(Counted.words(count, "row")) written in \(String(format: "%.1f", seconds)) s to "
                + out)
        if report.unreadable > 0 {
            try Output.standard.line(
                "left out, as they lack what a row needs: \(report.unreadable) of the objects in "
                    + "new webhooks")
        }
        if report.unknownPayouts > 0 {
            try Output.standard.line(
                "of \(Counted.words(report.unknownPayouts, "automatic payout")) it is not known "
                    + "what \(Counted.noun(report.unknownPayouts, "it is", "they are")) made of; "
                    + "set stripe.api_key, and the next export asks Stripe")
        }
    }
}
