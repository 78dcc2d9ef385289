import Foundation
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("Hostile calls of the twin", .timeLimit(.minutes(5)))
struct TwinHostileTests {
    private static let integers = [
        "\(Int64.max)", "\(Int64.min)", "9223372036854775808", "-1", "0", "1e9", "0x10", "१",
        "99999999999999999999999999", " 1", "+1", "",
    ]

    /// Every call that reads a number, `%` standing for it.
    private static let numbers = [
        "GET /v1/charges limit=%", "GET /v1/charges created=%", "GET /v1/charges created[gte]=%",
        "GET /v1/charges created[gt]=%&created[lte]=%", "GET /v1/payouts arrival_date[lte]=%",
        "GET /v1/payouts arrival_date=%", "GET /v1/events created[lt]=%",
        "GET /v1/accounts created[gte]=%&limit=%", "GET /v1/balance_transactions created[lte]=%",
        "POST /v1/payment_intents amount=%&currency=usd",
        "POST /v1/payment_intents amount=2000&currency=usd&application_fee_amount=%",
        "POST /v1/payment_intents amount=2000&currency=usd&transfer_data[amount]=%"
            + "&transfer_data[destination]=acct_1Shop",
        "POST /v1/payment_intents/PI/capture amount_to_capture=%",
        "POST /v1/charges amount=%&currency=kwd&source=tok_visa",
        "POST /v1/refunds charge=CH&amount=%", "POST /v1/payouts amount=%&currency=usd",
        "POST /v1/transfers amount=%&currency=usd&destination=acct_1Shop",
        "POST /v1/topups amount=%&currency=usd",
        "POST /v1/payment_methods type=card&card[number]=4242424242424242&card[exp_month]=%"
            + "&card[exp_year]=%",
        "POST /twin/clock advance=%", "POST /twin/clock to=%",
        "POST /twin/faults count=%&latency_ms=0", "POST /twin/faults retry_after=%&count=0",
        "POST /twin/balance_transactions amount=%&currency=usd&fee=%",
        "POST /twin/balance_transactions/TXN/change amount=%&fee=%",
        "POST /twin/disputes charge=CH&amount=%", "POST /twin/payouts/debit amount=%&currency=usd",
        "POST /twin/bulk count=1&span=%", "POST /twin/disputes/dp_1/close reinstated=%",
    ]

    @Test("numbers at the edges are answered, whatever call they come in", arguments: numbers)
    func edges(call: String) throws {
        let caller = try TwinCaller { $0.connectedAccounts = ["acct_1Shop"] }
        let charge = caller.pay(2_000).json["latest_charge"]?.text ?? ""
        let held = caller.authorise(2_000, "usd").json.id
        let row = caller.get("/v1/balance_transactions").json["data"].list[0].id
        let words = call.replacing("PI", with: held).replacing("CH", with: charge)
            .replacing("TXN", with: row).split(separator: " ", maxSplits: 2).map(String.init)
        for integer in Self.integers {
            let escaped = integer.replacing(" ", with: "%20").replacing("+", with: "%2B")
            for _ in 0..<3 {
                let answer = caller.call(
                    try #require(APIRequest.Method(rawValue: words[0])), words[1],
                    words[2].replacing("%", with: escaped))
                #expect([200, 400, 402, 404].contains(answer.status), "\(call) \(integer)")
            }
            _ = caller.call(.delete, "/twin/faults", "")
        }
        // It lives on, and its sums are right.
        #expect(caller.pay(2_000).status == 200)
        #expect(caller.balance() == caller.sumOfTransactions())
    }

    @Test("planted amounts never grow beyond what can be summed")
    func plantedSums() throws {
        let caller = try TwinCaller()
        let most = APIParameters.controlAmountMax
        for amount in [most, most, -most, most] {
            let answer = caller.post(
                "/twin/balance_transactions", "amount=\(amount)&currency=usd&fee=\(-most)")
            #expect(answer.status == 200)
        }
        let more = caller.post("/twin/balance_transactions", "amount=\(most + 1)&currency=usd")
        #expect(more.status == 400)
        #expect(caller.balance() == caller.sumOfTransactions())
    }

    @Test(
        "forms that are none are refused or read, and end nothing",
        arguments: [
            "[", "]", "a[", "a]", "[]=1", "[a]=1", "a[b=1", "a[b]]=1", "a[[b]]=1", "=1", "&&&&",
            "=", "%", "%zz=%", "a%00b=1", "%ff%fe=1", "metadata[]=1", "metadata[%00]=1",
            "metadata=x", "expand=x", "expand[a][b]=c", "expand[][]=x", "expand[]=.", "expand[]=..",
            "expand[]=data", "limit[a]=1", "created[gte][x]=1", "created[foo]=1", "email[]=a",
        ])
    func forms(form: String) throws {
        let caller = try TwinCaller()
        for path in ["/v1/customers", "/v1/payment_intents", "/v1/refunds", "/twin/clock"] {
            for method in [APIRequest.Method.get, .post] {
                #expect([200, 400, 404].contains(caller.call(method, path, form).status))
            }
        }
        #expect(caller.pay(2_000).status == 200)
    }

    @Test("depth, counts and lengths have bounds")
    func bounds() throws {
        let caller = try TwinCaller()
        let long = String(repeating: "a", count: 1 << 20)
        let many = (0...FormTree.countMax).map { "metadata[k\($0)]=1" }.joined(separator: "&")
        let deep = "a" + String(repeating: "[b]", count: 100_000) + "=1"
        let levels = "expand[]=data" + String(repeating: ".charge", count: 100_000)
        for form in [long, "name=\(long)", many, deep, levels, "metadata[a]=\(long)"] {
            for method in [APIRequest.Method.get, .post] {
                let answer = caller.call(method, "/v1/customers", form)
                #expect(answer.status == 400 || form.hasPrefix("name="))
            }
        }
        #expect(caller.post("/v1/customers", "name=a", idempotency: long).status == 400)
        #expect(caller.get("/v1/charges/\(long)").status == 404)
        #expect(caller.get("/v1/events/evt_\(String(repeating: "z", count: 22))").status == 404)
        #expect(caller.pay(2_000).status == 200)
    }

    @Test("bodies that are no forms, or too long, are refused in Stripe's words")
    func bodies() throws {
        let caller = try TwinCaller()
        func answer(_ change: (inout APIRequest) -> Void) -> TestJSON {
            var request = APIRequest(
                method: .post, path: "/v1/customers", apiKey: TwinSettings().apiKeys[0])
            change(&request)
            let answer = caller.twin.handle(request)
            #expect(answer.requestID.hasPrefix("req_"))
            return TwinCaller.parse(answer.body)["error"] ?? .null
        }
        #expect(answer { $0.hasOtherBody = true }["type"] == "invalid_request_error")
        #expect(answer { $0.isTooLarge = true }["message"]?.text?.contains("too large") == true)
        #expect(caller.get("/v1/customers").json["data"].list.isEmpty)
    }
}
