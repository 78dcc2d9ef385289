import Foundation
import TwinSupport

@testable import Vocabulary

/// Stripe's own example objects (stripe/openapi, `fixtures3.json`), and events around them.
enum StripeExample {
    static let charge = object("charge")
    static let paymentIntent = object("payment_intent")
    static let refund = object("refund")
    static let dispute = object("dispute")
    static let payout = object("payout")
    static let balanceTransaction = object("balance_transaction")
    static let card = object("card")

    /// The example charge after its capture, as `charge.succeeded` shows it.
    static let capturedCharge = charge.with([
        "captured": true, "amount_captured": 100, "customer": "cus_1", "payment_intent": "pi_1",
        "outcome.type": "authorized", "billing_details.address.country": "DE",
        "metadata": ["device_id": "device-1"],
    ])

    private static let all: TestJSON = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Fixtures/stripe_objects.json")
        let document = JSONDocument()
        guard let data = try? Data(contentsOf: path),
            let root = try? document.parse([UInt8](data))
        else { preconditionFailure("the fixture \(path) cannot be read") }
        return withExtendedLifetime(document) { TestJSON(root) }
    }()

    private static func object(_ name: String) -> TestJSON {
        guard let object = all[name] else { preconditionFailure("no fixture \(name)") }
        return object
    }

    /// An event of `type` around `object`, with some of its envelope changed.
    static func event(
        _ type: String, _ object: TestJSON, id: String = "evt_1", created: Int64 = 1_700_000_000,
        with changes: KeyValuePairs<String, TestJSON?> = [:]
    ) -> TestJSON {
        let event: TestJSON = [
            "id": .string(id), "object": "event", "api_version": "2024-06-20",
            "created": .int(created), "data": ["object": object], "livemode": false,
            "pending_webhooks": 1,
            "request": ["id": "req_1", "idempotency_key": "3f1b6a52-1d0c-4a9e-9a77-0f8f2f4f2b11"],
            "type": .string(type),
        ]
        return event.with(changes)
    }
}
