import Vocabulary

/// What a load did, and what it found wrong.
package struct BigQueryLoadReport: Sendable {
    /// One day of one table that was swapped in.
    package struct Loaded: Hashable, Sendable {
        package var table: String
        package var day: LoadDay
        package var rows: Int64
    }

    package var dataset: String
    package var loaded: [Loaded] = []
    /// Days that were there already, as they are in the folder.
    package var unchanged = 0
    /// A sentence for each day whose files are not fit to be loaded, and for each whose counts and
    /// sums at BigQuery differ in the end.
    package var faults: [String] = []
}

/// Loads days of the warehouse's folder into one dataset.
///
/// A day goes a way on which every step may be done twice and any may be the last:
/// 1. Its rows are checked against the schema and its manifest (``LoadFile/check()``).
/// 2. A load job puts them into a table of their own. The job's name is made of project, dataset,
///    table, day, content and schema version: a second one of it is refused with 409, and the
///    outcome of the first counts (``LoadJobName``).
/// 3. BigQuery's counts and sums of that table must be the manifest's.
/// 4. One script swaps it in: a transaction takes the day's old rows out, puts the new ones in and
///    notes that in the journal; then the table goes (``BigQuerySQL/swap(_:of:from:job:)``).
/// 5. Counts and sums of the day, in its place, must be the manifest's.
///
/// What is due is what the journal does not have, or has with other counts and sums: so a second
/// run loads nothing, a corrected day is loaded by itself, and rows that somebody has changed at
/// BigQuery are put right.
///
/// Several days go their way at once, the first days of all tables first. Of one table only one day
/// is swapped in at a time: BigQuery ends one of two transactions that change the same table. The
/// rows are read and hashed on a thread of their own.
package struct BigQueryLoad: Sendable {
    package struct Request: Sendable {
        package var tables: [WarehouseTable]
        /// Bounds included; nil for all days that there are.
        package var first: LoadDay?
        package var last: LoadDay?
        /// Makes a dataset that is missing, in the location that the place names.
        package var makesDataset: Bool
        /// Days of tables that are on their way at once; at least 1.
        package var daysAtOnce: Int

        package init(
            tables: [WarehouseTable], first: LoadDay? = nil, last: LoadDay? = nil,
            makesDataset: Bool = false, daysAtOnce: Int = BigQueryLoad.daysAtOnce
        ) {
            self.tables = tables
            self.first = first
            self.last = last
            self.makesDataset = makesDataset
            self.daysAtOnce = daysAtOnce
        }
    }

    /// Is told after each day of a table: how many of all days of all tables are through.
    package typealias Progress = (
        _ table: String, _ day: LoadDay, _ done: Int, _ total: Int
    ) -> Void

    /// Days on their way at once where nobody says otherwise, and at most: BigQuery takes a hundred
    /// queries of a project at once.
    package static let daysAtOnce = 4
    package static let daysAtOnceMax = 32
    /// Reading and hashing a day takes longer than a task may.
    private static let files = BlockingQueue("tillbox.warehouse.files")

    private let client: BigQueryClient
    private let schemaVersion: Int64
    private let sql: BigQuerySQL

    package init(_ client: BigQueryClient, schemaVersion: Int64) {
        self.client = client
        self.schemaVersion = schemaVersion
        sql = BigQuerySQL(place: client.place)
    }

    /// Loads what is due.
    ///
    /// - Throws: ``BigQueryError`` where the rest would fail alike; a day whose files are not fit
    ///   stops none of the others and is a fault of the report.
    package func run(
        _ request: Request, from folder: WarehouseFolder, progress: Progress = { _, _, _, _ in }
    ) async throws -> BigQueryLoadReport {
        let location = try await location(makesDataset: request.makesDataset)
        try await client.prepare(
            BigQuerySQL.journal, BigQuerySQL.journalColumns, partition: WarehouseTable.partition,
            meaning: "Which days were loaded, and with which content.")
        var plans: [Plan?] = Array(repeating: nil, count: request.tables.count)
        try await BoundedTasks.run(request.tables, most: request.daysAtOnce) { table in
            try await plan(table, request, folder, in: location)
        } each: { plans[$0] = $1 }
        let tables = plans.compactMap(\.self)
        let outcomes = try await load(tables, most: request.daysAtOnce, in: location, progress)
        var ends: [End] = Array(repeating: End(), count: tables.count)
        try await BoundedTasks.run(
            Array(zip(tables, outcomes)), most: request.daysAtOnce
        ) { plan, outcomes in
            try await end(plan, outcomes, in: location)
        } each: { ends[$0] = $1 }
        var report = BigQueryLoadReport(dataset: client.place.dataset)
        for end in ends {
            report.loaded += end.loaded
            report.unchanged += end.unchanged
            report.faults += end.faults
        }
        return report
    }

    private func location(makesDataset: Bool) async throws(BigQueryError) -> String {
        let place = client.place
        var found = try await client.location()
        if found == nil, makesDataset {
            try await client.makeDataset(in: place.location ?? "US")
            found = try await client.location()
        }
        guard let found else {
            throw .notFound(message: "no dataset \(place.dataset) in \(place.project)")
        }
        if let wanted = place.location, wanted.lowercased() != found.lowercased() {
            throw .wrongLocation(dataset: place.dataset, is: found, wanted: wanted)
        }
        return found
    }

    // MARK: A table

    /// What a table has of some days.
    private struct Present: Sendable {
        var standing: [LoadDay: BigQuerySQL.Standing]
        var figures: [LoadDay: LoadFigures]

        func has(_ manifest: LoadManifest) -> Bool {
            standing[manifest.day]
                == BigQuerySQL.Standing(
                    contentDigest: manifest.contentDigest, schemaVersion: manifest.schemaVersion)
                && differences(from: manifest).isEmpty
        }

        func differences(from manifest: LoadManifest) -> [String] {
            (figures[manifest.day] ?? LoadFigures()).differences(from: manifest.figures)
        }
    }

    /// A table with the days that are meant.
    private struct Plan: Sendable {
        var table: WarehouseTable
        var days: [LoadDayFolder]
        var present: Present
        let swaps = SingleFile()
    }

    /// What came of one day.
    private enum Outcome: Sendable {
        case unchanged
        case sent(LoadManifest)
        case unfit(WarehouseFault)
    }

    /// What came of one table.
    private struct End: Sendable {
        var loaded: [BigQueryLoadReport.Loaded] = []
        var unchanged = 0
        var faults: [String] = []
    }

    private func plan(
        _ table: WarehouseTable, _ request: Request, _ folder: WarehouseFolder,
        in location: String
    ) async throws -> Plan {
        try await client.prepare(
            table.name, table.bigQueryColumns, partition: WarehouseTable.partition,
            meaning: table.about)
        let days = try folder.days(of: table, from: request.first, to: request.last)
        guard let first = days.first?.day, let last = days.last?.day else {
            return Plan(table: table, days: [], present: Present(standing: [:], figures: [:]))
        }
        return Plan(
            table: table, days: days,
            present: try await present(of: table, first...last, in: location))
    }

    /// Loads what is due of all tables, the oldest days first.
    ///
    /// - Returns: by table, what came of each of its days, in the order in which they ended.
    private func load(
        _ plans: [Plan], most: Int, in location: String, _ progress: Progress
    ) async throws -> [[Outcome]] {
        let days = plans.enumerated().flatMap { place, plan in
            plan.days.map { (table: place, folder: $0) }
        }.sorted { ($0.folder.day, $0.table) < ($1.folder.day, $1.table) }
        var outcomes: [[Outcome]] = Array(repeating: [], count: plans.count)
        var done = 0
        try await BoundedTasks.run(days, most: most) { table, folder in
            try await load(folder, of: plans[table], in: location)
        } each: { place, outcome in
            let (table, folder) = days[place]
            outcomes[table].append(outcome)
            done += 1
            progress(folder.table.name, folder.day, done, days.count)
        }
        return outcomes
    }

    private func load(
        _ folder: LoadDayFolder, of plan: Plan, in location: String
    ) async throws -> Outcome {
        let version = schemaVersion
        let present = plan.present
        let file: LoadFile?
        do {
            file = try await Self.files.run { () throws(WarehouseFault) in
                let manifest = try LoadFile.manifest(of: folder, version)
                guard !present.has(manifest) else { return nil }
                let file = try LoadFile(folder, schemaVersion: version)
                try file.check()
                return file
            }
        } catch {
            return .unfit(error)
        }
        guard let file else { return .unchanged }
        try await load(file, swaps: plan.swaps, in: location)
        return .sent(file.manifest)
    }

    /// Counts again what a table has in its place, when its days are through.
    private func end(
        _ plan: Plan, _ outcomes: [Outcome], in location: String
    ) async throws -> End {
        var end = End()
        var sent: [LoadManifest] = []
        var unfit: [WarehouseFault] = []
        for outcome in outcomes {
            switch outcome {
            case .unchanged: end.unchanged += 1
            case .sent(let manifest): sent.append(manifest)
            case .unfit(let fault): unfit.append(fault)
            }
        }
        end.faults = unfit.map(\.description).sorted()
        guard !sent.isEmpty, let first = plan.days.first?.day, let last = plan.days.last?.day
        else { return end }
        let present = try await present(of: plan.table, first...last, in: location)
        for manifest in sent.sorted(by: { $0.day < $1.day }) {
            let differences = present.differences(from: manifest)
            guard !differences.isEmpty else {
                end.loaded.append(
                    .init(table: plan.table.name, day: manifest.day, rows: manifest.figures.rows))
                continue
            }
            end.faults.append(
                "\(plan.table.name) on \(manifest.day) has other figures at BigQuery than in the "
                    + "folder: \(differences.joined(separator: ", ")); run this again")
        }
        return end
    }

    private func present(
        of table: WarehouseTable, _ days: ClosedRange<LoadDay>, in location: String
    ) async throws(BigQueryError) -> Present {
        Present(
            standing: try await standing(of: table, days, in: location),
            figures: try await figures(of: table, in: table.name, days, at: location) ?? [:])
    }

    private func standing(
        of table: WarehouseTable, _ days: ClosedRange<LoadDay>, in location: String
    ) async throws(BigQueryError) -> [LoadDay: BigQuerySQL.Standing] {
        let rows = try await client.rows(sql.standing(of: table, days: days), in: location) ?? []
        var standing: [LoadDay: BigQuerySQL.Standing] = [:]
        for row in rows {
            guard row.count == 3, let day = row[0].flatMap({ LoadDay($0) }),
                let digest = row[1], let version = row[2].flatMap({ Int64($0) })
            else { throw .malformed(what: "a row of the journal of loads: \(row)") }
            standing[day] = BigQuerySQL.Standing(contentDigest: digest, schemaVersion: version)
        }
        return standing
    }

    private func figures(
        of table: WarehouseTable, in name: String, _ days: ClosedRange<LoadDay>?,
        at location: String
    ) async throws(BigQueryError) -> [LoadDay: LoadFigures]? {
        let text = sql.figures(of: table, in: name, days: days)
        guard let rows = try await client.rows(text, in: location) else { return nil }
        return try BigQuerySQL.readFigures(rows, of: table)
    }

    // MARK: A day

    private func load(
        _ file: LoadFile, swaps: SingleFile, in location: String
    ) async throws(BigQueryError) {
        let manifest = file.manifest
        let table = file.folder.table
        let name = LoadJobName(
            project: client.place.project, dataset: client.place.dataset, table: table.name,
            day: manifest.day, contentDigest: manifest.contentDigest,
            schemaVersion: manifest.schemaVersion)
        let isEmpty = manifest.figures.rows == 0
        if !isEmpty { try await stage(file, name, in: location) }
        await swaps.enter()
        let swapped: Result<Void, BigQueryError>
        do throws(BigQueryError) {
            try await swap(file, name, in: location)
            swapped = .success(())
        } catch {
            swapped = .failure(error)
        }
        await swaps.leave()
        try swapped.get()
    }

    /// Puts the day's rows in the place of its old ones.
    private func swap(
        _ file: LoadFile, _ name: LoadJobName, in location: String
    ) async throws(BigQueryError) {
        let (manifest, table) = (file.manifest, file.folder.table)
        let staging = manifest.figures.rows == 0 ? nil : name.staging
        try await client.carryOut(
            "swapping \(table.name) of \(manifest.day) in", in: location,
            name: { name.id(.swap, attempt: $0) },
            begin: { id throws(BigQueryError) in
                let script = sql.swap(manifest, of: table, from: staging, job: id)
                return try await client.beginScript(id, script, in: location)
            },
            isStillThere: { () throws(BigQueryError) in
                // The journal alone would not do: rows may have been changed behind it.
                try await present(of: table, manifest.day...manifest.day, in: location)
                    .has(manifest)
            })
    }

    /// Brings the day's rows into their own table, and proves that all of them are there.
    private func stage(
        _ file: LoadFile, _ name: LoadJobName, in location: String
    ) async throws(BigQueryError) {
        let table = file.folder.table
        let manifest = file.manifest
        func differences() async throws(BigQueryError) -> [String] {
            guard
                let found = try await figures(of: table, in: name.staging, nil, at: location)
            else { return ["its table is gone"] }
            let other = found.keys.filter { $0 != manifest.day }.sorted()
            return other.map { "rows of \($0)" }
                + (found[manifest.day] ?? LoadFigures()).differences(from: manifest.figures)
        }
        try await client.carryOut(
            "loading \(table.name) of \(manifest.day)", in: location,
            name: { name.id(.load, attempt: $0) },
            begin: { id throws(BigQueryError) in
                try await client.makeStaging(name.staging, table)
                return try await client.beginLoad(
                    loadJob(id, of: table, into: name.staging, in: location), file)
            },
            isStillThere: { () throws(BigQueryError) in try await differences().isEmpty })
        let found = try await differences()
        guard found.isEmpty else {
            throw .otherSums(
                table: table.name, day: manifest.day.text,
                differences: found.joined(separator: ", "))
        }
    }

    /// The job as the API takes it: all of the file or nothing, and no column of BigQuery's own
    /// guess.
    private func loadJob(
        _ id: String, of table: WarehouseTable, into staging: String, in location: String
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.jobReference(id, client.place.project, location)
        writer.key("configuration")
        writer.beginObject()
        writer.key("load")
        writer.beginObject()
        writer.tableReference("destinationTable", client.place, staging)
        writer.fields(table.bigQueryColumns)
        writer.member("sourceFormat", "NEWLINE_DELIMITED_JSON")
        writer.member("writeDisposition", "WRITE_TRUNCATE")
        writer.member("createDisposition", "CREATE_IF_NEEDED")
        writer.member("maxBadRecords", Int64(0))
        writer.member("ignoreUnknownValues", false)
        writer.member("autodetect", false)
        writer.endObject()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }
}
