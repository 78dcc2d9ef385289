import Testing
import TestSupport
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("The twin's protocol")
struct TwinProtocolTests {
    @Test("the same idempotency key and parameters get the same answer, and pay once")
    func idempotentRetry() throws {
        let caller = try TwinCaller()
        let form = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"
        let first = caller.post("/v1/payment_intents", form, idempotency: "key-1")
        let again = caller.post("/v1/payment_intents", form, idempotency: "key-1")
        #expect(!first.raw.isReplayed)
        #expect(again.raw.isReplayed)
        #expect(again.raw.body == first.raw.body)
        #expect(caller.get("/v1/charges").json["data"].list.count == 1)
    }

    @Test("the same key with other parameters is an idempotency error")
    func idempotencyConflict() throws {
        let caller = try TwinCaller()
        _ = caller.post("/v1/customers", "name=a", idempotency: "key-1")
        let other = caller.post("/v1/customers", "name=b", idempotency: "key-1")
        #expect(other.status == 400)
        #expect(other.json["error"]?["type"] == "idempotency_error")
        let elsewhere = caller.post("/v1/payment_methods", "name=a", idempotency: "key-1")
        #expect(elsewhere.json["error"]?["type"] == "idempotency_error")
    }

    @Test("a decline is kept for its key, a refused parameter is not, and a day later nothing is")
    func whatIsKept() throws {
        let caller = try TwinCaller()
        let declined = "amount=2000&currency=usd&payment_method=pm_card_chargeDeclined&confirm=true"
        #expect(caller.post("/v1/payment_intents", declined, idempotency: "a").status == 402)
        #expect(caller.post("/v1/payment_intents", declined, idempotency: "a").raw.isReplayed)
        #expect(caller.get("/v1/charges").json["data"].list.count == 1)
        #expect(caller.post("/v1/payment_intents", "amount=1", idempotency: "b").status == 400)
        let repaired = caller.post("/v1/customers", "name=b", idempotency: "b")
        #expect(repaired.status == 200)
        caller.wait(86_401)
        let later = caller.post("/v1/customers", "name=c", idempotency: "b")
        #expect(later.status == 200)
        #expect(!later.raw.isReplayed)
    }

    @Test("keys and versions are checked as Stripe does")
    func authentication() throws {
        let caller = try TwinCaller()
        #expect(caller.get("/v1/charges", key: nil).status == 401)
        let wrong = caller.get("/v1/charges", key: "sk_test_wrong_key_1234")
        #expect(wrong.status == 401)
        #expect(
            wrong.json["error"]?["message"] == "Invalid API Key provided: sk_test_****1234")
        let unknown = caller.post("/v1/customers", account: "acct_unknown")
        #expect(unknown.status == 403)
    }

    @Test("connected accounts keep their own books")
    func accounts() throws {
        let caller = try TwinCaller { $0.connectedAccounts = ["acct_1Shop"] }
        let form = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"
        #expect(caller.post("/v1/payment_intents", form, account: "acct_1Shop").status == 200)
        #expect(caller.get("/v1/charges").json["data"].list.isEmpty)
        #expect(caller.told.events.allSatisfy { $0.account == "acct_1Shop" })
        let new = caller.post("/v1/accounts").json
        #expect(caller.post("/v1/payment_intents", form, account: new.id).status == 200)
    }

    @Test(
        "test cards decline as Stripe documents",
        arguments: [
            ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
            ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
            ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
            ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
            ("pm_card_radarBlock", "card_declined", "fraudulent"),
        ])
    func declines(card: String, code: String, declineCode: String) throws {
        let caller = try TwinCaller()
        let answer = caller.pay(2_000, card: card)
        #expect(answer.status == 402)
        let error = answer.json["error"]
        #expect(error?["type"] == "card_error")
        #expect(error?["code"]?.text == code)
        #expect(error?["decline_code"]?.text == declineCode)
        #expect(error?["payment_intent"]?["status"] == "requires_payment_method")
        let charge = caller.get("/v1/charges/\(error?["charge"]?.text ?? "")").json
        #expect(charge["status"] == "failed")
        #expect(charge["failure_code"]?.text == code)
        #expect(
            caller.told.types == [
                "payment_intent.created", "charge.failed", "payment_intent.payment_failed",
            ])
        let retried = caller.post(
            "/v1/payment_intents/\(error?["payment_intent"]?.id ?? "")/confirm",
            "payment_method=pm_card_visa")
        #expect(retried.json["status"] == "succeeded")
    }

    @Test("numbers are read as Stripe does: documented, wrong, or nobody's")
    func numbers() throws {
        let caller = try TwinCaller()
        func create(_ number: String) -> TwinCaller.Answer {
            caller.post(
                "/v1/payment_methods",
                "type=card&card[number]=\(number)&card[exp_month]=1&card[exp_year]=35")
        }
        #expect(create("4000002760003184").json["card"]?["country"] == "DE")
        #expect(create("4242424242424241").json["error"]?["code"] == "incorrect_number")
        #expect(create("4111111111111111").json["error"]?["decline_code"] == "test_mode_live_card")
    }

    @Test("forms are read with nested names, arrays and escapes")
    func forms() throws {
        let caller = try TwinCaller()
        let customer = caller.post(
            "/v1/customers",
            "name=Zo%C3%AB+M&metadata[a]=1&metadata[b%20c]=x&address%5Bcity%5D=K%C3%B6ln").json
        #expect(customer["name"] == "Zoë M")
        #expect(customer["metadata"]?["a"] == "1")
        #expect(customer["address"]?["city"] == "Köln")
        let changed = caller.post("/v1/customers/\(customer.id)", "metadata[a]=&metadata[d]=2").json
        #expect(changed["metadata"]?["a"] == nil)
        #expect(changed["metadata"]?["d"] == "2")
        let unknown = caller.post("/v1/customers", "nmae=x")
        #expect(unknown.json["error"]?["code"] == "parameter_unknown")
        #expect(unknown.json["error"]?["param"] == "nmae")
    }

    @Test("faults hit the next calls, before they are carried out or after")
    func faults() throws {
        let caller = try TwinCaller()
        _ = caller.post("/twin/faults", "count=2&status=429&retry_after=3")
        let limited = caller.get("/v1/charges")
        #expect(limited.status == 429)
        #expect(limited.raw.retryAfterSeconds == 3)
        #expect(caller.get("/v1/charges").status == 429)
        #expect(caller.get("/v1/charges").status == 200)
        _ = caller.post("/twin/faults", "count=1&status=500&after=true")
        let form = "name=Zoë"
        #expect(caller.post("/v1/customers", form, idempotency: "k").status == 500)
        #expect(caller.post("/v1/customers", form, idempotency: "k").raw.isReplayed)
        #expect(caller.get("/v1/customers").json["data"].list.count == 1)
    }

    @Test("planted breaks change what is listed, and the balance with it")
    func breaks() throws {
        let caller = try TwinCaller()
        for _ in 0..<4 { _ = caller.pay(1_000) }
        let rows = caller.get("/v1/balance_transactions").json["data"].list
        let path = "/twin/balance_transactions"
        #expect(caller.post("\(path)/\(rows[0].id)/hide").status == 200)
        #expect(caller.get("/v1/balance_transactions/\(rows[0].id)").status == 404)
        _ = caller.post("\(path)/\(rows[1].id)/change", "amount=1100")
        _ = caller.post("\(path)/\(rows[2].id)/change", "currency=eur")
        let twin = caller.post("\(path)/\(rows[3].id)/duplicate").json
        #expect(twin["source"] == rows[3]["source"])
        _ = caller.post(path, "amount=777&currency=usd")
        let list = caller.get("/v1/balance_transactions", "limit=100").json["data"].list
        #expect(list.count == 5)
        let euros = caller.get("/v1/balance_transactions", "currency=eur").json["data"].list
        #expect(euros.map(\.id) == [rows[2].id])
        #expect(caller.balance() == caller.sumOfTransactions())
        caller.wait(3 * 86_400)
        #expect(caller.balance() == caller.sumOfTransactions())
    }

    @Test("bulk payments are booked and listed, spread over the time asked for")
    func bulk() throws {
        let caller = try TwinCaller()
        _ = caller.post("/twin/bulk", "count=1000&currencies[]=usd&currencies[]=jpy&span=172800")
        #expect(caller.told.events.allSatisfy { $0.type != "charge.succeeded" })
        let rows = caller.pages("/v1/balance_transactions", "type=charge", limit: 100).joined()
        #expect(rows.count == 1_000)
        #expect(Set(rows.map(\.id)).count == 1_000)
        #expect(caller.balance() == caller.sumOfTransactions())
    }

    @Test("the state comes back from the journal, byte for byte, and goes on from there")
    func persistence() throws {
        let folder = try TemporaryFolder()
        let before = try TwinCaller(folder: folder.path)
        Self.history(before)
        _ = before.post("/v1/customers", "name=Late", idempotency: "late")
        let lists = Self.lists(before)
        let after = try TwinCaller(folder: folder.path)
        after.wait(before.now - after.now)
        #expect(Self.lists(after) == lists)
        #expect(after.told.events.isEmpty)
        let retried = after.post("/v1/customers", "name=Late", idempotency: "late")
        #expect(retried.raw.isReplayed)
        #expect(after.pay(1_234).json.id == before.pay(1_234).json.id)
    }

    @Test("a folder of another seed is refused in a sentence")
    func otherSeed() throws {
        let folder = try TemporaryFolder()
        _ = try TwinCaller(folder: folder.path)
        #expect(
            throws: TwinError.otherSeed(
                path: folder.file("twin.journal"), found: 1, wanted: 2)
        ) { _ = try TwinCaller({ $0.seed = 2 }, folder: folder.path) }
    }

    @Test("the same seed and calls give the same bytes, another seed other ids")
    func determinism() throws {
        let (one, two) = (try TwinCaller(), try TwinCaller())
        Self.history(one)
        Self.history(two)
        #expect(one.told.events.map(\.body) == two.told.events.map(\.body))
        #expect(Self.lists(one) == Self.lists(two))
        let other = try TwinCaller { $0.seed = 2 }
        Self.history(other)
        #expect(other.told.events.map(\.type) == one.told.events.map(\.type))
        #expect(Set(other.told.events.map(\.id)).isDisjoint(with: one.told.events.map(\.id)))
    }

    @Test("an event reads the same from the list as when it was told")
    func eventsAreKept() throws {
        let caller = try TwinCaller()
        Self.history(caller)
        for event in caller.told.events {
            #expect(caller.get("/v1/events/\(event.id)").raw.body == event.body)
        }
    }

    /// A bit of everything.
    private static func history(_ caller: TwinCaller) {
        _ = caller.post("/v1/customers", "name=Zoë", idempotency: "kept")
        let customer = caller.get("/v1/customers").json["data"].list[0].id
        let intent = caller.pay(2_000, card: "pm_card_visa", "customer=\(customer)").json
        _ = caller.pay(2_000, card: "pm_card_chargeDeclined")
        _ = caller.pay(3_000, "eur", card: "pm_card_createDispute")
        _ = caller.post("/v1/refunds", "payment_intent=\(intent.id)&amount=700")
        caller.wait(86_400)
        _ = caller.post("/twin/clock", "advance=259200")
        _ = caller.pay(5_000, "jpy", card: "pm_card_pendingRefund")
        caller.wait(60)
    }

    private static func lists(_ caller: TwinCaller) -> [TestJSON] {
        [
            "customers", "payment_intents", "charges", "refunds", "disputes",
            "balance_transactions", "payouts", "events", "balance",
        ].map { caller.get("/v1/\($0)", $0 == "balance" ? "" : "limit=100").json }
    }
}
