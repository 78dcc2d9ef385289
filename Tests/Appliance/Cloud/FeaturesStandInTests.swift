import AppendLog
import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

@Suite("What stands in for the job that computes vectors", .serialized)
struct FeaturesStandInTests {
    @Test("goes on where it was when its connections are lost: no payment is left out")
    func connectionsLost() async throws {
        let scenario = try await PlaneScenario(seed: 7)
        let kafka = try await KafkaProxy()
        let store = try await RedisServer()
        let redis = try RedisProxy(to: store.port)
        let cloud = try await CloudFixture(
            broker: try await KafkaServer(behind: kafka), store: store
        ) { $0.redis.url = redis.url }
        let events = CloudRolesTests.events(scenario)
        let service = try cloud.plane.features(cloud.redis, cloud.producer)
        // A capture that grew is no news for the engine: the payment has its vector.
        var engine = FeatureEngine(
            limits: try PipelineSteps(cloud.settings, counters: Counters()).featureLimits)
        let names = Set(
            events.compactMap { event -> String? in
                if case .score = engine.observe(event) { event.eventID.rawValue } else { nil }
            })
        #expect(names.count > 10)
        try await cloud.running([service]) {
            for (place, event) in events.enumerated() {
                // The vectors of some do not come to Redis, and all connections to Kafka end.
                if place % 12 == 4 { redis.keepOnce(.command, of: "v7") }
                if place % 12 == 8 { try kafka.cut() }
                try await Self.validated(event, cloud)
            }
            var missing = names
            try await eventually("each payment has its vector, but \(missing.sorted())") {
                for record in try await cloud.records(.paymentFeatures) {
                    missing.remove(
                        try FeaturesRecord(record.value ?? [], using: JSONDocument())
                            .eventID.rawValue)
                }
                return missing.isEmpty
            }
        }
        #expect(redis.keptCount > 0)
        let vectors = FeatureStore(cloud.redis, prefix: cloud.settings.redis.prefix)
        // One event may tell of several movements.
        for event in events
        where event.kind == .payment && scenario.vectors[event.eventID] != nil {
            let found = try await vectors.read([(event.movement, event.eventID)])
            guard case .vector = found[0] else {
                Issue.record("\(event.movement) has no vector")
                continue
            }
        }
        redis.close()
    }

    /// Writes an event, again where the connection was lost meanwhile.
    private static func validated(_ event: PaymentEvent, _ cloud: CloudFixture) async throws {
        let record = Record(
            key: Array(event.orderingKey.utf8)[...], value: event.encoded()[...],
            timestamp: Timestamp(milliseconds: event.created.seconds * 1000))
        try await eventually("an event is written", within: 30) {
            (try? await cloud.write(record, to: .paymentValidated)) != nil
        }
    }
}
