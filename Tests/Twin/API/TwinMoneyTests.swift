import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("The twin's money")
struct TwinMoneyTests {
    @Test(
        "a payment's fee is 2.9 % rounded half up and the fixed part, in what settles",
        arguments: [
            (2_000 as Int64, "usd", 88 as Int64), (50, "usd", 31), (1_050, "usd", 60),
            (1_017, "usd", 59), (99_999_999, "usd", 2_900_030), (4_800, "jpy", 169),
            (11_000, "kwd", 350), (10_000, "isk", 400), (500_000, "ugx", 14_600),
        ])
    func fees(amount: Int64, currency: String, fee: Int64) throws {
        let caller = try TwinCaller()
        #expect(caller.pay(amount, currency).status == 200)
        let row = caller.get("/v1/balance_transactions").json["data"].list[0]
        #expect(row["fee"]?.integer == fee)
        #expect(row["net"]?.integer == amount - fee)
        #expect(row["fee_details"].list[0]["amount"]?.integer == fee)
        #expect(row["currency"]?.text == currency)
    }

    @Test(
        "amounts that Stripe cannot charge are refused",
        arguments: [
            (1_001 as Int64, "kwd", "parameter_invalid_integer"),
            (10_050, "isk", "parameter_invalid_integer"),
            (10_050, "ugx", "parameter_invalid_integer"), (49, "usd", "amount_too_small"),
            (0, "usd", "parameter_invalid_integer"), (100_000_000, "usd", "amount_too_large"),
        ])
    func amounts(amount: Int64, currency: String, code: String) throws {
        let answer = try TwinCaller().pay(amount, currency)
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["code"]?.text == code)
        #expect(answer.json["error"]?["param"] == "amount")
    }

    @Test("a partial capture books what was captured, once")
    func partialCapture() throws {
        let caller = try TwinCaller()
        let intent = caller.authorise(1_000, "usd").json
        #expect(intent["status"] == "requires_capture")
        #expect(intent["amount_capturable"]?.integer == 1_000)
        #expect(caller.balance().isEmpty)
        let path = "/v1/payment_intents/\(intent.id)/capture"
        let tooMuch = caller.post(path, "amount_to_capture=1001").json
        #expect(tooMuch["error"]?["code"] == "amount_too_large")
        let captured = caller.post(path, "amount_to_capture=700").json
        #expect(captured["status"] == "succeeded")
        #expect(captured["amount_received"]?.integer == 700)
        #expect(caller.balance() == ["usd": 700 - 50])
        #expect(caller.post(path).json["error"]?["code"] == "payment_intent_unexpected_state")
        #expect(
            caller.told.types == [
                "payment_intent.created", "charge.succeeded",
                "payment_intent.amount_capturable_updated", "charge.captured",
                "payment_intent.succeeded",
            ])
    }

    @Test("canceling an authorisation moves nothing")
    func cancel() throws {
        let caller = try TwinCaller()
        let intent = caller.authorise(1_000, "usd").json
        let canceled = caller.post(
            "/v1/payment_intents/\(intent.id)/cancel", "cancellation_reason=duplicate").json
        #expect(canceled["status"] == "canceled")
        #expect(caller.get("/v1/balance_transactions").json["data"].list.isEmpty)
    }

    @Test("refunds stop at what is left, and a failed one gives its part back")
    func refunds() throws {
        let caller = try TwinCaller()
        let intent = caller.pay(1_000, card: "pm_card_refundFail").json
        let refund = caller.post("/v1/refunds", "payment_intent=\(intent.id)&amount=600").json
        #expect(refund["status"] == "succeeded")
        let more = caller.post("/v1/refunds", "payment_intent=\(intent.id)&amount=401")
        #expect(more.json["error"]?["code"] == "amount_too_large")
        #expect(caller.post("/v1/refunds", "payment_intent=\(intent.id)").status == 200)
        let none = caller.post("/v1/refunds", "payment_intent=\(intent.id)")
        #expect(none.json["error"]?["code"] == "charge_already_refunded")
        caller.wait(10)
        let failed = caller.get("/v1/refunds/\(refund.id)").json
        #expect(failed["status"] == "failed")
        #expect(failed["failure_balance_transaction"]?.text?.hasPrefix("txn_") == true)
        #expect(caller.balance() == ["usd": 1_000 - 59])
        #expect(caller.told.types.suffix(3) == [
            "refund.failed", "refund.updated", "charge.refund.updated",
        ])
    }

    @Test("a won dispute gives back what the bank says, a lost one nothing; inquiries take none")
    func disputes() throws {
        let caller = try TwinCaller()
        _ = caller.pay(1_000, card: "pm_card_createDispute")
        _ = caller.pay(1_000, card: "pm_card_createDisputeProductNotReceived")
        _ = caller.pay(1_000, card: "pm_card_createDisputeInquiry")
        let disputes = caller.get("/v1/disputes").json["data"].list
        #expect(disputes.compactMap { $0["status"]?.text } == [
            "warning_needs_response", "needs_response", "needs_response",
        ])
        let fees = 3 * 59 as Int64
        #expect(caller.balance() == ["usd": 3_000 - fees - 2 * 2_500])
        let won = caller.post(
            "/twin/disputes/\(disputes[2].id)/close", "status=won&reinstated=900&returns_fee=true"
        ).json
        let nets = won["balance_transactions"].list.compactMap { $0["net"]?.integer }
        #expect(nets == [-2_500, 2_400])
        let evidence = caller.post(
            "/v1/disputes/\(disputes[1].id)",
            "evidence[uncategorized_text]=losing_evidence&submit=true"
        ).json
        #expect(evidence["status"] == "under_review")
        caller.wait(10)
        #expect(caller.get("/v1/disputes/\(disputes[1].id)").json["status"] == "lost")
        caller.wait(121 * 86_400)
        #expect(caller.get("/v1/disputes/\(disputes[0].id)").json["status"] == "warning_closed")
        #expect(caller.balance() == caller.sumOfTransactions())
    }

    @Test("a dispute that nobody answers is lost at its deadline")
    func deadline() throws {
        let caller = try TwinCaller()
        _ = caller.pay(1_000, card: "pm_card_createDispute")
        let dispute = caller.get("/v1/disputes").json["data"].list[0]
        let due = dispute["evidence_details"]?["due_by"]?.integer ?? 0
        caller.wait(due - caller.now - 1)
        #expect(caller.get("/v1/disputes/\(dispute.id)").json["status"] == "needs_response")
        caller.wait(1)
        #expect(caller.get("/v1/disputes/\(dispute.id)").json["status"] == "lost")
    }

    @Test("a payout by hand takes no more than is available, and a failed one comes back")
    func payouts() throws {
        let caller = try TwinCaller { $0.payoutSchedule = .manual }
        _ = caller.pay(10_000)
        let early = caller.post("/v1/payouts", "amount=5000&currency=usd")
        #expect(early.json["error"]?["code"] == "balance_insufficient")
        caller.wait(3 * 86_400)
        let payout = caller.post("/v1/payouts", "amount=5000&currency=usd").json
        #expect(payout["status"] == "pending")
        #expect(caller.balance() == ["usd": 10_000 - 320 - 5_000])
        caller.wait(3 * 86_400)
        #expect(caller.get("/v1/payouts/\(payout.id)").json["status"] == "paid")
        let failed = caller.post("/twin/payouts/\(payout.id)/failed").json
        #expect(failed["status"] == "failed")
        #expect(caller.balance() == ["usd": 10_000 - 320])
        let history = caller.get("/v1/balance_transactions", "payout=\(payout.id)")
        #expect(history.json["error"]?["param"] == "payout")
    }

    @Test("3-D Secure waits for the customer, who may fail it or pass it")
    func authentication() throws {
        let caller = try TwinCaller()
        let intent = caller.pay(1_000, card: "pm_card_authenticationRequired").json
        #expect(intent["status"] == "requires_action")
        let path = "/twin/payment_intents/\(intent.id)/authenticate"
        let failed = caller.post(path, "outcome=failed").json
        #expect(failed["status"] == "requires_payment_method")
        let error = failed["last_payment_error"]
        #expect(error?["code"] == "payment_intent_authentication_failure")
        _ = caller.post(
            "/v1/payment_intents/\(intent.id)/confirm",
            "payment_method=pm_card_authenticationRequired")
        #expect(caller.post(path).json["status"] == "succeeded")
        #expect(caller.balance() == ["usd": 1_000 - 59])
    }
}
