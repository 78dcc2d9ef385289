import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary
import Warehouse

/// `tillbox warehouse …`: what an export has written, into BigQuery.
struct WarehouseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warehouse",
        abstract: "Check what an export has written, and load it into BigQuery.",
        discussion: """
            Both read the files that `tillbox export` has written and touch neither log nor \
            ledger. Exit codes: 0 done, 1 a day is not fit to be loaded or has other figures at \
            BigQuery, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [Check.self, Load.self])

    /// Which files are meant.
    struct Selection: ParsableArguments {
        @OptionGroup var data: DataOptions

        @Option(
            help: """
                The warehouse's folder, as `tillbox export --out` names it. Default: warehouse in \
                the data folder.
                """)
        var folder: String?
        @Option(help: "Only this table; give it again for another.")
        var table: [String] = []
        @Option(help: "Not before this UTC day, 2026-11-26.", transform: Selection.day)
        var from: LoadDay?
        @Option(help: "Not after this UTC day.", transform: Selection.day)
        var to: LoadDay?
        @Flag(help: "Answer with one JSON document.") var json = false

        static func day(_ text: String) throws -> LoadDay {
            guard let day = LoadDay(text) else {
                throw ValidationError("give a day that the calendar has, such as 2026-11-26")
            }
            return day
        }

        func validate() throws {
            if let from, let to, from > to { throw ValidationError("--from lies behind --to") }
            let known = Set(WarehouseTable.all.map(\.name))
            guard let stranger = table.first(where: { !known.contains($0) }) else { return }
            throw ValidationError(
                "there is no table \(stranger); there are "
                    + known.sorted().joined(separator: ", "))
        }

        func tables(of dataset: WarehouseTable.Dataset) -> [WarehouseTable] {
            WarehouseTable.all.filter {
                $0.dataset == dataset && (table.isEmpty || table.contains($0.name))
            }
        }

        func place(_ settings: Settings) throws -> WarehouseFolder {
            guard folder != nil || settings.profile != .cloud else {
                throw CommandFailure(
                    exitCode: CommandFailure.wrongUsage,
                    message: "the profile cloud has no data folder; name the files' with --folder")
            }
            let path = folder ?? settings.dataPath + "/warehouse"
            return WarehouseFolder(URL(filePath: path, directoryHint: .isDirectory))
        }
    }

    /// `warehouse check`
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold every row against the schema, and every file against its manifest.")
        @OptionGroup var selection: Selection

        mutating func run() async throws {
            let selection = selection
            let settings = try await selection.data.settings(needsSecrets: false)
            let folder = try selection.place(settings)
            var (days, rows) = (0, Int64(0))
            var faults: [String] = []
            try await orCannotRun {
                for table in selection.tables(of: .tillbox) + selection.tables(of: .stripe) {
                    let bar = ProgressBar(label: "checking \(table.name)")
                    defer { bar.clear() }
                    let all = try folder.days(
                        of: table, from: selection.from, to: selection.to)
                    for (index, day) in all.enumerated() {
                        bar.show(Int64(index), of: Int64(all.count), day.day.description)
                        do throws(WarehouseFault) {
                            let file = try LoadFile(
                                day, schemaVersion: WarehouseTable.schemaVersion)
                            try file.check()
                            days += 1
                            rows += file.manifest.figures.rows
                        } catch {
                            faults.append(error.description)
                        }
                    }
                }
            }
            try WarehouseCommand.say(
                json: selection.json,
                text: "\(Counted.words(days, "day")) with \(Counted.words(rows, "row")) "
                    + (days == 1
                        ? "is as the schema and its manifest say"
                        : "are as the schema and their manifests say"),
                faults: faults
            ) { writer in
                writer.member("days", Int64(days))
                writer.member("rows", rows)
            }
        }
    }

    /// `warehouse load`
    struct Load: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load into BigQuery what is not there yet, or is there otherwise.",
            discussion: """
                Loads every day whose content is not what BigQuery has, in one step for each day, \
                and checks counts and sums after it: a second run loads nothing, and one that was \
                broken off is finished by the next. See bigquery.project and its neighbours in \
                docs/CONFIGURATION.md; docs/BIGQUERY.md says how it goes.
                """)
        @OptionGroup var selection: Selection
        @Flag(
            name: .customLong("create-datasets"),
            help: "Make datasets that are missing, in bigquery.location (US where it is not set).")
        var createDatasets = false

        mutating func run() async throws {
            let selection = selection
            let settings = try await selection.data.settings(needsSecrets: false)
            try await Self.load(
                selection.tables(of:), from: try selection.place(settings), settings,
                days: (selection.from, selection.to), makesDatasets: createDatasets,
                json: selection.json)
        }

        /// Loads what is due, and says what was loaded.
        ///
        /// - Parameters:
        ///   - tables: those that are meant, of either shape.
        ///   - days: the first and the last; nil for no bound.
        /// - Throws: `CommandFailure`, also for days that are not as they should be (exit code 1).
        static func load(
            _ tables: (WarehouseTable.Dataset) -> [WarehouseTable],
            from folder: WarehouseFolder, _ settings: Settings,
            days: (first: LoadDay?, last: LoadDay?) = (nil, nil), makesDatasets: Bool = false,
            json: Bool = false
        ) async throws {
            let shapes: [WarehouseTable.Dataset] = [.tillbox, .stripe]
            let wanted = shapes.map(tables)
            var reports: [BigQueryLoadReport] = []
            try await orCannotRun {
                let tokens = try settings.bigQuery.tokens()
                for (place, tables) in zip(try settings.bigQuery.places(), wanted)
                where !tables.isEmpty {
                    let load = BigQueryLoad(
                        BigQueryClient(place, tokens: tokens),
                        schemaVersion: WarehouseTable.schemaVersion)
                    let bar = ProgressBar(label: "loading \(place.dataset)")
                    defer { bar.clear() }
                    reports.append(
                        try await load.run(
                            BigQueryLoad.Request(
                                tables: tables, first: days.first, last: days.last,
                                makesDataset: makesDatasets,
                                daysAtOnce: settings.bigQuery.daysAtOnce),
                            from: folder
                        ) { table, day, done, total in
                            bar.show(
                                Int64(done), of: Int64(total),
                                "\(done) of \(Counted.words(total, "day")); \(table) of \(day)")
                        })
                }
            }
            try say(reports, json: json)
        }

        private static func say(_ reports: [BigQueryLoadReport], json: Bool) throws {
            let loaded = reports.flatMap(\.loaded)
            let rows = loaded.reduce(Int64(0)) { $0 + $1.rows }
            let unchanged = reports.reduce(0) { $0 + $1.unchanged }
            try WarehouseCommand.say(
                json: json,
                text: "\(Counted.words(loaded.count, "day")) with \(Counted.words(rows, "row")) "
                    + "\(Counted.noun(loaded.count, "is", "are")) loaded, and "
                    + "\(Counted.words(unchanged, "was", "were")) there already",
                faults: reports.flatMap(\.faults)
            ) { writer in
                writer.key("loaded")
                writer.beginArray()
                for report in reports {
                    for day in report.loaded {
                        writer.beginObject()
                        writer.member("dataset", report.dataset)
                        writer.member("table", day.table)
                        writer.member("dt", day.day.description)
                        writer.member("rows", day.rows)
                        writer.endObject()
                    }
                }
                writer.endArray()
                writer.member("unchanged", Int64(unchanged))
            }
        }
    }

    /// Says what was done and what is wrong, and ends with 1 where something is.
    private static func say(
        json: Bool, text: String, faults: [String], _ members: (inout JSONWriter) -> Void
    ) throws {
        if json {
            var writer = JSONWriter()
            writer.beginObject()
            members(&writer)
            writer.key("faults")
            writer.beginArray()
            for fault in faults { writer.string(fault) }
            writer.endArray()
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            try Output.standard.line(text)
            for fault in faults.prefix(20) { writeError("tillbox: \(fault)") }
        }
        guard faults.isEmpty else {
            throw CommandFailure.foundSomething(
                (faults.count == 1
                    ? "1 day is not as it should be"
                    : "\(faults.count) days are not as they should be")
                    + (faults.count > 20 && !json ? "; --json names all of them" : ""))
        }
    }
}
