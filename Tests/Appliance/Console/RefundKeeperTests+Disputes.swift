import AppendLog
import LogSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

/// Declined payments of which a dispute has taken something: Stripe refuses to refund that.
extension RefundKeeperTests {
    /// Minor units that a dispute's transactions take, below zero where they give back.
    struct Disputed: Sendable {
        var refunded: Int64 = 0
        var taken: [Int64]
        var currency = "usd"
        /// What is then asked for; 0 for nothing.
        var asked: Int64
        /// What is said where nothing is.
        var says = ""
    }

    private static let nothing = "The refund was not made: nothing of the payment is left to be "
        + "refunded: "

    /// Has a dispute's events booked, and read by the index.
    private func dispute(_ taken: [Int64], in currency: String, _ world: World) async throws {
        for (number, amount) in taken.enumerated() {
            let word = amount > 0 ? "withdrawn" : "reinstated"
            let body = """
                {"id":"evt_dp\(number)","object":"event","api_version":"2024-06-20",\
                "type":"charge.dispute.funds_\(word)","created":1760140800,"livemode":false,\
                "data":{"object":{"id":"dp_1","object":"dispute","amount":\(amount.magnitude),\
                "currency":"usd","charge":"ch_1","status":"lost","reason":"fraudulent",\
                "created":1760140800,"livemode":false,"balance_transactions":[\
                {"id":"txn_dp\(number)","object":"balance_transaction","amount":\(-amount),\
                "fee":1500,"net":\(-amount - 1500),"currency":"\(currency)",\
                "type":"adjustment","created":1760140800}]}}}
                """
            _ = try await world.opened.append(
                PipelineFixture.received(body, event: "evt_dp\(number)"), to: .webhookReceived)
            try await world.fixture.process(world.opened)
            let booked = try world.opened.ledger.transactions(
                of: MovementKey("dispute:txn_dp\(number)"))
            try #require(booked.count == 1)
        }
        try world.sources().index.catchUp()
    }

    private func refund(_ amount: Int64, _ world: World) throws {
        let review = try #require(try world.opened.ledger.review(of: Self.movement))
        let event = Given.event(
            .refund, "re_9", amount: amount, merchant: review.merchant.rawValue, related: "ch_1")
        _ = try world.opened.ledger.post([Given.scored(event)])
    }

    @Test(
        "what a dispute has taken is not ordered, and what came back is",
        arguments: [
            Disputed(taken: [4_200], asked: 0, says: "42.00 USD was taken for a dispute"),
            Disputed(taken: [1_000], asked: 3_200),
            Disputed(refunded: 1_200, taken: [1_000], asked: 2_000),
            Disputed(
                refunded: 1_200, taken: [3_000], asked: 0,
                says: "12.00 USD by re_9 was refunded before, and 30.00 USD was taken for a dispute"
            ),
            Disputed(taken: [4_200, -4_200], asked: 4_200),
            Disputed(taken: [4_200, -1_500], asked: 1_500),
            // By how much less is left cannot be told.
            Disputed(taken: [4_200], currency: "eur", asked: 4_200),
        ])
    func disputed(row: Disputed) async throws {
        try await opened { world in
            try await dispute(row.taken, in: row.currency, world)
            if row.refunded > 0 { try refund(row.refunded, world) }
            try await world.decide(.decline, by: "rita", note: "odd")
            let review = try #require(try world.opened.ledger.review(of: Self.movement))
            let told = try await world.keeper().make(review, by: "rita", from: nil)
            let keys = row.asked > 0 ? ["tillbox-decline-ch_1-\(row.asked)"] : []
            #expect(world.stripe.keys == keys)
            if row.asked > 0 {
                #expect(told.state == .ended(.made(id: "re_\(keys[0])", status: "succeeded")))
            } else {
                #expect(told.shown.words == Self.nothing + row.says)
            }
        }
    }

    @Test("a dispute that is won after the refund was given up leaves all of it to be ordered")
    func won() async throws {
        try await opened { world in
            try await dispute([4_200], in: "usd", world)
            _ = try await world.keeper().want(Self.movement, by: "rita", note: "odd")
            try await world.decide(.decline, by: "rita", note: "odd")
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty)
            let review = try #require(try world.opened.ledger.review(of: Self.movement))
            let sources = world.sources().payments
            #expect(try sources.disputed(of: review) == MinorUnits(4_200))
            try await dispute([4_200, -4_200], in: "usd", world)
            #expect(try sources.disputed(of: review) == .zero)
            _ = try await world.keeper().make(review, by: "rita", from: nil)
            #expect(world.stripe.keys == [Self.key])
        }
    }

    @Test("the case tells what is left, and what disputes have taken beside the refunds")
    func disputedView() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let review = try #require(try world.opened.ledger.review(of: Self.movement))
            let given = [
                GivenRefund(id: "re_9", amount: MinorUnits(1_200), currency: review.currency)
            ]
            func view(_ disputed: Int64) throws -> RefundView {
                let event = Given.event(.payment, "ch_1", amount: 4_200)
                let due = try #require(
                    DueRefund(
                        review, event, given, disputed: MinorUnits(disputed),
                        base: "https://api.stripe.com"))
                return RefundView(due, action: nil, nil, token: "")
            }
            let part = try view(1_000)
            #expect(part.isDue && part.amount.words == "20.00 USD")
            #expect(part.given == "12.00 USD by re_9, 10.00 USD taken for a dispute")
            #expect(part.command.contains("-d amount=2000 "))
            let whole = try view(3_000)
            #expect(!whole.isDue)
            #expect(whole.given == "12.00 USD by re_9, 30.00 USD taken for a dispute")
        }
    }
}
