import Vocabulary

/// The statements that a load needs, in GoogleSQL. Names and literals come from a checked schema,
/// a checked day and hex digits, so that none can end a quotation.
struct BigQuerySQL: Sendable {
    let place: BigQueryPlace

    /// The journal of loads, beside the tables: a row for each job that swapped a day in, the
    /// latest of a table and day being what stands. Rows are only added, so that two tables' swaps
    /// do not wait for each other; a job that is carried out again, as an emulator does which keeps
    /// no names of jobs, adds none while its row is the latest.
    static let journal = "tillbox_loads"

    private static let billion = 1_000_000_000

    /// What stands in the journal for one day.
    struct Standing: Hashable, Sendable {
        var contentDigest: String
        var schemaVersion: Int64
    }

    /// Swaps a day in: the old rows out, the new ones in and the journal's row, in one transaction;
    /// then the staging table goes. A failure anywhere before the commit leaves the day as it was:
    /// of a script that ends before it BigQuery takes everything back ("Multi-statement
    /// transactions" of its documentation).
    ///
    /// - Parameters:
    ///   - staging: nil for a day without rows.
    ///   - job: the name of the job that carries it out.
    func swap(
        _ manifest: LoadManifest, of table: WarehouseTable, from staging: String?, job: String
    ) -> String {
        let name = place.quoted(table.name)
        let columns = table.columns.map { "`\($0.name)`" }.joined(separator: ", ")
        let date = "DATE '\(manifest.day)'"
        var lines = [
            "BEGIN TRANSACTION;",
            "DELETE FROM \(name) WHERE dt = \(date);",
        ]
        if let staging {
            lines.append(
                "INSERT INTO \(name) (\(columns)) SELECT \(columns) FROM \(place.quoted(staging));")
        }
        let journal = place.quoted(Self.journal)
        let ofDay = "table_name = '\(table.name)' AND dt = \(date)"
        lines += [
            "INSERT INTO \(journal) (table_name, dt, content_sha256, schema_version, row_count, "
                + "loaded_at, job_id)",
            "SELECT '\(table.name)', \(date), '\(manifest.contentDigest)', "
                + "\(manifest.schemaVersion), \(manifest.figures.rows), CURRENT_TIMESTAMP(), "
                + "'\(job)'",
            "FROM UNNEST([1]) WHERE NOT EXISTS (",
            "  SELECT 1 FROM \(journal) WHERE \(ofDay) AND job_id = '\(job)'",
            "  AND loaded_at = (SELECT MAX(loaded_at) FROM \(journal) WHERE \(ofDay)));",
            "COMMIT TRANSACTION;",
        ]
        if let staging { lines.append("DROP TABLE IF EXISTS \(place.quoted(staging));") }
        return lines.joined(separator: "\n")
    }

    /// Rows and sums by day of a table, or of a staging table in its form: `dt`, column or empty
    /// for the rows themselves, currency, count, and the sum as billions and the rest: a sum may
    /// exceed the 64 bits that a row's amount has, and either of the two stays within them.
    ///
    /// - Parameter days: nil for all.
    func figures(
        of table: WarehouseTable, in name: String, days: ClosedRange<LoadDay>?
    ) -> String {
        let source = place.quoted(name)
        let day = "CAST(dt AS STRING)"
        let range = days.map {
            "dt BETWEEN DATE '\($0.lowerBound)' AND DATE '\($0.upperBound)'"
        }
        let filter = range.map { " WHERE \($0)" } ?? ""
        let parts =
            ["SELECT \(day), '', '', COUNT(*), 0, 0 FROM \(source)\(filter) GROUP BY 1"]
            + table.sums.map { sum in
                "SELECT \(day), '\(sum.column)', `\(sum.currency)`, COUNT(*), "
                    + "SUM(DIV(`\(sum.column)`, \(Self.billion))), "
                    + "SUM(MOD(`\(sum.column)`, \(Self.billion))) FROM \(source) WHERE "
                    + (range.map { "\($0) AND " } ?? "")
                    + "`\(sum.column)` IS NOT NULL GROUP BY 1, 3"
            }
        return parts.joined(separator: "\nUNION ALL\n")
    }

    /// What stands in the journal of a table: day, content and version, a row a day.
    func standing(of table: WarehouseTable, days: ClosedRange<LoadDay>) -> String {
        """
        SELECT CAST(dt AS STRING), content_sha256, CAST(schema_version AS STRING)
        FROM (
          SELECT dt, content_sha256, schema_version,
            ROW_NUMBER() OVER (PARTITION BY dt ORDER BY loaded_at DESC) AS place
          FROM \(place.quoted(Self.journal))
          WHERE table_name = '\(table.name)'
            AND dt BETWEEN DATE '\(days.lowerBound)' AND DATE '\(days.upperBound)'
        )
        WHERE place = 1
        """
    }

    /// The journal's form.
    static let journalColumns: [BigQueryColumn] = [
        .init(name: "table_name", kind: .text, isRequired: true, about: "Which table."),
        .init(name: "dt", kind: .day, isRequired: true, about: "Which UTC day of it."),
        .init(
            name: "content_sha256", kind: .text, isRequired: true,
            about: "The rows, by the digest in the day's manifest."),
        .init(name: "schema_version", kind: .integer, isRequired: true, about: "Their form."),
        .init(name: "row_count", kind: .integer, isRequired: true, about: "How many they are."),
        .init(
            name: "loaded_at", kind: .moment, isRequired: true,
            about: "When the day was swapped in; the latest of a table and day stands."),
        .init(
            name: "job_id", kind: .text, isRequired: false,
            about: "The job that swapped it in; null in rows of releases that did not note it."),
    ]

    /// Figures by day out of the rows of ``figures(of:in:days:)``.
    static func readFigures(
        _ rows: [[String?]], of table: WarehouseTable
    ) throws(BigQueryError) -> [LoadDay: LoadFigures] {
        var all: [LoadDay: LoadFigures] = [:]
        for row in rows {
            guard row.count == 6, let day = row[0].flatMap({ LoadDay($0) }),
                let column = row[1], let count = row[3].flatMap({ Int64($0) }),
                let billions = row[4].flatMap({ Int128($0) }),
                let rest = row[5].flatMap({ Int128($0) })
            else { throw .malformed(what: "a row of sums of \(table.name): \(row)") }
            var figures = all[day] ?? LoadFigures()
            if column.isEmpty {
                figures.rows = count
            } else {
                figures.sums.append(
                    DayManifest.Sum(
                        column: column, currency: row[2] ?? "", rows: count,
                        sum: billions * Int128(billion) + rest))
            }
            all[day] = figures
        }
        return all
    }
}
