import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

@Suite("What a movement says besides the money")
struct DescriptionTests {
    private func only(_ event: TestJSON) throws -> PaymentEvent {
        try #require(validated(event).movements.first)
    }

    private func charge(_ changes: KeyValuePairs<String, TestJSON?>) throws -> PaymentEvent {
        try only(
            StripeExample.event("charge.succeeded", StripeExample.capturedCharge.with(changes)))
    }

    @Test("a charge gives every property")
    func wholeCharge() throws {
        let expected = PaymentEvent(
            eventID: EventID("evt_1"), kind: .payment, objectID: "ch_1PgafuB7WZ01zgkWXYmPNZs8",
            movement: MovementKey("charge:ch_1PgafuB7WZ01zgkWXYmPNZs8"), amount: MinorUnits(100),
            currency: try #require(Currency("usd")), created: Instant(seconds: 1_700_000_000),
            livemode: false, account: nil, merchant: MerchantID("shop"), customer: "cus_1",
            card: "AOB934RVNwzk6xtn", cardCountry: "US", country: "DE", device: "device-1",
            outcome: "authorized", balanceTransaction: "txn_1PgaxNB7WZ01zgkWEV3TLf40",
            related: "pi_1", fee: .zero)
        #expect(try charge([:]) == expected)
    }

    @Test("the merchant is the Connect account, where there is one")
    func merchant() throws {
        let event = StripeExample.event(
            "charge.succeeded", StripeExample.capturedCharge,
            with: ["account": "acct_1", "livemode": true])
        let payment = try only(event)
        #expect(payment.account == "acct_1")
        #expect(payment.merchant == MerchantID("acct_1"))
        #expect(payment.livemode)
    }

    @Test("expanded objects give the ids they stand for")
    func expanded() throws {
        let payment = try charge([
            "customer": ["id": "cus_7", "object": "customer"],
            "payment_intent": ["id": "pi_7", "object": "payment_intent"],
            "balance_transaction": StripeExample.balanceTransaction.with(["id": "txn_7"]),
        ])
        #expect(payment.customer == "cus_7")
        #expect(payment.related == "pi_7")
        #expect(payment.balanceTransaction == "txn_7")
    }

    @Test("charges from before payment methods name their card as source")
    func cardSource() throws {
        let card = StripeExample.card.with(["address_country": "fr", "fingerprint": "fp_old"])
        let payment = try charge([
            "payment_method_details": nil, "billing_details": nil, "source": card,
        ])
        #expect(payment.card == "fp_old")
        #expect(payment.cardCountry == "US")
        #expect(payment.country == "FR")
    }

    @Test("a source object holds the card inside")
    func sourceObject() throws {
        let payment = try charge([
            "payment_method_details": nil, "billing_details": nil,
            "source": [
                "object": "source", "card": ["fingerprint": "fp_src", "country": "GB"],
                "owner": ["address": ["country": "IE"]],
            ],
        ])
        #expect(payment.card == "fp_src")
        #expect(payment.cardCountry == "GB")
        #expect(payment.country == "IE")
    }

    @Test("a card shown to a reader counts as a card")
    func cardPresent() throws {
        let payment = try charge([
            "payment_method_details": [
                "type": "card_present", "card_present": ["fingerprint": "fp_t", "country": "SE"],
            ]
        ])
        #expect(payment.card == "fp_t" && payment.cardCountry == "SE")
    }

    @Test("the billing country comes before the shipping country")
    func countries() throws {
        let shipping: TestJSON = ["address": ["country": "AT"]]
        #expect(try charge(["shipping": shipping]).country == "DE")
        #expect(
            try charge(["billing_details.address.country": nil, "shipping": shipping]).country
                == "AT")
        #expect(try charge(["billing_details.address.country": "Germany"]).country == nil)
    }

    @Test("the device is what the metadata says, or a digest of address and user agent")
    func device() throws {
        #expect(try charge(["metadata": ["device_id": "d"]]).device == "d")
        // printf '%s' '203.0.113.7|Mozilla/5.0' | sha256sum
        let both: TestJSON = ["ip": "203.0.113.7", "user_agent": "Mozilla/5.0"]
        #expect(try charge(["metadata": both]).device == "e71837e3cd723943")
        #expect(try charge(["metadata": both.with(["device_id": ""])]).device == "e71837e3cd723943")
        #expect(try charge(["metadata": both.with(["ip": nil])]).device == nil)
        #expect(try charge(["metadata": both.with(["user_agent": nil])]).device == nil)
        #expect(try charge(["metadata": nil]).device == nil)
    }

    @Test("a payment intent says who paid, and its expanded charge with what")
    func intent() throws {
        let intent = StripeExample.paymentIntent.with([
            "amount_received": 100, "latest_charge": "ch_1", "customer": "cus_2",
            "status": "succeeded", "metadata": ["device_id": "d2"],
            "shipping": ["address": ["country": "NL"]],
        ])
        let bare = try only(StripeExample.event("payment_intent.succeeded", intent))
        #expect(bare.customer == "cus_2" && bare.device == "d2" && bare.country == "NL")
        #expect(bare.card == nil && bare.outcome == "succeeded")
        #expect(bare.related == "pi_1PgafyB7WZ01zgkWSjxsAJo3")
        #expect(bare.objectID == "ch_1")

        let full = try only(
            StripeExample.event(
                "payment_intent.succeeded",
                intent.with(["latest_charge": StripeExample.capturedCharge])))
        #expect(full.card == "AOB934RVNwzk6xtn" && full.outcome == "authorized")
        #expect(full.customer == "cus_1" && full.country == "DE" && full.device == "device-1")
        #expect(full.balanceTransaction == "txn_1PgaxNB7WZ01zgkWEV3TLf40")

        let method = try only(
            StripeExample.event(
                "payment_intent.succeeded",
                intent.with([
                    "payment_method": [
                        "object": "payment_method",
                        "card": ["fingerprint": "fp_pm", "country": "IT"],
                    ]
                ])))
        #expect(method.card == "fp_pm" && method.cardCountry == "IT")
    }

    @Test("a failure says why, and with which card")
    func failures() throws {
        let charge = try only(
            StripeExample.event(
                "charge.failed",
                StripeExample.capturedCharge.with([
                    "failure_code": "card_declined", "outcome.type": "issuer_declined",
                ])))
        #expect(charge.outcome == "card_declined" && charge.card == "AOB934RVNwzk6xtn")
        #expect(charge.balanceTransaction == nil)

        let intent = try only(
            StripeExample.event(
                "payment_intent.payment_failed",
                StripeExample.paymentIntent.with([
                    "last_payment_error": [
                        "charge": "ch_1", "code": "expired_card",
                        "payment_method": [
                            "object": "payment_method",
                            "card": ["fingerprint": "fp_e", "country": "US"],
                        ],
                    ]
                ])))
        #expect(intent.outcome == "expired_card" && intent.card == "fp_e")
        #expect(intent.cardCountry == "US" && intent.amount == MinorUnits(1099))
    }

    @Test("a refund hangs on its charge, and a failed one says why")
    func refunds() throws {
        let failed = StripeExample.refund.with([
            "status": "failed", "failure_reason": "lost_or_stolen_card",
            "balance_transaction": "txn_r", "failure_balance_transaction": "txn_f",
        ])
        let movements = validated(StripeExample.event("refund.failed", failed)).movements
        try #require(movements.count == 2)
        #expect(
            movements.map(\.related) == [
                "ch_1PgafuB7WZ01zgkWXYmPNZs8", "ch_1PgafuB7WZ01zgkWXYmPNZs8",
            ])
        #expect(movements.map(\.balanceTransaction) == ["txn_r", "txn_f"])
        #expect(movements.map(\.outcome) == ["failed", "lost_or_stolen_card"])

        let listed = try only(
            StripeExample.event(
                "charge.refunded",
                StripeExample.capturedCharge.with([
                    "refunds": ["data": [StripeExample.refund.with(["charge": nil])]]
                ])))
        #expect(listed.related == "ch_1PgafuB7WZ01zgkWXYmPNZs8")
        #expect(listed.customer == "cus_1" && listed.card == "AOB934RVNwzk6xtn")

        let withoutCharge = StripeExample.refund.with(["charge": nil, "payment_intent": "pi_5"])
        #expect(try only(StripeExample.event("refund.created", withoutCharge)).related == "pi_5")
    }

    @Test("a dispute's movement carries Stripe's signed fee, and hangs on the charge")
    func disputes() throws {
        func transaction(_ id: String, _ amount: Int64, _ fee: Int64) -> TestJSON {
            StripeExample.balanceTransaction.with([
                "id": .string(id), "amount": .int(amount), "fee": .int(fee),
            ])
        }
        let dispute = StripeExample.dispute.with([
            "status": "won", "charge": StripeExample.capturedCharge,
            "balance_transactions": [
                transaction("txn_1", -1000, 1500), transaction("txn_2", 1000, -1500),
            ],
        ])
        let movements = validated(
            StripeExample.event("charge.dispute.funds_reinstated", dispute)
        ).movements
        #expect(movements.map(\.fee) == [MinorUnits(1500), MinorUnits(-1500)])
        #expect(movements.map(\.balanceTransaction) == ["txn_1", "txn_2"])
        #expect(movements.allSatisfy { $0.outcome == "won" && $0.customer == "cus_1" })
        #expect(movements.allSatisfy { $0.related == "ch_1PgafuB7WZ01zgkWXYmPNZs8" })
        #expect(movements.allSatisfy { $0.objectID == "dp_1Pgc71B7WZ01zgkWMevJiAUx" })
    }

    @Test("a payout says how it stands, and a failed one why it failed")
    func payouts() throws {
        let failed = StripeExample.payout.with([
            "status": "failed", "failure_code": "account_closed",
            "failure_balance_transaction": "txn_back",
        ])
        let movements = validated(StripeExample.event("payout.failed", failed)).movements
        #expect(movements.map(\.outcome) == ["failed", "account_closed"])
        #expect(
            movements.map(\.balanceTransaction) == ["txn_1PgaxNB7WZ01zgkWEV3TLf40", "txn_back"])
    }

    @Test("the ordering key is the customer, else the card, else the object")
    func orderingKey() throws {
        #expect(try charge([:]).orderingKey == "cus_1")
        #expect(try charge(["customer": nil]).orderingKey == "AOB934RVNwzk6xtn")
        let bare = try charge(["customer": nil, "payment_method_details": nil, "source": nil])
        #expect(bare.orderingKey == "ch_1PgafuB7WZ01zgkWXYmPNZs8")
    }
}
