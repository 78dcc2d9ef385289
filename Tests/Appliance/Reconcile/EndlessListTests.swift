import AppendLog
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// A list of Stripe's that leads back to itself: of a proxy that keeps answers, or of a fault
/// there.
@Suite("Lists without an end")
struct EndlessListTests {
    /// Reads ids that come in turn, `tail` of them before they repeat.
    private func pagesUntilNoticed(tail: Int, circle: Int) -> Int? {
        var place = StripePlace(in: "/v1/events")
        for page in 0..<10_000 {
            let number = page < tail ? page : tail + (page - tail) % circle
            do {
                try place.move(behind: "evt_\(number)", hasMore: true)
            } catch {
                guard case .endless("/v1/events", let pages) = error else { return nil }
                return pages
            }
        }
        return nil
    }

    @Test(
        "a circle of any length, behind pages of any number, is noticed within four times of both")
    func circles() {
        for circle in [1, 2, 3, 7, 50, 64, 65] {
            for tail in [0, 1, 5, 63, 64, 100] {
                let pages = pagesUntilNoticed(tail: tail, circle: circle)
                #expect(pages ?? .max <= 4 * (tail + circle) + 4, "\(tail) \(circle)")
            }
        }
    }

    @Test("a list that ends is none, nor one that is taken up in its middle")
    func ends() throws {
        var place = StripePlace(in: "/v1/payouts", after: "po_7")
        #expect(place.cursor == "po_7" && place.hasMore)
        for number in 8..<1_000 { try place.move(behind: "po_\(number)", hasMore: true) }
        #expect(place.cursor == "po_999" && place.hasMore)
        try place.move(behind: nil, hasMore: false)
        #expect(!place.hasMore)
    }

    @Test("a page without anything that says there is more is no end")
    func emptyPage() {
        var place = StripePlace(in: "/v1/payouts")
        #expect(throws: StripeError.endless(path: "/v1/payouts", pages: 1)) {
            try place.move(behind: nil, hasMore: true)
        }
    }

    /// Answers a list with pages that lead to one another for ever.
    private static func circle(_ stripe: FakeStripe, in path: String) {
        stripe.script.withLock { script in
            script = { _, asked in
                guard asked.hasPrefix(path + "?") else { return nil }
                let id = asked.contains("starting_after=x_1") ? "x_2" : "x_1"
                return FakeStripe.ok(
                    """
                    {"object": "list", "has_more": true, "data": [
                     {"id": "\(id)", "object": "x", "type": "adjustment", "amount": 0, "fee": 0,
                      "net": 0, "currency": "usd", "created": \(start), "livemode": false,
                      "status": "paid", "automatic": true, "source": null,
                      "data": {"object": {"id": "y"}}}]}
                    """)
            }
        }
    }

    @Test(
        "a run over such a list fails with a sentence, whichever list it is; the next one is clean",
        arguments: ["/v1/balance_transactions", "/v1/payouts"])
    func runs(path: String) async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("a", 5_000, fee: 175, at: start + day)
        Self.circle(fixture.stripe, in: path)
        try await fixture.running {
            try await fixture.deliver()
            let error = await #expect(throws: StripeError.self) {
                _ = try await fixture.reconcile()
            }
            guard case .endless(path, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect("\(StripeError.endless(path: path, pages: 4))".contains("does not end"))
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            #expect(try await fixture.reconcile().isClean)
        }
    }

    @Test("a sweep over such a list takes what it saw, fails, and keeps no later one waiting")
    func sweeps() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("a", 5_000, at: start + day)
        Self.circle(fixture.stripe, in: "/v1/events")
        try await fixture.running {
            await #expect(throws: StripeError.self) { _ = try await fixture.sweep() }
            fixture.stripe.script.withLock { $0 = { _, _ in nil } }
            let again = try await fixture.sweep()
            #expect(again.missed == 1)
        }
    }
}
