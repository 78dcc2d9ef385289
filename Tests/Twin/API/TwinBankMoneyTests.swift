import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

/// Money that comes from bank accounts or goes back to them: debits, top-ups, payouts below zero.
@Suite("Bank money in the twin")
struct TwinBankMoneyTests {
    private static func caller() throws -> TwinCaller {
        try TwinCaller { $0.payoutSchedule = .manual }
    }

    private static func debit(_ caller: TwinCaller, _ bank: String) -> TestJSON {
        caller.post(
            "/v1/payment_intents",
            "amount=5000&currency=usd&confirm=true&payment_method=\(bank)"
                + "&payment_method_types[]=us_bank_account"
        ).json
    }

    // MARK: Debits

    @Test("a bank debit is pending with its money, and then succeeds")
    func succeeds() throws {
        let caller = try Self.caller()
        let intent = Self.debit(caller, "pm_usBankAccount_success")
        #expect(intent["status"] == "processing")
        let id = intent["latest_charge"]?.text ?? ""
        #expect(id.hasPrefix("py_"))
        let pending = caller.get("/v1/charges/\(id)").json
        #expect(pending["status"] == "pending")
        #expect(pending["paid"] == false)
        #expect(pending["payment_method_details"]?["type"] == "us_bank_account")
        #expect(pending["balance_transaction"]?.text?.hasPrefix("txn_") == true)
        caller.wait(5)
        #expect(caller.get("/v1/charges/\(id)").json["status"] == "succeeded")
        #expect(caller.get("/v1/payment_intents/\(intent.id)").json["amount_received"] == 5_000)
        #expect(
            caller.told.types == [
                "payment_intent.created", "charge.pending", "payment_intent.processing",
                "charge.succeeded", "payment_intent.succeeded",
            ])
        #expect(TwinConnectTests.lines(caller) == ["payment 5000 40"])
    }

    @Test(
        "a debit that comes back takes its money and its fee along",
        arguments: [
            ("pm_usBankAccount_accountClosed", "account_closed"),
            ("pm_usBankAccount_noAccount", "no_account"),
            ("pm_usBankAccount_insufficientFunds", "insufficient_funds"),
            ("pm_usBankAccount_debitNotAuthorized", "debit_not_authorized"),
        ])
    func fails(bank: String, code: String) throws {
        let caller = try Self.caller()
        let intent = Self.debit(caller, bank)
        caller.wait(5)
        let charge = caller.get("/v1/charges/\(intent["latest_charge"]?.text ?? "")").json
        #expect(charge["status"] == "failed")
        #expect(charge["failure_code"]?.text == code)
        let line = charge["failure_balance_transaction"]?.text ?? ""
        #expect(
            caller.get("/v1/balance_transactions/\(line)").json["type"] == "payment_failure_refund")
        #expect(caller.told.types.suffix(2) == ["charge.failed", "payment_intent.payment_failed"])
        #expect(caller.balance() == [:])
        let after = caller.get("/v1/payment_intents/\(intent.id)").json
        #expect(after["status"] == "requires_payment_method")
        #expect(after["last_payment_error"]?["decline_code"]?.text == code)
        #expect(caller.post("/v1/refunds", "charge=\(charge.id)").status == 400)
    }

    @Test("the bank may send it back after it was called succeeded, once")
    func failsLate() throws {
        let caller = try Self.caller()
        let charge = Self.debit(caller, "pm_usBankAccount")["latest_charge"]?.text ?? ""
        caller.wait(86_400)
        #expect(caller.balance() == ["usd": 4_960])
        #expect(caller.post("/twin/charges/\(charge)/fail").status == 200)
        #expect(caller.post("/twin/charges/\(charge)/fail").status == 400)
        #expect(
            TwinConnectTests.lines(caller) == [
                "payment 5000 40", "payment_failure_refund -5000 -40",
            ])
        #expect(caller.list("/v1/balance_transactions", "source=\(charge)").count == 2)
    }

    @Test("a debit that stays pending waits for the control")
    func waits() throws {
        let caller = try Self.caller()
        let charge = Self.debit(caller, "pm_usBankAccount_processing")["latest_charge"]?.text ?? ""
        caller.wait(30 * 86_400)
        #expect(caller.get("/v1/charges/\(charge)").json["status"] == "pending")
        #expect(caller.post("/twin/charges/\(charge)/succeed").json["status"] == "succeeded")
        let card = caller.pay(1_000).json["latest_charge"]?.text ?? ""
        #expect(caller.post("/twin/charges/\(card)/fail").status == 400)
    }

    @Test("a bank holds no money for a later capture: that is refused wherever it is asked for")
    func noManualCapture() throws {
        let caller = try Self.caller()
        let bank = "payment_method=pm_usBankAccount&payment_method_types[]=us_bank_account"
        let form = "amount=5000&currency=usd&\(bank)"
        for confirm in ["", "&confirm=true"] {
            let refused = caller.post(
                "/v1/payment_intents", form + "&capture_method=manual" + confirm)
            #expect(refused.status == 400)
            #expect(refused.json["error"]?["param"] == "capture_method")
        }
        #expect(caller.get("/v1/payment_intents").json["data"].list.isEmpty)
        let held = caller.post(
            "/v1/payment_intents", "amount=5000&currency=usd&capture_method=manual").json
        let path = "/v1/payment_intents/\(held.id)"
        #expect(caller.post(path, bank).status == 400)
        #expect(caller.post("\(path)/confirm", bank).status == 400)
        #expect(caller.get(path).json["payment_method"] == .null)
        #expect(caller.post("\(path)/confirm", "payment_method=pm_card_visa").status == 200)
        let later = caller.post("/v1/payment_intents", form).json
        #expect(caller.post("/v1/payment_intents/\(later.id)", "capture_method=manual").status == 400)
        #expect(caller.told.types.filter { $0.hasPrefix("charge.") } == ["charge.succeeded"])
    }

    @Test("bank accounts are payment methods by their test numbers, and no others")
    func methods() throws {
        let caller = try Self.caller()
        let form = "type=us_bank_account&us_bank_account[routing_number]=110000000"
        let method = caller.post(
            "/v1/payment_methods", form + "&us_bank_account[account_number]=000222222227"
        ).json
        #expect(method["type"] == "us_bank_account")
        #expect(method["us_bank_account"]?["last4"] == "2227")
        #expect(caller.post("/v1/payment_methods", form).status == 400)
        #expect(
            caller.post("/v1/payment_methods", form + "&us_bank_account[account_number]=1").status
                == 400)
    }

    // MARK: Top-ups

    @Test("a top-up arrives, and the bank may take it back")
    func topUp() throws {
        let caller = try Self.caller()
        let topUp = caller.post("/v1/topups", "amount=5000&currency=usd&description=More").json
        #expect(topUp["status"] == "pending")
        #expect(caller.balance() == [:])
        caller.wait(5)
        #expect(caller.get("/v1/topups/\(topUp.id)").json["status"] == "succeeded")
        #expect(caller.balance() == ["usd": 5_000])
        #expect(caller.post("/twin/topups/\(topUp.id)/reverse").json["status"] == "reversed")
        #expect(caller.told.types == ["topup.created", "topup.succeeded", "topup.reversed"])
        #expect(TwinConnectTests.lines(caller) == ["topup 5000 0", "topup_reversal -5000 0"])
        #expect(caller.list("/v1/topups", "status=reversed&amount[gte]=5000").count == 1)
        #expect(caller.list("/v1/balance_transactions", "source=\(topUp.id)").count == 2)
    }

    @Test("a top-up that fails or is canceled in time moves nothing")
    func noTopUp() throws {
        let caller = try Self.caller()
        let first = caller.post("/v1/topups", "amount=5000&currency=usd").json.id
        #expect(caller.post("/v1/topups/\(first)/cancel").json["status"] == "canceled")
        let second = caller.post("/v1/topups", "amount=5000&currency=usd").json.id
        let failed = caller.post("/twin/topups/\(second)/fail", "failure_code=account_closed").json
        #expect(failed["failure_code"] == "account_closed")
        caller.wait(60)
        #expect(caller.post("/v1/topups/\(first)/cancel").status == 400)
        #expect(caller.post("/twin/topups/\(second)/succeed").status == 400)
        #expect(caller.balance() == [:])
        #expect(caller.told.types.suffix(1) == ["topup.failed"])
    }

    // MARK: Payouts

    @Test("a payout that was paid is brought back by a payout below zero")
    func reversed() throws {
        let caller = try Self.caller()
        _ = caller.pay(10_000, card: "pm_card_bypassPending")
        let payout = caller.post("/v1/payouts", "amount=9000&currency=usd").json.id
        #expect(caller.post("/v1/payouts/\(payout)/reverse").status == 400)
        caller.wait(3 * 86_400)
        caller.told.removeAll()
        let back = caller.post("/v1/payouts/\(payout)/reverse", "metadata[why]=x").json
        #expect(back["amount"] == -9_000)
        #expect(back["original_payout"]?.text == payout)
        #expect(caller.get("/v1/payouts/\(payout)").json["reversed_by"]?.text == back.id)
        #expect(caller.told.types == ["payout.created", "payout.updated"])
        #expect(TwinConnectTests.lines(caller).suffix(2) == ["payout -9000 0", "payout 9000 0"])
        #expect(caller.post("/v1/payouts/\(payout)/reverse").status == 400)
        caller.wait(3 * 86_400)
        #expect(caller.get("/v1/payouts/\(back.id)").json["status"] == "paid")
    }

    @Test("Stripe takes what the balance lacks from the bank, and the bank may refuse")
    func debited() throws {
        let caller = try Self.caller()
        #expect(caller.post("/twin/payouts/debit", "currency=usd").status == 400)
        let charge = caller.pay(10_000, card: "pm_card_bypassPending").json["latest_charge"]
        _ = caller.post("/v1/payouts", "amount=9680&currency=usd")
        _ = caller.post("/v1/refunds", "charge=\(charge?.text ?? "")")
        #expect(caller.balance() == ["usd": -10_000])
        let debit = caller.post("/twin/payouts/debit", "currency=usd").json
        #expect(debit["amount"] == -10_000)
        #expect(caller.balance() == [:])
        #expect(caller.post("/twin/payouts/\(debit.id)/failed").json["status"] == "failed")
        #expect(caller.balance() == ["usd": -10_000])
    }

    // MARK: Captures

    @Test("multicapture takes a payment in parts, each with its own line, where it was asked for")
    func multicapture() throws {
        let caller = try Self.caller()
        let form =
            "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true"
            + "&capture_method=manual"
        let plain = caller.post("/v1/payment_intents", form).json.id
        let part = "amount_to_capture=300&final_capture=false"
        let refused = caller.post("/v1/payment_intents/\(plain)/capture", part)
        #expect(refused.json["error"]?["param"] == "final_capture")
        let intent = caller.post(
            "/v1/payment_intents",
            form + "&payment_method_options[card][request_multicapture]=if_available"
        ).json.id
        caller.told.removeAll()
        let first = caller.post("/v1/payment_intents/\(intent)/capture", part).json
        #expect(first["status"] == "requires_capture")
        #expect(first["amount_capturable"] == 700)
        let second = caller.post("/v1/payment_intents/\(intent)/capture").json
        #expect(second["amount_received"] == 1_000)
        #expect(
            caller.told.types == [
                "charge.captured", "payment_intent.amount_capturable_updated", "charge.captured",
                "payment_intent.succeeded",
            ])
        let charge = second["latest_charge"]?.text ?? ""
        #expect(caller.get("/v1/charges/\(charge)").json["amount_captured"] == 1_000)
        #expect(caller.list("/v1/balance_transactions", "source=\(charge)").count == 2)
    }

    @Test("what was captured stays when the rest is canceled")
    func canceledRest() throws {
        let caller = try Self.caller()
        let intent = caller.post(
            "/v1/payment_intents",
            "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true"
                + "&capture_method=manual"
                + "&payment_method_options[card][request_multicapture]=if_available"
        ).json.id
        _ = caller.post(
            "/v1/payment_intents/\(intent)/capture", "amount_to_capture=400&final_capture=false")
        let after = caller.post("/v1/payment_intents/\(intent)/cancel").json
        #expect(after["status"] == "succeeded")
        #expect(after["amount_received"] == 400)
        #expect(TwinConnectTests.lines(caller) == ["charge 400 42"])
    }

    @Test("overcapture takes a fifth more, where it was asked for")
    func overcapture() throws {
        let caller = try Self.caller()
        let intent = caller.post(
            "/v1/payment_intents",
            "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true"
                + "&capture_method=manual"
                + "&payment_method_options[card][request_overcapture]=if_available"
        ).json.id
        let path = "/v1/payment_intents/\(intent)/capture"
        #expect(
            caller.post(path, "amount_to_capture=1201").json["error"]?["code"] == "amount_too_large"
        )
        let paid = caller.post(path, "amount_to_capture=1200").json
        #expect(paid["amount_received"] == 1_200)
        #expect(TwinConnectTests.lines(caller) == ["charge 1200 65"])
    }
}
