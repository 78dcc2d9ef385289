import AppendLog
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// Runs against a Stripe of our own over the real pipeline, log and ledger.
@Suite("Reconciliation")
struct ReconciliationRunTests {
    /// A week of everything that a webhook tells of, in currencies of every exponent.
    private static func fill(_ stripe: FakeStripe) {
        for (index, currency) in ["usd", "jpy", "bhd", "ugx", "isk"].enumerated() {
            let at = start + Int64(index) * 3600
            stripe.charge("a\(currency)", 120_000, currency, fee: 3_530, at: at)
            // A partial capture.
            stripe.charge(
                "b\(currency)", 40_000, currency, fee: 1_190, at: at + 1, authorized: 100_000)
            stripe.refund("r\(currency)", of: "a\(currency)", 20_000, currency, at: at + 2)
            stripe.refund(
                "f\(currency)", of: "a\(currency)", 10_000, currency, at: at + 3,
                failedAt: at + 2 * day)
        }
        // Over the end of January, and only a part of it comes back.
        stripe.charge("old", 9_000, fee: 291, at: start - 5 * day)
        stripe.dispute(
            "1", of: "old", 9_000, fee: 1_500, at: start - 3600,
            reinstated: (6_000, 1_500, start + 3 * day))
        stripe.own("fee1", "stripe_fee", -725, at: start + day)
        stripe.own("res1", "reserve_transaction", -2_000, at: start + day)
        stripe.own("adj1", "adjustment", 310, at: start + day)
        stripe.own("top1", "topup", 5_000, at: start + day)
        stripe.own("app1", "application_fee", 90, at: start + day)
        stripe.own("tra1", "transfer", -40, at: start + day)
    }

    @Test(
        "a run books every fee; processor:stripe is Stripe's balance to the cent; it is idempotent")
    func booksFees() async throws {
        let fixture = try ReconcileFixture()
        Self.fill(fixture.stripe)
        fixture.stripe.change { state in
            for index in state.lines.indices where state.lines[index].currency == "usd" {
                state.lines[index].payout = "po_1"
            }
        }
        let due = fixture.atStripe()["usd"] ?? 0
        fixture.stripe.payout("1", due - 100, at: start + 4 * day, eventAt: start + 6 * day)
        fixture.stripe.change { state in
            guard let index = state.lines.firstIndex(where: { $0.id == "txn_adj1" }) else { return }
            // 100 of it are not paid out yet: they came after the payout was made.
            state.lines[index].amount = 210
            state.lines.append(
                FakeStripe.Line(
                    id: "txn_adj2", type: "adjustment", amount: 100, created: start + 5 * day))
        }
        try await fixture.running {
            try await fixture.deliver()
            let first = try await fixture.reconcile()
            #expect(try fixture.found(first) == [])
            #expect(first.isClean, "\(first)")
            #expect(try fixture.processor() == fixture.atStripe())
            #expect(first.currencies.map(\.currency.code) == ["bhd", "isk", "jpy", "ugx", "usd"])
            #expect(first.currencies.allSatisfy { $0.matched == $0.transactions })
            #expect(first.currencies.reduce(0) { $0 + $1.booked } == 11 + 7)
            #expect(first.payouts == 1 && first.unexplainedPayouts.isEmpty)
            let standing = try fixture.ledger.standing()
            let fees: Int64 = 3_530 + 1_190 + 291 + 725
            #expect(standing["fees:stripe usd"] == fees)
            #expect(standing["reserves:stripe usd"] == 2_000)
            #expect(standing["adjustments:stripe usd"] == -310)
            #expect(standing["income:application_fees usd"] == -90)
            #expect(standing["transfers:stripe usd"] == 40)

            let head = try fixture.ledger.posted(after: TransactionID(0), limit: 10_000).count
            let second = try await fixture.reconcile()
            #expect(second.isClean)
            #expect(second.currencies.reduce(0) { $0 + $1.booked } == 0)
            let after = try fixture.ledger.posted(after: TransactionID(0), limit: 10_000).count
            #expect(after == head)
            #expect(try fixture.ledger.verify().fault == nil)
        }
    }

    /// Loses, changes, repeats and invents lines of the statement.
    private static func breakLines(_ stripe: FakeStripe) {
        stripe.change { state in
            state.lines.removeAll { ["txn_gone", "txn_early"].contains($0.id) }
            var copy = state.lines.first { $0.id == "txn_twice" }
            copy?.id = "txn_twice2"
            copy?.created += 60
            if let copy { state.lines.append(copy) }
        }
        change(stripe, more: 950, euro: "eur")
    }

    /// Mends each of them on its side.
    private static func mendLines(_ stripe: FakeStripe) {
        stripe.change { state in
            state.lines.removeAll { ["txn_twice2", "txn_odd", "txn_new"].contains($0.id) }
            for (id, amount) in [("gone", 800), ("early", 1_300)] {
                state.lines.append(
                    FakeStripe.Line(
                        id: "txn_\(id)", type: "charge", source: "ch_\(id)",
                        amount: Int64(amount), created: start + day))
            }
        }
        change(stripe, more: 900, euro: "usd")
    }

    private static func change(_ stripe: FakeStripe, more amount: Int64, euro currency: String) {
        stripe.change { state in
            for index in state.lines.indices {
                if state.lines[index].id == "txn_more" { state.lines[index].amount = amount }
                if state.lines[index].id == "txn_euro" { state.lines[index].currency = currency }
            }
        }
    }

    @Test("each planted break is found, typed and aged, nothing else is, and mending resolves it")
    func breaks() async throws {
        let fixture = try ReconcileFixture()
        let stripe = fixture.stripe
        Self.fill(stripe)
        stripe.charge("lost", 700, fee: 50, at: start + day)
        stripe.charge("gone", 800, at: start + day)
        stripe.charge("more", 900, at: start + day)
        stripe.charge("euro", 1_000, at: start + day)
        stripe.charge("twice", 1_100, at: start + day)
        stripe.charge("young", 1_200, at: ReconcileFixture.now - 3600)
        stripe.charge("early", 1_300, at: ReconcileFixture.now - 3600)
        stripe.own("odd", "issuing_dispute", -33, at: start + day)
        stripe.own("new", "brand_new_type", 44, at: start + day)
        try await fixture.running {
            try await fixture.deliver(lost: ["evt_ch_lost", "evt_ch_young"])
            Self.breakLines(stripe)
            let report = try await fixture.reconcile()
            let expected = [
                "amount_mismatch txn_more", "currency_mismatch txn_euro",
                "duplicate_at_stripe txn_twice2", "late charge:ch_early", "late txn_young",
                "missing_at_stripe charge:ch_gone", "missing_in_ledger txn_lost",
                "unknown_type txn_new", "unknown_type txn_odd",
            ]
            #expect(try fixture.found(report) == expected)
            #expect(!report.isClean)
            // The breaks account for the whole difference, in every currency.
            #expect(report.currencies.allSatisfy { $0.unexplained == 0 }, "\(report.currencies)")
            let stored = try fixture.store.breaks(of: report.run.id, after: 0, limit: 100)
            let lost = stored.first { $0.found.subject == "txn_lost" }
            #expect(lost?.found.stripe?.amount == MinorUnits(700))
            #expect(lost?.found.ledger == nil)
            #expect(lost?.ageSeconds(at: Instant(seconds: ReconcileFixture.now)) == 9 * day)

            Self.mendLines(stripe)
            try await fixture.deliver()
            let mended = try await fixture.reconcile()
            #expect(try fixture.found(mended) == [])
            #expect(mended.isClean, "\(mended)")
            #expect(try fixture.processor() == fixture.atStripe())
            let resolved = try fixture.store.breaks(of: report.run.id, after: 0, limit: 100)
            #expect(resolved.count == expected.count)
            #expect(resolved.allSatisfy { $0.resolvedRun == mended.run.id })
        }
    }

    @Test("what is late becomes missing when its time is over, and only then")
    func grace() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 500, at: ReconcileFixture.now - 10)
        try await fixture.running {
            let early = try await fixture.reconcile()
            #expect(try fixture.found(early) == ["late txn_x"])
            let late = early.late.map { "\($0.count) \($0.amount) \($0.currency.code)" }
            #expect(late == ["1 500 usd"])
            #expect(early.isClean)
            fixture.clock.set(ReconcileFixture.now + 2 * day - 10)
            #expect(try await fixture.found(fixture.reconcile()) == ["late txn_x"])
            fixture.clock.set(ReconcileFixture.now + 2 * day - 9)
            let over = try await fixture.reconcile()
            #expect(try fixture.found(over) == ["missing_in_ledger txn_x"])
            #expect(!over.isClean)
        }
    }

    @Test("a dry run shows what would be booked and changes nothing")
    func dryRun() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, fee: 175, at: start)
        fixture.stripe.own("fee", "stripe_fee", -725, at: start)
        try await fixture.running {
            try await fixture.deliver()
            let received = fixture.topics[.webhookReceived].highWatermark
            let (report, found) = try await fixture.dryRun()
            let booked = found.map { "\($0.found.kind.rawValue) \($0.found.subject)" }.sorted()
            #expect(booked == ["fee_unbooked fee:txn_x", "fee_unbooked txn_fee"])
            #expect(report.currencies.map(\.unexplained) == [0])
            #expect(fixture.topics[.webhookReceived].highWatermark == received)
            #expect(try fixture.store.runs(before: nil, limit: 10).isEmpty)
            #expect(try fixture.store.open(after: .init(), limit: 10).isEmpty)
        }
    }

    @Test("a run killed between pages goes on at its page, and every fee is booked once")
    func resumes() async throws {
        let fixture = try ReconcileFixture()
        for index in 0..<450 {
            fixture.stripe.charge(
                "c\(1000 + index)", 1_000, fee: 59, at: start + Int64(index) * 60)
        }
        // The fourth page never comes: the process dies while it waits for it.
        fixture.stripe.script.withLock {
            $0 = { _, path in
                if path.contains("starting_after=txn_c1150") { throw CancellationError() }
                return nil
            }
        }
        try await fixture.running {
            try await fixture.deliver()
            await #expect(throws: StripeError.cancelled) { try await fixture.reconcile() }
            let left = try #require(try fixture.store.unfinished().first)
            // The third page is stored, but not known to be done.
            let reading = try fixture.store.readings(of: left.id)
            #expect(left.pages == 2 && reading.map(\.cursor) == ["txn_c1250"])
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            let asked = fixture.stripe.asked.count
            let report = try await fixture.resume(left.id)
            #expect(fixture.stripe.asked[asked].contains("starting_after=txn_c1250"))
            #expect(report.isClean, "\(report)")
            #expect(report.run.pages == 5 && report.run.transactions == 450)
            #expect(report.currencies.first?.booked == 450)
            let fees: Int64 = 450 * 59
            #expect(report.currencies.first?.bookedAmount == fees)
            #expect(try fixture.processor() == ["usd": 450 * 941])
            let events = fixture.topics[.webhookReceived].highWatermark.rawValue
            #expect(events == 900)
        }
    }

    @Test("a statement whose place has gone is read again from the newest on")
    func rewinds() async throws {
        let fixture = try ReconcileFixture()
        for index in 0..<250 {
            fixture.stripe.charge("c\(1000 + index)", 1_000, at: start + Int64(index))
        }
        fixture.stripe.script.withLock {
            $0 = { [weak stripe = fixture.stripe] number, path in
                if path.contains("starting_after=txn_c1150"), number < 6 {
                    // While we read, the line that we were at vanished.
                    stripe?.change { $0.lines.removeAll { $0.id == "txn_c1150" } }
                }
                return nil
            }
        }
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == ["missing_at_stripe charge:ch_c1150"])
            #expect(report.run.transactions == 249)
        }
    }

    @Test("a conversion is booked out of one currency and into the other")
    func converts() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge(
            "eur", 1_000, "eur", fee: 66, at: start, settled: (1_234, "usd", 1.234))
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(try fixture.processor() == ["usd": 1_168])
            #expect(try fixture.ledger.standing()["exchange:stripe eur"] == 1_000)
            #expect(try fixture.ledger.standing()["exchange:stripe usd"] == -1_234)
            #expect(report.isClean, "\(report)")
            #expect(try await fixture.reconcile().isClean)
        }
    }

    @Test("an event younger than its balance transaction is no break at a period's edge")
    func edge() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, at: start)
        fixture.stripe.payout("1", 5_000, at: start + day, eventAt: start + 4 * day)
        fixture.stripe.change { $0.lines[0].payout = "po_1" }
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile(from: start + 3 * day)
            #expect(try fixture.found(report) == [])
            #expect(report.run.transactions == 0)
        }
    }

    @Test("a payout that its balance transactions do not explain is named until they do")
    func payouts() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, fee: 175, at: start, payout: "po_1")
        fixture.stripe.charge("y", 2_000, fee: 88, at: start)
        fixture.stripe.payout("1", 4_825 + 1_912, at: start + day)
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(report.unexplainedPayouts.map(\.payout) == ["po_1"])
            #expect(report.unexplainedPayouts.map(\.total) == [4_825])
            #expect(!report.isClean)
            fixture.stripe.change { $0.lines[1].payout = "po_1" }
            let again = try await fixture.reconcile(from: start + 5 * day)
            #expect(again.isClean, "\(again)")
        }
    }

    @Test("a sweep fetches the events that never arrived; the ledger ends right")
    func sweeps() async throws {
        let fixture = try ReconcileFixture()
        Self.fill(fixture.stripe)
        let all = fixture.stripe.state.withLock { $0.events.map(\.id) }
        let lost = Set(all.enumerated().filter { $0.offset % 3 == 0 }.map(\.element))
        try await fixture.running {
            try await fixture.deliver(lost: lost)
            let before = try await fixture.reconcile()
            #expect(!before.isClean)
            let sweep = try await fixture.sweep()
            #expect(sweep.missed == Int64(lost.count) && sweep.events == Int64(all.count))
            #expect(fixture.counters[.eventsBackfilled] == lost.count)
            #expect(fixture.counters[.eventsNearExpiry] == 0)
            try await fixture.drained()
            let after = try await fixture.reconcile()
            #expect(after.isClean, "\(after)")
            #expect(try fixture.processor() == fixture.atStripe())
            #expect(try await fixture.sweep().missed == 0)
            let stored = try fixture.topics[.webhookReceived].read(
                from: Offset(0), byteCountMax: 64 << 20)
            let bodies = stored.map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
            let backfilled = stored.filter { $0.record.text("endpoint") == "backfill" }
            let keys = backfilled.map { String(decoding: $0.record.key ?? [], as: UTF8.self) }
            #expect(lost.isSubset(of: keys))
            // Byte for byte as Stripe wrote it.
            let events = fixture.stripe.state.withLock { $0.events.map(\.json) }
            #expect(Set(events).isSubset(of: bodies))
        }
    }

    @Test("a missed event that Stripe will soon forget raises the alarm")
    func alarms() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("x", 5_000, at: ReconcileFixture.now - 21 * day)
        fixture.stripe.charge("y", 5_000, at: ReconcileFixture.now - 19 * day)
        let sweep = try await fixture.sweep()
        #expect(sweep.missed == 2)
        #expect(sweep.oldestMissed == Instant(seconds: ReconcileFixture.now - 21 * day))
        #expect(fixture.counters[.eventsNearExpiry] == 1)
    }

    @Test(
        "how near its end a missed event is, Stripe's clock says and not the machine's",
        arguments: [-40, -15, -2, 2, 15, 40])
    func alarmsByStripesClock(daysAhead: Int64) async throws {
        let machine = HandClock(ReconcileFixture.now + daysAhead * day)
        let fixture = try ReconcileFixture(clock: machine)
        fixture.stripe.charge("x", 5_000, at: ReconcileFixture.now - 21 * day)
        fixture.stripe.charge("y", 5_000, at: ReconcileFixture.now - 19 * day)
        let sweep = try await fixture.sweep(stripeClock: HandClock(ReconcileFixture.now))
        #expect(sweep.missed == 2)
        #expect(fixture.counters[.eventsNearExpiry] == 1)
        // What is admitted is stamped by the machine, as every delivery is.
        let stored = try fixture.topics[.webhookReceived].read(from: Offset(0), byteCountMax: 1)
        #expect(stored.first?.record.timestamp == machine.now())
    }
}
