import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("What is left of a payment to be refunded")
struct GivenRefundTests {
    private static let dollar = Given.usd

    private static func refund(_ amount: Int64, _ currency: Currency = dollar) -> GivenRefund {
        GivenRefund(id: "re_\(amount)", amount: MinorUnits(amount), currency: currency)
    }

    private static func review() -> Review {
        Review(
            payment: TransactionID(1), movement: MovementKey("charge:ch_1"),
            merchant: MerchantID("shop"), currency: dollar, amount: MinorUnits(4_200),
            state: .declined, effectiveAt: Instant(seconds: 100), eventID: nil, score: nil,
            reasons: [], decision: nil)
    }

    @Test(
        "is the payment without what was refunded, and never below zero",
        arguments: [
            ([], 4_200), ([1_000], 3_200), ([1_000, 3_200], 0), ([4_200, 1], 0),
        ] as [([Int64], Int64)])
    func left(amounts: [Int64], expected: Int64) {
        let given = amounts.map { Self.refund($0) }
        #expect(given.left(of: Self.review()) == MinorUnits(expected))
    }

    @Test("what came in another currency takes nothing from it")
    func otherCurrency() throws {
        let yen = try #require(Currency("jpy"))
        #expect([Self.refund(1_000, yen)].left(of: Self.review()) == MinorUnits(4_200))
    }

    @Test(
        "is less by what disputes have taken, and never below zero",
        arguments: [(0, 3_200), (1_000, 2_200), (3_200, 0), (4_200, 0)] as [(Int64, Int64)])
    func disputed(taken: Int64, expected: Int64) {
        let given = [Self.refund(1_000)]
        #expect(
            given.left(of: Self.review(), disputed: MinorUnits(taken)) == MinorUnits(expected))
        var writer = JSONWriter()
        writer.beginObject()
        given.encodeMembers(of: Self.review(), disputed: MinorUnits(taken), into: &writer)
        writer.endObject()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self).hasPrefix(
                #"{"refundable_minor_units":\#(expected),"disputed_minor_units":\#(taken),"#))
    }

    @Test("is written beside a review, with the refunds that are booked")
    func json() {
        var writer = JSONWriter()
        writer.beginObject()
        [Self.refund(1_000), Self.refund(200)].encodeMembers(of: Self.review(), into: &writer)
        writer.endObject()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"refundable_minor_units":3000,"refunds":[{"id":"re_1000","#
                + #""minor_units":1000},{"id":"re_200","minor_units":200}]}"#)
    }
}
