import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// Disputes whose events say by which balance transaction the money went, and not how much.
@Suite("Disputes that are told by ids alone, settled by reconciliation")
struct DisputeSettlementTests {
    private static func dispute(_ transaction: String) -> String {
        """
        {"id": "dp_i", "object": "dispute", "amount": 600, "currency": "usd", "charge": "ch_i",
         "status": "needs_response", "reason": "fraudulent", "balance_transaction": \(transaction)}
        """
    }

    /// A charge, and a dispute of before disputes had ids in statements, or after.
    private static func tell(_ stripe: FakeStripe, source: String) {
        stripe.charge("i", 1_000, at: start)
        let object = dispute(#""txn_di""#)
        let charge = """
            {"id": "ch_i", "object": "charge", "amount": 1000, "captured": true, "currency": "usd",
             "customer": "cus_1", "status": "succeeded", "dispute": "dp_i"}
            """
        stripe.change { state in
            for (number, type) in ["created", "funds_withdrawn"].enumerated() {
                state.events.append(
                    FakeStripe.Event(
                        id: "evt_dp\(number)", type: "charge.dispute.\(type)", created: start + 60,
                        object: object))
            }
            state.lines.append(
                FakeStripe.Line(
                    id: "txn_di", type: "adjustment", source: source, category: "dispute",
                    amount: -600, fee: 1_500, created: start + 60,
                    sourceObject: source == "ch_i" ? charge : object))
        }
    }

    @Test("the statement's line books it, once, under its own key", arguments: ["dp_i", "ch_i"])
    func booked(source: String) async throws {
        let fixture = try ReconcileFixture()
        let stripe = fixture.stripe
        Self.tell(stripe, source: source)
        try await fixture.running {
            try await fixture.deliver()
            #expect(try fixture.processor() == ["usd": 1_000])
            // While its event may still come whole, it is late.
            fixture.clock.set(start + day)
            let early = try await fixture.reconcile()
            #expect(try fixture.found(early) == ["late txn_di"])
            #expect(early.currencies.allSatisfy { $0.unexplained == 0 })

            fixture.clock.set(start + 5 * day)
            let report = try await fixture.reconcile()
            #expect(report.isClean, "\(report)")
            #expect(try fixture.found(report) == [])
            #expect(try fixture.processor() == ["usd": -1_100])
            let standing = try fixture.ledger.standing()
            #expect(standing.filter { $0.key.hasSuffix(":disputed usd") }.map(\.value) == [600])
            #expect(standing["fees:stripe usd"] == 1_500)

            // An event that tells it whole changes nothing any more.
            let whole = stripe.state.withLock { state in
                state.lines.first { $0.id == "txn_di" }?.json ?? ""
            }
            stripe.change { state in
                state.events.append(
                    FakeStripe.Event(
                        id: "evt_whole", type: "charge.dispute.updated", created: start + 70,
                        object: Self.dispute(whole)))
            }
            try await fixture.deliver()
            #expect(try fixture.processor() == ["usd": -1_100])
            #expect(try await fixture.reconcile().isClean)
            #expect(try fixture.ledger.verify().fault == nil)
        }
    }
}
