import AppendLog
import LogSupport
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

@Suite("Refunds that wait for their decline")
struct RefundKeeperTests {
    /// Stripe, which makes every refund and tells which it has made.
    final class Stripe: StripePosting {
        private let state = Mutex<(keys: [String], made: [String: String])>(([], [:]))
        /// What it refuses each refund with; nil where it makes them.
        let refusal = Mutex<String?>(nil)
        /// Its word of each that it makes; nil where it answers nothing.
        let status = Mutex<String?>("succeeded")
        /// Whether it makes them without an answer.
        let losesAnswers = Mutex(false)
        /// The keys of all requests.
        var keys: [String] { state.withLock { $0.keys } }

        func post(
            _ path: String, _ form: [(String, String)], idempotencyKey key: String,
            of account: StripeAccount
        ) async throws -> StripeAnswer {
            state.withLock { $0.keys.append(key) }
            if let why = refusal.withLock({ $0 }) {
                return Self.answer(400, #"{"error":{"message":"\#(why)"}}"#)
            }
            guard let status = status.withLock({ $0 }) else {
                throw StripeSilence(reason: "no route")
            }
            let amount = form.first { $0.0 == "amount" }?.1 ?? ""
            let refund = #"""
                {"id":"re_\#(key)","status":"\#(status)","amount":\#(amount),
                "metadata":{"tillbox_refund":"\#(key)"}}
                """#
            state.withLock { $0.made[key] = refund }
            if losesAnswers.withLock({ $0 }) { throw StripeSilence(reason: "no route") }
            return Self.answer(200, refund)
        }

        func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            let made = state.withLock { $0.made.values.joined(separator: ",") }
            return Self.answer(200, #"{"has_more":false,"data":[\#(made)]}"#)
        }

        private static func answer(_ status: Int, _ body: String) -> StripeAnswer {
            StripeAnswer(status: status, retryAfter: nil, body: Array(body.utf8))
        }
    }

    static let movement = MovementKey("charge:ch_1")
    static let key = "tillbox-decline-ch_1-4200"

    /// A folder with one held payment, of 42.00.
    struct World {
        let access: AccessWorld
        let stripe = Stripe()
        let fixture: PipelineFixture
        let opened: PipelineFixture.Opened

        /// One as after a start.
        func keeper() -> RefundKeeper {
            RefundKeeper(
                desk: RefundDesk(stripe: stripe, sleep: { _ in }), sources: sources(),
                decisions: opened.plane.decisions, access: access.desk,
                base: "https://api.stripe.com", clock: access.clock, logger: PipelineFixture.quiet)
        }

        /// What the console reads; the index stands where it was read to before.
        func sources() -> ConsoleSources {
            let reader: @Sendable (TopicID) -> TopicReader = { [opened] in
                TopicReader(opened.topics[$0])
            }
            return ConsoleSources(
                index: PaymentIndex(
                    at: fixture.folder.file("index.sqlite"),
                    log: opened.log.identity.description, reader: reader,
                    logger: PipelineFixture.quiet),
                ledger: opened.ledger, statement: StatementStore(of: opened.ledger),
                reader: reader, endpoints: [], lags: { [] }, byteCount: { _ in 0 })
        }

        /// One of a plane whose log is elsewhere, with the index that it looks into.
        func keeperAfar() -> (RefundKeeper, PaymentIndex) {
            let reader: @Sendable (SourceLane) -> TopicReader = { [opened] in
                TopicReader(opened.topics[$0.topic])
            }
            let index = PaymentIndex(
                partitions: 1, reader: { lane throws(StoreFailure) in reader(lane) },
                logger: PipelineFixture.quiet)
            let sources = PaymentSources(
                index: index, ledger: opened.ledger,
                log: ShownLog(partitionCount: 1, place: "", figures: { [] }, reader: reader),
                explainer: { [opened] in
                    Explainer(
                        ledger: opened.ledger, statement: nil, partitions: 1, reader: reader,
                        endpoints: [])
                })
            let keeper = RefundKeeper(
                desk: RefundDesk(stripe: stripe, sleep: { _ in }), payments: sources,
                decisions: opened.plane.decisions, access: access.desk,
                base: "https://api.stripe.com", clock: access.clock, logger: PipelineFixture.quiet)
            return (keeper, index)
        }

        func decide(_ decision: ReviewRequest.Decision, by name: String, note: String) async throws
        {
            try await write(decision, by: name, note: note)
            try await fixture.process(opened)
        }

        /// Without the ledger reading it.
        func write(_ decision: ReviewRequest.Decision, by name: String, note: String) async throws {
            let review = try #require(try opened.ledger.review(of: RefundKeeperTests.movement))
            let request = try ReviewRequest(decision, by: name, note: note)
            _ = try await opened.append(
                request.record(on: review, at: Timestamp(milliseconds: 1_760_100_000_000)),
                to: .paymentReview)
        }

        func state() throws -> AskedRefund.State? {
            try access.store.refund(of: RefundKeeperTests.movement)?.state
        }
    }

    func opened(
        _ place: AccountPlace = .folder, _ body: (World) async throws -> Void
    ) async throws {
        let dollar = try #require(Currency("usd"))
        let fixture = try PipelineFixture { $0.amountLimits = [dollar: MinorUnits(1)] }
        try await fixture.opened { opened in
            _ = try await opened.append(
                PipelineFixture.received(
                    PipelineFixture.charge(1, amount: 4_200), event: "evt_1"),
                to: .webhookReceived)
            try await fixture.process(opened)
            try await body(
                World(access: try AccessWorld(place), fixture: fixture, opened: opened))
        }
    }

    @Test("it is made once the decline is booked, over a restart, and is known after the next")
    func late() async throws {
        try await opened { world in
            _ = try await world.keeper().want(Self.movement, by: "rita", note: "odd")
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty, "nothing is declined yet")
            #expect(try world.state() == .wanted)
            try await world.decide(.decline, by: "rita", note: "odd")
            let restarted = world.keeper()
            await restarted.look()
            await restarted.look()
            #expect(world.stripe.keys == [Self.key])
            let known = await world.keeper().known(of: Self.movement)
            #expect(known?.state == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
            let view = try #require(known?.shown)
            #expect(view.words.hasPrefix("Stripe has made the refund re_") && view.tone == "ok")
            let noted = try #require(try world.access.store.lastAudit(of: "refund at Stripe"))
            #expect(noted.who == "rita")
            #expect(noted.detail == "ch_1 42.00 USD: made re_\(Self.key), succeeded")
        }
    }

    struct Otherwise: Sendable {
        var decision: ReviewRequest.Decision
        var by, note, says: String
    }

    @Test(
        "it is not made where the review ends otherwise, and that is told",
        arguments: [
            Otherwise(decision: .approve, by: "rita", note: "odd", says: "was not declined"),
            Otherwise(decision: .decline, by: "ada", note: "odd", says: "somebody else declined"),
            Otherwise(decision: .decline, by: "rita", note: "else", says: "somebody else declined"),
        ])
    func dropped(_ other: Otherwise) async throws {
        try await opened { world in
            _ = try await world.keeper().want(Self.movement, by: "rita", note: "odd")
            try await world.decide(other.decision, by: other.by, note: other.note)
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty)
            let found = await world.keeper().known(of: Self.movement)
            let known = try #require(found)
            #expect(known.shown.words.contains(other.says), "\(known.shown.words)")
            #expect(known.shown.words.hasPrefix("The refund was not made: "))
        }
    }

    @Test("a process that died while it asked asks again with the same key, but not a day later")
    func died() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            func asking() throws {
                try world.access.store.keep(
                    AskedRefund(
                        movement: Self.movement, by: "rita", note: "odd",
                        wantedAt: world.access.now, changedAt: world.access.now, state: .asking))
            }
            try asking()
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty, "it may still be asking")
            world.access.clock.advance(milliseconds: RefundKeeper.askingMilliseconds + 1)
            await world.keeper().look()
            #expect(world.stripe.keys == [Self.key])
            try asking()
            world.access.clock.advance(milliseconds: RefundKeeper.keyMilliseconds)
            await world.keeper().look()
            #expect(world.stripe.keys == [Self.key])
            guard case .ended(.unknown) = try world.state() else {
                Issue.record("\(String(describing: try world.state()))")
                return
            }
        }
    }

    @Test("the key's day begins when it was asked for first, however often that was gone on with")
    func oldKey() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let first = world.access.now
            // Another process has gone on with it a minute ago, 23 hours after the first request.
            world.access.clock.advance(milliseconds: RefundKeeper.keyMilliseconds - 60_000)
            try world.access.store.keep(
                AskedRefund(
                    movement: Self.movement, by: "rita", note: "odd", wantedAt: first,
                    changedAt: world.access.now, state: .asking))
            world.access.clock.advance(milliseconds: RefundKeeper.askingMilliseconds + 1)
            await world.keeper().look()
            #expect(world.stripe.keys.isEmpty)
            guard case .ended(.unknown) = try world.state() else {
                Issue.record("\(String(describing: try world.state()))")
                return
            }
        }
    }

    @Test("who goes on with a request of another's keeps the time of the first one")
    func firstTime() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let first = world.access.now
            try world.access.store.keep(
                AskedRefund(
                    movement: Self.movement, by: "rita", note: "odd", wantedAt: first,
                    changedAt: first, state: .asking))
            world.access.clock.advance(milliseconds: RefundKeeper.askingMilliseconds + 1)
            await world.keeper().look()
            let refund = try #require(try world.access.store.refund(of: Self.movement))
            #expect(refund.wantedAt == first && refund.changedAt > first)
        }
    }

    @Test("one whose decline is refused is wanted no more")
    func withdrawn() async throws {
        try await opened { world in
            let keeper = world.keeper()
            let wish = try await keeper.want(Self.movement, by: "rita", note: "odd")
            #expect(try world.state() == .wanted)
            try await keeper.withdraw(wish)
            #expect(try world.state() == nil)
        }
    }

    @Test(
        "who is refused takes nothing from who was first, whose decline is booked late",
        arguments: ["ada", "rita"])
    func twoAtOnce(_ second: String) async throws {
        try await opened { world in
            let keeper = world.keeper()
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            world.access.clock.advance(milliseconds: 1)
            let late = try await keeper.want(Self.movement, by: second, note: "odd, too")
            try await keeper.withdraw(late)
            try await world.decide(.decline, by: "rita", note: "odd")
            await keeper.look()
            #expect(world.stripe.keys == [Self.key])
            let refund = try #require(try world.access.store.refund(of: Self.movement))
            #expect(refund.by == "rita" && refund.note == "odd")
        }
    }

    @Test("who is refused leaves what Stripe has said before, and what came meanwhile")
    func refusedBehindAnAnswer() async throws {
        try await opened { world in
            let keeper = world.keeper()
            let unknown = AskedRefund(
                movement: Self.movement, by: "rita", note: "odd", wantedAt: world.access.now,
                changedAt: world.access.now, state: .ended(.unknown("status 500")))
            try world.access.store.keep(unknown)
            let late = try await keeper.want(Self.movement, by: "ada", note: "odd, too")
            try await keeper.withdraw(late)
            #expect(try world.access.store.refund(of: Self.movement) == unknown)
            let later = try await keeper.want(Self.movement, by: "ada", note: "odd, too")
            var made = unknown
            made.state = .ended(.made(id: "re_1", status: "succeeded"))
            try world.access.store.keep(made)
            try await keeper.withdraw(later)
            #expect(try world.access.store.refund(of: Self.movement) == made)
        }
    }

    // MARK: Several processes

    @Test("of several that look at once one asks Stripe", arguments: AccountPlace.allCases)
    func atOnce(place: AccountPlace) async throws {
        try await opened(place) { world in
            _ = try await world.keeper().want(Self.movement, by: "rita", note: "odd")
            try await world.decide(.decline, by: "rita", note: "odd")
            // Each with a desk of its own, as in processes of their own.
            let keepers = (0..<4).map { _ in world.keeper() }
            await withTaskGroup(of: Void.self) { group in
                for keeper in keepers { group.addTask { await keeper.look() } }
            }
            #expect(world.stripe.keys == [Self.key])
            #expect(
                try world.state() == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
        }
    }

    @Test(
        "one that was paused while it asked takes nothing from who went on",
        arguments: AccountPlace.allCases)
    func paused(place: AccountPlace) async throws {
        try await opened(place) { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let asking = AskedRefund(
                movement: Self.movement, by: "rita", note: "odd", wantedAt: world.access.now,
                changedAt: world.access.now, state: .asking)
            try world.access.store.keep(asking)
            world.access.clock.advance(milliseconds: RefundKeeper.askingMilliseconds + 1)
            await world.keeper().look()
            let made = try #require(try world.access.store.refund(of: Self.movement))
            #expect(made.state == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
            var late = asking
            late.state = .ended(.unknown("no answer"))
            try world.access.store.end(asking, as: late)
            #expect(try world.access.store.refund(of: Self.movement) == made)
            // The other way round: what Stripe has made is not forgotten for a word that came late.
            try world.access.store.keep(late)
            try world.access.store.end(asking, as: made)
            #expect(try world.access.store.refund(of: Self.movement) == made)
        }
    }

    @Test(
        "whose decline stands has their refund, also where another's process died wanting one",
        arguments: AccountPlace.allCases)
    func diedWanting(place: AccountPlace) async throws {
        try await opened(place) { world in
            let keeper = world.keeper()
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            _ = try await keeper.want(Self.movement, by: "ada", note: "\"odd\", too")
            try await world.decide(.decline, by: "rita", note: "odd")
            await keeper.look()
            #expect(world.stripe.keys == [Self.key])
            let refund = try #require(try world.access.store.refund(of: Self.movement))
            #expect(refund.by == "rita" && refund.note == "odd")
        }
    }

    @Test("who takes theirs back behind another's is not among those who want one any more")
    func takenBack() async throws {
        try await opened { world in
            let keeper = world.keeper()
            let wish = try await keeper.want(Self.movement, by: "rita", note: "odd")
            _ = try await keeper.want(Self.movement, by: "ada", note: "odd, too")
            try await keeper.withdraw(wish)
            try await world.decide(.decline, by: "rita", note: "odd")
            await keeper.look()
            #expect(world.stripe.keys.isEmpty)
        }
    }

    @Test("of two who take theirs back nothing is left, whoever is first; of twice the same, one")
    func bothTakenBack() async throws {
        try await opened { world in
            let keeper = world.keeper()
            for isFirstFirst in [true, false] {
                let first = try await keeper.want(Self.movement, by: "rita", note: "odd")
                let second = try await keeper.want(Self.movement, by: "ada", note: "odd, too")
                for wish in isFirstFirst ? [first, second] : [second, first] {
                    try await keeper.withdraw(wish)
                }
                #expect(try world.state() == nil, "the first one is first: \(isFirstFirst)")
            }
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            let again = try await keeper.want(Self.movement, by: "rita", note: "odd")
            try await keeper.withdraw(again)
            let left = try #require(try world.access.store.refund(of: Self.movement))
            #expect(left.state == .wanted && left.by == "rita" && left.others.isEmpty)
        }
    }

    @Test("what is being asked is not asked again, whoever presses the button")
    func pressed() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let asking = AskedRefund(
                movement: Self.movement, by: "rita", note: "odd", wantedAt: world.access.now,
                changedAt: world.access.now, state: .asking)
            try world.access.store.keep(asking)
            let review = try #require(try world.opened.ledger.review(of: Self.movement))
            let told = try await world.keeper().make(review, by: "ada", from: nil)
            #expect(told == asking)
            #expect(world.stripe.keys.isEmpty)
        }
    }

    @Test("what Stripe has made stays made, whoever presses the button, until its event is booked")
    func pressedBehindMade() async throws {
        try await opened { world in
            try await world.decide(.decline, by: "rita", note: "odd")
            let review = try #require(try world.opened.ledger.review(of: Self.movement))
            let made = try await world.keeper().make(review, by: "rita", from: nil)
            #expect(made.state == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
            // What it says of the same refund once it has forgotten the key.
            world.stripe.refusal.withLock { $0 = "Charge ch_1 has already been refunded." }
            let told = try await world.keeper().make(review, by: "ada", from: nil)
            #expect(told == made)
            #expect(world.stripe.keys == [Self.key])
            #expect(try world.access.store.refund(of: Self.movement) == made)
        }
    }

    @Test("where the log is elsewhere it waits until the index has read what it must know")
    func afar() async throws {
        try await opened(.postgres) { world in
            let (keeper, index) = world.keeperAfar()
            _ = try await keeper.want(Self.movement, by: "rita", note: "odd")
            try await world.decide(.decline, by: "rita", note: "odd")
            await keeper.look()
            #expect(world.stripe.keys.isEmpty)
            #expect(try world.state() == .wanted, "it is not given up")
            try index.catchUp()
            await keeper.look()
            #expect(world.stripe.keys == [Self.key])
            #expect(
                try world.state() == .ended(.made(id: "re_\(Self.key)", status: "succeeded")))
        }
    }
}
