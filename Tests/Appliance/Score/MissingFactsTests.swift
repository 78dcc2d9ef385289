import Testing

@testable import Appliance
@testable import Vocabulary

/// What scoring makes of a payment whose event does not say who paid, or with what (contracts §5).
///
/// The events are Stripe's, validated, and judged by the embedded model.
@Suite("Missing facts")
struct MissingFactsTests {
    private var scoring: EmbeddedScoring

    init() throws {
        let model = try FraudModelFixture.embedded()
        scoring = Scoring(verdicts: Verdicts(thresholds: model.schema.thresholds), model: model)
    }

    private mutating func judge(_ event: TestJSON) throws -> ScoreOutcome {
        let movement = try #require(validated(event).movements.first)
        return scoring.score([movement])[0]
    }

    /// A payment intent of API versions since 2022-11-15: its charge is an id, its card elsewhere.
    private static func intent(customer: TestJSON) -> TestJSON {
        StripeExample.event(
            "payment_intent.succeeded",
            StripeExample.paymentIntent.with([
                "status": "succeeded", "amount_received": 100, "latest_charge": "ch_1",
                "charges": nil, "customer": customer, "payment_method": "pm_1", "metadata": [:],
                "shipping": nil,
            ]))
    }

    private static func charge(
        customer: TestJSON = nil, _ changes: KeyValuePairs<String, TestJSON?> = [:]
    ) -> TestJSON {
        StripeExample.event(
            "charge.succeeded",
            StripeExample.capturedCharge.with(["id": "ch_1", "customer": customer])
                .with([
                    "billing_details.address.country": "US",
                    "payment_method_details.card.country": "US",
                ]).with(changes))
    }

    private static let noFacts = [VerdictReason.rule(Verdicts.Rule.featuresMissing.rawValue)]

    @Test(
        "a guest's intent without its charge waits in review, unscored, until the charge is there")
    mutating func guestIntent() throws {
        let waiting = try judge(Self.intent(customer: nil))
        #expect(waiting.payment?.verdict == .manualReview)
        #expect(waiting.payment?.reasons == Self.noFacts)
        #expect(waiting.payment?.score == nil)
        #expect(waiting.payment?.model == nil)
        #expect(waiting.features == nil)
        #expect(scoring.features.customerCount == 0, "nobody was named, so nobody is remembered")

        let informed = try judge(Self.charge())
        #expect(informed.isRescore)
        #expect(informed.payment?.verdict == .approve)
        #expect(informed.payment?.reasons == [])
        #expect(informed.features?.values[Feature.velocity1m.rawValue] == 1)
        // Told again, it changes nothing more.
        #expect(try judge(Self.intent(customer: nil)) == ScoreOutcome())
    }

    @Test("a guest's charge that comes first leaves the intent nothing to say")
    mutating func chargeFirst() throws {
        #expect(try judge(Self.charge()).payment?.verdict == .approve)
        #expect(try judge(Self.intent(customer: nil)) == ScoreOutcome())
    }

    @Test("a guest's intent of an old API version holds its charge, and is scored by the card")
    mutating func embeddedCharge() throws {
        let charge = StripeExample.capturedCharge.with([
            "id": "ch_1", "customer": nil, "status": "succeeded", "paid": true,
        ])
        let intent = Self.intent(customer: nil).with([
            "data.object.latest_charge": nil,
            "data.object.charges": ["object": "list", "data": [charge], "has_more": false],
        ])
        let judged = try judge(intent)
        #expect(judged.payment?.verdict == .approve)
        #expect(judged.payment?.score != nil)
    }

    /// The customer's pace and amounts are known. What is not known of card and device counts as
    /// no sign of anything, and the charge says it when it comes.
    @Test("a customer's intent without its charge is scored at once, and again with the charge")
    mutating func customerIntent() throws {
        let first = try judge(Self.intent(customer: "cus_1"))
        #expect(first.payment?.verdict == .approve)
        #expect(first.features?.values[Feature.countryMismatch.rawValue] == 0)
        let second = try judge(
            Self.charge(customer: "cus_1", ["payment_method_details.card.country": "FR"]))
        #expect(second.isRescore)
        #expect(second.features?.values[Feature.countryMismatch.rawValue] == 1)
        #expect(second.features?.values[Feature.velocity1m.rawValue] == 1, "counted once")
    }

    @Test("a guest's payment by a method without a card stays in review, whatever comes later")
    mutating func noCard() throws {
        #expect(try judge(Self.intent(customer: nil)).payment?.reasons == Self.noFacts)
        let charge = Self.charge([
            "payment_method_details": ["type": "ideal", "ideal": ["bank": "ing"]],
            "payment_method": "pm_1", "source": nil,
        ])
        #expect(try judge(charge) == ScoreOutcome(), "the verdict stands: nobody is known yet")
        let named = Self.charge(
            customer: "cus_9",
            [
                "payment_method_details": ["type": "ideal", "ideal": ["bank": "ing"]],
                "payment_method": "pm_1", "source": nil,
            ])
        #expect(try judge(named).payment?.verdict == .approve, "a customer's account is enough")
    }

    @Test("a charge without country or device is scored: what is unknown is never taken for odd")
    mutating func partlyKnown() throws {
        let vague = Self.charge(["billing_details": nil, "shipping": nil, "metadata": [:]])
        let judged = try judge(vague)
        #expect(judged.payment?.verdict == .approve)
        let vector = try #require(judged.features).values
        #expect(vector[Feature.countryMismatch.rawValue] == 0)
        #expect(vector[Feature.deviceSwitch.rawValue] == 0)
    }
}
