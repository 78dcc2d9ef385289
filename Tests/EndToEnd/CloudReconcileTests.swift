import Foundation
import TestSupport
import Testing

@testable import Appliance

/// Sweep and reconciliation as commands against the cloud plane: no daemon, no webhook, and the
/// ledger in Postgres still ends right.
@Suite("Reconciliation of the cloud plane", .serialized)
struct CloudReconcileTests {
    @Test("brings the ledger to Stripe's balance, books nothing twice, keeps what it found")
    func wholeWay() async throws {
        let world = try await ReconciliationWorld()
        let charges = try await world.pay()
        let place = try await CloudPlace(
            broker: try await KafkaServer.shared(), redis: try await RedisServer.shared(),
            postgres: try PostgresServer.common(), prefix: "reconcile.", partitions: 2)
        place.environment.merge([
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(world.twin.port)",
            "TILLBOX_STRIPE_API_KEY": TwinServer.key, "TILLBOX_RECONCILE_GRACE_HOURS": "0",
            "TILLBOX_SWEEP_DELAY_SECONDS": "0",
        ]) { $1 }
        for role in ["ledger", "score"] { try place.start(role) }

        let swept = try await place.run("reconcile", "sweep", "--json")
        #expect(swept.code == 0, "\(swept.errors)")
        #expect(try JSON(swept.output)["missed"].int > charges.count)
        try await eventually("what was swept is booked", within: 90, every: .seconds(1)) {
            try place.ledgerCount() >= charges.count
        }
        let again = try await place.run("reconcile", "sweep", "--json")
        #expect(again.code == 0, "\(again.errors)")
        #expect(try JSON(again.output)["missed"].int == 0)
        var last = JSON.null
        try await eventually("everything agrees: \(last)", within: 120, every: .seconds(1)) {
            let run = try await place.run("reconcile", "run", "--json", "--from", "2020-01-01")
            last = try JSON(run.output)["reconciliation"]
            let seen = last["currencies"].list.reduce(0) { $0 + $1["transactions"].int }
            return run.code == 0 && seen >= charges.count + 6
        }
        for currency in last["currencies"].list {
            #expect(currency["ledger"].int == currency["stripe"].int, "\(currency)")
        }
        let second = try await place.run("reconcile", "run", "--json")
        #expect(second.code == 0, "\(second.output)\(second.errors)")
        let booked = try JSON(second.output)["reconciliation"]["currencies"].list
            .reduce(0) { $0 + $1["booked"].int }
        #expect(booked == 0)
        try await expectKept(place)
        try await expectShown(place, charges)
        try await expectExported(place, charges)
        await place.stop()
    }

    /// The warehouse's files of this plane have what its ledger, its topics and its statement have,
    /// and a second export changes none of them.
    private func expectExported(_ place: CloudPlace, _ charges: [String]) async throws {
        let folder = try TemporaryFolder()
        let files = folder.file("warehouse")
        let first = try await place.run("export", "--out", files, "--mode", "test", "--json")
        #expect(first.code == 0, "\(first.errors)")
        var sums: [String: Int] = [:]
        for entry in try Self.rows(of: "ledger_entries", in: files) {
            sums["\(entry["account"].text) \(entry["currency"].text)", default: 0] +=
                entry["amount"].int
        }
        let accounts = try place.postgres.sql(
            place.database,
            "SELECT name || ' ' || currency || ' ' || balance FROM tillbox.accounts")
        let told = sums.map { "\($0.key) \($0.value)" }.sorted()
        #expect(told == accounts.split(separator: "\n").map(String.init).sorted())
        let payments = Set(try Self.rows(of: "payments", in: files).map { $0["charge_id"].text })
        #expect(payments.isSuperset(of: charges))
        let lines = try place.postgres.sql(
            place.database, "SELECT count(*) FROM tillbox.settlements")
        #expect(Int(lines) == (try Self.rows(of: "settlements", in: files).count))
        let objects = Set(try Self.rows(of: "stripe/charge", in: files).map { $0["id"].text })
        #expect(objects.isSuperset(of: charges))

        let second = try await place.run("export", "--out", files, "--mode", "test", "--json")
        #expect(second.code == 0, "\(second.errors)")
        let written = try JSON(second.output)["tables"].list.map { $0["written"].int }
        #expect(written.count > 10 && written.allSatisfy { $0 == 0 }, "\(second.output)")
        let checked = try await place.run("warehouse", "check", "--folder", files)
        #expect(checked.code == 0, "\(checked.output)\(checked.errors)")
    }

    /// The rows of a table, of all days.
    private static func rows(of table: String, in files: String) throws -> [JSON] {
        let top = URL(filePath: files).appending(path: table)
        let days = try FileManager.default.contentsOfDirectory(atPath: top.path)
        return try days.flatMap { day -> [JSON] in
            let file = top.appending(path: day).appending(path: "\(top.lastPathComponent).ndjson")
            return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
                try JSON(String($0))
            }
        }
    }

    /// The role console shows the same runs, and explains money by Stripe's lines.
    private func expectShown(_ place: CloudPlace, _ charges: [String]) async throws {
        place.environment["TILLBOX_ADMIN_TOKEN"] = CloudConsoleTests.token
        try place.start("console")
        let role = try #require(place.roles.last)
        let console = CloudConsoleTests.Console(port: role.admin)
        try await eventually("the console is ready", every: .milliseconds(100)) {
            (try? console.ask("GET", "/readyz").status) == 200
        }
        let told = try await place.run("reconcile", "list", "--json")
        let runs = try JSON(told.output)["reconciliations"].list
        let shown = try console.get("/api/v1/reconciliations")["reconciliations"].list
        #expect(shown.map { $0["id"].text } == runs.map { $0["id"].text } && shown.count >= 2)
        for (mine, due) in zip(shown, runs) {
            #expect(mine["clean"].bool == due["clean"].bool)
            #expect(mine["transactions"].int == due["transactions"].int)
            #expect(mine["currencies"].list.count == due["currencies"].list.count)
        }
        let last = try #require(shown.first)["id"].text
        let one = try console.get("/api/v1/reconciliations/\(last)?limit=5")
        #expect(one["reconciliation"]["id"].text == last, "\(one)")
        let sweeps = try console.get("/api/v1/sweeps")["sweeps"].list
        #expect(sweeps.count >= 2 && sweeps.last?["missed"].int ?? 0 > 0, "\(sweeps)")
        var lines = 0
        for charge in charges.prefix(5) {
            let explained = try console.get("/api/v1/explain/charge:\(charge)")
            for transaction in explained["movement"]["transactions"].list {
                for line in transaction["statement"].list {
                    #expect(line["id"].text.hasPrefix("txn_"), "\(line)")
                    lines += 1
                }
            }
        }
        #expect(lines >= min(5, charges.count), "each charge has its line of the statement")
        let overview = try console.ask("GET", "/")
        #expect(overview.content.contains("Reconciliation"), "\(overview.text)")
    }

    /// What runs have found is in Postgres, for the next command.
    private func expectKept(_ place: CloudPlace) async throws {
        let list = try await place.run("reconcile", "list", "--json")
        #expect(try JSON(list.output)["reconciliations"].list.count >= 2, "\(list.errors)")
        #expect(try await place.run("reconcile", "show", "last").code == 0)
        let rows = try place.postgres.sql(
            place.database, "SELECT count(*) FROM tillbox.settlements")
        #expect(try #require(Int(rows)) > 10)
        // Somebody else is at it: one sentence, and nothing is done.
        let lock = PostgresStatement.lock
        let holder = try Child(
            "/usr/bin/psql",
            [
                "-X", "-d", place.postgres.uri(place.database), "-c",
                "SELECT pg_advisory_lock(\(lock)), pg_sleep(60)",
            ])
        try await eventually("the lock is taken") {
            // A number of 64 bits stands there as its two halves.
            try place.postgres.sql(
                place.database,
                """
                SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
                WHERE locktype = 'advisory' AND granted AND d.datname = current_database()
                AND classid = \(lock >> 32) AND objid = \(lock & 0xFFFF_FFFF)
                """) == "1"
        }
        let refused = try await place.run("reconcile", "run")
        #expect(refused.code == 3 && refused.errors.contains("is under way"), "\(refused)")
        holder.kill(SIGKILL)
        await holder.wait()
        let verified = try await place.run("ledger", "verify")
        #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
    }
}
