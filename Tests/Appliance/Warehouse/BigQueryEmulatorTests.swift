import Foundation
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

/// The data itself, in a real engine: what is loaded, swapped, summed and read back.
@Suite("Loading into a BigQuery emulator", .timeLimit(.minutes(2)))
struct BigQueryEmulatorTests {
    private static func client(_ server: BigQueryServer, _ dataset: String) -> BigQueryClient {
        BigQueryClient(
            BigQueryPlace(
                project: BigQueryServer.project, dataset: dataset, location: "EU",
                base: server.base), tokens: NoBigQueryTokens())
    }

    private static func run(
        _ client: BigQueryClient, _ files: WarehouseFixture, _ table: WarehouseTable
    ) async throws -> BigQueryLoadReport {
        try await BigQueryLoad(client, schemaVersion: 1).run(
            BigQueryLoad.Request(tables: [table], makesDataset: true), from: files.warehouse)
    }

    @Test("days are loaded, corrected, emptied and loaded again; every amount is exact")
    func days() async throws {
        let server = try await BigQueryServer()
        let client = Self.client(server, "books")
        let files = try WarehouseFixture()
        try files.write("2026-11-25", [9_007_199_254_740_993, -5, Int64.max, Int64.max])
        try files.write("2026-11-26", [100])
        let first = try await Self.run(client, files, BigQueryStub.table)
        #expect(first.faults == [])
        #expect(first.loaded.map(\.rows) == [4, 1])
        let second = try await Self.run(client, files, BigQueryStub.table)
        #expect(second.loaded == [])
        #expect(second.unchanged == 2)

        try files.write("2026-11-26", [100, 250], "eur")
        try files.write("2026-11-25", [])
        let third = try await Self.run(client, files, BigQueryStub.table)
        #expect(third.faults == [])
        #expect(third.loaded.map(\.rows) == [0, 2])
        let sales = "`\(BigQueryServer.project).books.sales`"
        let rows = try await client.rows(
            "SELECT CAST(dt AS STRING), amount, currency FROM \(sales) ORDER BY amount", in: "EU")
        #expect(rows == [["2026-11-26", "100", "eur"], ["2026-11-26", "250", "eur"]])
        let tables = try await client.rows(
            "SELECT table_name FROM `\(BigQueryServer.project).books.INFORMATION_SCHEMA.TABLES` "
                + "ORDER BY 1", in: "EU")
        #expect(tables == [["sales"], ["tillbox_loads"]], "no staging table is left")
        let journal = try await client.rows(
            "SELECT COUNT(*) FROM `\(BigQueryServer.project).books.tillbox_loads`", in: "EU")
        #expect(journal == [["4"]])

        let other = try await client.rows("DELETE FROM \(sales) WHERE amount = 100", in: "EU")
        #expect(other == [])
        let mended = try await Self.run(client, files, BigQueryStub.table)
        #expect(mended.loaded.map(\.rows) == [2], "what was deleted there comes back")
    }

    @Test("a swap that is carried out twice has one row in the journal, another job's its own")
    func journal() async throws {
        let server = try await BigQueryServer()
        let client = Self.client(server, "books")
        let files = try WarehouseFixture()
        try files.write("2026-11-26", [])
        _ = try await Self.run(client, files, BigQueryStub.table)
        let folder = try #require(
            try files.warehouse.days(of: BigQueryStub.table, from: nil, to: nil).first)
        let manifest = try LoadFile.manifest(of: folder, 1)
        func swapped(by job: String) async throws {
            let script = BigQuerySQL(place: client.place).swap(
                manifest, of: BigQueryStub.table, from: nil, job: job)
            // The emulator forgets names of jobs, so that the second of a name is carried out too.
            try await client.carryOut(
                "swapping", in: "EU", name: { _ in job },
                begin: { id throws(BigQueryError) in
                    try await client.beginScript(id, script, in: "EU")
                }, isStillThere: { true })
        }
        // A row of a release that noted no job comes before.
        let place = "`\(BigQueryServer.project).books.tillbox_loads`"
        _ = try await client.rows("UPDATE \(place) SET job_id = NULL WHERE TRUE", in: "EU")
        for job in ["first", "first", "second", "second", "first", "first"] {
            try await swapped(by: job)
        }
        let jobs = try await client.rows(
            "SELECT job_id, table_name, CAST(row_count AS STRING) FROM \(place) ORDER BY loaded_at",
            in: "EU")
        #expect(
            jobs == [
                [nil, "sales", "0"], ["first", "sales", "0"], ["second", "sales", "0"],
                ["first", "sales", "0"],
            ])
    }

    @Test("a query of a table that is not there is no answer, and one that is wrong is refused")
    func answers() async throws {
        let server = try await BigQueryServer()
        let client = Self.client(server, "books")
        try await client.makeDataset(in: "EU")
        try await client.makeDataset(in: "EU")
        #expect(try await client.location() == "EU")
        let missing = "SELECT 1 FROM `\(BigQueryServer.project).books.nowhere`"
        let rows = try await client.rows(missing, in: "EU")
        #expect(rows == nil)
        await #expect(throws: BigQueryError.self) {
            try await client.rows("SELEKT 1", in: "EU")
        }
    }

    @Test("every table of the warehouse can be made, and gets a column that is new")
    func tables() async throws {
        let server = try await BigQueryServer()
        let client = Self.client(server, "books")
        try await client.makeDataset(in: "EU")
        for table in WarehouseTable.all {
            let few = Array(table.bigQueryColumns.dropLast())
            for columns in [few, table.bigQueryColumns, table.bigQueryColumns] {
                try await client.prepare(
                    table.name, columns, partition: WarehouseTable.partition, meaning: table.about)
            }
            let sql = BigQuerySQL(place: client.place)
            let figures = try await client.rows(
                sql.figures(of: table, in: table.name, days: nil), in: "EU")
            #expect(figures == [], "\(table.name)")
            // It changes what it says of the table, and not the table (docs/BIGQUERY.md).
            let told = try await client.rows(
                "SELECT column_name FROM "
                    + "`\(BigQueryServer.project).books.INFORMATION_SCHEMA.COLUMNS` "
                    + "WHERE table_name = '\(table.name)' ORDER BY 1", in: "EU")
            let expected: [[String?]] = table.columns.map(\.name).sorted().map { [$0] }
            #expect(told == expected, "\(table.name)")
        }
    }
}
