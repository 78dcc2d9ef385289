import AppendLog
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

/// Random lives of payments, told the way Stripe tells them: several events for one movement, in
/// the shapes of several API versions.
private struct HistoryGenerator {
    private var random: SeededGenerator
    private var count = 0
    private(set) var events: [TestJSON] = []
    /// `kind amount currency` of every movement that the events tell of, by key.
    private(set) var expected: [String: String] = [:]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func run(payments: Int) {
        for _ in 0..<payments {
            if chance(0.15) { failPayment() } else { makePayment() }
            if chance(0.2) { makePayout() }
        }
    }

    private mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &random) < probability
    }

    private mutating func newID(_ prefix: String) -> String {
        count += 1
        return "\(prefix)_\(count)"
    }

    private mutating func emit(_ type: String, _ object: TestJSON) {
        let id = newID("evt")
        events.append(
            StripeExample.event(type, object, id: id, created: 1_700_000_000 + Int64(count)))
    }

    private mutating func expect(
        _ kind: PaymentKind, _ key: String, _ amount: Int64, _ currency: String
    ) {
        expected[key] = "\(kind.rawValue) \(amount) \(currency)"
    }

    private mutating func newCharge(_ currency: String, _ amount: Int64) -> (String, TestJSON) {
        let id = newID("ch")
        let charge = StripeExample.capturedCharge.with([
            "id": .string(id), "amount": .int(amount), "amount_captured": .int(amount),
            "currency": .string(currency), "status": "succeeded",
        ])
        return (id, charge)
    }

    private mutating func intent(
        _ charge: TestJSON, _ amount: Int64, received: Int64, _ currency: String
    ) -> TestJSON {
        let intent = StripeExample.paymentIntent.with([
            "id": .string(newID("pi")), "amount": .int(amount), "amount_received": .int(received),
            "currency": .string(currency),
        ])
        return switch Int.random(in: 0..<3, using: &random) {
        case 0: intent.with(["latest_charge": charge["id"]])
        case 1: intent.with(["latest_charge": charge])
        default: intent.with(["latest_charge": nil, "charges": ["data": [charge]]])
        }
    }

    private mutating func failPayment() {
        let amount = Int64.random(in: 1...100_000, using: &random)
        let (id, charge) = newCharge("usd", amount)
        let failed = charge.with([
            "status": "failed", "captured": false, "amount_captured": 0,
            "failure_code": "card_declined",
        ])
        emit("charge.failed", failed)
        if chance(0.7) {
            emit("payment_intent.payment_failed", intent(failed, amount, received: 0, "usd"))
        }
        expect(.paymentFailed, "charge_failed:\(id)", amount, "usd")
    }

    private mutating func makePayment() {
        let currency = ["usd", "eur", "jpy"].randomElement(using: &random) ?? "usd"
        let authorized = Int64.random(in: 10...100_000, using: &random)
        var captured = authorized
        var (id, charge) = newCharge(currency, authorized)
        if chance(0.3) {
            emit("charge.succeeded", charge.with(["captured": false, "amount_captured": 0]))
            captured = chance(0.5) ? authorized : authorized / 2
            charge["amount_captured"] = .int(captured)
            emit("charge.captured", charge)
        } else {
            emit("charge.succeeded", chance(0.2) ? charge.with(["amount_captured": nil]) : charge)
        }
        if chance(0.6) {
            emit(
                "payment_intent.succeeded", intent(charge, authorized, received: captured, currency)
            )
        }
        expect(.payment, "charge:\(id)", captured, currency)
        if chance(0.4) { refund(charge, id, captured, currency) }
        if chance(0.2) { dispute(id, captured, currency) }
    }

    private mutating func refund(
        _ charge: TestJSON, _ chargeID: String, _ captured: Int64, _ currency: String
    ) {
        var listed: [TestJSON] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let id = newID("re")
            let amount = max(1, captured / 4)
            let refund = StripeExample.refund.with([
                "id": .string(id), "charge": .string(chargeID), "amount": .int(amount),
                "currency": .string(currency), "status": "pending",
                "balance_transaction": .string("txn_\(id)"),
            ])
            if chance(0.2) {
                emit(
                    "refund.created",
                    refund.with(["status": "requires_action", "balance_transaction": nil]))
            }
            emit("refund.created", refund)
            expect(.refund, "refund:\(id)", amount, currency)
            var last = refund.with(["status": "succeeded"])
            if chance(0.25) {
                last = refund.with(["status": chance(0.5) ? "failed" : "canceled"])
                emit(chance(0.5) ? "refund.failed" : "refund.updated", last)
                expect(.refundFailed, "refund_failed:\(id)", amount, currency)
            } else if chance(0.5) {
                emit("charge.refund.updated", last)
            }
            listed.insert(last, at: 0)
            let list: TestJSON? = chance(0.5) ? ["data": .array(listed)] : nil
            emit("charge.refunded", charge.with(["refunds": list]))
        }
    }

    private mutating func dispute(_ chargeID: String, _ amount: Int64, _ currency: String) {
        let id = newID("dp")
        let dispute = StripeExample.dispute.with([
            "id": .string(id), "charge": .string(chargeID), "amount": .int(amount),
            "currency": .string(currency), "balance_transactions": [],
        ])
        expect(.disputeOpened, "dispute_opened:\(id)", amount, currency)
        expect(.disputeClosed, "dispute_closed:\(id)", amount, currency)
        if chance(0.3) {
            emit("charge.dispute.created", dispute.with(["status": "warning_needs_response"]))
            emit("charge.dispute.closed", dispute.with(["status": "warning_closed"]))
            return
        }
        emit("charge.dispute.created", dispute.with(["status": "needs_response"]))
        let withdrawal = transaction(-amount, fee: 1500, currency)
        expectFunds(withdrawal, .disputeWithdrawn, amount, currency)
        emit(
            "charge.dispute.funds_withdrawn",
            dispute.with(["status": "needs_response", "balance_transactions": [withdrawal]]))
        var all = [withdrawal]
        if chance(0.5) {
            let back = transaction(amount, fee: chance(0.5) ? -1500 : 0, currency)
            all.append(back)
            expectFunds(back, .disputeReinstated, amount, currency)
            emit(
                "charge.dispute.funds_reinstated",
                dispute.with(["status": "won", "balance_transactions": .array(all)]))
        }
        let status: TestJSON = all.count > 1 ? "won" : "lost"
        emit(
            "charge.dispute.closed",
            dispute.with(["status": status, "balance_transactions": .array(all)]))
    }

    private mutating func transaction(
        _ amount: Int64, fee: Int64, _ currency: String
    ) -> TestJSON {
        StripeExample.balanceTransaction.with([
            "id": .string(newID("txn")), "amount": .int(amount), "fee": .int(fee),
            "currency": .string(currency),
        ])
    }

    private mutating func expectFunds(
        _ transaction: TestJSON, _ kind: PaymentKind, _ amount: Int64, _ currency: String
    ) {
        guard case .string(let id) = transaction["id"] else { return }
        expect(kind, "dispute:\(id)", amount, currency)
    }

    private mutating func makePayout() {
        let id = newID("po")
        let amount = Int64.random(in: 1...1_000_000, using: &random)
        let payout = StripeExample.payout.with([
            "id": .string(id), "amount": .int(amount), "currency": "usd",
        ])
        expect(.payout, "payout:\(id)", amount, "usd")
        emit("payout.created", payout.with(["status": "pending"]))
        if chance(0.4) { emit("payout.updated", payout.with(["status": "in_transit"])) }
        if chance(0.2) {
            let isFailure = chance(0.5)
            emit(
                isFailure ? "payout.failed" : "payout.canceled",
                payout.with(["status": isFailure ? "failed" : "canceled"]))
            expect(.payoutFailed, "payout_failed:\(id)", amount, "usd")
        } else {
            emit("payout.paid", payout.with(["status": "paid"]))
        }
    }

    /// The events shuffled, some of them several times over.
    mutating func delivered() -> [TestJSON] {
        var deliveries = events
        for event in events where chance(0.4) { deliveries.append(event) }
        return deliveries.shuffled(using: &random)
    }

    /// The events without those that a later one about the same object makes superfluous.
    mutating func withoutAnnouncements() -> [TestJSON] {
        let superfluous: Set<TestJSON> = ["payout.created", "payout.updated", "refund.created"]
        return events.filter { !superfluous.contains($0["type"] ?? .null) }
    }
}

@Suite("Histories of events")
struct HistoryTests {
    /// What is known of each movement after these deliveries. A second event of one movement must
    /// agree with the first on kind, amount and currency.
    private func movements(of deliveries: [TestJSON]) throws -> [String: String] {
        let validator = EventValidator(defaultMerchant: MerchantID("shop"))
        var known: [String: String] = [:]
        for event in deliveries {
            let outcome = validator.validate(event.bytes)
            if case .refused(let refusal) = outcome { Issue.record("\(refusal): \(event)") }
            for movement in outcome.movements {
                let facts =
                    "\(movement.kind.rawValue) \(movement.amount.rawValue) "
                    + movement.currency.code
                let earlier = known.updateValue(facts, forKey: movement.movement.rawValue)
                try #require(earlier == nil || earlier == facts, "\(movement.movement)")
            }
        }
        return known
    }

    @Test(
        "any shuffle, duplication and re-delivery yields the same movements",
        arguments: 1...20 as ClosedRange<UInt64>)
    func anyOrder(seed: UInt64) throws {
        var history = HistoryGenerator(seed: seed)
        history.run(payments: 40)
        #expect(try movements(of: history.events) == history.expected)
        for _ in 0..<3 {
            #expect(try movements(of: history.delivered()) == history.expected)
        }
    }

    @Test("each event alone says the same of its movements as all together")
    func eachAlone() throws {
        var history = HistoryGenerator(seed: 77)
        history.run(payments: 40)
        for event in history.events {
            for (key, facts) in try movements(of: [event]) {
                #expect(history.expected[key] == facts)
            }
        }
    }

    @Test("what failed nets to nothing even if its announcement never came")
    func lostAnnouncements() throws {
        var history = HistoryGenerator(seed: 78)
        history.run(payments: 200)
        let known = try movements(of: history.withoutAnnouncements())
        let reversals = known.keys.filter {
            $0.contains("refund_failed:") || $0.contains("payout_failed:")
        }
        #expect(reversals.count > 10)
        for key in reversals {
            #expect(known[key.replacing("_failed:", with: ":")] != nil, "\(key)")
        }
    }
}
