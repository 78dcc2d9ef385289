import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day
private let hour: Int64 = 3_600

/// Breaks of every kind, planted at the real twin.
@Suite("Reconciliation finds what the twin breaks")
struct TwinBreaksTests {
    /// What a break is expected to be: its kind and subject, its age, and both sides' amounts.
    private struct Expected: Hashable {
        var kind: String
        var subject: String
        var ageSeconds: Int64
        var stripe: String?
        var ledger: String?

        init(
            _ kind: BreakKind, _ subject: String, age: Int64, stripe: String?, ledger: String?
        ) {
            (self.kind, self.subject, ageSeconds) = (kind.rawValue, subject, age)
            (self.stripe, self.ledger) = (stripe, ledger)
        }

        init(_ stored: StoredBreak, at now: Int64) {
            func text(_ side: ReconciliationBreak.Side?) -> String? {
                side.map { "\($0.amount.rawValue) \($0.currency.code)" }
            }
            self.init(
                stored.found.kind, stored.found.subject,
                age: stored.ageSeconds(at: Instant(seconds: now)),
                stripe: text(stored.found.stripe), ledger: text(stored.found.ledger))
        }
    }

    private func open(_ world: TwinWorld, _ report: RunReport) throws -> Set<Expected> {
        Set(
            try world.fixture.store.breaks(of: report.run.id, after: 0, limit: 1000)
                .map { Expected($0, at: world.now) })
    }

    /// Everything else that happens at a merchant: none of it may be found.
    private func live(_ world: TwinWorld) throws {
        for (index, currency) in ["usd", "jpy", "kwd", "bhd", "ugx", "isk"].enumerated() {
            let charge = try world.charge(500_000 + Int64(index) * 10_000, currency)
            _ = try world.twin.refund(charge, amount: 50_000)
            let failing = try world.twin.refund(charge, amount: 30_000)
            try world.twin.settleRefund(failing, fails: true)
        }
        let held = try world.pay(90_000, isManualCapture: true)
        try world.twin.capture(held.paymentIntent, amount: 20_000)
        let failed = try world.charge(60_000)
        try world.control(
            "balance_transactions",
            "amount=-60000&currency=usd&type=payment_reversal&source=\(failed)")
        let dispute = try world.twin.dispute(try world.charge(70_000))
        try world.twin.closeDispute(dispute, .won, reinstated: 40_000)
    }

    /// Charges that each become a break of one kind, and a refund that the statement repeats.
    private struct Victims {
        let lost, gone, more, euro, dear, twice: String

        init(_ world: TwinWorld) throws {
            lost = try world.charge(10_000)
            gone = try world.charge(11_000)
            more = try world.charge(12_000)
            euro = try world.charge(13_000)
            dear = try world.charge(14_000)
            twice = try world.twin.refund(try world.charge(15_000), amount: 5_000)
        }
    }

    /// What was planted: the lines of the victims, and further lines.
    private struct Planted {
        static let path = "balance_transactions"
        /// Of those that are gone, more, in euro, dear and twice.
        let lines: [String]
        let copy, untold, advance, unheard, bill: String

        init(_ world: TwinWorld, _ victims: Victims) throws {
            lines = try [
                victims.gone, victims.more, victims.euro, victims.dear, victims.twice,
            ].map(world.line)
            let path = Self.path
            try world.control("\(path)/\(lines[0])/hide")
            try world.control("\(path)/\(lines[1])/change", "amount=12500")
            try world.control("\(path)/\(lines[2])/change", "currency=eur")
            try world.control("\(path)/\(lines[3])/change", "fee=500")
            copy = try world.control("\(path)/\(lines[4])/duplicate")
            untold = try world.control(path, "amount=777&currency=usd")
            advance = try world.control(path, "amount=-60&currency=usd&type=advance")
            unheard = try world.control(path, "amount=44&currency=jpy&type=unheard_of")
            bill = try world.control(path, "amount=-725&currency=usd&type=stripe_fee")
        }

        func mend(_ world: TwinWorld) throws {
            let path = Self.path
            try world.control("\(path)/\(lines[0])/restore")
            try world.control("\(path)/\(lines[1])/change", "amount=12000")
            try world.control("\(path)/\(lines[2])/change", "currency=usd")
            try world.control("\(path)/\(lines[3])/change", "fee=436")
            for line in [copy, untold, advance, unheard] {
                try world.control("\(path)/\(line)/hide")
            }
        }

        /// Four days after it was planted, and nine after the victims paid.
        func expected(_ world: TwinWorld, _ victims: Victims) throws -> Set<Expected> {
            let aged = 9 * day + hour
            let planted = 4 * day + 2 * hour
            return [
                Expected(
                    .missingInLedger, try world.line(of: victims.lost), age: aged,
                    stripe: "10000 usd", ledger: nil),
                Expected(
                    .missingInLedger, untold, age: planted, stripe: "777 usd", ledger: nil),
                Expected(
                    .missingAtStripe, "charge:\(victims.gone)", age: aged, stripe: nil,
                    ledger: "11000 usd"),
                Expected(
                    .missingAtStripe, "fee:\(lines[0])", age: aged, stripe: nil,
                    ledger: "-349 usd"),
                Expected(
                    .amountMismatch, lines[1], age: aged, stripe: "12500 usd", ledger: "12000 usd"),
                Expected(
                    .currencyMismatch, lines[2], age: aged, stripe: "13000 eur",
                    ledger: "13000 usd"),
                Expected(
                    .currencyMismatch, "fee:\(lines[2])", age: aged, stripe: "-407 eur",
                    ledger: "-407 usd"),
                Expected(
                    .amountMismatch, "fee:\(lines[3])", age: aged, stripe: "-500 usd",
                    ledger: "-436 usd"),
                Expected(
                    .duplicateAtStripe, copy, age: planted, stripe: "-5000 usd", ledger: nil),
                Expected(.unknownType, advance, age: planted, stripe: "-60 usd", ledger: nil),
                Expected(.unknownType, unheard, age: planted, stripe: "44 jpy", ledger: nil),
            ]
        }
    }

    @Test("each planted break is found, typed and aged, nothing else is, and mending resolves it")
    func plantedBreaks() async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        try live(world)
        world.go(to: start + hour)
        let victims = try Victims(world)
        world.go(to: start + 5 * day)
        try await fixture.running {
            #expect(try await world.deliver(losing: [victims.lost]) == 2)
            // Every fee is booked before anything is broken; only the lost webhook is missed.
            let before = try await fixture.reconcile()
            let missed = try world.line(of: victims.lost)
            #expect(try fixture.found(before) == ["missing_in_ledger \(missed)"])

            let planted = try Planted(world, victims)
            world.go(to: start + 9 * day)
            let young = try world.charge(16_000)
            let early = try world.charge(17_000)
            try world.control("\(Planted.path)/\(try world.line(of: early))/hide")
            world.go(to: start + 9 * day + 2 * hour)
            #expect(try await world.deliver(losing: [young]) == 2)
            try await self.expectForeseen(planted, world)

            let report = try await fixture.reconcile()
            #expect(!report.isClean)
            let late: Set<Expected> = [
                Expected(
                    .late, try world.line(of: young), age: 2 * hour, stripe: "16000 usd",
                    ledger: nil),
                Expected(
                    .late, "charge:\(early)", age: 2 * hour, stripe: nil, ledger: "17000 usd"),
            ]
            let expected = try planted.expected(world, victims).union(late)
            #expect(try open(world, report) == expected)
            try self.expectBooked(planted, report, world, early: early)

            try planted.mend(world)
            try world.control("\(Planted.path)/\(try hidden(world, early))/restore")
            // The lost webhooks are made up for by the events that Stripe remembers.
            #expect(try await fixture.sweep().missed == 4)
            try await world.drained()
            let mended = try await fixture.reconcile()
            #expect(try fixture.found(mended) == [])
            #expect(mended.isClean, "\(mended)")
            #expect(try fixture.processor() == world.balance())
            let resolved = try fixture.store.breaks(of: report.run.id, after: 0, limit: 100)
            #expect(resolved.count == expected.count)
            #expect(resolved.allSatisfy { $0.resolvedRun == mended.run.id })
        }
    }

    /// A dry run sees the bill, and books nothing of it.
    private func expectForeseen(_ planted: Planted, _ world: TwinWorld) async throws {
        let (dry, foreseen) = try await world.fixture.dryRun()
        let billed = foreseen.filter { $0.found.subject == planted.bill }
        #expect(billed.map(\.found.kind) == [.feeUnbooked] && billed.first?.resolvedRun == nil)
        #expect(dry.currencies.allSatisfy { $0.unexplained == 0 }, "\(dry.currencies)")
    }

    /// The bill was unbooked, and the run that saw it booked it.
    private func expectBooked(
        _ planted: Planted, _ report: RunReport, _ world: TwinWorld, early: String
    ) throws {
        let findings = try world.fixture.store.findings(
            of: report.run, after: .start, limit: 1000
        ).findings
        let booked = try #require(
            findings.first { $0.found.balanceTransaction == planted.bill })
        #expect(booked.found.kind == .feeUnbooked && booked.resolvedRun == report.run.id)
        // The breaks account for the whole difference, in every currency.
        #expect(report.currencies.allSatisfy { $0.unexplained == 0 }, "\(report.currencies)")
        let earlyLine = try #require(findings.first { $0.found.subject == "charge:\(early)" })
        #expect(earlyLine.found.balanceTransaction == nil)
    }

    /// The hidden balance transaction of a charge, which no list shows.
    private func hidden(_ world: TwinWorld, _ charge: String) throws -> String {
        try #require(try world.get("/v1/charges/\(charge)")["balance_transaction"]?.text)
    }
}
