import AppendLog
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
private let start = ReconcileFixture.start

/// Captures, releases and refunds as a decade of API versions tells them, told to our pipeline.
@Suite("Releases and refunds of every API version, from the twin's webhooks to the ledger")
struct TwinTellingFlowTests {
    static let versions = [
        "2016-07-06", "2019-12-03", "2020-08-27", "2022-08-01", "2022-11-15", "2024-06-20",
        "2025-03-31.basil", "2025-09-30.clover",
    ]

    private static func authorise(_ world: TwinWorld, _ more: String = "") throws -> String {
        try world.post(
            "/v1/payment_intents",
            "amount=10000&currency=usd&payment_method=pm_card_visa&confirm=true"
                + "&capture_method=manual&\(more)"
        ).id
    }

    /// Everything that can become of an authorisation.
    private static func trade(_ world: TwinWorld) throws {
        let canceled = try authorise(world)
        try world.post("/v1/payment_intents/\(canceled)/cancel")
        _ = try authorise(world)
        try world.post("/v1/charges", "amount=700&currency=usd&source=tok_visa&capture=false")
        let whole = try authorise(world)
        try world.post("/v1/payment_intents/\(whole)/capture")
        try world.post("/v1/refunds", "payment_intent=\(whole)&amount=1500")
        let partial = try authorise(world)
        try world.post("/v1/payment_intents/\(partial)/capture", "amount_to_capture=6000")
        try world.post("/v1/refunds", "payment_intent=\(partial)&amount=1000")
        try world.post("/v1/refunds", "payment_intent=\(partial)")
        let charge = try world.post(
            "/v1/charges", "amount=900&currency=usd&source=tok_visa&capture=false"
        ).id
        try world.post("/v1/charges/\(charge)/capture", "amount=400")
        let failing = try world.post(
            "/v1/payment_intents",
            "amount=2000&currency=usd&payment_method=pm_card_refundFail&confirm=true"
                + "&capture_method=automatic"
        ).id
        try world.post("/v1/refunds", "payment_intent=\(failing)")
        world.go(to: start + 8 * day)
    }

    @Test(
        "the ledger holds captured minus refunded, in the order of telling and in the other",
        arguments: versions, [false, true])
    func told(text: String, isReversed: Bool) async throws {
        let world = try TwinWorld(start: start, payouts: .manual)
        let fixture = world.fixture
        let version = try #require(StripeVersion(text))
        try world.post(
            "/v1/webhook_endpoints",
            "url=http://localhost&enabled_events[]=*&api_version=\(text)")
        try await fixture.running {
            try Self.trade(world)
            try await world.deliver(telling: version, isReversed: isReversed)
        }
        let rows = try world.get("/v1/balance_transactions", "limit=100")["data"].list
        let expected = rows.reduce(0) { $0 + ($1["amount"]?.integer ?? 0) }
        #expect(expected == 10_000 - 1_500 + 400 + 2_000)
        #expect(try fixture.ledger.standing()["processor:stripe usd"] == expected)
        #expect(fixture.topics[.deadLetter].highWatermark.rawValue == 0)
    }
}
