import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// Refunds that were told without the balance transaction that moved their money.
@Suite("Refunds that wait, settled by reconciliation")
struct WaitingRefundTests {
    /// A charge of 1,000 and a refund of 600 that was told without a balance transaction.
    private static func tell(_ stripe: FakeStripe, hasLine: Bool) {
        stripe.charge("w", 1_000, at: start)
        let plain = refund(transaction: nil)
        stripe.change { state in
            state.events.append(
                FakeStripe.Event(
                    id: "evt_w", type: "refund.created", created: start + 60, object: plain))
            state.objects["/v1/refunds/re_w"] = plain
            guard hasLine else { return }
            state.lines.append(
                FakeStripe.Line(
                    id: "txn_w1", type: "refund", source: "re_w", amount: -600,
                    created: start + 60, sourceObject: refund(transaction: "txn_w1")))
        }
    }

    private static func refund(transaction: String?) -> String {
        """
        {"id": "re_w", "object": "refund", "amount": 600, "currency": "usd", "charge": "ch_w",
         "status": "succeeded", "balance_transaction": \(transaction.map { "\"\($0)\"" } ?? "null")}
        """
    }

    @Test("a line of the statement books it through a record of our own, once")
    func booked() async throws {
        let fixture = try ReconcileFixture()
        Self.tell(fixture.stripe, hasLine: true)
        try await fixture.running {
            try await fixture.deliver()
            #expect(try fixture.ledger.waiting().map(\.key.rawValue) == ["refund:re_w"])
            let dry = try await fixture.dryRun().found.map(\.found)
            #expect(dry.map(\.kind) == [.feeUnbooked])
            #expect(dry.map(\.movement) == ["refund:re_w"])
            #expect(try fixture.ledger.waiting().count == 1)
            #expect(try fixture.processor() == ["usd": 1_000])
            _ = try await fixture.reconcile()
            try await fixture.drained()
            #expect(try fixture.ledger.waiting() == [])
            #expect(try fixture.processor() == ["usd": 400])
            let report = try await fixture.reconcile()
            #expect(report.isClean, "\(report)")
            #expect(try fixture.processor() == ["usd": 400])
        }
    }

    @Test(
        "where the statement has passed its time and shows no line, the waiting ends as a release")
    func released() async throws {
        let fixture = try ReconcileFixture()
        Self.tell(fixture.stripe, hasLine: false)
        try await fixture.running {
            try await fixture.deliver()
            // Days have gone by on our clock, but nothing newer stands in the statement.
            #expect(try await fixture.reconcile().isClean)
            try await fixture.drained()
            #expect(try fixture.ledger.waiting().count == 1)
            fixture.stripe.charge("later", 50, at: start + 60 + 2 * day)
            try await fixture.deliver()
            #expect(try await fixture.reconcile().isClean)
            try await eventually("the waiting has ended") {
                try fixture.ledger.waiting().isEmpty
            }
            #expect(try fixture.processor() == ["usd": 1_050])
            #expect(try await fixture.reconcile().isClean)
        }
    }

    @Test("refunds that were told in sum only are looked up by their charge")
    func toldInSum() async throws {
        let fixture = try ReconcileFixture()
        let stripe = fixture.stripe
        Self.tell(stripe, hasLine: true)
        stripe.change { state in
            state.events.removeAll { $0.id == "evt_w" }
            state.events.append(
                FakeStripe.Event(
                    id: "evt_sum", type: "charge.refunded", created: start + 60,
                    object: """
                        {"id": "ch_w", "object": "charge", "amount": 1000, "amount_captured": 1000,
                         "amount_refunded": 600, "captured": true, "currency": "usd",
                         "customer": "cus_1", "status": "succeeded",
                         "balance_transaction": "txn_w"}
                        """))
            state.refunds["ch_w"] = ["re_w"]
        }
        try await fixture.running {
            try await fixture.deliver()
            #expect(try fixture.ledger.waiting().map(\.key.rawValue) == ["refunds_told:ch_w"])
            _ = try await fixture.reconcile()
            try await fixture.drained()
            #expect(try fixture.ledger.waiting() == [])
            #expect(try fixture.processor() == ["usd": 400])
            #expect(try await fixture.reconcile().isClean)
        }
    }
}
