import Daemon
import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
/// 2026-02-01T00:00:00Z
private let february = ReconcileFixture.start
/// 2026-01-25T00:00:00Z
private let start = february - 7 * day

/// Two weeks of a merchant over a month's end, with a bank that takes its time, keeps something and
/// loses a payout.
@Suite("The bank and the month's end, with the twin")
struct TwinBankTests {
    private static let currencies = ["usd", "jpy", "eur"]

    /// What happened, day by day, and what Stripe's balance was when January ended.
    private func live(_ world: TwinWorld) throws -> [String: Int64] {
        var atEnd: [String: Int64] = [:]
        for number in 0..<14 {
            let midnight = start + Int64(number) * day
            world.go(to: midnight + 36_000)
            if number < 11 {
                for (index, currency) in Self.currencies.enumerated() {
                    let charge = try world.charge(
                        300_000 + Int64(number * 10_000 + index * 1_000 + 7), currency)
                    if number == 2 { _ = try world.twin.refund(charge, amount: 120_000) }
                    if number == 5 { _ = try world.twin.dispute(charge, amount: 50_000) }
                }
            }
            if midnight + day == february {
                world.go(to: february - 1)
                atEnd = try world.balance()
            }
            world.go(to: midnight + day + 9_000)
        }
        return atEnd
    }

    /// The bank's statements: each payout two days later, without `lost`; 150 less of `cut`.
    private func statements(
        _ payouts: [TwinWorld.Payout], until last: Int64, lost: Set<String>, cut: Set<String>
    ) throws -> [BankStatement] {
        try Self.currencies.map { code in
            let currency = try #require(Currency(code))
            let entries = payouts.filter {
                $0.currency == code && !lost.contains($0.id) && $0.created + 2 * day < last
            }.map { payout in
                BankEntry(
                    day: BankDay(of: Instant(seconds: payout.created + 2 * day)),
                    amount: MinorUnits(payout.amount - (cut.contains(payout.id) ? 150 : 0)),
                    text: "STRIPE PAYMENTS", reference: nil)
            }
            return try BankStatement(
                format: "camt.053", account: "DE02", currency: currency,
                days: BankDay(of: Instant(seconds: start))
                    ... BankDay(of: Instant(seconds: last - 1)),
                opening: nil, closing: nil, entries: entries
            ).checked()
        }
    }

    @Test("bank:{currency} is what the bank says, and January is what Stripe says, to the cent")
    func bankAndMonth() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        try await fixture.running {
            let atEnd = try self.live(world)
            #expect(!atEnd.isEmpty)
            try await world.deliver()
            let run = try await fixture.reconcile()
            #expect(run.isClean, "\(run)")
            let payouts = try world.payouts()
            let dollars = payouts.filter { $0.currency == "usd" }
            #expect(dollars.count > 4)
            let (lost, cut) = (dollars[0], dollars[2])
            let until = start + 14 * day
            let statements = try self.statements(
                payouts, until: until, lost: [lost.id], cut: [cut.id])
            let count = statements.reduce(0) { $0 + $1.entries.count }
            let reconciler = fixture.reconciler()
            let first = try await reconciler.importBank(statements, file: "a.xml")
            #expect(first.new == count && first.settled == count)
            #expect(first.differences == 1 && first.booked == 1)
            let again = try await reconciler.importBank(statements, file: "a.xml")
            #expect(again.new == 0 && again.settled == 0 && again.differences == 0)
            try self.expectBank(world, statements, payouts, lost, cut)
            try self.expectReadBesideBooking(fixture)
            try self.expectMonths(fixture, world, atEnd, payouts)
            #expect(try fixture.ledger.verify().fault == nil)
        }
    }

    @Test("two pages of a day have each its entry where they are alike, and told again none is new")
    func pages() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let currency = try #require(Currency("eur"))
        let today = BankDay(of: Instant(seconds: start))
        @Sendable func page(_ opening: Int64, _ amounts: [Int64]) throws -> BankStatement {
            try BankStatement(
                format: "MT940", account: "DE02", currency: currency, days: today...today,
                opening: MinorUnits(opening),
                closing: MinorUnits(opening + amounts.reduce(0, +)),
                entries: amounts.map {
                    BankEntry(day: today, amount: MinorUnits($0), text: "PAYMENTS", reference: nil)
                }
            ).checked()
        }
        try await fixture.running {
            let reconciler = fixture.reconciler()
            let pages = [try page(0, [100, 500]), try page(600, [500, 500])]
            let first = try await reconciler.importBank(pages, file: "a.sta")
            #expect(first.entries == 4 && first.new == 4)
            let told = [pages, [pages[1]], [try page(0, [100, 500, 500, 500])]]
            for statements in told + [[pages[0], pages[0]]] {
                let again = try await reconciler.importBank(statements, file: "b.sta")
                #expect(again.new == 0)
            }
            let amounts = try fixture.store.openBankEntries().map(\.amount.rawValue)
            #expect(amounts.sorted() == [100, 500, 500, 500])
        }
    }

    /// Pages read while something is being booked: they wait for nothing, and see the last commit.
    private func expectReadBesideBooking(_ fixture: ReconcileFixture) throws {
        let reader = try SQLiteLedgerReader.open(path: fixture.data.ledger)
        defer { try? reader.close() }
        let reconciler = fixture.reconciler(seen: StatementStore(of: reader))
        let written = try fixture.store.bankReport()
        let read = Mutex<BankReport?>(nil)
        let isRead = DispatchSemaphore(value: 0)
        let isInTime = try fixture.store.write { _ in
            DispatchQueue.global().async {
                let report = try? reconciler.bankReport()
                let runs = try? reconciler.reports(before: nil, limit: 1)
                if runs?.count == 1 { read.withLock { $0 = report } }
                isRead.signal()
            }
            return isRead.wait(timeout: .now() + .seconds(20)) == .success
        }
        #expect(isInTime, "it waited for who books")
        let report = try #require(read.withLock { $0 })
        #expect(report.sums.map(\.bank) == written.sums.map(\.bank))
        #expect(report.lines.count == written.lines.count)
    }

    private func expectBank(
        _ world: TwinWorld, _ statements: [BankStatement], _ payouts: [TwinWorld.Payout],
        _ lost: TwinWorld.Payout, _ cut: TwinWorld.Payout
    ) throws {
        let fixture = world.fixture
        let report = try fixture.store.bankReport()
        let standing = try fixture.ledger.standing()
        for statement in statements {
            let code = statement.currency.code
            let sum = try #require(report.sums.first { $0.currency == statement.currency })
            let said = statement.entries.reduce(Int64(0)) { $0 + $1.amount.rawValue }
            #expect(sum.bank == said && sum.difference == 0 && sum.untold == 0)
            #expect(sum.ledger == standing["bank:\(code) \(code)"])
            #expect(sum.ledger - sum.notArrived == said)
            let here = payouts.filter { $0.currency == code }
            #expect(sum.counts.values.reduce(0, +) == Int64(here.count))
        }
        #expect(standing["charges:bank usd"] == 150)
        let states = Dictionary(
            report.lines.map { ($0.settled.movement.key, $0.state) },
            uniquingKeysWith: { first, _ in first })
        #expect(states["payout:\(cut.id)"] == .different)
        #expect(states["payout:\(lost.id)"] == .late || states["payout:\(lost.id)"] == .missing)
        #expect(states.values.contains(.inTransit) && states.values.contains(.arrived))
        #expect(!report.isClean && report.gaps.isEmpty && report.unknown.isEmpty)
        // Stripe's side knows nothing of what a bank keeps.
        #expect(try fixture.processor() == world.balance())
    }

    private func expectMonths(
        _ fixture: ReconcileFixture, _ world: TwinWorld, _ atEnd: [String: Int64],
        _ payouts: [TwinWorld.Payout]
    ) throws {
        let month = try #require(CalendarMonth("2026-01"))
        let january = try fixture.store.monthReport(month)
        #expect(january.isCompared && january.isRight, "\(january)")
        #expect(january.basis == .bank)
        for balance in january.balances {
            let code = balance.currency.code
            #expect(balance.opening == 0 && balance.closing == atEnd[code] ?? 0, "\(code)")
            let sent = payouts.filter { $0.currency == code && $0.created < february }
            #expect(balance.payouts == -sent.reduce(0) { $0 + $1.amount })
            let kinds = Dictionary(
                uniqueKeysWithValues: balance.activities.map { ($0.kind, $0) })
            #expect(kinds["payment"]?.count == 7 && kinds["refund"]?.amount == -120_000)
            #expect(kinds["dispute_withdrawn"]?.amount == -50_000)
            #expect((kinds["fees"]?.amount ?? 0) < 0)
            // Two days on the way, and one that never came.
            let late = sent.filter { $0.created + 2 * day >= february }
                + (code == "usd" ? [sent[0]] : [])
            #expect(balance.inTransit == late.reduce(0) { $0 + $1.amount }, "\(code)")
        }
        let next = try fixture.store.monthReport(try #require(CalendarMonth("2026-02")))
        #expect(!next.isCompared && !next.isRight)
        let now = try world.balance()
        for balance in next.balances {
            #expect(balance.opening == atEnd[balance.currency.code] ?? 0)
            #expect(balance.closing == now[balance.currency.code] ?? 0)
        }
    }
}
