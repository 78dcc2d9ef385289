import Foundation
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("What the twin refuses, as Stripe does")
struct TwinRefusalTests {
    private static let secure = "payment_method=pm_card_authenticationRequired"
    private static let visa = "payment_method=pm_card_visa"

    private static func pay(
        _ caller: TwinCaller, _ more: String, version: String? = nil
    ) -> TwinCaller.Answer {
        caller.post(
            "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&\(more)",
            version: version)
    }

    @Test(
        "booleans come as true and false, and as Python spells them",
        arguments: [("true", true), ("True", true), ("false", false), ("False", false)])
    func booleans(text: String, isTrue: Bool) throws {
        let caller = try TwinCaller()
        let charge = caller.post(
            "/v1/charges", "amount=700&currency=usd&source=tok_visa&capture=\(text)")
        #expect(charge.json["captured"] == .bool(isTrue))
    }

    @Test("what is no boolean is refused", arguments: ["TRUE", "1", "0", "yes", "None", "tru"])
    func notBooleans(text: String) throws {
        let caller = try TwinCaller()
        let charge = caller.post(
            "/v1/charges", "amount=700&currency=usd&source=tok_visa&capture=\(text)")
        #expect(charge.status == 400)
        #expect(charge.json["error"]?["message"]?.text == "Invalid boolean: \(text)")
        #expect(charge.json["error"]?["param"] == "capture")
        #expect(caller.get("/v1/charges").json["data"].list.isEmpty)
    }

    @Test(
        "where nobody can act on 3-D Secure the payment fails with 402",
        arguments: [
            ("off_session=true", "authentication_required", 1),
            ("off_session=True", "authentication_required", 1),
            ("off_session=recurring", "authentication_required", 1),
            ("error_on_requires_action=true", "authentication_not_handled", 0),
        ])
    func unattended(parameter: String, decline: String, charges: Int) throws {
        let caller = try TwinCaller()
        let answer = Self.pay(caller, "\(Self.secure)&\(parameter)")
        let error = answer.json["error"]
        #expect(answer.status == 402)
        #expect(error?["type"] == "card_error")
        #expect(error?["code"] == "authentication_required")
        #expect(error?["decline_code"]?.text == decline)
        #expect(error?["payment_intent"]?["status"] == "requires_payment_method")
        let failure = error?["payment_intent"]?["last_payment_error"]
        #expect(failure?["decline_code"]?.text == decline)
        #expect(failure?["type"] == "card_error")
        #expect(caller.get("/v1/charges").json["data"].list.count == charges)
        #expect(caller.told.types.last == "payment_intent.payment_failed")
        #expect(Self.pay(caller, "\(Self.visa)&\(parameter)").json["status"] == "succeeded")
        let attended = Self.pay(caller, Self.secure).json
        #expect(attended["status"] == "requires_action")
        let late = caller.post("/v1/payment_intents/\(attended.id)/confirm", parameter)
        #expect(late.status == 402)
        #expect(late.json["error"]?["decline_code"]?.text == decline)
    }

    @Test("only a confirmation says what belongs to one")
    func unconfirmed() throws {
        let caller = try TwinCaller()
        for name in ["off_session=true", "return_url=https://x", "error_on_requires_action=true"] {
            let answer = caller.post("/v1/payment_intents", "amount=2000&currency=usd&\(name)")
            #expect(answer.status == 400)
            #expect(answer.json["error"]?["param"]?.text == String(name.prefix { $0 != "=" }))
        }
    }

    @Test(
        "confirming wants a return_url where Stripe wants one",
        arguments: [
            ("automatic_payment_methods[enabled]=true", nil, true),
            (
                "automatic_payment_methods[enabled]=true&automatic_payment_methods"
                    + "[allow_redirects]=always", nil, true
            ),
            (
                "automatic_payment_methods[enabled]=true&automatic_payment_methods"
                    + "[allow_redirects]=never", nil, false
            ),
            ("automatic_payment_methods[enabled]=true&return_url=https://x", nil, false),
            ("automatic_payment_methods[enabled]=true&use_stripe_sdk=true", nil, false),
            ("automatic_payment_methods[enabled]=false", "2025-09-30.clover", false),
            ("payment_method_types[]=card", "2025-09-30.clover", false),
            ("", "2025-09-30.clover", true), ("", "2023-08-16", true), ("", "2022-11-15", false),
            ("", nil, false),
        ] as [(String, String?, Bool)])
    func returnURL(more: String, version: String?, isWanted: Bool) throws {
        let caller = try TwinCaller()
        let answer = Self.pay(caller, "\(Self.visa)&\(more)", version: version)
        guard isWanted else { return #expect(answer.json["status"] == "succeeded") }
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["type"] == "invalid_request_error")
        #expect(
            answer.json["error"]?["message"]?.text?.contains("must provide a `return_url`") == true)
        #expect(caller.get("/v1/payment_intents").json["data"].list.isEmpty)
        let later = caller.post(
            "/v1/payment_intents", "amount=2000&currency=usd&\(Self.visa)&\(more)", version: version
        ).json
        let confirm = "/v1/payment_intents/\(later.id)/confirm"
        #expect(caller.post(confirm, version: version).status == 400)
        #expect(caller.post(confirm, "return_url=https://x").json["status"] == "succeeded")
    }

    @Test("a payment method that belongs to nobody pays once; one of a customer pays again")
    func unattachedTwice() throws {
        let caller = try TwinCaller()
        func card() -> String {
            caller.post(
                "/v1/payment_methods",
                "type=card&card[number]=4242424242424242&card[exp_month]=8&card[exp_year]=2034"
            ).json.id
        }
        let (guest, kept) = (card(), card())
        #expect(Self.pay(caller, "payment_method=\(guest)").status == 200)
        let again = Self.pay(caller, "payment_method=\(guest)")
        #expect(again.status == 400)
        #expect(again.json["error"]?["message"]?.text?.contains("may not be used again") == true)
        let customer = caller.post("/v1/customers", "name=Zoë").json.id
        let attached = caller.post("/v1/payment_methods/\(guest)/attach", "customer=\(customer)")
        #expect(attached.status == 400)
        _ = caller.post("/v1/payment_methods/\(kept)/attach", "customer=\(customer)")
        for _ in 0..<2 {
            let paid = Self.pay(caller, "payment_method=\(kept)&customer=\(customer)")
            #expect(paid.json["status"] == "succeeded")
        }
        let saved = card()
        let first = Self.pay(
            caller, "payment_method=\(saved)&customer=\(customer)&setup_future_usage=off_session")
        #expect(first.status == 200)
        #expect(Self.pay(caller, "payment_method=\(saved)&customer=\(customer)").status == 200)
    }

    @Test("a decline does not use a payment method up")
    func declineKeepsMethod() throws {
        let caller = try TwinCaller()
        let card = caller.post(
            "/v1/payment_methods",
            "type=card&card[number]=4000000000000002&card[exp_month]=8&card[exp_year]=2034"
        ).json.id
        for _ in 0..<2 { #expect(Self.pay(caller, "payment_method=\(card)").status == 402) }
    }

    @Test(
        "unknown parameters are refused everywhere, before anything is done",
        arguments: [
            "/v1/customers", "/v1/payment_intents?amount=2000&currency=usd",
            "/v1/payment_methods/PM/detach", "/v1/refunds?charge=CH",
            "/v1/customers/CUS", "/v1/payment_intents/PI/cancel", "/v1/charges/CH",
            "/v1/webhook_endpoints?url=http://x&enabled_events[]=*",
        ])
    func unknownParameters(call: String) throws {
        let caller = try TwinCaller()
        let customer = caller.post("/v1/customers", "payment_method=pm_card_visa").json.id
        let method = caller.get("/v1/payment_methods", "customer=\(customer)").json["data"].list[0]
        let paid = caller.pay(2_000).json
        let held = caller.authorise(2_000, "usd").json
        let path = call.replacing("PM", with: method.id).replacing("CUS", with: customer)
            .replacing("PI", with: held.id)
            .replacing("CH", with: paid["latest_charge"]?.text ?? "")
        let count = caller.told.events.count
        let parts = path.split(separator: "?", maxSplits: 1)
        let form = parts.count > 1 ? "\(parts[1])&" : ""
        let answer = caller.post(String(parts[0]), form + "colour=red&size[width]=3")
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["code"] == "parameter_unknown")
        #expect(
            answer.json["error"]?["message"] == "Received unknown parameters: colour, size[width]")
        #expect(answer.json["error"]?["param"] == "colour")
        #expect(caller.told.events.count == count)
    }

    @Test(
        "addresses, methods and versions that Stripe does not have get its error object",
        arguments: [
            (APIRequest.Method.get, "/v1/charges/search"), (.get, "/v1/payment_intents/search"),
            (.get, "/v1/customers/search"), (.get, "/v1/nothing"), (.post, "/v1/balance"),
            (.get, "/v2/core/events"), (.post, "/v2/core/event_destinations"), (.get, "/"),
            (.put, "/v1/charges"), (.patch, "/v1/charges/ch_1"), (.options, "/v1/charges"),
            (.other, "/v1/charges"), (.delete, "/v1/charges/ch_1"), (.get, "/v1"),
        ])
    func unknownAddresses(method: APIRequest.Method, path: String) throws {
        let caller = try TwinCaller()
        let answer = caller.call(method, path, "")
        #expect(answer.status == 404)
        #expect(answer.json["error"]?["type"] == "invalid_request_error")
        #expect(
            answer.json["error"]?["message"]?.text?
                .hasPrefix("Unrecognized request URL (\(method.rawValue): \(path)") == true)
        #expect(answer.raw.requestID.hasPrefix("req_"))
        #expect(caller.call(method, path, "", key: nil).status == 401)
    }

    @Test(
        "webhook endpoints take Stripe's event types and versions only",
        arguments: [
            ("enabled_events[]=charge.suceeded", "enabled_events[0]"),
            ("enabled_events[]=charge.failed&enabled_events[]=charge.*", "enabled_events[1]"),
            ("enabled_events[]=*&api_version=2025-13-99", "api_version"),
            ("enabled_events[]=*&connect=maybe", "connect"), ("", "enabled_events"),
        ])
    func endpoints(form: String, parameter: String) throws {
        let caller = try TwinCaller()
        let answer = caller.post("/v1/webhook_endpoints", "url=http://localhost&\(form)")
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["param"]?.text == parameter)
        #expect(caller.get("/v1/webhook_endpoints").json["data"].list.isEmpty)
    }

    @Test("an endpoint shows its secret once, keeps its version, and is gone when deleted")
    func endpointLife() throws {
        let caller = try TwinCaller()
        let made = caller.post(
            "/v1/webhook_endpoints",
            "url=http://localhost&enabled_events[]=charge.failed&api_version=2022-11-15"
        ).json
        #expect(made["secret"]?.text?.hasPrefix("whsec_") == true)
        #expect(made["api_version"] == "2022-11-15")
        let path = "/v1/webhook_endpoints/\(made.id)"
        let changed = caller.post(path, "enabled_events[]=*&disabled=true").json
        #expect(changed["status"] == "disabled")
        #expect(changed["secret"] == nil)
        #expect(caller.get(path).json["secret"] == nil)
        #expect(
            caller.post(path, "api_version=2020-08-27").json["error"]?["code"]
                == "parameter_unknown")
        #expect(caller.call(.delete, path, "").json["deleted"] == true)
        #expect(caller.get(path).status == 404)
    }

    @Test("a list page may not begin at two places")
    func twoPlaces() throws {
        let caller = try TwinCaller()
        let id = caller.pay(2_000).json.id
        let answer = caller.get(
            "/v1/payment_intents", "starting_after=\(id)&ending_before=\(id)")
        #expect(answer.status == 400)
    }
}
