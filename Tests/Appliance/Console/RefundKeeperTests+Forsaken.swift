import LogSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// A refund that is wanted with a decline which nobody has written, or may have.
extension RefundKeeperTests {
    @Test("where the process ended before the decline was written it is given up at the next start")
    func forsaken() async throws {
        try await opened { world in
            // The ledger has read what it told of the review itself, too.
            try await world.fixture.process(world.opened)
            let keeper = world.keeper()
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            await keeper.look()
            #expect(try world.state() == .wanted, "who wants it may be about to write the decline")
            world.access.clock.advance(milliseconds: 1)
            await world.keeper().look()
            let refund = try #require(try world.access.store.refund(of: Self.movement))
            #expect(refund.shown.words.contains("no decline was recorded"))
            // The same person with the same note, who wants none this time.
            try await world.decide(.decline, by: "rita", note: "odd")
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty)
            #expect(try world.access.store.refund(of: Self.movement) == refund)
        }
    }

    @Test("where the decline is written and not booked it is made once it is")
    func written() async throws {
        try await opened { world in
            _ = try await world.keeper().want(Self.movement, by: "rita", note: "odd")
            try await world.write(.decline, by: "rita", note: "odd")
            world.access.clock.advance(milliseconds: RefundKeeper.decidingMilliseconds + 1)
            let restarted = world.keeper()
            await restarted.look()
            #expect(try world.state() == .wanted)
            #expect(world.stripe.keys.isEmpty)
            try await world.fixture.process(world.opened)
            await restarted.look()
            #expect(world.stripe.keys == [Self.key])
        }
    }

    @Test("of several processes none gives up what another may still be deciding")
    func decidedElsewhere() async throws {
        try await opened(.postgres) { world in
            try await world.fixture.process(world.opened)
            let (keeper, index) = world.keeperAfar()
            try index.catchUp()
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            world.access.clock.advance(milliseconds: RefundKeeper.decidingMilliseconds)
            await world.keeperAfar().0.look()
            #expect(try world.state() == .wanted)
            // Whoever wants one meanwhile begins the time anew, for both.
            _ = try await keeper.want(Self.movement, by: "ada", note: "too")
            world.access.clock.advance(milliseconds: 1)
            await keeper.look()
            #expect(try world.state() == .wanted)
            world.access.clock.advance(milliseconds: RefundKeeper.decidingMilliseconds)
            await keeper.look()
            guard case .dropped = try world.state() else {
                Issue.record("\(String(describing: try world.state()))")
                return
            }
            #expect(world.stripe.keys.isEmpty)
        }
    }
}
