import Testing

@testable import Traffic
@testable import Twin
@testable import Vocabulary

@Suite("Delivery plan")
struct DeliveryPlanTests {
    private static func deliveries(_ settings: DeliveryPlan.Settings) -> [Delivery] {
        all(of: DeliveryPlan(settings))
    }

    private static func all(of plan: DeliveryPlan) -> [Delivery] {
        var plan = plan
        var all: [Delivery] = []
        while let delivery = plan.next() { all.append(delivery) }
        return all
    }

    private static func settings(seed: UInt64) -> DeliveryPlan.Settings {
        .init(
            world: .init(seed: seed, customers: 200), count: 10_000, duplicates: 0.2, reorder: 0.3,
            badSignatures: 0.1)
    }

    @Test("has the shares asked for, delivers every event well once, and repeats itself by seed")
    func shares() {
        let all = Self.deliveries(Self.settings(seed: 8))
        #expect(all.count == 10_000)
        let firsts = all.filter { $0.expectation == .acknowledged(isCopy: false) }
        let copies = all.filter { $0.expectation == .acknowledged(isCopy: true) }
        #expect(abs(copies.count - 2_000) < 200)
        #expect(abs(all.count - firsts.count - copies.count - 1_000) < 150)
        let ids = Set(firsts.map(\.event.id))
        #expect(ids.count == firsts.count)
        #expect(copies.allSatisfy { ids.contains($0.event.id) && $0.body == $0.event.body })
        let again = Self.deliveries(Self.settings(seed: 8))
        #expect(all.map(\.body) == again.map(\.body))
    }

    @Test("holds deliveries back, but behind no more than the window")
    func reorder() {
        let settings = DeliveryPlan.Settings(
            world: .init(seed: 8, customers: 200), count: 5_000, reorder: 0.3)
        let order = Self.deliveries(settings).map(\.event.id)
        var scenario = TrafficScenario(settings.world)
        var overtaken = 0
        let place = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        for index in 0..<settings.count {
            let shift = (place[scenario.next().id] ?? .max) - index
            #expect(shift <= 2 * DeliveryPlan.reorderWindow)
            if shift > 0 { overtaken += 1 }
        }
        #expect(overtaken > 500)
    }

    @Test("without shares the plan is the scenario")
    func plain() {
        let settings = DeliveryPlan.Settings(world: .init(seed: 1, customers: 50), count: 300)
        var scenario = TrafficScenario(settings.world)
        #expect(Self.deliveries(settings).allSatisfy { $0.body == scenario.next().body })
    }

    @Test("of a world on a twin, too: the shares, every event well once, and the same by seed")
    func played() throws {
        var settings = Self.settings(seed: 4)
        settings.count = 3_000
        let all = Self.all(of: DeliveryPlan(settings, of: try PlayedScenario(settings.world)))
        let firsts = all.filter { $0.expectation == .acknowledged(isCopy: false) }
        let copies = all.filter { $0.expectation == .acknowledged(isCopy: true) }
        #expect(all.count == 3_000 && Set(firsts.map(\.event.id)).count == firsts.count)
        #expect(abs(copies.count - 600) < 120)
        #expect(abs(all.count - firsts.count - copies.count - 300) < 90)
        let again = Self.all(of: DeliveryPlan(settings, of: try PlayedScenario(settings.world)))
        #expect(all.map(\.body) == again.map(\.body))
        #expect(all.map(\.event.movements) == again.map(\.event.movements))
    }

    @Test("a tampered body differs from the event's and keeps its length", arguments: [true, false])
    func tampering(isPlayed: Bool) throws {
        let settings = Self.settings(seed: 9)
        let plan =
            isPlayed
            ? DeliveryPlan(settings, of: try PlayedScenario(settings.world))
            : DeliveryPlan(settings)
        let tampered = Self.all(of: plan).filter { $0.forgery == .tamperedBody }
        #expect(tampered.count > 50)
        #expect(tampered.allSatisfy { $0.body != $0.event.body })
        #expect(tampered.allSatisfy { $0.body.count == $0.event.body.count })
    }
}
