import AppendLog
import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Late vectors, as the score role finds them in Redis.
@Suite("Redis: features of the score role")
struct RedisFeaturesTests {
    /// A payment of the scenario that has a vector, and that.
    private struct Late {
        let cloud: CloudFixture
        var client: RedisClient { cloud.redis }
        var prefix: String { cloud.settings.redis.prefix }
        let event: PaymentEvent
        let vector: PlaneScenario.Vector
        /// Another payment that has one.
        let other: (event: PaymentEvent, vector: PlaneScenario.Vector)

        init() async throws {
            cloud = try await CloudFixture()
            let scenario = try await PlaneScenario(seed: 7)
            let payments = CloudRolesTests.events(scenario).filter { $0.kind == .payment }
            event = try #require(payments.first { scenario.vectors[$0.eventID] != nil })
            vector = try #require(scenario.vectors[event.eventID])
            let movement = event.movement
            let second = try #require(
                payments.first {
                    $0.movement != movement && scenario.vectors[$0.eventID] != nil
                })
            other = (second, try #require(scenario.vectors[second.eventID]))
        }

        func source() -> RedisFeatures {
            RedisFeatures(
                client, prefix: prefix, schema: vector.record.schemaVersion, waitSeconds: 3_600,
                clock: SystemLogClock())
        }

        /// Whoever computes vectors comes.
        func compute() async throws { try await cloud.store(vector, of: event) }
    }

    @Test("a payment waits until what was made of its late vector stands, asked ever so often")
    func untilItStands() async throws {
        let late = try await Late()
        var source = late.source()
        let missed = try await source.readings(for: [late.event])
        #expect(missed == [.judge(.missing, isRescore: false)])
        source.finished()
        try await late.compute()
        // Redis fails in the middle of a run: it is prepared again, with nothing written.
        for _ in 0..<3 {
            #expect(try await source.readings(for: []) == [])
            let found = try await source.awaited(by: [late.vector.record])
            #expect(found.map { $0?.event.movement } == [late.event.movement])
        }
        // Another instance takes over before it stands.
        var other = late.source()
        #expect(try await other.readings(for: []) == [])
        #expect(try await other.awaited(by: [late.vector.record]).compactMap(\.self).count == 1)
        other.finished()
        #expect(try await other.readings(for: []) == [])
        #expect(try await other.awaited(by: [late.vector.record]) == [nil])
    }

    @Test("a key of another kind is a vector that cannot be read: its payment waits, and no other")
    func wrongKind() async throws {
        let late = try await Late()
        _ = try await late.client.send(
            RedisCommand(
                "SET", .init("\(late.prefix)features:\(late.event.movement.rawValue)"),
                .init("x")))
        try await late.cloud.store(late.other.vector, of: late.other.event)
        var source = late.source()
        let found = try await source.readings(for: [late.event, late.other.event])
        #expect(found.count == 2 && found.first == .judge(.missing, isRescore: false))
        #expect(found.last != .judge(.missing, isRescore: false), "the other one waits too")
    }
}
