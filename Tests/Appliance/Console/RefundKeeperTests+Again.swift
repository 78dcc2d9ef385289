import LogSupport
import Synchronization
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

/// A refund that is asked for again, behind one that gave nothing back.
extension RefundKeeperTests {
    private func asked(_ world: World) async throws -> AskedRefund {
        let review = try #require(try world.opened.ledger.review(of: Self.movement))
        return try await world.keeper().make(review, by: "rita", from: nil)
    }

    @Test(
        "behind one that failed the key is another, and stays that where no answer comes",
        arguments: AccountPlace.allCases)
    func failed(place: AccountPlace) async throws {
        try await opened(place) { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            world.stripe.status.withLock { $0 = "failed" }
            let first = try await asked(world)
            #expect(first.state == .ended(.made(id: "re_\(Self.key)", status: "failed")))
            #expect(first.shown.tone == "stop" && first.shown.words.contains("ask again"))
            let second = "\(Self.key)-re_\(Self.key)"
            world.stripe.status.withLock { $0 = nil }
            #expect(try await asked(world).state == .ended(.unknown("no route")))
            #expect(world.stripe.keys == [Self.key, second, second, second])
            // As another process, or a person behind a new decline, reads it.
            let kept = try #require(try world.access.store.refund(of: Self.movement))
            #expect(kept.behind == "re_\(Self.key)")
            #expect(kept.nextBehind() == kept.behind)
            world.stripe.status.withLock { $0 = "succeeded" }
            let third = try await asked(world)
            #expect(third.state == .ended(.made(id: "re_\(second)", status: "succeeded")))
            #expect(world.stripe.keys.suffix(1) == [second])
            #expect(try world.access.store.refund(of: Self.movement) == third)
            // It stands, and nobody asks for a third.
            #expect(try await asked(world) == third)
            #expect(world.stripe.keys.count == 5)
        }
    }

    @Test("behind one that Stripe refused the key is another, over a process that dies with it")
    func refused() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            world.stripe.refusal.withLock { $0 = "Insufficient funds" }
            let first = try await asked(world)
            #expect(first.state == .ended(.refused("Insufficient funds")))
            let second = "\(Self.key)-\(first.changedAt)"
            world.access.clock.advance(milliseconds: 1)
            var asking = first
            asking.behind = first.nextBehind()
            (asking.state, asking.changedAt) = (.asking, world.access.now)
            asking.wantedAt = world.access.now
            try world.access.store.keep(asking)
            world.stripe.refusal.withLock { $0 = nil }
            world.access.clock.advance(milliseconds: RefundKeeper.askingMilliseconds + 1)
            await world.keeper().look()
            #expect(world.stripe.keys == [Self.key, second])
            #expect(
                try world.state() == .ended(.made(id: "re_\(second)", status: "succeeded")))
        }
    }

    @Test("one that failed after Stripe had made it is behind its own event, not before that")
    func failedLater() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            world.stripe.status.withLock { $0 = "pending" }
            let first = try await asked(world)
            let id = "re_\(Self.key)"
            #expect(try await asked(world) == first, "its event is still to come")
            let payment = try #require(try world.opened.ledger.review(of: Self.movement))
            func book(_ kind: PaymentKind) throws -> InputOutcome? {
                let event = Given.event(
                    kind, id, amount: 4_200, merchant: payment.merchant.rawValue, related: "ch_1")
                return try world.opened.ledger.post([Given.scored(event)]).inputs.first
            }
            #expect(try book(.refund) == .booked(count: 2))
            #expect(try await asked(world) == first, "it is booked, and stands")
            #expect(try book(.refundFailed) == .booked(count: 2))
            world.stripe.status.withLock { $0 = "succeeded" }
            let second = try await asked(world)
            #expect(world.stripe.keys == [Self.key, "\(Self.key)-\(id)"])
            #expect(
                second.state
                    == .ended(.made(id: "re_\(Self.key)-\(id)", status: "succeeded")))
        }
    }

    @Test("a new decline that wants one goes on with the key of an attempt without an answer")
    func wantedAgain() async throws {
        try await opened { world in
            let now = world.access.now
            var earlier = AskedRefund(
                movement: Self.movement, by: "rita", note: "odd", wantedAt: now, changedAt: now,
                state: .ended(.unknown("status 500")), behind: "re_1")
            for (state, behind) in [
                (AskedRefund.State.ended(.unknown("status 500")), "re_1"),
                (.dropped("the payment was not declined"), "re_1"),
                (.ended(.refused("no")), "\(now)"),
            ] {
                earlier.state = state
                try world.access.store.keep(earlier)
                let wish = try await world.keeper().want(Self.movement, by: "ada", note: "too")
                #expect(wish.refund.behind == behind)
                #expect(try world.access.store.refund(of: Self.movement) == wish.refund)
                try await world.keeper().withdraw(wish)
                #expect(try world.access.store.refund(of: Self.movement) == earlier)
            }
        }
    }
}
