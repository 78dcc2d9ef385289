import Testing

@testable import Vocabulary
@testable import Warehouse

@Suite("Names and statements for BigQuery")
struct BigQueryNamesTests {
    static func name(
        project: String = "p", dataset: String = "d", table: String = "payments",
        day: String = "2026-11-26", content: String = "ab", version: Int64 = 1
    ) throws -> LoadJobName {
        LoadJobName(
            project: project, dataset: dataset, table: table, day: try #require(LoadDay(day)),
            contentDigest: content, schemaVersion: version)
    }

    @Test("the same day, content and form have the same name; each part makes another")
    func names() throws {
        let name = try Self.name()
        #expect(try Self.name() == name)
        let others = [
            try Self.name(project: "q"), try Self.name(dataset: "e"), try Self.name(table: "fees"),
            try Self.name(day: "2026-11-27"), try Self.name(content: "ac"),
            try Self.name(version: 2),
        ]
        #expect(Set(([name] + others).map { $0.id(.load, attempt: 0) }).count == 7)
        #expect(Set(([name] + others).map(\.staging)).count == 7)
        // sha256("p\nd\npayments\n2026-11-26\nab\n1\n"), by sha256sum.
        #expect(
            name.id(.load, attempt: 0) == "tillbox_load_payments_20261126_56f93fb86bd63371_0")
        #expect(name.id(.swap, attempt: 12).hasSuffix("_12"))
        #expect(name.id(.load, attempt: 0).wholeMatch(of: /[A-Za-z0-9_-]{1,1024}/) != nil)
    }

    @Test("every name of the real tables goes into SQL and jobs as it stands")
    func realTables() throws {
        for table in WarehouseTable.all {
            #expect(table.name.wholeMatch(of: /[a-z_][a-z0-9_]*/) != nil)
            for column in table.columns {
                #expect(column.name.wholeMatch(of: /[a-z_][a-z0-9_]*/) != nil, "\(column.name)")
            }
            #expect(table.columns.first?.name == WarehouseTable.partition)
            #expect(table.columns.first?.kind == .day)
            for sum in table.sums {
                #expect(table.columns.contains { $0.name == sum.column && $0.kind == .integer })
                #expect(table.columns.contains { $0.name == sum.currency && $0.kind == .text })
            }
        }
    }

    @Test("projects, datasets and locations that BigQuery does not have are told apart")
    func settings() {
        #expect(BigQueryPlace.isProject("my-project"))
        #expect(BigQueryPlace.isProject("example.com:my-project"))
        #expect(!BigQueryPlace.isProject("My Project"))
        #expect(!BigQueryPlace.isProject("a`b-cdefg"))
        #expect(BigQueryPlace.isDataset("tillbox_2"))
        #expect(!BigQueryPlace.isDataset("till-box"))
        #expect(BigQueryPlace.isLocation("europe-west3"))
        #expect(!BigQueryPlace.isLocation("EU&x=1"))
    }

    @Test("sums come back from billions and the rest, below zero too")
    func sums() throws {
        let figures = try BigQuerySQL.readFigures(
            [
                ["2026-11-26", "", "", "3", "0", "0"],
                ["2026-11-26", "amount", "usd", "2", "18446744072", "1709551614"],
                ["2026-11-26", "amount", "eur", "1", "-3", "-1"],
            ], of: BigQueryStub.table)
        let day = try #require(LoadDay("2026-11-26"))
        #expect(figures[day]?.rows == 3)
        #expect(figures[day]?.sums.map(\.sum) == [Int128(Int64.max) * 2, -3_000_000_001])
        #expect(throws: BigQueryError.self) {
            try BigQuerySQL.readFigures([["x"]], of: BigQueryStub.table)
        }
    }
}
