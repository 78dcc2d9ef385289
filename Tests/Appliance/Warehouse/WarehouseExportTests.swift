import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary
@testable import Warehouse

private let day = ReconcileFixture.day
private let hour: Int64 = 3_600
/// 2026-02-01T00:00:00Z
private let start = ReconcileFixture.start
private let currencies = ["usd", "eur", "jpy"]

/// The twin's shop over some days, exported, and its files read by SQL.
@Suite("The warehouse's files")
struct WarehouseExportTests {
    /// Seven days with refunds, one of them failed, disputes, and a payout that comes back; its
    /// automatic payouts are made every day.
    private func trade(_ world: TwinWorld) async throws {
        var failed: String?
        for number in 0..<7 {
            let midnight = start + Int64(number) * day
            world.go(to: midnight + 10 * hour)
            for (place, currency) in currencies.enumerated() where number < 5 {
                let charge = try world.charge(
                    300_000 + Int64(number * 10_000 + place * 1_000), currency)
                switch number {
                case 0:
                    _ = try world.charge(70_000, currency, card: "pm_card_refundFail")
                    let customer = try world.post("/v1/customers", "name=Ada").id
                    _ = try world.post(
                        "/v1/payment_intents",
                        "amount=80000&currency=\(currency)&payment_method=pm_card_visa"
                            + "&confirm=true&customer=\(customer)")
                case 1: _ = try world.twin.refund(charge, amount: 120_000)
                case 2:
                    let refund = try world.twin.refund(charge, amount: 60_000, outcome: .pending)
                    try world.twin.settleRefund(refund, fails: true)
                case 3:
                    let dispute = try world.twin.dispute(charge, amount: 100_000)
                    if place > 0 { try world.twin.closeDispute(dispute, .won) }
                default: break
                }
            }
            world.go(to: midnight + day + hour)
            let payouts = try world.get("/v1/payouts", "limit=100")["data"].list
            if failed == nil, let payout = payouts.first?.id {
                failed = payout
                try world.twin.settlePayout(payout, .failed)
            }
            world.go(to: midnight + day + 2 * hour)
            try await world.deliver()
            try await world.fixture.reconcile()
            try await world.drained()
        }
        #expect(failed != nil)
        #expect(try await world.fixture.reconcile().isClean)
    }

    @Test("hold what the ledger holds, in the shapes that the schema names")
    func whole() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        try await fixture.running {
            try await self.trade(world)
            let report = try await fixture.export()
            #expect(report.unknownPayouts == 0)
            #expect(report.tables.count == WarehouseTable.all.count)
            let exported = try ExportedFolder(fixture.exportRoot)
            try self.expectShapes(exported)
            try self.expectSums(exported, world)
            try self.expectPayouts(exported, world)
            try self.expectNames(exported)
            try self.expectManifests(fixture.exportRoot)
        }
    }

    /// Every row has every column in its order and type, stands in its day, and is there once.
    private func expectShapes(_ exported: ExportedFolder) throws {
        for table in WarehouseTable.all {
            let names = table.columns.map(\.name).joined(separator: ",")
            let rows = "FROM lines WHERE name = '\(table.name)'"
            #expect(
                try exported.texts(
                    "SELECT DISTINCT (SELECT group_concat(key) FROM json_each(line)) \(rows)"
                ).allSatisfy { $0 == names }, "\(table.name)")
            for column in table.columns {
                let types = try exported.texts(
                    "SELECT DISTINCT coalesce(json_type(line, '$.\(column.name)'), 'absent') "
                        + rows)
                #expect(
                    Set(types).isSubset(of: Self.types(column)),
                    "\(table.name).\(column.name): \(types)")
            }
            #expect(try exported.count("SELECT count(*) \(rows) AND day <> line ->> 'dt'") == 0)
            let key = table.key.map { "\"\($0)\"" }.joined(separator: ", ")
            #expect(
                try exported.count(
                    """
                    SELECT count(*) FROM (SELECT 1 FROM "\(table.name)" GROUP BY \(key)
                        HAVING count(*) > 1)
                    """) == 0, "\(table.name)")
            guard table.day.first?.isLetter == true,
                table.columns.contains(where: { $0.name == table.day })
            else { continue }
            #expect(
                try exported.count(
                    "SELECT count(*) FROM \"\(table.name)\" WHERE substr(\(table.day), 1, 10) <> dt"
                ) == 0, "\(table.name)")
        }
        for table in ["charge", "refund", "dispute", "payout", "customer", "payment_method_card"] {
            #expect(try exported.count("SELECT count(*) FROM \"\(table)\"") > 0, "\(table)")
        }
        #expect(try exported.count("SELECT count(*) FROM account") == 1)
        #expect(try exported.count("SELECT count(*) FROM card") == 0)
    }

    private static func types(_ column: WarehouseColumn) -> Set<String> {
        let own: Set<String> =
            switch column.kind {
            case .text, .moment, .day: ["text"]
            case .integer: ["integer"]
            case .number: ["integer", "real"]
            case .flag: ["true", "false"]
            }
        return column.isRequired ? own : own.union(["null"])
    }

    /// Balances by SQL equal the ledger's, and Stripe's own.
    private func expectSums(_ exported: ExportedFolder, _ world: TwinWorld) throws {
        let ending = try exported.sums(
            "SELECT currency, sum(net) FROM balance_transaction GROUP BY 1 HAVING sum(net) <> 0")
        #expect(try ending == world.fixture.processor())
        #expect(try ending == world.balance())
        let told = try exported.texts("SELECT DISTINCT currency FROM balance_transaction")
        #expect(Set(told) == Set(currencies))
        let entries = try exported.sums(
            """
            SELECT account || ' ' || currency, sum(amount) FROM ledger_entries GROUP BY 1
            HAVING sum(amount) <> 0
            """)
        let standing = try world.fixture.ledger.standing().filter { $0.value != 0 }
        #expect(entries == standing)
        #expect(
            try exported.count(
                """
                SELECT count(*) FROM (SELECT 1 FROM ledger_entries
                    GROUP BY transaction_id, currency HAVING sum(amount) <> 0)
                """) == 0)
        let settled = try exported.sums("SELECT currency, sum(net) FROM settlements GROUP BY 1")
        #expect(settled.filter { $0.value != 0 } == ending)
        #expect(
            try exported.count(
                """
                SELECT count(*) FROM balance_transaction b LEFT JOIN
                    (SELECT balance_transaction_id AS id, sum(amount) AS amount FROM fee GROUP BY 1)
                    f ON f.id = b.id
                WHERE b.fee <> coalesce(f.amount, 0) OR b.net <> b.amount - b.fee
                """) == 0)
        #expect(try exported.count("SELECT count(*) FROM fee") > 0)
    }

    /// What a payout paid out comes to nothing with the payout itself, and what none paid out is
    /// the balance.
    private func expectPayouts(_ exported: ExportedFolder, _ world: TwinWorld) throws {
        let members = """
            payout_balance_transaction m JOIN balance_transaction b
            ON b.id = m.balance_transaction_id
            """
        #expect(
            try exported.count(
                """
                SELECT count(*) FROM (SELECT 1 FROM \(members)
                    GROUP BY m.payout_id HAVING sum(b.net) <> 0)
                """) == 0)
        let payouts = try exported.count("SELECT count(*) FROM payout WHERE automatic")
        #expect(payouts >= currencies.count)
        #expect(
            try exported.count("SELECT count(DISTINCT payout_id) FROM payout_balance_transaction")
                == payouts)
        let waiting = try exported.sums(
            """
            SELECT currency, sum(net) FROM balance_transaction WHERE id NOT IN
                (SELECT balance_transaction_id FROM payout_balance_transaction) GROUP BY 1
            """)
        let balance = try world.balance()
        #expect(waiting.filter { $0.value != 0 } == balance)
        // A payout that failed keeps the line that withdrew it.
        let failed = try exported.sums(
            """
            SELECT p.id, b.amount FROM payout p JOIN balance_transaction b
                ON b.id = p.balance_transaction_id WHERE p.status = 'failed'
            """)
        #expect(failed.count == 1)
        #expect(failed.values.allSatisfy { $0 < 0 })
    }

    /// Whatever moved money names its line, and the line names it.
    private func expectNames(_ exported: ExportedFolder) throws {
        for (table, types) in [
            ("charge", "'charge', 'payment'"), ("refund", "'refund', 'payment_refund'"),
            ("payout", "'payout'"),
        ] {
            #expect(
                try exported.count(
                    """
                    SELECT count(*) FROM balance_transaction b LEFT JOIN \(table) o
                        ON o.balance_transaction_id = b.id AND o.id = b.source
                    WHERE b.type IN (\(types)) AND o.id IS NULL
                    """) == 0, "\(table)")
        }
        #expect(
            try exported.count(
                """
                SELECT count(*) FROM charge c LEFT JOIN payments p ON p.charge_id = c.id
                WHERE c.captured AND (p.movement IS NULL OR p.amount <> c.amount
                    OR p.currency <> c.currency)
                """) == 0)
        #expect(
            try exported.count(
                """
                SELECT count(*) FROM settlements s LEFT JOIN ledger_entries e
                    ON e.transaction_id = s.transaction_id AND e.account_class = 'processor'
                WHERE s.transaction_id IS NOT NULL AND e.movement IS NULL
                """) == 0)
    }

    private func expectManifests(_ root: String) throws {
        let exported = try ExportedFolder(root)
        for (table, manifest) in try ExportedFolder.manifests(root) {
            let those = "FROM \"\(table.name)\" WHERE folder = '\(manifest.day)'"
            let rows = try exported.count("SELECT count(*) \(those)")
            #expect(Int64(rows) == manifest.rows)
            let file = "\(root)/\(table.path)/dt=\(manifest.day)/\(manifest.file)"
            let bytes = try Data(contentsOf: URL(filePath: file))
            #expect(Int64(bytes.count) == manifest.fileBytes)
            #expect(manifest.fileBytes == manifest.contentBytes)
            for sum in manifest.sums {
                let currency = table.sums.first { $0.column == sum.column }?.currency ?? ""
                #expect(
                    try exported.sums(
                        "SELECT \(currency), sum(\(sum.column)) \(those) AND \(currency) = "
                            + "'\(sum.currency)' AND \(sum.column) IS NOT NULL GROUP BY 1"
                    ) == [sum.currency: Int64(sum.sum)])
            }
        }
    }

    @Test("change nothing a second time, and where the state is gone, none but what is lacking")
    func again() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        let root = fixture.exportRoot
        try await fixture.running {
            try await self.trade(world)
            let first = try await fixture.export()
            #expect(first.tables.allSatisfy { $0.corrected == 0 })
            let files = try ExportedFolder.state(root)
            let second = try await fixture.export()
            #expect(second.tables.allSatisfy { $0.written == 0 && $0.corrected == 0 })
            #expect(try ExportedFolder.state(root) == files)
            try FileManager.default.removeItem(atPath: root + "/.state")
            let lost = root + "/stripe/charge/dt=2026-02-01"
            try FileManager.default.removeItem(atPath: lost)
            let third = try await fixture.export()
            #expect(third.tables.reduce(0) { $0 + $1.written } == 1)
            #expect(third.tables.allSatisfy { $0.corrected == 0 })
            let healed = try ExportedFolder.state(root)
            #expect(Set(healed.keys) == Set(files.keys))
            for (path, state) in files where !path.contains("charge/dt=2026-02-01/") {
                #expect(healed[path] == state, "\(path)")
            }
            // Its rows are the same bytes again; when it was written is not.
            let charges = "stripe/charge/dt=2026-02-01/charge.ndjson"
            let bytes = [healed, files].map { $0[charges]?.split(separator: " ").last }
            #expect(bytes[0] == bytes[1])
        }
    }

    private static func paid(_ root: String, _ day: String) throws -> [String: Int64] {
        try ExportedFolder(root).sums(
            """
            SELECT currency, sum(amount) FROM payments
            WHERE kind = 'payment' AND dt = '\(day)' GROUP BY 1
            """)
    }

    @Test("a late event goes into the day that it belongs to, whose manifest says what it corrects")
    func late() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let root = fixture.exportRoot
        try await fixture.running {
            world.go(to: start + 10 * hour)
            _ = try world.charge(5_000)
            try await world.deliver()
            let lost = try world.charge(7_000)
            world.go(to: start + 2 * day)
            _ = try world.charge(9_000)
            // The second of the first day is overtaken by a day and an export.
            let held = world.heldBack { $0.contains(lost) }
            try await world.deliver()
            _ = try await fixture.export()
            let first = try ExportedFolder.manifest(root, .payments, "2026-02-01")
            #expect(try Self.paid(root, "2026-02-01") == ["usd": 5_000])
            #expect(first.revision == 1 && first.replaces == nil && first.isComplete)
            #expect(try !ExportedFolder.manifest(root, .payments, "2026-02-03").isComplete)
            let third = try ExportedFolder.state(root).filter {
                $0.key.contains("payments/dt=2026-02-03/payments")
            }
            // Told a day later, so that what is told besides goes into neither of the two.
            world.go(to: start + 3 * day)
            try await world.deliver(held)
            let report = try await fixture.export()
            #expect(report.tables.first { $0.name == "payments" }?.corrected == 1)
            let second = try ExportedFolder.manifest(root, .payments, "2026-02-01")
            #expect(try Self.paid(root, "2026-02-01") == ["usd": 12_000])
            #expect(second.revision == 2 && second.replaces == first.contentDigest)
            #expect(second.rows == first.rows + 1)
            let entries = try ExportedFolder.manifest(root, .ledgerEntries, "2026-02-01")
            #expect(entries.revision == 2)
            #expect(
                try ExportedFolder.state(root).filter {
                    $0.key.contains("payments/dt=2026-02-03/payments")
                } == third)
            // That day has ended without another row of it.
            let ended = try ExportedFolder.manifest(root, .payments, "2026-02-03")
            #expect(ended.isComplete && ended.revision == 1)
        }
    }

    @Test("compressed files hold the same rows, and a folder has one kind")
    func compressed() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        try await fixture.running {
            world.go(to: start + 10 * hour)
            for number in 0..<20 { _ = try world.charge(5_000 + Int64(number)) }
            try await world.deliver()
            try await fixture.reconcile()
            try await world.drained()
            _ = try await fixture.export()
            let other = fixture.folder.file("compressed")
            _ = try await fixture.export(isCompressed: true, into: other)
            for (table, plain) in try ExportedFolder.manifests(fixture.exportRoot) {
                let packed = try ExportedFolder.manifest(other, table, plain.day)
                #expect(packed.contentDigest == plain.contentDigest, "\(table.name)")
                #expect(packed.compression == .gzip && packed.file == plain.file + ".gz")
                #expect(packed.sums == plain.sums && packed.rows == plain.rows)
            }
            let file = "payments/dt=2026-02-01/payments.ndjson"
            let unpacked = try await Child.run("/usr/bin/gzip", ["-dc", "\(other)/\(file).gz"])
            let plain = try String(
                contentsOfFile: "\(fixture.exportRoot)/\(file)", encoding: .utf8)
            #expect(unpacked.output == plain && unpacked.code == 0)
            await #expect(throws: WarehouseError.self) {
                _ = try await fixture.export(isCompressed: true)
            }
        }
    }
}
