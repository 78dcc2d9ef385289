import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

/// What commands leave in Postgres says the same there as in the store that they had it from.
@Suite("What runs have left beside a ledger in Postgres")
struct KeptStatementTests {
    private static let usd = Given.usd
    private static let other = StripeAccount("acct_2")

    private static func line(
        _ id: String, _ created: Int64, type: String = "charge", amount: Int64 = 1_000,
        fee: Int64 = 59
    ) -> BalanceTransaction {
        BalanceTransaction(
            id: id, type: type, source: "ch_\(id)", amount: MinorUnits(amount),
            fee: MinorUnits(fee), net: MinorUnits(amount - fee), currency: usd,
            created: Instant(seconds: created), availableOn: Instant(seconds: created + 9),
            isConverted: false)
    }

    private static func found(_ number: Int, _ kind: BreakKind) -> ReconciliationBreak {
        ReconciliationBreak(
            kind: kind, subject: "charge:ch_\(number)", movement: "charge:ch_\(number)",
            balanceTransaction: "txn_\(number)", type: "charge",
            stripe: .init(currency: usd, amount: MinorUnits(900)),
            ledger: kind == .late ? nil : .init(currency: usd, amount: MinorUnits(1_000)),
            occurredAt: Instant(seconds: Int64(number)))
    }

    /// Two runs, the second with breaks, fees that it booked, payouts and an account that it could
    /// not read; and two sweeps.
    private static func filled() throws -> StatementStore {
        let store = try StatementStore()
        let now = Instant(seconds: 5_000)
        let spans: [(from: Int64, to: Int64)] = [(0, 1_000), (500, 4_000)]
        for (from, to) in spans {
            let run = try store.create(
                .request, from: Instant(seconds: from), to: Instant(seconds: to), at: now)
            try store.cover([.own, other], run: run)
            let rows = (Int64(0)..<4).map { number -> Settlement in
                let transaction: Int64? = number < 2 ? 7 : nil
                // What the first run reads it books nothing of.
                let bookedBy = number > 1 && run == 2 ? run : nil
                return Settlement(
                    statement: line("txn_\(number)", 600 + number), transaction: transaction,
                    feeState: number == 3 ? .booked : FeeState.none, bookedBy: bookedBy)
            }
            try store.store(rows, run: run, done: nil)
            guard run == 2 else {
                try store.end(run, at: now, failure: nil)
                continue
            }
            try store.end(other, of: run, failure: "it may not be read")
            try store.record(
                [
                    found(1, .amountMismatch), found(2, .amountMismatch), found(3, .late),
                ], run: run)
            try store.record(
                [
                    CurrencySummary(
                        currency: usd, transactions: 4, matched: 3, turnover: 3_764,
                        matchedTurnover: 2_823, gross: 4_000, fees: 236, net: 3_764, booked: 2,
                        bookedAmount: 118, ledger: 9_000, stripe: 8_000, explained: 1_000)
                ], run: run)
            try store.keep([line("txn_0", 600), line("txn_9", 700)], of: "po_1")
            try store.record(
                PayoutSummary(
                    payout: "po_1", currency: usd, amount: 1_900,
                    created: Instant(seconds: 900), transactions: 2, total: 1_882), run: run)
            try store.end(run, at: now, failure: nil, sweptTo: Instant(seconds: 3_900))
        }
        for number in 1...2 {
            let from = Instant(seconds: Int64(number) * 100)
            let id = try store.beginSweep(from: from, to: now, at: now)
            var sweep = try #require(try store.sweep(id))
            (sweep.state, sweep.finishedAt, sweep.events) = (.finished, now, 40)
            (sweep.missed, sweep.oldestMissed) = (Int64(number), from)
            try store.update(sweep)
        }
        return store
    }

    /// The store, and the same in a database.
    private static func both() throws -> (StatementStore, KeptStatement, PostgresDatabase) {
        let (store, database) = (try filled(), try PostgresDatabase())
        let writer = try PostgresStatement(database.configuration(), isAlone: true)
        defer { writer.close() }
        try writer.write(try StatementStore.tables.map { try store.table($0) }) {
            try store.page($1, of: $0)
        }
        return (store, KeptStatement(beside: try database.open()), database)
    }

    @Test("runs, breaks page by page and sweeps are the same")
    func runs() throws {
        let (store, kept, _) = try Self.both()
        let reports = try kept.reports(before: nil, limit: 10)
        #expect(reports.map(\.run.id) == [2, 1])
        #expect(try kept.reports(before: 2, limit: 10).map(\.run.id) == [1])
        let run = try #require(try store.run(2))
        let due = try store.report(run)
        #expect(reports[0].run == run)
        #expect(reports[0].currencies == due.currencies)
        #expect(reports[0].breaks == due.breaks)
        #expect(reports[0].late == due.late && due.late.first?.amount == 900)
        #expect(reports[0].unexplainedPayouts == due.unexplainedPayouts)
        #expect(reports[0].payouts == 1 && reports[0].accounts == 2)
        #expect(reports[0].unreadAccounts == due.unreadAccounts)
        #expect(due.unreadAccounts.map(\.failure) == ["it may not be read"])

        let name = RunName(number: 2, isDry: false)
        var (place, found): (FindingPlace?, [StoredBreak]) = (.start, [])
        while let from = place {
            let page = try #require(try kept.findings(of: name, after: from, limit: 2))
            let due = try store.findings(of: run, after: from, limit: 2)
            #expect(page == due)
            found += page.findings
            place = page.next
        }
        #expect(found.count == 5, "three breaks, and two fees that the run booked")
        #expect(Set(found.map(\.found.subject)).count == 5)
        #expect(try kept.report(RunName(number: 1, isDry: true)) == nil)
        #expect(try kept.report(RunName(number: 3, isDry: false)) == nil)

        #expect(try kept.sweeps(before: nil, limit: 9).map(\.id) == [2, 1])
        #expect(try kept.sweep(1)?.missed == 1 && kept.sweep(9) == nil)
    }

    @Test("a transaction's lines and a payout's parts are the same")
    func statement() throws {
        let (store, kept, _) = try Self.both()
        let lines = try kept.settling(TransactionID(7), limit: 20)
        #expect(lines.map(\.id) == ["txn_0", "txn_1"])
        #expect(lines[0].payout == PayoutOfLine(id: "po_1", created: Instant(seconds: 900)))
        #expect(lines[1].payout == nil)
        #expect(try store.settling(TransactionID(7), limit: 20) == lines)
        #expect(try kept.settling(TransactionID(7), limit: 1).map(\.id) == ["txn_0"])
        let parts = try #require(try kept.parts(ofPayout: "po_1"))
        #expect(try store.parts(ofPayout: "po_1") == parts)
        #expect(parts.unexplained == MinorUnits(18))
        #expect(parts.lines.map(\.id) == ["txn_0", "txn_9"])
        #expect(parts.lines[0].transaction == TransactionID(7) && parts.lines[1].type == nil)
        #expect(try kept.parts(ofPayout: "po_2") == nil)
    }

    @Test("what a page looks up has an index, however long the statement is")
    func plans() throws {
        let (_, _, database) = try Self.both()
        for (sql, index) in [
            (
                "SELECT id FROM settlements WHERE transaction_id = 7 ORDER BY created, id LIMIT 20",
                "settlements_transaction"
            ),
            (
                "SELECT id FROM settlements WHERE booked_by = 2 AND created >= 0 "
                    + "ORDER BY created, id LIMIT 50", "settlements_booked"
            ),
            (
                "SELECT line FROM payout_lines WHERE payout = 'po_1' ORDER BY created, line",
                "payout_lines_payout"
            ),
            (
                "SELECT payout FROM settled_payouts WHERE run = 2 ORDER BY created LIMIT 100",
                "settled_payouts_run"
            ),
        ] {
            let plan = try database.psql("SET enable_seqscan = off; EXPLAIN " + sql)
            #expect(plan.output.contains(index), "\(plan)")
        }
    }
}
