import AppendLog
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day
private let seller = "acct_seller"

/// A platform and its sellers: each Stripe account with a balance and a statement of its own.
@Suite("Reconciliation of connected accounts")
struct ConnectedAccountTests {
    /// A destination charge of 1,000 with a fee of 59 and an application fee of 100, its transfer
    /// of 900, and what the seller has of it: the payment and its payout.
    private static func sell(_ stripe: FakeStripe) {
        stripe.charge("dest", 1_000, fee: 59, at: start)
        stripe.change { state in
            state.lines += [
                FakeStripe.Line(
                    id: "txn_tr", type: "transfer", source: "tr_1", amount: -900, created: start,
                    sourceObject: transfer),
                FakeStripe.Line(
                    id: "txn_fee", type: "application_fee", source: "fee_1", amount: 100,
                    created: start, sourceObject: fee),
                FakeStripe.Line(
                    id: "txn_py", type: "payment", source: "py_1", amount: 900, created: start,
                    account: seller),
                FakeStripe.Line(
                    id: "txn_po", type: "payout", source: "po_1", amount: -900,
                    created: start + day, account: seller),
            ]
            state.events += [
                event("evt_tr", "transfer.created", transfer),
                event("evt_fee", "application_fee.created", fee),
                event(
                    "evt_py", "payment.created",
                    """
                    {"id": "py_1", "object": "charge", "amount": 900, "amount_captured": 900,
                     "captured": true, "currency": "usd", "status": "succeeded",
                     "source_transfer": "tr_1", "balance_transaction": "txn_py"}
                    """, of: seller),
                event(
                    "evt_po", "payout.paid",
                    """
                    {"id": "po_1", "object": "payout", "amount": 900, "currency": "usd",
                     "status": "paid", "balance_transaction": "txn_po"}
                    """, of: seller),
            ]
        }
    }

    private static let transfer = """
        {"id": "tr_1", "object": "transfer", "amount": 900, "currency": "usd",
         "destination": "\(seller)", "destination_payment": "py_1",
         "balance_transaction": "txn_tr", "source_transaction": "ch_dest"}
        """
    private static let fee = """
        {"id": "fee_1", "object": "application_fee", "amount": 100, "currency": "usd",
         "account": "\(seller)", "charge": "ch_dest", "balance_transaction": "txn_fee"}
        """

    private static func event(
        _ id: String, _ type: String, _ object: String, of account: String = ""
    ) -> FakeStripe.Event {
        FakeStripe.Event(id: id, type: type, created: start, object: object, account: account)
    }

    @Test(
        "a destination charge comes to zero on both sides, each account against its own statement")
    func destinationCharge() async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(report.accounts == 2)
            #expect(report.currencies.map(\.account.rawValue) == ["", seller])
            #expect(report.currencies.map(\.transactions) == [3, 2])
            #expect(report.currencies.map(\.share) == [1, 1])
            #expect(report.currencies.map(\.shareOfTurnover) == [1, 1])
            #expect(report.currencies.map(\.turnover) == [941 + 900 + 100, 1_800])
            #expect(try fixture.processor() == ["usd": 141])
            #expect(try fixture.processor() == fixture.atStripe())
            #expect(try fixture.processor(of: seller) == [:])
            let asked = fixture.stripe.asked
            #expect(asked.contains("\(seller) /v1/balance"))
            #expect(asked.contains { $0.hasPrefix("\(seller) /v1/balance_transactions?") })
            #expect(asked.contains { $0.hasPrefix("\(seller) /v1/payouts?") })
            #expect(try fixture.ledger.standing()["connect:\(seller):transfers usd"] == nil)
        }
    }

    @Test("a fee that Stripe took of a seller is booked in the seller's accounts")
    func sellersFee() async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        fixture.stripe.change {
            $0.lines.append(
                FakeStripe.Line(
                    id: "txn_bill", type: "stripe_fee", amount: -25, created: start + day,
                    account: seller))
        }
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(report.isClean, "\(report)")
            #expect(try fixture.processor(of: seller) == ["usd": -25])
            #expect(try fixture.ledger.standing()["fees:stripe:\(seller) usd"] == 25)
            #expect(report.currencies.map(\.booked) == [1, 1])
        }
    }

    @Test(
        "what no webhook told is booked from its line as the webhook would, once in either order",
        arguments: [true, false])
    func eitherOrder(runFirst: Bool) async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        let late: Set<String> = ["evt_tr", "evt_fee"]
        try await fixture.running {
            try await fixture.deliver(lost: runFirst ? late : [])
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(report.currencies.map(\.booked) == [runFirst ? 3 : 1, 0])
            let standing = try fixture.ledger.standing()
            let head = try fixture.ledger.posted(after: TransactionID(0), limit: 100).count
            try await fixture.deliver()
            #expect(try await fixture.reconcile().isClean)
            #expect(try fixture.ledger.standing() == standing)
            #expect(try fixture.ledger.posted(after: TransactionID(0), limit: 100).count == head)
            #expect(try fixture.processor() == fixture.atStripe())
            #expect(standing["income:application_fees usd"] == -100)
        }
    }

    @Test("while its webhook may still come, a transfer is late, not booked")
    func youngTransfer() async throws {
        let fixture = try ReconcileFixture(clock: HandClock(start + 3600))
        Self.sell(fixture.stripe)
        try await fixture.running {
            try await fixture.deliver(lost: ["evt_tr", "evt_fee"])
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report).filter { !$0.contains("po_1") } == [
                "late txn_fee", "late txn_tr",
            ])
            #expect(report.currencies.first?.unexplained == 0, "\(report)")
        }
    }

    @Test("an account that cannot be read is named and keeps none of the others from being read")
    func unreadable() async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        fixture.stripe.script.withLock {
            $0 = { [weak stripe = fixture.stripe] _, _ in
                guard stripe?.asked.last?.hasPrefix(seller) == true else { return nil }
                return FakeStripe.refused(403, "account_invalid")
            }
        }
        try await fixture.running {
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(report.run.state == .finished && !report.isClean)
            #expect(report.unreadAccounts.map(\.account.rawValue) == [seller])
            #expect(try fixture.found(report) == [])
            #expect(report.currencies.map(\.account.rawValue) == [""])
            let sweep = try await fixture.sweep()
            #expect(sweep.unsweptAccounts == 1)
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            #expect(try await fixture.reconcile().isClean)
        }
    }

    @Test("a run that died in a seller's statement goes on there and reads no other again")
    func resumes() async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        fixture.stripe.change { state in
            for index in 0..<150 {
                state.lines.append(
                    FakeStripe.Line(
                        id: "txn_s\(1000 + index)", type: "stripe_fee", amount: -1,
                        created: start + 2 * day + Int64(index), account: seller))
            }
        }
        fixture.stripe.script.withLock {
            $0 = { _, path in
                if path.contains("starting_after=txn_s1050") { throw CancellationError() }
                return nil
            }
        }
        try await fixture.running {
            try await fixture.deliver()
            await #expect(throws: StripeError.cancelled) { try await fixture.reconcile() }
            let left = try #require(try fixture.store.unfinished().first)
            #expect(try fixture.store.readings(of: left.id).map(\.isRead) == [true, false])
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            let before = fixture.stripe.asked.count
            let report = try await fixture.resume(left.id)
            #expect(report.isClean, "\(report)")
            #expect(try fixture.processor(of: seller) == ["usd": -150])
            let reread = fixture.stripe.asked[before...].filter {
                $0.hasPrefix("/v1/balance_transactions?created[gte]=0")
            }
            #expect(reread.isEmpty, "\(reread)")
        }
    }

    @Test("a sweep fetches a seller's events, notes whose they are, and says until when it looked")
    func sweeps() async throws {
        let fixture = try ReconcileFixture()
        Self.sell(fixture.stripe)
        try await fixture.running {
            // Of the seller's account the ledger knows by its payment alone.
            try await fixture.deliver(lost: ["evt_po"])
            let before = try await fixture.reconcile()
            #expect(try fixture.found(before) == ["missing_in_ledger txn_po"])
            #expect(before.run.sweptTo == nil)
            let sweep = try await fixture.sweep()
            #expect(sweep.missed == 1 && sweep.events == 5)
            try await fixture.drained()
            #expect(try fixture.processor(of: seller) == [:])
            let after = try await fixture.reconcile()
            #expect(after.isClean, "\(after)")
            #expect(after.run.sweptTo == Instant(seconds: ReconcileFixture.now))
            #expect(try await fixture.sweep().missed == 0)
        }
    }
}
