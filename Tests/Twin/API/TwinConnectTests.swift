import TestSupport
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("Connect in the twin")
struct TwinConnectTests {
    static let seller = "acct_1SellerOfTheTests"

    static func platform() throws -> TwinCaller {
        try TwinCaller {
            $0.connectedAccounts = [seller]
            $0.payoutSchedule = .manual
        }
    }

    /// `type amount fee` of an account's balance transactions, oldest first.
    static func lines(_ caller: TwinCaller, _ account: String? = nil) -> [String] {
        caller.list("/v1/balance_transactions", "limit=100", account: account).reversed().map {
            "\($0["type"]?.text ?? "") \($0["amount"]?.integer ?? 0) \($0["fee"]?.integer ?? 0)"
        }
    }

    /// A payment of 10,000 whose money goes to the seller, with a fee of 1,000.
    static func destinationPayment(_ caller: TwinCaller, _ more: String = "") -> TestJSON {
        caller.pay(
            10_000, "usd",
            "transfer_data[destination]=\(seller)&application_fee_amount=1000&\(more)"
        ).json
    }

    // MARK: Flows

    @Test("a destination payment is charge, transfer, the seller's payment and the platform's fee")
    func destination() throws {
        let caller = try Self.platform()
        let intent = Self.destinationPayment(caller)
        #expect(intent["application_fee_amount"]?.integer == 1_000)
        #expect(intent["transfer_data"]?["destination"]?.text == Self.seller)
        let charge = caller.get("/v1/charges/\(intent["latest_charge"]?.text ?? "")").json
        let transfer = caller.get("/v1/transfers/\(charge["transfer"]?.text ?? "")").json
        #expect(transfer["amount"]?.integer == 10_000)
        #expect(transfer["source_transaction"]?.text == charge.id)
        #expect(transfer["transfer_group"]?.text == "group_\(intent.id)")
        let payment = caller.get(
            "/v1/charges/\(transfer["destination_payment"]?.text ?? "")", account: Self.seller
        ).json
        #expect(payment.id.hasPrefix("py_"))
        #expect(payment["source_transfer"]?.text == transfer.id)
        #expect(payment["application_fee"] == charge["application_fee"])
        let fee = caller.get("/v1/application_fees/\(charge["application_fee"]?.text ?? "")").json
        #expect(fee["amount"]?.integer == 1_000)
        #expect(fee["charge"]?.text == payment.id)
        #expect(fee["originating_transaction"]?.text == charge.id)
        #expect(fee["account"]?.text == Self.seller)
        #expect(
            Self.lines(caller) == [
                "charge 10000 320", "transfer -10000 0", "application_fee 1000 0",
            ])
        #expect(Self.lines(caller, Self.seller) == ["payment 10000 1000"])
        #expect(caller.balance() == ["usd": 680])
        #expect(caller.balance(Self.seller) == ["usd": 9_000])
    }

    @Test("each side is told of its own part, and the seller's events name its account")
    func told() throws {
        let caller = try Self.platform()
        _ = Self.destinationPayment(caller)
        let events = caller.told.events
        #expect(
            events.filter { $0.account == nil }.map(\.type) == [
                "payment_intent.created", "charge.succeeded", "payment_intent.succeeded",
                "transfer.created", "application_fee.created",
            ])
        #expect(events.filter { $0.account != nil }.map(\.type) == ["payment.created"])
        let event = try #require(events.first { $0.account != nil })
        let body = TwinCaller.parse(event.body)
        #expect(body["account"]?.text == Self.seller)
        #expect(body["data"]?["object"]?["balance_transaction"]?.text?.hasPrefix("txn_") == true)
        #expect(caller.list("/v1/events", account: Self.seller).count == 1)
        #expect(caller.list("/v1/events").count == 5)
    }

    @Test("transfer_data[amount] is what the seller gets, and the rest stays")
    func share() throws {
        let caller = try Self.platform()
        _ = caller.pay(
            10_000, "usd", "transfer_data[destination]=\(Self.seller)&transfer_data[amount]=8000")
        #expect(Self.lines(caller) == ["charge 10000 320", "transfer -8000 0"])
        #expect(Self.lines(caller, Self.seller) == ["payment 8000 0"])
    }

    @Test("a direct charge pays the platform's fee out of itself")
    func direct() throws {
        let caller = try Self.platform()
        let intent = caller.post(
            "/v1/payment_intents",
            "amount=10000&currency=usd&payment_method=pm_card_visa&confirm=true"
                + "&application_fee_amount=500&capture_method=automatic",
            account: Self.seller
        ).json
        let id = intent["latest_charge"]?.text ?? ""
        let charge = caller.get("/v1/charges/\(id)", account: Self.seller).json
        #expect(Self.lines(caller, Self.seller) == ["charge 10000 820"])
        #expect(Self.lines(caller) == ["application_fee 500 0"])
        let line = caller.list("/v1/balance_transactions", account: Self.seller)[0]
        #expect(
            line["fee_details"].list.map { $0["type"]?.text } == ["application_fee", "stripe_fee"])
        let fee = caller.list("/v1/application_fees", "charge=\(charge.id)")[0]
        #expect(charge["application_fee"]?.text == fee.id)
        #expect(fee["account"]?.text == Self.seller)
    }

    @Test("transfers of one's own pass a charge's money on, once")
    func separate() throws {
        let caller = try Self.platform()
        let charge = caller.pay(10_000).json["latest_charge"]?.text ?? ""
        let form = "currency=usd&destination=\(Self.seller)&source_transaction=\(charge)"
        let transfer = caller.post("/v1/transfers", form + "&amount=6000&transfer_group=A").json
        #expect(transfer["transfer_group"]?.text == "A")
        #expect(caller.post("/v1/transfers", form + "&amount=4001").status == 400)
        #expect(caller.post("/v1/transfers", form + "&amount=4000").status == 200)
        #expect(caller.list("/v1/transfers", "transfer_group=A").count == 1)
        #expect(caller.balance(Self.seller) == ["usd": 10_000])
        // The transfer's money waits as long as its charge's.
        let seller = caller.get("/v1/balance", account: Self.seller).json
        #expect(seller["pending"].list[0]["amount"]?.integer == 10_000)
    }

    @Test("a transfer without a charge needs the money to be available")
    func available() throws {
        let caller = try Self.platform()
        let form = "amount=1000&currency=usd&destination=\(Self.seller)"
        let refused = caller.post("/v1/transfers", form)
        #expect(refused.json["error"]?["code"]?.text == "balance_insufficient")
        _ = caller.pay(5_000, card: "pm_card_bypassPending")
        #expect(caller.post("/v1/transfers", form).status == 200)
        #expect(caller.balance(Self.seller) == ["usd": 1_000])
    }

    // MARK: The way back

    @Test("a refund takes its share of the transfer and of the fee along, if it is asked to")
    func refund() throws {
        let caller = try Self.platform()
        let charge = Self.destinationPayment(caller)["latest_charge"]?.text ?? ""
        caller.told.removeAll()
        let refund = caller.post(
            "/v1/refunds",
            "charge=\(charge)&amount=2500&reverse_transfer=true&refund_application_fee=true"
        ).json
        let reversal = refund["transfer_reversal"]?.text ?? ""
        #expect(reversal.hasPrefix("trr_"))
        #expect(
            Self.lines(caller).suffix(3) == [
                "application_fee_refund -250 0", "refund -2500 0", "transfer_refund 2500 0",
            ])
        #expect(
            Self.lines(caller, Self.seller).suffix(2).sorted() == [
                "adjustment 250 0", "payment_refund -2500 0",
            ])
        #expect(caller.balance(Self.seller) == ["usd": 9_000 - 2_500 + 250])
        #expect(caller.balance() == ["usd": 680 - 250])
        let types = caller.told.events.map { "\($0.type)\($0.account == nil ? "" : " seller")" }
        #expect(types.contains("transfer.reversed"))
        #expect(types.contains("application_fee.refunded"))
        #expect(types.contains("charge.refunded seller"))
        let sellers = caller.list("/v1/refunds", account: Self.seller)
        #expect(sellers.map { $0["source_transfer_reversal"]?.text } == [reversal])
        #expect(sellers[0].id.hasPrefix("pyr_"))
        // Without being asked to, neither moves.
        _ = caller.post("/v1/refunds", "charge=\(charge)&amount=1000")
        #expect(Self.lines(caller).last == "refund -1000 0")
    }

    @Test("a direct charge's refund returns the platform's fee in its own line")
    func directRefund() throws {
        let caller = try Self.platform()
        let intent = caller.post(
            "/v1/payment_intents",
            "amount=10000&currency=usd&payment_method=pm_card_visa&confirm=true"
                + "&application_fee_amount=500&capture_method=automatic",
            account: Self.seller
        ).json
        _ = caller.post(
            "/v1/refunds", "payment_intent=\(intent.id)&refund_application_fee=true",
            account: Self.seller)
        #expect(Self.lines(caller, Self.seller).last == "refund -10000 -500")
        #expect(Self.lines(caller) == ["application_fee 500 0", "application_fee_refund -500 0"])
        #expect(caller.balance() == [:])
        #expect(caller.balance(Self.seller) == ["usd": -320])
        let fee = caller.list("/v1/application_fees")[0]
        #expect(fee["refunded"] == true)
        #expect(caller.post("/v1/application_fees/\(fee.id)/refunds").status == 400)
    }

    @Test("reversals and fee refunds of their own go as far as there is something left")
    func reversals() throws {
        let caller = try Self.platform()
        _ = Self.destinationPayment(caller)
        let transfer = caller.list("/v1/transfers")[0].id
        let path = "/v1/transfers/\(transfer)/reversals"
        let reversal = caller.post(path, "amount=4000&refund_application_fee=true").json
        #expect(reversal["destination_payment_refund"]?.text?.hasPrefix("pyr_") == true)
        #expect(caller.post(path, "amount=6001").json["error"]?["code"] == "amount_too_large")
        #expect(caller.post(path).status == 200)
        #expect(caller.post(path).status == 400)
        let whole = caller.get("/v1/transfers/\(transfer)").json
        #expect(whole["reversed"] == true)
        #expect(whole["reversals"]?["data"].list.count == 2)
        let fee = caller.list("/v1/application_fees")[0].id
        let refund = caller.post("/v1/application_fees/\(fee)/refunds", "amount=600").json
        #expect(refund["amount"]?.integer == 600)
        #expect(caller.get("/v1/application_fees/\(fee)").json["refunded"] == true)
        #expect(caller.balance(Self.seller) == [:])
        #expect(caller.balance() == ["usd": 10_000 - 320])
    }

    @Test("a dispute of a destination payment is the platform's, and leaves the transfer alone")
    func dispute() throws {
        let caller = try Self.platform()
        _ = caller.pay(
            10_000, card: "pm_card_createDispute", "transfer_data[destination]=\(Self.seller)")
        #expect(Self.lines(caller).last == "adjustment -10000 1500")
        #expect(caller.balance(Self.seller) == ["usd": 10_000])
    }

    // MARK: Refusals

    @Test(
        "what cannot be done with money is refused, and moves none",
        arguments: [
            ("/v1/payment_intents", "application_fee_amount=100", "application_fee_amount"),
            (
                "/v1/payment_intents", "transfer_data[destination]=acct_nobody",
                "transfer_data[destination]"
            ),
            (
                "/v1/payment_intents",
                "transfer_data[destination]=\(seller)&application_fee_amount=10001",
                "application_fee_amount"
            ),
            (
                "/v1/payment_intents",
                "transfer_data[destination]=\(seller)&transfer_data[amount]=10001",
                "transfer_data[amount]"
            ),
            (
                "/v1/payment_intents",
                "transfer_data[destination]=\(seller)&transfer_data[amount]=9000"
                    + "&application_fee_amount=1", "transfer_data[amount]"
            ),
            ("/v1/payment_intents", "transfer_data[amount]=100", "transfer_data[destination]"),
            ("/v1/payment_intents", "on_behalf_of=acct_nobody", "on_behalf_of"),
            ("/v1/transfers", "destination=acct_nobody", "destination"),
            ("/v1/charges", "source=tok_visa&application_fee_amount=1", "application_fee_amount"),
        ])
    func refusals(path: String, form: String, parameter: String) throws {
        let caller = try Self.platform()
        let answer = caller.post(
            path,
            "amount=10000&currency=usd&\(form)"
                + (path.hasSuffix("intents") ? "&payment_method=pm_card_visa&confirm=true" : ""))
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["param"]?.text == parameter)
        #expect(Self.lines(caller).isEmpty)
        #expect(Self.lines(caller, Self.seller).isEmpty)
    }

    @Test(
        "a seller's payment is not refunded by the seller, and a refund asks only for what there is"
    )
    func noRefund() throws {
        let caller = try Self.platform()
        _ = Self.destinationPayment(caller)
        let payment = caller.list("/v1/charges", account: Self.seller)[0].id
        #expect(caller.post("/v1/refunds", "charge=\(payment)", account: Self.seller).status == 400)
        let plain = caller.pay(1_000).json["latest_charge"]?.text ?? ""
        for word in ["reverse_transfer", "refund_application_fee"] {
            let answer = caller.post("/v1/refunds", "charge=\(plain)&\(word)=true")
            #expect(answer.json["error"]?["param"]?.text == word)
        }
        #expect(caller.post("/v1/transfers", "", account: Self.seller).status == 403)
    }

    // MARK: Accounts

    @Test("accounts are made, listed, told and named, the platform's own too")
    func accounts() throws {
        let caller = try Self.platform()
        let own = caller.get("/v1/account").json.id
        #expect(caller.get("/v1/accounts/\(own)").json.id == own)
        #expect(caller.get("/v1/balance", account: own).status == 200)
        caller.wait(1)
        let made = caller.post(
            "/v1/accounts",
            "type=express&email=s@example.com&settings[payouts][schedule][interval]=manual"
        ).json
        #expect(made["type"] == "express")
        #expect(made["settings"]?["payouts"]?["schedule"]?["interval"] == "manual")
        #expect(caller.list("/v1/accounts").map(\.id) == [made.id, Self.seller])
        let page = caller.get("/v1/accounts", "limit=1").json
        #expect(page["has_more"] == true)
        #expect(
            caller.list("/v1/accounts", "limit=1&starting_after=\(made.id)").map(\.id)
                == [Self.seller])
        #expect(
            caller.list("/v1/accounts", "created[gt]=\(TwinCaller.start)").map(\.id) == [made.id])
        let changed = caller.post("/v1/accounts/\(made.id)", "metadata[a]=1").json
        #expect(changed["metadata"]?["a"] == "1")
        #expect(caller.told.types.last == "account.updated")
        #expect(caller.get("/v1/account", account: made.id).json.id == made.id)
        #expect(caller.get("/v1/accounts/acct_nobody").status == 404)
        #expect(caller.get("/v1/balance", account: "acct_nobody").status == 403)
    }

    @Test("an account's payouts are its own, and a twin that is opened again has the same books")
    func payoutsAndJournal() throws {
        let folder = try TemporaryFolder()
        func open() throws -> TwinCaller {
            try TwinCaller({ $0.connectedAccounts = [Self.seller] }, folder: folder.path)
        }
        let caller = try open()
        _ = Self.destinationPayment(caller)
        caller.wait(4 * 86_400)
        let payout = caller.list("/v1/payouts", account: Self.seller)[0]
        #expect(payout["amount"]?.integer == 9_000)
        #expect(caller.told.events.contains { $0.type == "payout.paid" && $0.account != nil })
        let before = [caller.get("/v1/transfers").raw.body, caller.get("/v1/events").raw.body]
        let again = try open()
        again.wait(4 * 86_400)
        #expect([again.get("/v1/transfers").raw.body, again.get("/v1/events").raw.body] == before)
        #expect(again.balance(Self.seller) == caller.balance(Self.seller))
    }
}
