import Testing
import TwinSupport

@testable import Appliance
@testable import Traffic
@testable import Twin
@testable import Vocabulary

/// Random histories, and what must hold in each of them at every moment.
@Suite("Any history of the twin")
struct TwinPropertyTests {
    @Test("the balance is the sum of the balance transactions at every moment", arguments: 1...6)
    func balance(seed: Int) throws {
        var history = try RandomHistory(seed: UInt64(seed))
        for step in 0..<150 {
            history.step()
            if step.isMultiple(of: 10) {
                let sum = history.caller.sumOfTransactions()
                #expect(history.caller.balance() == sum, "step \(step)")
            }
        }
    }

    @Test("the validator understands every event, and finds the twin's movements", arguments: 1...6)
    func movements(seed: Int) throws {
        var history = try RandomHistory(seed: UInt64(100 + seed))
        for _ in 0..<200 { history.step() }
        let told = try ToldMovements(history.caller.told.events)
        #expect(told.refusals.isEmpty)
        let booked = history.caller.twin.read { Self.bookedMovements(in: $0) } ?? [:]
        #expect(booked.count > 80)
        for (key, amount) in booked {
            #expect(told.amounts[key] == amount, "\(key)")
        }
        #expect(Set(told.amounts.keys) == Set(booked.keys))
        // What was told of money, less the fees of payments, is the balance.
        var expected = told.processor
        let charges = history.caller.pages(
            "/v1/balance_transactions", "type=charge", limit: 100)
        for row in charges.joined() {
            expected[row["currency"]?.text ?? "", default: 0] -= row["fee"]?.integer ?? 0
        }
        #expect(expected.filter { $0.value != 0 } == history.caller.balance())
    }

    /// By the rules of docs/CONTRACTS.md: what the books hold, as movements with their amounts.
    private static func bookedMovements(in books: TwinBooks) -> [String: Int64] {
        var movements: [String: Int64] = [:]
        for place in 0..<books.charges.count {
            let charge = books.charges[Ref(place)]
            let id = books.id(Ref<TwinCharge>(place))
            if charge.failure != nil { movements["charge_failed:\(id)"] = charge.amount }
            if charge.isCaptured { movements["charge:\(id)"] = charge.amountCaptured }
        }
        for place in 0..<books.refunds.count {
            let refund = books.refunds[Ref(place)]
            // A release moves nothing.
            if refund.isRelease { continue }
            let id = books.id(Ref<TwinRefund>(place))
            movements["refund:\(id)"] = refund.amount
            if refund.failureTransaction != nil { movements["refund_failed:\(id)"] = refund.amount }
        }
        for place in 0..<books.disputes.count {
            let dispute = books.disputes[Ref(place)]
            let id = books.id(Ref<TwinDispute>(place))
            movements["dispute_opened:\(id)"] = dispute.amount
            if dispute.status.isClosed { movements["dispute_closed:\(id)"] = dispute.amount }
            for transaction in dispute.transactions {
                movements["dispute:\(books.id(transaction))"] =
                    abs(books.transactions[transaction].amount)
            }
        }
        for place in 0..<books.payouts.count {
            let payout = books.payouts[Ref(place)]
            let id = books.id(Ref<TwinPayout>(place))
            movements["payout:\(id)"] = payout.amount
            if payout.failureTransaction != nil { movements["payout_failed:\(id)"] = payout.amount }
        }
        return movements
    }
}

/// What a ledger learns from events: each movement once.
private struct ToldMovements {
    var amounts: [String: Int64] = [:]
    /// What `processor:stripe` comes to by currency.
    var processor: [String: Int64] = [:]
    var refusals: [String] = []

    init(_ events: [TwinEvent]) throws {
        let validator = EventValidator(defaultMerchant: MerchantID("shop"))
        for event in events {
            switch validator.validate(event.body) {
            case .movements(let movements, _):
                for movement in movements where !movement.kind.isNote { note(movement) }
            case .ignored: break
            case .refused(let refusal): refusals.append("\(event.type): \(refusal)")
            }
        }
    }

    private mutating func note(_ movement: PaymentEvent) {
        let amount = movement.amount.rawValue
        let known = amounts.updateValue(amount, forKey: movement.movement.rawValue)
        guard known == nil else {
            #expect(known == amount, "\(movement.movement) was told differently")
            return
        }
        let change: Int64 =
            switch movement.kind {
            case .payment, .refundFailed, .payoutFailed: amount
            case .refund, .payout: -amount
            case .disputeWithdrawn: -amount - movement.fee.rawValue
            case .disputeReinstated: amount - movement.fee.rawValue
            default: 0
            }
        processor[movement.currency.code, default: 0] += change
    }
}

/// Calls at random, whatever they come to.
private struct RandomHistory {
    let caller: TwinCaller
    private var random: TwinRandom

    init(seed: UInt64) throws {
        caller = try TwinCaller { $0.seed = seed }
        random = TwinRandom(seed: seed)
    }

    mutating func step() {
        switch random.index(below: 12) {
        case 0...3: pay()
        case 4: captureOrCancel()
        case 5, 6: refund()
        case 7: dispute()
        case 8: decide()
        case 9: settle()
        case 10: caller.wait(random.integer(1...(86_400 * 2)))
        default: payOut()
        }
    }

    private mutating func pick(_ path: String) -> TestJSON? {
        let list = caller.get("/v1/\(path)", "limit=20").json["data"].list
        return list.isEmpty ? nil : list[random.index(below: list.count)]
    }

    private mutating func pay() {
        let currency = ["usd", "eur", "jpy", "kwd", "isk", "ugx"][random.index(below: 6)]
        let card = [
            "pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined",
            "pm_card_createDispute", "pm_card_createDisputeInquiry", "pm_card_refundFail",
            "pm_card_pendingRefund", "pm_card_bypassPending", "pm_card_authenticationRequired",
        ][random.index(below: 10)]
        let method = ["automatic", "automatic_async", "manual"][random.index(below: 3)]
        let amount = random.integer(1...2_000) * 100
        _ = caller.post(
            "/v1/payment_intents",
            "amount=\(amount)&currency=\(currency)&payment_method=\(card)&confirm=true"
                + "&capture_method=\(method)")
    }

    private mutating func captureOrCancel() {
        guard let intent = pick("payment_intents") else { return }
        if intent["status"] == "requires_action" {
            _ = caller.post("/twin/payment_intents/\(intent.id)/authenticate")
        } else if random.chance(0.7) {
            let part = (intent["amount"]?.integer ?? 0) / 200 * 100
            _ = caller.post(
                "/v1/payment_intents/\(intent.id)/capture",
                random.chance(0.5) && part > 0 ? "amount_to_capture=\(part)" : "")
        } else {
            _ = caller.post("/v1/payment_intents/\(intent.id)/cancel")
        }
    }

    private mutating func refund() {
        guard let charge = pick("charges") else { return }
        let part = (charge["amount"]?.integer ?? 0) / 300 * 100
        _ = caller.post(
            "/v1/refunds",
            "charge=\(charge.id)" + (random.chance(0.6) && part > 0 ? "&amount=\(part)" : ""))
    }

    private mutating func dispute() {
        guard let charge = pick("charges") else { return }
        _ = caller.post(
            "/twin/disputes", "charge=\(charge.id)&inquiry=\(random.chance(0.3))")
    }

    private mutating func decide() {
        guard let dispute = pick("disputes") else { return }
        let isWarning = dispute["status"]?.text?.hasPrefix("warning") == true
        switch (isWarning, random.index(below: 3)) {
        case (true, 0): _ = caller.post("/twin/disputes/\(dispute.id)/escalate")
        case (true, _):
            _ = caller.post("/twin/disputes/\(dispute.id)/close", "status=warning_closed")
        case (false, 0): _ = caller.post("/twin/disputes/\(dispute.id)/close", "status=lost")
        case (false, 1):
            _ = caller.post(
                "/twin/disputes/\(dispute.id)/close", "status=won&reinstated=100&returns_fee=true")
        default: _ = caller.post("/twin/disputes/\(dispute.id)/close", "status=won")
        }
    }

    private mutating func settle() {
        if random.chance(0.5), let refund = pick("refunds") {
            let act = ["succeed", "fail"][random.index(below: 2)]
            _ = caller.post("/twin/refunds/\(refund.id)/\(act)")
        } else if let payout = pick("payouts") {
            let act = ["paid", "failed", "canceled"][random.index(below: 3)]
            _ = caller.post("/twin/payouts/\(payout.id)/\(act)")
        }
    }

    private mutating func payOut() {
        let amount = random.integer(1...50) * 100
        _ = caller.post("/v1/payouts", "amount=\(amount)&currency=usd")
    }
}
