import LogSupport
import Synchronization
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

/// What is left of a payment to be refunded, and refunds whose answer was lost.
extension RefundKeeperTests {
    private func review(_ world: World) throws -> Review {
        try #require(try world.opened.ledger.review(of: Self.movement))
    }

    private func pressed(_ world: World) async throws -> AskedRefund {
        try await world.keeper().make(try review(world), by: "rita", from: nil)
    }

    private func book(
        _ kind: PaymentKind, _ id: String, _ amount: Int64, _ world: World
    ) throws {
        let event = Given.event(
            kind, id, amount: amount, merchant: try review(world).merchant.rawValue,
            related: "ch_1")
        let outcome = try world.opened.ledger.post([Given.scored(event)]).inputs.first
        guard case .booked = outcome else {
            Issue.record("\(id): \(String(describing: outcome))")
            return
        }
    }

    @Test(
        "what was refunded in Stripe's dashboard is not ordered again",
        arguments: [true, false], AccountPlace.allCases)
    func dashboard(isBeforeDecline: Bool, place: AccountPlace) async throws {
        try await opened(place) { world in
            if isBeforeDecline { try book(.refund, "re_9", 1_000, world) }
            try await world.decide(.decline, by: "rita", note: "odd")
            if !isBeforeDecline { try book(.refund, "re_9", 1_000, world) }
            let key = "tillbox-decline-ch_1-3200"
            #expect(
                try await pressed(world).state
                    == .ended(.made(id: "re_\(key)", status: "succeeded")))
            #expect(world.stripe.keys == [key])
            let noted = try #require(try world.access.store.lastAudit(of: "refund at Stripe"))
            #expect(noted.detail == "ch_1 32.00 USD: made re_\(key), succeeded")
        }
    }

    @Test("where nothing is left nothing is ordered, and it says by what it was refunded")
    func nothing() async throws {
        try await opened { world in
            try book(.refund, "re_8", 3_200, world)
            try await world.decide(.decline, by: "rita", note: "odd")
            try book(.refund, "re_9", 1_000, world)
            let told = try await pressed(world)
            #expect(world.stripe.keys.isEmpty)
            #expect(
                told.shown.words
                    == "The refund was not made: nothing of the payment is left to be refunded: "
                    + "32.00 USD by re_8, 10.00 USD by re_9 was refunded before")
        }
    }

    @Test("a refund that failed is left to be made")
    func failedThere() async throws {
        try await opened { world in
            try book(.refund, "re_9", 4_200, world)
            try book(.refundFailed, "re_9", 4_200, world)
            try await world.decide(.decline, by: "rita", note: "odd")
            _ = try await pressed(world)
            #expect(world.stripe.keys == [Self.key])
        }
    }

    @Test(
        "one whose answer was lost is found at Stripe, also once it has forgotten the key",
        arguments: [0, 2 * RefundKeeper.keyMilliseconds])
    func lost(_ later: Int64) async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            world.stripe.losesAnswers.withLock { $0 = true }
            #expect(try await pressed(world).state == .ended(.unknown("no route")))
            #expect(world.stripe.keys == [Self.key, Self.key, Self.key])
            world.access.clock.advance(milliseconds: later)
            let made = try await pressed(world)
            #expect(made.state == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
            #expect(try world.access.store.refund(of: Self.movement) == made)
            #expect(world.stripe.keys.count == 3, "no second one is asked for")
        }
    }

    @Test("one whose answer was lost and whose event is booked is told as made, without asking")
    func lostAndBooked() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            world.stripe.losesAnswers.withLock { $0 = true }
            #expect(try await pressed(world).state == .ended(.unknown("no route")))
            try book(.refund, "re_\(Self.key)", 4_200, world)
            let made = try await pressed(world)
            #expect(
                made.shown.words
                    == "Stripe has made the refund re_\(Self.key), and it is booked")
            #expect(world.stripe.keys.count == 3)
            #expect(try await pressed(world) == made)
        }
    }

    @Test("what is left beside one that is made and booked is another refund")
    func besides() async throws {
        try await opened { world in
            try book(.refund, "re_9", 1_000, world)
            try await world.decide(.decline, by: "rita", note: "odd")
            let first = try await pressed(world)
            let key = "tillbox-decline-ch_1-3200"
            try book(.refundFailed, "re_9", 1_000, world)
            #expect(try await pressed(world) == first, "its own event is still to come")
            try book(.refund, "re_\(key)", 3_200, world)
            let second = "tillbox-decline-ch_1-1000-re_\(key)"
            #expect(
                try await pressed(world).state
                    == .ended(.made(id: "re_\(second)", status: "succeeded")))
            #expect(world.stripe.keys == [key, second])
        }
    }

    // MARK: What the case says

    @Test("the case names what is left, the command orders that, and what was refunded is told")
    func view() async throws {
        try await opened { world in
            try book(.refund, "re_9", 1_000, world)
            try await world.decide(.decline, by: "rita", note: "odd")
            let review = try review(world)
            func view() throws -> RefundView {
                let event = Given.event(.payment, "ch_1", amount: 4_200)
                let due = try #require(
                    DueRefund(
                        review, event, try world.opened.ledger.givenRefunds(of: Self.movement),
                        disputed: .zero, base: "https://api.stripe.com"))
                return RefundView(due, action: nil, nil, token: "")
            }
            let part = try view()
            #expect(part.isDue && part.amount.words == "32.00 USD")
            #expect(part.given == "10.00 USD by re_9")
            #expect(
                part.command.hasSuffix(
                    "'Idempotency-Key: tillbox-decline-ch_1-3200' -d charge=ch_1 -d amount=3200 "
                        + "-d 'metadata[tillbox_refund]=tillbox-decline-ch_1-3200'"))
            try book(.refund, "re_10", 3_200, world)
            let whole = try view()
            #expect(!whole.isDue)
            #expect(whole.given == "10.00 USD by re_9, 32.00 USD by re_10")
        }
    }
}
