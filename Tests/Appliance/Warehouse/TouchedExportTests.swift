import Foundation
import GRDB
import TestSupport
import Testing
import Twin
import TwinSupport

@testable import Appliance
@testable import Vocabulary
@testable import Warehouse

private let start = ReconcileFixture.start
private let hour: Int64 = 3_600

/// An export into a folder that others have touched, or for a data folder with another past.
@Suite("An export's folder that was touched")
struct TouchedExportTests {
    private static let place = "payments/dt=2026-02-01"

    /// Two payments on a day that is over.
    private func trade(_ world: TwinWorld) async throws {
        world.go(to: start + 10 * hour)
        _ = try world.charge(5_000)
        _ = try world.charge(7_000)
        world.go(to: start + 40 * hour)
        try await world.deliver()
        try await world.fixture.reconcile()
        try await world.drained()
    }

    private static func bytes(_ root: String) throws -> [String: Data] {
        var found: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root)
        where !path.hasPrefix(".state") && path.hasSuffix(".ndjson") {
            found[path] = try Data(contentsOf: URL(filePath: "\(root)/\(path)"))
        }
        return found
    }

    /// A table's rows and their manifest.
    private struct Table {
        var rows, manifest: URL

        func content() throws -> (rows: Data, manifest: Data) {
            (try Data(contentsOf: rows), try Data(contentsOf: manifest))
        }

        /// What may become of its files.
        ///
        /// - Parameters:
        ///   - whole: the rows as they should be.
        ///   - older: both as they once were.
        func damages(
            _ whole: Data, _ older: (rows: Data, manifest: Data)
        ) -> [(what: String, do: () throws -> Void)] {
            [
                ("cut", { try whole.prefix(100).write(to: rows) }),
                ("removed", { try FileManager.default.removeItem(at: rows) }),
                ("without its manifest", { try FileManager.default.removeItem(at: manifest) }),
                (
                    "changed in one byte",
                    {
                        var other = whole
                        other[whole.count / 2] ^= 1
                        try other.write(to: rows)
                    }
                ),
                (
                    "put back as it once was",
                    {
                        try older.rows.write(to: rows)
                        try older.manifest.write(to: manifest)
                    }
                ),
            ]
        }
    }

    @Test("is as it should be after the next, whatever was cut, changed, removed or put back")
    func touched() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let root = fixture.exportRoot
        let folder = URL(filePath: "\(root)/\(Self.place)")
        let table = Table(
            rows: folder.appending(path: "payments.ndjson"),
            manifest: folder.appending(path: "manifest.json"))
        try await fixture.running {
            world.go(to: start + 10 * hour)
            _ = try world.charge(5_000)
            try await world.deliver()
            let late = try world.charge(7_000)
            world.go(to: start + 40 * hour)
            let held = world.heldBack { $0.contains(late) }
            try await world.deliver()
            _ = try await fixture.export()
            let older = try table.content()
            world.go(to: start + 64 * hour)
            try await world.deliver(held)
            _ = try await fixture.export()
            let right = try Self.bytes(root)
            let whole = try table.content().rows
            #expect(whole.count > older.rows.count)
            for (what, damage) in table.damages(whole, older) {
                try damage()
                let report = try await fixture.export()
                #expect(
                    report.tables.reduce(0) { $0 + $1.written + $1.corrected } == 1, "\(what)")
                #expect(try Self.bytes(root) == right, "\(what)")
                let files = try ExportedFolder.state(root)
                _ = try await fixture.export()
                #expect(try ExportedFolder.state(root) == files, "\(what)")
            }
            // Touched and the same: nothing is written.
            try whole.write(to: table.rows)
            let report = try await fixture.export()
            #expect(report.tables.allSatisfy { $0.written == 0 && $0.corrected == 0 })
        }
    }

    @Test("is made over where the data folder has another past, and nothing of it is passed over")
    func otherHistory() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let root = fixture.exportRoot
        try await fixture.running {
            try await self.trade(world)
            _ = try await fixture.export()
            let right = try Self.bytes(root)
            // As though what was read under these numbers had been other records: without what
            // they told.
            let others = [
                "UPDATE positions SET last = 'x' WHERE topic = 'webhook.received'; "
                    + "DELETE FROM objects; INSERT INTO dirty VALUES ('charge', 20485)",
                "UPDATE positions SET last = 'x' WHERE topic = 'payment.scored'; "
                    + "DELETE FROM payments; INSERT INTO dirty VALUES ('payments', 20485)",
                "UPDATE marks SET last = 'x' WHERE name = 'transaction'; "
                    + "DELETE FROM spans; INSERT INTO dirty VALUES ('ledger_entries', 20485)",
            ]
            for other in others {
                let state = try DatabaseQueue(path: "\(root)/.state/export.sqlite")
                try await state.write { try $0.execute(sql: other) }
                try state.close()
                _ = try await fixture.export()
                #expect(try Self.bytes(root) == right, "\(other)")
            }
        }
    }

    @Test("of another data folder is refused, and stays as it is")
    func otherSource() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let root = fixture.exportRoot
        try await fixture.running {
            try await self.trade(world)
            _ = try await fixture.export()
            let files = try ExportedFolder.state(root)
            await #expect(throws: WarehouseError.otherSource(path: root)) {
                _ = try await fixture.export(as: "another")
            }
            #expect(try ExportedFolder.state(root) == files)
            // A day's folder that leads to another day's is not written through.
            let (day, other) = ("\(root)/\(Self.place)", fixture.folder.file("elsewhere"))
            try FileManager.default.moveItem(atPath: day, toPath: other)
            try FileManager.default.createSymbolicLink(atPath: day, withDestinationPath: other)
            try Data(contentsOf: URL(filePath: "\(other)/manifest.json"))
                .replacing("2026-02-01", with: "2026-01-31")
                .write(to: URL(filePath: "\(other)/manifest.json"))
            let rows = try Data(contentsOf: URL(filePath: "\(other)/payments.ndjson"))
            await #expect(throws: WarehouseError.self) { _ = try await fixture.export() }
            #expect(try Data(contentsOf: URL(filePath: "\(other)/payments.ndjson")) == rows)
        }
    }
}

extension Data {
    fileprivate func replacing(_ text: String, with other: String) -> Data {
        Data(String(decoding: self, as: UTF8.self).replacing(text, with: other).utf8)
    }
}
