import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import TwinSupport

@testable import Traffic
@testable import Twin
@testable import Vocabulary

@Suite("A world on a twin", .timeLimit(.minutes(5)))
struct TwinScenarioTests {
    /// Few customers, so that days are short in events and every kind of thing comes to pass.
    private static func world(
        seed: UInt64, customers: Int = 40, fraud: Double = 0.05
    ) -> TrafficWorld.Settings {
        .init(seed: seed, customers: customers, fraudShare: fraud)
    }

    private static func events(
        _ count: Int, of world: TrafficWorld.Settings
    ) throws -> [StreamedEvent] {
        var stream = try PlayedScenario(world)
        return (0..<count).map { _ in stream.nextEvent() }
    }

    @Test("tells the same events for the same seed, byte for byte, and others for another")
    func deterministic() throws {
        let one = try Self.events(1_500, of: Self.world(seed: 5))
        let again = try Self.events(1_500, of: Self.world(seed: 5))
        #expect(one.map(\.body) == again.map(\.body))
        let other = try Self.events(1_500, of: Self.world(seed: 6))
        #expect(Set(one.map(\.id)).isDisjoint(with: other.map(\.id)))
    }

    @Test("the truth it tells is what contracts §3 reads from its JSON, and the balance behind it")
    func truth() throws {
        var stream = try PlayedScenario(Self.world(seed: 9, customers: 60))
        var truth = ScenarioTruth()
        var read: [String: ContractReader.Movement] = [:]
        for _ in 0..<12_000 {
            let event = stream.nextEvent()
            truth.note(event.movements)
            let parsed = try JSONSerialization.jsonObject(with: Data(event.body))
            let json = try #require(parsed as? [String: Any])
            for movement in try ContractReader(json).movements() {
                #expect(read[movement.key] == nil || read[movement.key] == movement)
                read[movement.key] = movement
            }
        }
        let told = truth.movements.values.map {
            ContractReader.Movement(
                key: $0.key.rawValue, kind: $0.kind.rawValue, amount: $0.amount.rawValue,
                currency: $0.currency.code, fee: $0.fee.rawValue)
        }
        #expect(Dictionary(uniqueKeysWithValues: told.map { ($0.key, $0) }) == read)
        let kinds = Set(truth.movements.values.map(\.kind))
        #expect(
            kinds == [
                .payment, .paymentFailed, .refund, .refundFailed, .disputeWithdrawn,
                .disputeReinstated, .disputeOpened, .disputeClosed, .payout, .payoutFailed,
            ])
    }

    @Test("stands still between two occurrences, and its time passes by itself behind the last")
    func clock() {
        let uptime = Mutex<Int64>(500)
        let clock = ScenarioClock(start: Instant(seconds: 1_000)) { uptime.withLock { $0 } }
        uptime.withLock { $0 += 60 }
        #expect(clock.now == 1_000)
        clock.move(to: 1_100)
        clock.move(to: 1_050)
        #expect(clock.now == 1_100)
        clock.goOn()
        uptime.withLock { $0 += 60 }
        clock.goOn()
        #expect(clock.reading() == 1_160)
        uptime.withLock { $0 = 0 }
        #expect(clock.now == 1_100)
    }

    @Test("is refused nothing by the twin in a month, and does all that a world does")
    func month() throws {
        let clock = ScenarioClock(start: TrafficWorld.Settings.defaultStart)
        var settings = TwinSettings()
        settings.disputeDays = LiveTwin.disputeDays
        let twin = Twin(settings: settings, clock: clock.reading)
        var scenario = try TwinScenario(
            Self.world(seed: 11), on: twin, apiKey: settings.apiKeys[0], clock: clock)
        let end = TrafficWorld.Settings.defaultStart.seconds + 30 * 86_400
        while scenario.now < end { scenario.step() }
        let tally = scenario.tally
        #expect(tally.refused.isEmpty, "\(tally)")
        #expect(tally.payments > 500 && tally.declines > 20 && tally.captures > 5)
        #expect(tally.refunds > 10 && tally.disputes > 5)
        #expect(twin.now == scenario.now)
        #expect(scenario.accounts.count == TwinCatalogue.shops.count)
    }

    @Test("the share of fraud among the attempts is the one asked for")
    func fraud() throws {
        let events = try Self.events(6_000, of: Self.world(seed: 3, customers: 400, fraud: 0.2))
        let attempts = events.filter {
            $0.type == "charge.succeeded" || $0.type == "charge.failed"
        }
        let fraudulent = attempts.filter(\.isFraudulentAttempt)
        let share = Double(fraudulent.count) / Double(attempts.count)
        #expect((0.12...0.28).contains(share), "\(share) of \(attempts.count)")
    }

    @Test("a payment is what the world decided: its card, its country, its device")
    func objects() throws {
        var countries: Set<String> = []
        var mismatches = 0
        var devices = 0
        var guests = 0
        for event in try Self.events(2_500, of: Self.world(seed: 8, customers: 200)) {
            guard event.type == "charge.succeeded" else { continue }
            let parsed = try JSONSerialization.jsonObject(with: Data(event.body))
            let data = (parsed as? [String: Any])?["data"] as? [String: Any]
            let charge = try #require(data?["object"] as? [String: Any])
            let details = charge["payment_method_details"] as? [String: Any]
            let card = try #require(details?["card"] as? [String: Any])
            let country = try #require(card["country"] as? String)
            countries.insert(country)
            let billing = charge["billing_details"] as? [String: Any]
            let address = billing?["address"] as? [String: Any]
            if let there = address?["country"] as? String, there != country { mismatches += 1 }
            let metadata = charge["metadata"] as? [String: Any]
            #expect(metadata?["order_id"] is String)
            if metadata?["device_id"] != nil { devices += 1 }
            if charge["customer"] is NSNull { guests += 1 }
        }
        #expect(countries.isSuperset(of: ["US", "DE", "GB"]))
        #expect(mismatches > 5 && devices > 100 && guests > 10)
    }

    @Test("at a rate, ends when so many events were told and delivered")
    func traffic() async throws {
        let gate = ScriptedGate()
        var settings = TwinSettings()
        settings.endpoints = [
            TwinEndpoint(
                url: "http://127.0.0.1:\(try await gate.listen())/", secrets: ["whsec_x"])
        ]
        let live = try LiveTwin(
            settings, delivery: DeliverySettings(), playing: Self.world(seed: 1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let traffic = try #require(try live.traffic(rate: 2_000, count: 300))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await live.sender.run() }
            try await traffic.run()
            group.cancelAll()
        }
        #expect(live.sender.taken >= 300)
        #expect(gate.state.known.count == live.sender.taken)
        try await gate.stop()
    }
}
