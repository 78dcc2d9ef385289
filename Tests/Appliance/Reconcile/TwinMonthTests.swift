import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
private let hour: Int64 = 3_600
/// 2026-02-01T00:00:00Z
private let february = ReconcileFixture.start
/// 2026-01-25T00:00:00Z
private let start = february - 7 * day
/// Zero-decimal, three-decimal, and the two that Stripe writes with two decimals that are zero.
private let currencies = ["usd", "jpy", "kwd", "bhd", "ugx", "isk"]

/// Two weeks of a merchant over a month's end, reconciled every night.
@Suite("Reconciliation with the twin, night by night")
struct TwinMonthTests {
    /// A run as the schedule makes it: from before the end of the last one.
    private func night(_ world: TwinWorld, after last: RunReport?) async throws -> RunReport {
        try await world.deliver()
        let from = last.map { $0.run.to.seconds - 3 * day } ?? 0
        let report = try await world.fixture.reconcile(from: from)
        #expect(try world.fixture.found(report) == [], "at \(world.now)")
        #expect(report.isClean, "\(report)")
        #expect(report.unexplainedPayouts.isEmpty)
        #expect(try world.fixture.processor() == world.balance(), "at \(world.now)")
        for currency in report.currencies { #expect(currency.ledger == currency.stripe) }
        return report
    }

    private func automaticPayouts(_ world: TwinWorld) throws -> [TestJSON] {
        try world.get("/v1/payouts", "limit=100")["data"].list.filter { $0["automatic"] == true }
    }

    /// What the ledger holds of an object under this prefix, with the lines that settle it.
    private func isSettled(_ world: TwinWorld, _ key: String) throws -> Bool {
        let lookup = try SQLiteLedgerReader.open(path: world.fixture.data.ledger)
        defer { try? lookup.close() }
        guard let movement = try lookup.movements([key])[key] else { return false }
        return try !world.fixture.store.settled(movement.transaction...movement.transaction).isEmpty
    }

    @Test("every night the ledger is the twin's balance, and every automatic payout is explained")
    func everyNight() async throws {
        let world = try TwinWorld(start: start, payouts: .daily)
        let fixture = world.fixture
        try await fixture.running {
            var last: RunReport?
            var looked: Int64 = 0
            var (failedEarly, failedLate): (String?, String?)
            for number in 0..<14 {
                let midnight = start + Int64(number) * day
                world.go(to: midnight + 10 * hour)
                if number < 10 { try trade(world, number) }
                if number == 6, let payout = failedEarly {
                    // It had been called paid.
                    failedLate = failedEarly
                    try world.twin.settlePayout(payout, .failed)
                }
                world.go(to: midnight + day + hour)
                if number == 3 {
                    failedEarly = try automaticPayouts(world).first?.id
                }
                if number == 8, let payout = try automaticPayouts(world).first?.id {
                    // The bank sends it back before any run has seen it.
                    failedEarly = payout
                    try world.twin.settlePayout(payout, .failed)
                }
                world.go(to: midnight + day + 2 * hour + 1800)
                let report = try await night(world, after: last)
                looked += report.payouts
                last = report
            }
            let payouts = try automaticPayouts(world)
            #expect(Set(payouts.compactMap { $0["currency"]?.text }) == Set(currencies))
            #expect(payouts.count > 5 * currencies.count)
            for payout in payouts {
                let isFailed = payout["status"]?.text == "failed"
                // One that failed is explained by two lines: it left, and it came back.
                #expect(try isSettled(world, "payout:\(payout.id)"))
                #expect(try isSettled(world, "payout_failed:\(payout.id)") == isFailed)
                #expect(try fixture.store.isExplained(payout.id) == (payout.id != failedEarly))
            }
            #expect(failedLate != nil && failedLate != failedEarly)
            #expect(payouts.filter { $0["status"]?.text == "failed" }.count == 2)
            #expect(looked == Int64(payouts.count - 1))
            try self.expectAtBank(payouts, fixture)
            #expect(try fixture.ledger.verify().fault == nil)
        }
    }

    /// What arrived at the bank is what was paid out and did not come back.
    private func expectAtBank(_ payouts: [TestJSON], _ fixture: ReconcileFixture) throws {
        for currency in currencies {
            let paid = payouts.filter {
                $0["currency"]?.text == currency && $0["status"]?.text != "failed"
            }
            let sum = paid.reduce(0) { $0 + ($1["amount"]?.integer ?? 0) }
            #expect(try fixture.ledger.standing()["bank:\(currency) \(currency)"] == sum)
        }
    }

    /// A day's trade in every currency.
    private func trade(_ world: TwinWorld, _ number: Int) throws {
        for (index, currency) in currencies.enumerated() {
            // Three decimals want tens, UGX and ISK hundreds; yen and dollars take anything.
            let odd: Int64 = ["usd": 7, "jpy": 7, "kwd": 70, "bhd": 30][currency] ?? 0
            let charge = try world.charge(
                300_000 + Int64(number * 10_000 + index * 1_000) + odd, currency)
            switch number {
            case 1:
                let held = try world.pay(200_000, currency, isManualCapture: true)
                try world.twin.capture(held.paymentIntent, amount: 40_000)
            case 2: _ = try world.twin.refund(charge, amount: 120_000)
            case 3: _ = try world.charge(90_000, currency, card: "pm_card_refundFail")
            case 4:
                let refund = try world.twin.refund(charge, amount: 60_000, outcome: .pending)
                try world.twin.settleRefund(refund, fails: true)
            default: break
            }
        }
    }

    @Test("a dispute of January that February decides, and gives back in part, is never a break")
    func overTheMonth() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        try await fixture.running {
            let charges = try currencies.map { try world.charge(500_000, $0) }
            world.go(to: february - 60)
            let disputes = try charges.map { try world.twin.dispute($0, amount: 400_000) }
            // The month ends while the webhooks of its last minute are still on their way.
            world.go(to: february)
            try await world.deliver(losing: disputes)
            let january = try await fixture.reconcile(to: february)
            let withdrawn = try disputes.map { "late \(try world.line(of: $0))" }
            #expect(try fixture.found(january) == withdrawn.sorted())
            #expect(january.isClean)
            #expect(january.currencies.allSatisfy { $0.unexplained == 0 }, "\(january.currencies)")
            #expect(try await fixture.sweep().missed == Int64(2 * disputes.count))
            try await world.drained()
            let whole = try await night(world, after: january)
            #expect(whole.run.to.seconds == february)

            world.go(to: february + 2 * day)
            for (dispute, charge) in zip(disputes, charges) {
                try world.twin.closeDispute(
                    dispute, .won, reinstated: 150_000, returnsFee: charge == charges[0])
            }
            world.go(to: february + 2 * day + 2 * hour)
            // A run of February alone, which reads nothing of what January did.
            try await world.deliver()
            let report = try await fixture.reconcile(from: february)
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(report.run.transactions == Int64(disputes.count))
            #expect(try fixture.processor() == world.balance())
            // What did not come back is the merchant's loss, in each currency.
            let standing = try fixture.ledger.standing()
            for currency in currencies {
                let disputed = standing.filter { $0.key.hasSuffix(":disputed \(currency)") }
                #expect(disputed.map(\.value) == [250_000])
            }
        }
    }
}
