import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let start = ReconcileFixture.start
private let day = ReconcileFixture.day

/// Lines of the statement that take a payment back.
@Suite("Payments that fail")
struct FailedPaymentTests {
    @Test("a payment that was announced and failed cancels itself, and its fees are booked")
    func failedPayment() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.own("pay", "payment", 5_000, fee: 40, source: "py_1", at: start)
        try await fixture.running {
            #expect(
                try await fixture.found(fixture.reconcile()) == ["missing_in_ledger txn_pay"])
            fixture.stripe.own(
                "undo", "payment_failure_refund", -5_000, fee: -40, source: "py_1",
                at: start + 5 * day)
            for _ in 0..<2 {
                let report = try await fixture.reconcile()
                #expect(try fixture.found(report) == [])
                #expect(report.isClean, "\(report)")
            }
            // Only the failure is in this period.
            let late = try await fixture.reconcile(from: start + 4 * day)
            #expect(try fixture.found(late) == [])
            #expect(try fixture.processor() == [:])
        }
    }

    @Test("a payment that failed after the ledger held it is taken back once, with its fees")
    func failedAfterAll() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("1", 5_000, fee: 40, at: start)
        fixture.stripe.charge("2", 7_000, at: start)
        try await fixture.running {
            try await fixture.deliver()
            try await fixture.reconcile()
            let payable = try fixture.ledger.standing().first { $0.key.hasSuffix(":payable usd") }
            fixture.stripe.own(
                "undo", "payment_failure_refund", -5_000, fee: -40, source: "ch_1",
                at: start + 5 * day)
            fixture.stripe.own(
                "part", "payment_reversal", -3_000, source: "ch_2", at: start + 5 * day)
            let (dry, foreseen) = try await fixture.dryRun()
            #expect(
                Set(foreseen.map { "\($0.found.kind.rawValue) \($0.found.subject)" }) == [
                    "fee_unbooked txn_undo", "fee_unbooked fee:txn_undo", "fee_unbooked txn_part",
                ])
            #expect(dry.currencies.map(\.unexplained) == [0])
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(report.currencies.map(\.booked) == [2])
            #expect(report.currencies.map(\.bookedAmount) == [4_960 + 3_000])
            #expect(try fixture.processor() == fixture.atStripe())
            let after = try fixture.ledger.standing().first { $0.key == payable?.key }?.value ?? 0
            #expect(after == (payable?.value ?? 0) + 8_000)
            #expect(try fixture.ledger.standing()["fees:stripe usd"] == nil)
            let findings = try fixture.store.findings(
                of: report.run, after: .start, limit: 100
            ).findings
            #expect(
                Set(findings.map(\.found.subject)) == [
                    "charge_reversed:ch_1", "charge_reversed:txn_part",
                ])
            let head = try fixture.ledger.posted(after: TransactionID(0), limit: 100).count
            #expect(try await fixture.reconcile().isClean)
            #expect(try fixture.ledger.posted(after: TransactionID(0), limit: 100).count == head)
        }
    }

    @Test("a payment whose event comes after its failure was read is taken back by the next run")
    func failedBeforeItCame() async throws {
        let fixture = try ReconcileFixture()
        let event = fixture.stripe.charge("1", 5_000, fee: 175, at: start)
        fixture.stripe.own("undo", "payment_reversal", -5_000, source: "ch_1", at: start + day)
        try await fixture.running {
            try await fixture.deliver(lost: [event])
            let before = try await fixture.reconcile()
            #expect(
                try fixture.found(before) == [
                    "missing_in_ledger txn_1", "missing_in_ledger txn_undo",
                ])
            try await fixture.deliver()
            let asked = fixture.stripe.asked.count
            // Its period holds neither line, and their bytes were not kept.
            let after = try await fixture.reconcile(from: start + 5 * day)
            #expect(try fixture.found(after) == [])
            #expect(after.isClean, "\(after)")
            #expect(fixture.stripe.asked[asked...].contains("/v1/balance_transactions/txn_undo"))
            #expect(try fixture.processor() == ["usd": -175])
            let broken = try fixture.store.breaks(of: before.run.id, after: 0, limit: 10)
            #expect(broken.map(\.resolvedRun) == [after.run.id, after.run.id])
        }
    }

    @Test("an announced payment that comes after all is taken back by a run that reads it again")
    func announcedAfterAll() async throws {
        let fixture = try ReconcileFixture()
        let event = fixture.stripe.charge("1", 5_000, at: start)
        fixture.stripe.change { $0.lines[0].type = "payment" }
        fixture.stripe.own(
            "undo", "payment_failure_refund", -5_000, source: "ch_1", at: start + day)
        try await fixture.running {
            try await fixture.deliver(lost: [event])
            #expect(try await fixture.found(fixture.reconcile()) == [])
            try await fixture.deliver()
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [])
            #expect(report.isClean, "\(report)")
            #expect(try fixture.processor() == [:])
        }
    }

    @Test("what Stripe wrote since a period's end explains itself, a failed payment too")
    func tail() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("1", 5_000, at: start)
        try await fixture.running {
            try await fixture.deliver()
            fixture.stripe.own(
                "undo", "payment_reversal", -5_000, source: "ch_1", at: start + 5 * day)
            let report = try await fixture.reconcile(to: start + 4 * day)
            #expect(try fixture.found(report) == [])
            #expect(report.currencies.map(\.unexplained) == [0], "\(report.currencies)")
        }
    }
}
