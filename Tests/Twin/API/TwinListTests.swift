import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("The twin's lists")
struct TwinListTests {
    /// A twin with payments a second apart.
    private static func payments(_ count: Int) throws -> TwinCaller {
        let caller = try TwinCaller()
        for number in 0..<count {
            _ = caller.pay(1_000 + Int64(number), number.isMultiple(of: 3) ? "eur" : "usd")
            caller.wait(1)
        }
        return caller
    }

    @Test(
        "paging forward finds everything once, newest first, and ends exactly",
        arguments: [1, 2, 3, 7, 20, 21, 100])
    func forward(limit: Int) throws {
        let caller = try Self.payments(21)
        let pages = caller.pages("/v1/charges", "", limit: limit)
        let amounts = pages.joined().compactMap { $0["amount"]?.integer }
        #expect(amounts == (1_000..<1_021).reversed().map { Int64($0) })
        #expect(pages.count == (21 + limit - 1) / limit)
    }

    @Test("paging backward gives the page just before, newest first")
    func backward() throws {
        let caller = try Self.payments(10)
        let all = caller.get("/v1/charges", "limit=100").json["data"].list
        let before = caller.get("/v1/charges", "limit=3&ending_before=\(all[6].id)").json
        #expect(before["data"].list == Array(all[3..<6]))
        #expect(before["has_more"] == true)
        let first = caller.get("/v1/charges", "limit=6&ending_before=\(all[6].id)").json
        #expect(first["data"].list == Array(all[0..<6]))
        #expect(first["has_more"] == false)
        let none = caller.get("/v1/charges", "ending_before=\(all[0].id)").json
        #expect(none["data"].list.isEmpty)
        #expect(none["has_more"] == false)
    }

    @Test("the default is ten, and an empty list is a list")
    func defaults() throws {
        let caller = try Self.payments(11)
        let page = caller.get("/v1/charges").json
        #expect(page["data"].list.count == 10)
        #expect(page["has_more"] == true)
        #expect(page["url"] == "/v1/charges")
        let empty = caller.get("/v1/payouts").json
        #expect(empty["data"].list.isEmpty)
        #expect(empty["has_more"] == false)
    }

    @Test(
        "created bounds are as Stripe's: gt and lt leave out, gte and lte take in",
        arguments: [
            ("created[gt]=%", 5), ("created[gte]=%", 6), ("created[lt]=%", 4),
            ("created[lte]=%", 5), ("created=%", 1), ("created[gte]=%&created[lt]=%", 0),
        ])
    func created(query: String, expected: Int) throws {
        let caller = try Self.payments(10)
        let time = TwinCaller.start + 4
        let found = caller.get("/v1/charges", query.replacing("%", with: "\(time)")).json
        #expect(found["data"].list.count == expected)
    }

    @Test("a page that is followed by new objects stays as it was")
    func stableUnderGrowth() throws {
        let caller = try Self.payments(6)
        let first = caller.get("/v1/charges", "limit=3").json["data"].list
        _ = caller.pay(9_000)
        let second = caller.get("/v1/charges", "limit=3&starting_after=\(first[2].id)").json
        #expect(second["data"].list.compactMap { $0["amount"]?.integer } == [1_002, 1_001, 1_000])
    }

    @Test("balance transactions are found by type, currency, source and payout")
    func filters() throws {
        let caller = try Self.payments(9)
        let charge = caller.get("/v1/charges", "limit=1").json["data"].list[0]
        let refund = caller.post("/v1/refunds", "charge=\(charge.id)&amount=500").json
        func count(_ query: String) -> Int {
            caller.get("/v1/balance_transactions", "limit=100&\(query)").json["data"].list.count
        }
        #expect(count("type=charge") == 9)
        #expect(count("type=refund") == 1)
        #expect(count("currency=eur") == 3)
        #expect(count("currency=eur&type=refund") == 0)
        #expect(count("source=\(charge.id)") == 1)
        #expect(count("source=\(refund.id)") == 1)
        caller.wait(3 * 86_400)
        let payouts = caller.get("/v1/payouts").json["data"].list
        #expect(payouts.count == 2)
        for payout in payouts {
            let rows = caller.get(
                "/v1/balance_transactions", "limit=100&payout=\(payout.id)"
            ).json["data"].list
            let parts = rows.filter { $0["type"] != "payout" }
            #expect(parts.count == rows.count - 1)
            let sum = parts.compactMap { $0["net"]?.integer }.reduce(0, +)
            #expect(sum == payout["amount"]?.integer)
        }
    }

    @Test("events are found by type, by types and by time, and only those of thirty days")
    func events() throws {
        let caller = try Self.payments(3)
        func types(_ query: String) -> [String] {
            caller.get("/v1/events", "limit=100&\(query)").json["data"].list
                .compactMap { $0["type"]?.text }
        }
        #expect(types("type=charge.succeeded").count == 3)
        #expect(types("types[]=charge.succeeded&types[]=payment_intent.succeeded").count == 6)
        #expect(types("type=payment_intent.*").count == 6)
        #expect(types("created[lt]=\(TwinCaller.start + 1)").count == 3)
        caller.wait(29 * 86_400)
        #expect(types("type=charge.succeeded").count == 3)
        caller.wait(2 * 86_400)
        #expect(types("type=charge.succeeded").isEmpty)
    }

    @Test(
        "what cannot be listed is refused in Stripe's words",
        arguments: [
            ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"),
            ("starting_after=ch_none", "starting_after"), ("colour=red", "colour"),
            ("customer=cus_none", "customer"), ("expand[]=latest_charge", "expand"),
        ])
    func refusals(query: String, parameter: String) throws {
        let caller = try Self.payments(1)
        let answer = caller.get("/v1/charges", query)
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["type"] == "invalid_request_error")
        #expect(answer.json["error"]?["param"]?.text == parameter)
    }

    @Test("references are written whole where asked for, in lists too")
    func expansion() throws {
        let caller = try Self.payments(2)
        let list = caller.get(
            "/v1/payment_intents", "expand[]=data.latest_charge.balance_transaction").json
        for intent in list["data"].list {
            let transaction = intent["latest_charge"]?["balance_transaction"]
            #expect(transaction?["object"] == "balance_transaction")
            #expect(transaction?["source"]?.text == intent["latest_charge"]?.id)
        }
        let row = caller.get("/v1/balance_transactions", "expand[]=data.source").json
        #expect(row["data"].list[0]["source"]?["object"] == "charge")
    }
}
