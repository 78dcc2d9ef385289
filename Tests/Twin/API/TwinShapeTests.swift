import Foundation
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("Shapes of the twin's objects")
struct TwinShapeTests {
    /// Stripe's own example objects (github.com/stripe/openapi, `fixtures3.json`).
    private static let examples: TestJSON = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Appliance/Fixtures/stripe_resources.json")
        return TwinCaller.parse((try? Data(contentsOf: path)).map { [UInt8]($0) } ?? [])
    }()

    /// One object of each kind, as the API answers it.
    private static func objects() throws -> [String: TestJSON] {
        let caller = try TwinConnectTests.platform()
        _ = TwinConnectTests.destinationPayment(caller)
        let transfer = caller.list("/v1/transfers")[0].id
        let reversal = caller.post("/v1/transfers/\(transfer)/reversals", "amount=100").json
        let fee = caller.list("/v1/application_fees")[0].id
        let feeRefund = caller.post("/v1/application_fees/\(fee)/refunds", "amount=100").json
        let topUp = caller.post("/v1/topups", "amount=1000&currency=usd").json
        let customer = caller.post("/v1/customers", "name=Zoë&shipping[name]=Zoë").json
        let paid = caller.pay(2_000, card: "pm_card_createDispute").json
        let other = caller.pay(3_000).json
        _ = caller.pay(100_000)
        let refund = caller.post("/v1/refunds", "payment_intent=\(other.id)").json
        caller.wait(4 * 86_400)
        _ = caller.post("/twin/payouts/automatic")
        return [
            "application_fee": caller.get("/v1/application_fees/\(fee)").json,
            "fee_refund": feeRefund,
            "topup": topUp,
            "transfer": caller.get("/v1/transfers/\(transfer)").json,
            "transfer_reversal": reversal,
            "account": caller.get("/v1/account").json,
            "balance": caller.get("/v1/balance").json,
            "balance_transaction": caller.get("/v1/balance_transactions").json["data"].list[0],
            "charge": caller.get("/v1/charges/\(paid["latest_charge"]?.text ?? "")").json,
            "customer": customer,
            "dispute": caller.get("/v1/disputes").json["data"].list[0],
            "event": caller.get("/v1/events").json["data"].list[0],
            "payment_intent": paid,
            "payment_method": caller.post(
                "/v1/payment_methods",
                "type=card&card[number]=4242424242424242&card[exp_month]=8&card[exp_year]=2034"
            ).json,
            "payout": caller.get("/v1/payouts").json["data"].list[0],
            "refund": refund,
            "webhook_endpoint": caller.post(
                "/v1/webhook_endpoints", "url=http://localhost&enabled_events[]=*"
            ).json,
        ]
    }

    @Test("every member of Stripe's example objects is there, at every depth")
    func membersAreThere() throws {
        let objects = try Self.objects()
        #expect(objects.keys.sorted() == Self.examples.keys.sorted())
        for (name, object) in objects {
            #expect(object["object"]?.text == name)
            for missing in Self.missing(from: object, of: Self.examples[name] ?? .null, at: name) {
                Issue.record("\(missing) is missing")
            }
        }
    }

    /// Members of the example that the object lacks; below a member that is null or of another
    /// kind there is nothing to compare. An event's object is any.
    private static func missing(
        from object: TestJSON, of example: TestJSON, at path: String
    ) -> [String] {
        guard path != "event.data.object", !object.keys.isEmpty else { return [] }
        return example.keys.sorted().flatMap { key -> [String] in
            guard let found = object[key] else { return ["\(path).\(key)"] }
            return missing(from: found, of: example[key] ?? .null, at: "\(path).\(key)")
        }
    }
}
