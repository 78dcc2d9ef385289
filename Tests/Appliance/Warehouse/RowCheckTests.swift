import Bridges
import CZlib
import Foundation
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

@Suite("Rows against the schema")
struct RowCheckTests {
    static let kinds = WarehouseTable(
        .tillbox, "kinds", day: "at", key: ["id"], sums: [.init("amount", by: "currency")],
        about: "Of tests.",
        columns: [
            .required("dt", .day, ""), .required("id", .text, ""),
            .required("amount", .integer, ""), .optional("currency", .text, ""),
            .optional("share", .number, ""), .optional("is_open", .flag, ""),
            .optional("at", .moment, ""),
        ])

    static let good: [String: String] = [
        "dt": #""2026-11-26""#, "id": #""a""#, "amount": "-12", "currency": #""usd""#,
        "share": "0.5", "is_open": "true", "at": #""2026-11-26T09:30:00Z""#,
    ]

    static func line(_ changed: [String: String?] = [:]) -> [UInt8] {
        var values: [String: String?] = good
        for (name, value) in changed { values[name] = value }
        let members = kinds.columns.map(\.name).compactMap { name in
            (values[name] ?? nil).map { "\"\(name)\":\($0)" }
        }
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    static func fault(_ line: [UInt8]) -> String? {
        guard let day = LoadDay("2026-11-26") else { return "no day" }
        var check = RowCheck(kinds, day: day)
        do throws(RowCheck.Fault) {
            try check.take(line)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("a row as the schema says passes, whatever the order of its members")
    func passes() {
        #expect(Self.fault(Self.line()) == nil)
        #expect(Self.fault(Self.line(["share": "7", "is_open": "null", "at": "null"])) == nil)
        #expect(Self.fault(Self.line(["at": #""2026-11-26T09:30:00.123Z""#])) == nil)
        #expect(Self.fault(Self.line(["amount": "\(Int64.max)"])) == nil)
        let turned = #"{"at":null,"is_open":null,"share":null,"currency":"usd","amount":1,"#
            + #""id":"a","dt":"2026-11-26"}"#
        #expect(Self.fault(Array(turned.utf8)) == nil)
    }

    @Test(
        "a value of another type is refused",
        arguments: [
            ("amount", "1.0"), ("amount", "1e3"), ("amount", "\"1\""),
            ("amount", "9223372036854775808"), ("amount", "true"), ("id", "1"), ("id", "[]"),
            ("share", "\"0.5\""), ("is_open", "1"), ("is_open", "\"true\""),
            ("dt", "\"2026-11-27\""), ("dt", "\"2026-02-30\""), ("dt", "20261126"),
            ("at", "\"2026-11-26T09:30:00+01:00\""), ("at", "\"2026-11-26 09:30:00Z\""),
            ("at", "\"2026-11-26T09:30:00.1Z\""), ("at", "1795000000"),
            ("at", "\"2026-13-26T09:30:00Z\""), ("at", "\"2026-11-26\""),
        ])
    func otherType(column: String, value: String) throws {
        let fault = try #require(Self.fault(Self.line([column: value])))
        #expect(fault.hasPrefix("line 1: \(column) is"))
    }

    @Test("a column that is missing, unknown, said twice or null where it must not be is refused")
    func otherColumns() {
        #expect(Self.fault(Self.line(["share": nil])) == "line 1: share is missing")
        #expect(Self.fault(Self.line(["id": "null"])) == "line 1: id is null and must not be")
        let unknown = Array(#"{"x":1,"#.utf8) + Self.line().dropFirst()
        #expect(Self.fault(unknown) == "line 1: x is no column of the schema")
        let twice = Array(#"{"id":"b","#.utf8) + Self.line().dropFirst()
        #expect(Self.fault(twice) == "line 1: id is said twice")
        #expect(
            Self.fault(Self.line(["currency": "null"]))
                == "line 1: amount has a value and no currency")
        #expect(Self.fault(Array("[]".utf8)) == "line 1: it is no JSON object")
        #expect(Self.fault([])?.hasPrefix("line 1: it is no JSON") == true)
    }

    @Test("sums are exact beyond 64 bits, by currency")
    func sums() throws {
        var check = RowCheck(Self.kinds, day: try #require(LoadDay("2026-11-26")))
        for amount in ["\(Int64.max)", "\(Int64.max)", "1"] {
            try check.take(Self.line(["amount": amount]))
        }
        try check.take(Self.line(["amount": "-5", "currency": #""eur""#]))
        #expect(
            check.figures
                == LoadFigures(
                    rows: 4,
                    sums: [
                        .init(column: "amount", currency: "eur", rows: 1, sum: -5),
                        .init(
                            column: "amount", currency: "usd", rows: 3,
                            sum: Int128(Int64.max) * 2 + 1),
                    ]))
    }

    // MARK: Files

    private static func check(_ fixture: WarehouseFixture) throws {
        let day = try #require(try fixture.warehouse.days(of: BigQueryStub.table).first)
        try LoadFile(day, schemaVersion: 1).check()
    }

    private static func lines(_ count: Int) -> [String] {
        (0..<count).map { WarehouseFixture.row("2026-11-26", Int64($0), "usd") }
    }

    @Test("a file of many rows is read in pieces, and each row is looked at")
    func pieces() throws {
        let fixture = try WarehouseFixture()
        let lines = Self.lines(60_000)
        let sum = Int128(60_000) * 59_999 / 2
        try fixture.write("2026-11-26", lines: lines, sums: [("usd", 60_000, sum)])
        try Self.check(fixture)
        try fixture.write("2026-11-26", lines: lines, sums: [("usd", 60_000, sum + 1)])
        let fault = #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        #expect(fault?.description.contains("amount usd is \(sum) in 60000 rows") == true)
        let bad = lines.dropLast() + [#"{"dt":"2026-11-26"}"#]
        try fixture.write("2026-11-26", lines: Array(bad), sums: [("usd", 60_000, sum)])
        let other = #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        #expect(other?.description.contains("line 60000: amount is missing") == true)
    }

    @Test("a file that is not its manifest's, cut off, or of another version is refused")
    func otherFiles() throws {
        let fixture = try WarehouseFixture()
        try fixture.write("2026-11-26", [1, 2])
        let file = fixture.folder.file("sales/dt=2026-11-26/sales.ndjson")
        let whole = try Data(contentsOf: URL(filePath: file))
        try Data(whole.dropLast(3)).write(to: URL(filePath: file))
        #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        try Data(whole.reversed()).write(to: URL(filePath: file))
        #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        try FileManager.default.removeItem(atPath: file)
        #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        try fixture.write("2026-11-26", lines: Self.lines(1), sums: [("usd", 1, 0)], version: 2)
        let fault = #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        #expect(fault?.description.contains("version 2 of the schema") == true)
        try fixture.write("2026-11-26", lines: Self.lines(2), sums: [("usd", 2, 1)], rows: 3)
        #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
    }

    @Test("compressed files are looked into, damaged ones refused")
    func compressed() throws {
        let fixture = try WarehouseFixture()
        let lines = Self.lines(20_000)
        let sum = Int128(20_000) * 19_999 / 2
        let packed = try Self.gzip(Array(lines.map { $0 + "\n" }.joined().utf8))
        try fixture.write("2026-11-26", lines: lines, sums: [("usd", 20_000, sum)], packed: packed)
        try Self.check(fixture)
        var damaged = packed
        damaged[damaged.count / 2] ^= 0xFF
        try fixture.write(
            "2026-11-26", lines: lines, sums: [("usd", 20_000, sum)], packed: damaged)
        #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        try fixture.write(
            "2026-11-26", lines: lines, sums: [("usd", 20_000, sum)],
            packed: Array(packed.dropLast(10)))
        let fault = #expect(throws: WarehouseFault.self) { try Self.check(fixture) }
        #expect(fault?.description.contains("cut off") == true)
    }

    private static func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let child = Process()
        child.executableURL = URL(filePath: "/usr/bin/gzip")
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(filePath: folder.file("rows")))
        child.arguments = [folder.file("rows")]
        try child.run()
        child.waitUntilExit()
        return [UInt8](try Data(contentsOf: URL(filePath: folder.file("rows.gz"))))
    }

    @Test("days are those that the calendar has, between the bounds, oldest first")
    func days() throws {
        let fixture = try WarehouseFixture()
        for day in ["2026-11-27", "2026-11-25", "2026-11-26"] { try fixture.write(day, [1]) }
        for name in ["dt=2026-02-30", "dt=x", "other"] {
            try FileManager.default.createDirectory(
                atPath: fixture.folder.file("sales/\(name)"), withIntermediateDirectories: true)
        }
        let all = try fixture.warehouse.days(of: BigQueryStub.table)
        #expect(all.map(\.day.text) == ["2026-11-25", "2026-11-26", "2026-11-27"])
        let some = try fixture.warehouse.days(
            of: BigQueryStub.table, from: LoadDay("2026-11-26"), to: LoadDay("2026-11-26"))
        #expect(some.map(\.day.text) == ["2026-11-26"])
        let nowhere = WarehouseFolder(URL(filePath: fixture.folder.file("nowhere")))
        #expect(throws: WarehouseFault.noFolder(path: fixture.folder.file("nowhere"))) {
            try nowhere.days(of: BigQueryStub.table)
        }
    }
}
