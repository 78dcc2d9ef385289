import Bridges
import Foundation
import TestSupport

@testable import Vocabulary
@testable import Warehouse

/// A warehouse's folder with days of the tests' table, written as docs/WAREHOUSE.md says.
struct WarehouseFixture {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var warehouse: WarehouseFolder { WarehouseFolder(URL(filePath: folder.path)) }

    static func row(_ day: String, _ amount: Int64?, _ currency: String) -> String {
        #"{"dt":"\#(day)","amount":\#(amount.map { "\($0)" } ?? "null"),"currency":"\#(currency)"}"#
    }

    /// Writes a day of `amounts` in one currency.
    func write(_ day: String, _ amounts: [Int64], _ currency: String = "usd") throws {
        try write(
            day, lines: amounts.map { Self.row(day, $0, currency) },
            sums: amounts.isEmpty
                ? [] : [(currency, amounts.count, amounts.reduce(Int128(0)) { $0 + Int128($1) })])
    }

    /// - Parameters:
    ///   - sums: currency, rows and sum of the column `amount`.
    ///   - packed: the file's bytes, where they are not the rows themselves.
    func write(
        _ day: String, lines: [String], sums: [(String, Int, Int128)], rows: Int? = nil,
        version: Int64 = 1, packed: [UInt8]? = nil
    ) throws {
        let table = BigQueryStub.table
        let place = URL(filePath: folder.path).appending(path: "\(table.path)/dt=\(day)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let content = Array(lines.map { $0 + "\n" }.joined().utf8)
        let file = packed ?? content
        let name = "\(table.name).ndjson" + (packed == nil ? "" : ".gz")
        try Data(file).write(to: place.appending(path: name))
        let told = sums.map {
            #"{"column":"amount","currency":"\#($0.0)","rows":\#($0.1),"sum":"\#($0.2)"}"#
        }
        let manifest = #"""
            {"format":"tillbox-warehouse/1","dataset":"tillbox","table":"\#(table.name)",
            "dt":"\#(day)","schema_version":\#(version),"file":"\#(name)",
            "compression":"\#(packed == nil ? "none" : "gzip")","file_bytes":\#(file.count),
            "file_sha256":"\#(String(hex: SHA256.digest(file[...])))",
            "rows":\#(rows ?? lines.count),
            "content_bytes":\#(content.count),
            "content_sha256":"\#(String(hex: SHA256.digest(content[...])))",
            "sums":[\#(told.joined(separator: ","))],"revision":1,"replaces":null,"complete":true,
            "written_at":"2026-11-27T00:05:11Z"}
            """#
        try Data(manifest.utf8).write(to: place.appending(path: "manifest.json"))
    }
}

/// A load of the tests' table into the stub: nothing is waited for.
struct LoadFixture {
    let stub = BigQueryStub()
    let files: WarehouseFixture
    var place = BigQueryPlace(project: "p-roject", dataset: "books", base: "https://stub.test")
    var tokens: any BigQueryTokenSource = NoBigQueryTokens()

    init() throws { files = try WarehouseFixture() }

    func run() async throws -> BigQueryLoadReport {
        let client = BigQueryClient(
            place, tokens: tokens, transport: stub, sleep: { _ in try Task.checkCancellation() },
            random: { 0.5 }, now: { 1_795_000_000 })
        return try await BigQueryLoad(client, schemaVersion: 1).run(
            BigQueryLoad.Request(tables: [BigQueryStub.table]), from: files.warehouse)
    }

    var rows: [BigQueryStub.Row] { stub.change { $0.tables["sales"] ?? [] } }
    var amounts: [Int64] { rows.compactMap(\.amount).sorted() }
}
