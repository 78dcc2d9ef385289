import Foundation
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("What the twin expands")
struct TwinExpansionTests {
    /// A customer's payment with a part refunded and disputed money beside it, paid out.
    private static func world() throws -> (TwinCaller, [String: String]) {
        let caller = try TwinCaller()
        let customer = caller.post("/v1/customers", "name=Zoë&payment_method=pm_card_visa").json.id
        let card = caller.get("/v1/payment_methods", "customer=\(customer)").json["data"].list[0].id
        _ = caller.post(
            "/v1/customers/\(customer)", "invoice_settings[default_payment_method]=\(card)")
        let paid = caller.pay(90_000, card: card, "customer=\(customer)").json
        let refund = caller.post("/v1/refunds", "payment_intent=\(paid.id)&amount=500").json
        let disputed = caller.pay(3_000, card: "pm_card_createDispute").json
        let dispute = caller.get("/v1/disputes", "payment_intent=\(disputed.id)").json["data"].list
        caller.wait(4 * 86_400)
        let payout = caller.get("/v1/payouts").json["data"].list[0]
        let charge = paid["latest_charge"]?.text ?? ""
        let row = caller.get("/v1/balance_transactions", "source=\(charge)").json["data"].list[0]
        return (
            caller,
            [
                "customers": customer, "payment_methods": card, "payment_intents": paid.id,
                "charges": charge, "refunds": refund.id, "disputes": dispute[0].id,
                "payouts": payout.id, "balance_transactions": row.id,
            ]
        )
    }

    /// Each member of Stripe's `ExpandableField`, and what object it is here; nil for null.
    private static let members: [(String, String, String?)] = [
        ("balance_transactions", "source", "charge"),
        ("charges", "application", nil), ("charges", "application_fee", nil),
        ("charges", "balance_transaction", "balance_transaction"),
        ("charges", "customer", "customer"), ("charges", "failure_balance_transaction", nil),
        ("charges", "on_behalf_of", nil), ("charges", "outcome.rule", nil),
        ("charges", "payment_intent", "payment_intent"),
        ("charges", "payment_method_details.card.mandate", nil),
        ("charges", "refunds", "list"), ("charges", "review", nil),
        ("charges", "source_transfer", nil), ("charges", "transfer_data.destination", nil),
        ("customers", "cash_balance", nil), ("customers", "default_source", nil),
        ("customers", "invoice_settings.default_payment_method", "payment_method"),
        ("customers", "sources", "list"), ("customers", "subscriptions", "list"),
        ("customers", "tax", nil), ("customers", "tax_ids", "list"),
        ("customers", "test_clock", nil), ("disputes", "charge", "charge"),
        ("disputes", "payment_intent", "payment_intent"), ("disputes", "evidence.receipt", nil),
        ("payment_intents", "application", nil), ("payment_intents", "customer", "customer"),
        ("payment_intents", "amount_details.line_items", "list"),
        ("payment_intents", "latest_charge", "charge"), ("payment_intents", "on_behalf_of", nil),
        ("payment_intents", "payment_method", "payment_method"),
        ("payment_intents", "review", nil), ("payment_intents", "source", nil),
        ("payment_intents", "transfer_data.destination", nil),
        ("payment_methods", "customer", "customer"),
        ("payment_methods", "card.generated_from.setup_attempt", nil),
        ("payouts", "balance_transaction", "balance_transaction"),
        ("payouts", "destination", "bank_account"),
        ("payouts", "failure_balance_transaction", nil), ("payouts", "application_fee", nil),
        ("payouts", "original_payout", nil), ("payouts", "reversed_by", nil),
        ("refunds", "balance_transaction", "balance_transaction"), ("refunds", "charge", "charge"),
        ("refunds", "customer", "customer"), ("refunds", "failure_balance_transaction", nil),
        ("refunds", "payment_intent", "payment_intent"),
        ("refunds", "payment_method", "payment_method"),
        ("refunds", "source_transfer_reversal", nil), ("refunds", "transfer_reversal", nil),
    ]

    @Test("every member that Stripe lets one expand is written whole, or null where it is empty")
    func everyMember() throws {
        let (caller, ids) = try Self.world()
        for (resource, path, object) in Self.members {
            let id = ids[resource] ?? ""
            let one = caller.get("/v1/\(resource)/\(id)", "expand[]=\(path)")
            #expect(one.status == 200, "\(resource) \(path): \(one.json["error"] ?? .null)")
            let filter = resource == "payment_methods" ? "&customer=\(ids["customers"] ?? "")" : ""
            let list = caller.get("/v1/\(resource)", "limit=100&expand[]=data.\(path)\(filter)")
            let same = list.json["data"].list.first { $0.id == id }
            for found in [one.json, same ?? .null] {
                let member = path.split(separator: ".").reduce(Optional(found)) { json, name in
                    json?[String(name)]
                }
                #expect((member ?? .null)["object"]?.text == object, "\(resource) \(path)")
            }
        }
    }

    @Test(
        "paths go four levels deep, in lists too",
        arguments: [
            ("/v1/balance_transactions", "data.source.payment_intent.payment_method.customer"),
            ("/v1/refunds", "data.charge.payment_intent.latest_charge.balance_transaction"),
            ("/v1/disputes", "data.charge.balance_transaction.source.customer"),
        ])
    func depth(path: String, expansion: String) throws {
        let (caller, _) = try Self.world()
        let answer = caller.get(path, "expand[]=\(expansion)")
        #expect(answer.status == 200, "\(answer.json)")
        let first = answer.json["data"].list.last
        let second = expansion.split(separator: ".")[1]
        #expect(first?[String(second)]?["object"] != nil)
        let deeper = caller.get(path, "expand[]=\(expansion).default_source")
        #expect(deeper.status == 400)
        #expect(
            deeper.json["error"]?["message"]?.text?.hasPrefix(
                "You cannot expand more than 4 levels of a property") == true)
    }

    @Test(
        "what cannot be expanded is refused in Stripe's words",
        arguments: [
            ("/v1/charges/CH", "colour", "This property cannot be expanded (colour)."),
            ("/v1/charges/CH", "amount", "This property cannot be expanded (amount)."),
            (
                "/v1/charges/CH", "customer.email",
                "This property cannot be expanded (customer.email)."
            ),
            ("/v1/charges", "data.amount", "This property cannot be expanded (data.amount)."),
            (
                "/v1/charges", "customer",
                "This property cannot be expanded (customer). You may want to try expanding "
                    + "'data.customer' instead."
            ),
            ("/v1/balance", "x", "This property cannot be expanded (x)."),
            ("/v1/account", "x", "This property cannot be expanded (x)."),
            ("/v1/events", "data.data", "This property cannot be expanded (data.data)."),
        ])
    func refusals(path: String, expansion: String, message: String) throws {
        let (caller, ids) = try Self.world()
        let answer = caller.get(
            path.replacing("CH", with: ids["charges"] ?? ""), "expand[]=\(expansion)")
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["message"]?.text == message)
        #expect(answer.json["error"]?["type"] == "invalid_request_error")
    }

    @Test("a call that asks for a wrong expansion changes nothing")
    func refusedBefore() throws {
        let caller = try TwinCaller()
        let answer = caller.post(
            "/v1/payment_intents",
            "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&expand[]=colour")
        #expect(answer.status == 400)
        #expect(caller.told.events.isEmpty)
        #expect(caller.get("/v1/charges").json["data"].list.isEmpty)
    }

    @Test("lists of a customer that are empty here are lists", arguments: ["sources", "tax_ids"])
    func emptyLists(name: String) throws {
        let (caller, ids) = try Self.world()
        let path = "/v1/customers/\(ids["customers"] ?? "")/\(name)"
        let list = caller.get(path, "limit=100&object=card").json
        #expect(list["object"] == "list")
        #expect(list["data"].list.isEmpty)
        #expect(list["has_more"] == false)
        #expect(list["url"]?.text == path)
        let one = caller.get("\(path)/card_1")
        #expect(one.status == 404)
        #expect(one.json["error"]?["code"] == "resource_missing")
    }

    @Test("the bank account that payouts go to is found where they say")
    func bankAccount() throws {
        let (caller, ids) = try Self.world()
        let payout = caller.get("/v1/payouts/\(ids["payouts"] ?? "")").json
        let account = caller.get("/v1/account").json
        let path = "/v1/accounts/\(account.id)/external_accounts"
        let listed = caller.get(path, "object=bank_account").json["data"].list
        #expect(listed.map(\.id) == [payout["destination"]?.text ?? ""])
        #expect(caller.get("\(path)/\(listed[0].id)").json["account"]?.text == account.id)
        #expect(account["external_accounts"]?["data"].list == listed)
    }
}
