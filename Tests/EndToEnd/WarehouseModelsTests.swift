import Foundation
import TestSupport
import Testing

/// The dbt models of the warehouse, run for real (Tests/Warehouse/check.py).
@Suite("The warehouse's models", .serialized)
struct WarehouseModelsTests {
    private func check(_ options: [String] = []) async throws {
        let script = Repository.root.appending(path: "Tests/Warehouse/check.py").path
        let ran = try await Child.run(
            try Repository.python("dbt"), [script] + options, environment: ["HOME": "/tmp"])
        #expect(ran.code == 0, "\(ran.output.suffix(4_000)) \(ran.errors.suffix(2_000))")
        #expect(ran.output.contains("0 failures;"))
    }

    /// In another time zone too; damaged files fail, and stale ones are told.
    @Test("say on DuckDB and on BigQuery what happened in a made world")
    func made() async throws { try await check() }

    @Test("equal the daemon's own reports and its ledger, to the cent, of what it exports")
    func exported() async throws {
        let world = try await ReconciliationWorld()
        let charges = try await world.pay()
        try await world.start()
        let swept = try await world.tillbox("reconcile", "sweep")
        #expect(swept.code == 0, "\(swept.errors)")
        try await eventually("everything is read and agrees") {
            let run = try await world.tillbox("reconcile", "run", "--json")
            let clean = try JSON(run.output)["reconciliation"]
            let seen = clean["currencies"].list.reduce(0) { $0 + $1["transactions"].int }
            return run.code == 0 && seen >= charges.count + 6
        }
        try await eventually("everything is indexed") {
            try await world.api(.get, "/api/v1/payments?limit=1")["index_lag"].int == 0
        }
        let reports = world.folder.file("reports")
        try FileManager.default.createDirectory(
            atPath: reports, withIntermediateDirectories: true)
        let token = Tillbox.token(of: world.folder.file("data"))
        for report in ["revenue", "chargebacks"] {
            let asked = try await Child.run(
                "/usr/bin/curl",
                [
                    "-sSf", "-o", "\(reports)/\(report).json",
                    "-H", "Authorization: Bearer \(token)",
                    "http://127.0.0.1:\(world.ports.admin)/api/v1/reports/\(report)",
                ])
            #expect(asked.code == 0, "\(asked.errors)")
        }
        let exported = try await world.tillbox("export")
        #expect(exported.code == 0, "\(exported.errors)")
        try await check([
            "--no-emulator", "--export", world.folder.file("data/warehouse"), "--ledger",
            world.folder.file("data/ledger.sqlite"), "--reports", reports,
        ])
    }
}
