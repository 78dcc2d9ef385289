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
///    notes that in the journal; then the table goes (``BigQuerySQL/swap(_:of:from:)``).
/// 5. Counts and sums of the day, in its place, must be the manifest's.
///
/// What is due is what the journal does not have, or has with other counts and sums: so a second
/// run loads nothing, a corrected day is loaded by itself, and rows that somebody has changed at
/// BigQuery are put right.
package struct BigQueryLoad: Sendable {
    package struct Request: Sendable {
        package var tables: [WarehouseTable]
        /// Bounds included; nil for all days that there are.
        package var first: LoadDay?
        package var last: LoadDay?
        /// Makes a dataset that is missing, in the location that the place names.
        package var makesDataset: Bool

        package init(
            tables: [WarehouseTable], first: LoadDay? = nil, last: LoadDay? = nil,
            makesDataset: Bool = false
        ) {
            self.tables = tables
            self.first = first
            self.last = last
            self.makesDataset = makesDataset
        }
    }

    /// Is told after each day: table, how many of its days are through, of how many.
    package typealias Progress = (_ table: String, _ done: Int, _ total: Int) -> Void

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
        _ request: Request, from folder: WarehouseFolder, progress: Progress = { _, _, _ in }
    ) async throws -> BigQueryLoadReport {
        let location = try await location(makesDataset: request.makesDataset)
        try await client.prepare(
            BigQuerySQL.journal, BigQuerySQL.journalColumns, partition: "dt",
            meaning: "Which days were loaded, and with which content.")
        var report = BigQueryLoadReport(dataset: client.place.dataset)
        for table in request.tables {
            try Task.checkCancellation()
            try await client.prepare(
                table.name, table.bigQueryColumns, partition: WarehouseTable.partition,
                    meaning: table.about)
            let days = try folder.days(of: table, from: request.first, to: request.last)
            try await load(days, of: table, in: location, &report, progress)
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
    private struct Present {
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

    private func load(
        _ days: [LoadDayFolder], of table: WarehouseTable, in location: String,
        _ report: inout BigQueryLoadReport, _ progress: Progress
    ) async throws {
        guard let first = days.first?.day, let last = days.last?.day else { return }
        var present = try await present(of: table, first...last, in: location)
        var sent: [LoadManifest] = []
        for (index, day) in days.enumerated() {
            try Task.checkCancellation()
            do {
                let manifest = try LoadFile.manifest(of: day, schemaVersion)
                if present.has(manifest) {
                    report.unchanged += 1
                } else {
                    let file = try LoadFile(day, schemaVersion: schemaVersion)
                    try file.check()
                    try await load(file, in: location)
                    sent.append(file.manifest)
                }
            } catch let fault as WarehouseFault {
                report.faults.append(fault.description)
            }
            progress(table.name, index + 1, days.count)
        }
        guard !sent.isEmpty else { return }
        present = try await self.present(of: table, first...last, in: location)
        for manifest in sent {
            let differences = present.differences(from: manifest)
            if differences.isEmpty {
                report.loaded.append(
                    .init(table: table.name, day: manifest.day, rows: manifest.figures.rows))
            } else {
                report.faults.append(
                    "\(table.name) on \(manifest.day) has other figures at BigQuery than in the "
                        + "folder: \(differences.joined(separator: ", ")); run this again")
            }
        }
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

    private func load(_ file: LoadFile, in location: String) async throws(BigQueryError) {
        let manifest = file.manifest
        let table = file.folder.table
        let name = LoadJobName(
            project: client.place.project, dataset: client.place.dataset, table: table.name,
            day: manifest.day, contentDigest: manifest.contentDigest,
            schemaVersion: manifest.schemaVersion)
        let isEmpty = manifest.figures.rows == 0
        if !isEmpty { try await stage(file, name, in: location) }
        let script = sql.swap(manifest, of: table, from: isEmpty ? nil : name.staging)
        try await client.carryOut(
            "swapping \(table.name) of \(manifest.day) in", in: location,
            name: { name.id(.swap, attempt: $0) },
            begin: { id throws(BigQueryError) in
                try await client.beginScript(id, script, in: location)
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
