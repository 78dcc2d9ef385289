import Foundation
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

private let table = WarehouseTable.fee
/// 2026-11-26
private let day: Int64 = 20_783

@Suite("A day's file and its manifest")
struct DayFilesTests {
    private struct Broken: Error {}

    private static func files(
        _ root: String, at seconds: Int64 = (day + 1) * 86_400
    ) -> DayFiles {
        DayFiles(root: root, compression: .none, now: Instant(seconds: seconds))
    }

    private static func rows(_ amounts: [(String, Int64)]) -> (RowSink) throws -> Void {
        { sink in
            for (currency, amount) in amounts {
                try sink.add(
                    Array("{\"amount\":\(amount)}".utf8),
                    [RowAmount(place: 0, currency: currency, amount: amount)])
            }
        }
    }

    private static func text(_ root: String) throws -> String {
        try String(
            contentsOfFile: "\(root)/stripe/fee/dt=2026-11-26/fee.ndjson", encoding: .utf8)
    }

    @Test("is written, then left alone, then corrected with what it replaces")
    func outcomes() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let first = try files.settle(table, day, Self.rows([("usd", 5), ("eur", -2)]))
        #expect(first.outcome == .written)
        #expect(first.manifest.revision == 1 && first.manifest.replaces == nil)
        #expect(try Self.text(root) == "{\"amount\":5}\n{\"amount\":-2}\n")
        let again = try files.settle(table, day, Self.rows([("usd", 5), ("eur", -2)]))
        #expect(again.outcome == .unchanged && again.manifest == first.manifest)
        let other = try files.settle(table, day, Self.rows([("usd", 6)]))
        #expect(other.outcome == .corrected)
        #expect(other.manifest.revision == 2)
        #expect(other.manifest.replaces == first.manifest.contentDigest)
        #expect(try files.manifest(table, day) == other.manifest)
        let gone = try files.settle(table, day) { _ in }
        #expect(gone.outcome == .corrected && gone.manifest.rows == 0)
        #expect(try Self.text(root) == "")
    }

    @Test("sums exactly what 64 bits do not hold, by currency")
    func sums() throws {
        let folder = try TemporaryFolder()
        let files = Self.files(folder.file("warehouse"))
        let large = Int64.max
        let (_, manifest) = try files.settle(
            table, day, Self.rows([("usd", large), ("jpy", -7), ("usd", large), ("usd", 3)]))
        #expect(
            manifest.sums == [
                .init(column: "amount", currency: "jpy", rows: 1, sum: -7),
                .init(column: "amount", currency: "usd", rows: 3, sum: Int128(large) * 2 + 3),
            ])
        #expect(
            String(decoding: manifest.encoded(), as: UTF8.self)
                .contains("\"sum\":\"18446744073709551617\""))
    }

    @Test("what ends in the middle leaves the file before as it was")
    func broken() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let first = try files.settle(table, day, Self.rows([("usd", 5)]))
        let many = Array(repeating: ("usd", Int64(9)), count: 20_000)
        #expect(throws: Broken.self) {
            try files.settle(table, day) { sink in
                try Self.rows(many)(sink)
                throw Broken()
            }
        }
        #expect(try Self.text(root) == "{\"amount\":5}\n")
        #expect(try files.manifest(table, day) == first.manifest)
        let names = try FileManager.default.contentsOfDirectory(
            atPath: "\(root)/stripe/fee/dt=2026-11-26")
        #expect(Set(names) == ["fee.ndjson", "manifest.json"])
    }

    @Test("a day that was not over is called complete later, without another revision")
    func completed() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let rows = Self.rows([("usd", 5)])
        let first = try Self.files(root, at: day * 86_400 + 60).settle(table, day, rows)
        #expect(!first.manifest.isComplete)
        let second = try Self.files(root).settle(table, day, rows)
        #expect(second.outcome == .unchanged)
        #expect(second.manifest.isComplete && second.manifest.revision == 1)
        #expect(try Self.files(root).manifest(table, day) == second.manifest)
    }

    @Test("a file that is gone, or has another length, is written again")
    func lost() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        let rows = Self.rows([("usd", 5)])
        _ = try files.settle(table, day, rows)
        let path = "\(root)/stripe/fee/dt=2026-11-26/fee.ndjson"
        try Data("{".utf8).write(to: URL(filePath: path))
        #expect(try files.settle(table, day, rows).outcome == .corrected)
        #expect(try Self.text(root) == "{\"amount\":5}\n")
        // Of the same length, which tells nothing; and a day whose files nobody has touched.
        try Data("{\"amount\":7}\n".utf8).write(to: URL(filePath: path))
        #expect(try files.settle(table, day, isLeft: true, rows).outcome == .unchanged)
        #expect(try files.settle(table, day, rows).outcome == .corrected)
        #expect(try Self.text(root) == "{\"amount\":5}\n")
    }

    @Test("a manifest that is none is refused by name")
    func refused() throws {
        let folder = try TemporaryFolder()
        let root = folder.file("warehouse")
        let files = Self.files(root)
        _ = try files.settle(table, day, Self.rows([("usd", 5)]))
        let path = "\(root)/stripe/fee/dt=2026-11-26/manifest.json"
        try Data("{}".utf8).write(to: URL(filePath: path))
        #expect(throws: WarehouseError.manifest(path: path)) {
            try files.settle(table, day, Self.rows([("usd", 5)]))
        }
    }

    @Test("a second export into a folder is kept out until the first has ended")
    func locked() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        try DayFiles.make(path)
        var first: ExportLock? = try ExportLock(path)
        #expect(throws: WarehouseError.busy(path: path)) { _ = try ExportLock(path) }
        withExtendedLifetime(first) {}
        first = nil
        _ = try ExportLock(path)
    }
}
