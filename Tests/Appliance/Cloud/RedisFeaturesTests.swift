import AppendLog
import Bridges
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Late vectors, as the score role finds them in Redis.
@Suite("Redis: features of the score role")
struct RedisFeaturesTests {
    /// Keeps what is logged.
    private final class Kept: LogHandler, Sendable {
        let lines = Mutex<[Logger.Metadata]>([])
        var logLevel: Logger.Level { get { .warning } set {} }
        var metadata: Logger.Metadata { get { [:] } set {} }
        subscript(metadataKey _: String) -> Logger.MetadataValue? { get { nil } set {} }
        func log(event: LogEvent) { lines.withLock { $0.append(event.metadata ?? [:]) } }
        var reasons: [String] { lines.withLock { $0.map { "\($0["reason"] ?? "")" } } }
    }

    /// A host's clock that is so far ahead of the time.
    private struct WrongClock: LogClock {
        var milliseconds: Int64

        func now() -> Timestamp {
            Timestamp(milliseconds: SystemLogClock().now().milliseconds + milliseconds)
        }
        func monotonicMilliseconds() -> Int64 { SystemLogClock().monotonicMilliseconds() }
    }

    /// A payment of the scenario that has a vector, and that.
    private struct Late {
        let cloud: CloudFixture
        var client: RedisClient { cloud.redis }
        var prefix: String { cloud.settings.redis.prefix }
        let event: PaymentEvent
        let vector: PlaneScenario.Vector
        /// Another payment that has one.
        let other: (event: PaymentEvent, vector: PlaneScenario.Vector)
        let kept = Kept()

        init() async throws {
            cloud = try await CloudFixture()
            let scenario = try await PlaneScenario(seed: 7)
            let payments = CloudRolesTests.events(scenario).filter { $0.kind == .payment }
            event = try #require(payments.first { scenario.vectors[$0.eventID] != nil })
            vector = try #require(scenario.vectors[event.eventID])
            let movement = event.movement
            let second = try #require(
                payments.first {
                    $0.movement != movement && $0.identity != nil
                        && scenario.vectors[$0.eventID] != nil
                })
            other = (second, try #require(scenario.vectors[second.eventID]))
        }

        func source() -> RedisFeatures {
            RedisFeatures(
                client, prefix: prefix, schema: vector.record.schemaVersion, waitSeconds: 3_600,
                logger: Logger(label: "test") { [kept] _ in kept })
        }

        /// The source of an instance whose host's clock is wrong.
        func source(milliseconds wrong: Int64, waitSeconds: Int64) throws -> RedisFeatures {
            var settings = cloud.settings
            settings.scoreWaitSeconds = waitSeconds
            return try CloudPlane(
                settings, clock: WrongClock(milliseconds: wrong), counters: Counters(),
                logger: PipelineFixture.quiet
            ).lateFeatures(client, schema: vector.record.schemaVersion)
        }

        /// How many payments wait.
        func waitingCount() async throws -> Int64? {
            try await client.send(RedisCommand("ZCARD", .init("\(prefix)waiting"))).integer
        }

        /// What Redis has in place of the vector, with some fields otherwise.
        func put(_ other: [String: String]) async throws {
            var fields = [
                "schema": vector.record.schemaVersion, "as_of": "1760054400",
                "event_id": event.eventID.rawValue, "rank": "\(Informedness.rankMax)",
            ]
            for place in 0..<FeatureVector.count { fields["v\(place)"] = "0.5" }
            fields.merge(other) { $1 }
            let key = "\(prefix)features:\(event.movement.rawValue)"
            var command = RedisCommand("HSET", .init(key))
            for (name, value) in fields where value != "-" {
                command.append(.init(name))
                command.append(.init(value))
            }
            #expect(try await client.send(command).integer == Int64(fields.count { $1 != "-" }))
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

    @Test("a key of another kind is no vector: its payment alone waits, until a good one comes")
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
        try await late.compute()
        #expect(
            try await source.awaited(by: [late.vector.record]).map { $0?.reading }
                == [.fresh(late.vector.record.vector)])
    }

    private static let hour: Int64 = 3_600_000

    @Test(
        "instances whose clocks are hours apart neither give up early nor wait for ever",
        arguments: [(hour, -hour), (-hour, hour)])
    func clocks(adding: Int64, sweeping: Int64) async throws {
        let late = try await Late()
        var first = try late.source(milliseconds: adding, waitSeconds: 3_600)
        #expect(
            try await first.readings(for: [late.event]) == [.judge(.missing, isRescore: false)])
        var patient = try late.source(milliseconds: sweeping, waitSeconds: 3_600)
        #expect(try await patient.overdue() == [])
        #expect(try await late.waitingCount() == 1, "given up after no time")
        var impatient = try late.source(milliseconds: sweeping, waitSeconds: 1)
        try await eventually("it is given up after a second", within: 20) {
            _ = try await impatient.overdue()
            return try await late.waitingCount() == 0
        }
    }

    @Test(
        "a hash that is no vector is as good as none, said once, and gives way to a good one",
        arguments: [
            ["v3": "nan"], ["v0": "inf"], ["v7": "-inf"], ["v1": "1e39"], ["v2": ""],
            ["rank": "256"], ["rank": "12"], ["rank": "99999999999999999999"], ["v4": "-"],
            ["as_of": "9223372036854775807"], ["schema": "-"],
        ])
    func unfit(other: [String: String]) async throws {
        let late = try await Late()
        try await late.put(other)
        var source = late.source()
        for _ in 0..<3 {
            #expect(
                try await source.readings(for: [late.event])
                    == [.judge(.missing, isRescore: false)])
        }
        #expect(late.kept.reasons.count == 1)
        let field = other.keys.first ?? ""
        #expect(late.kept.reasons.first?.contains("field \(field)") == true)
        try await late.compute()
        #expect(
            try await source.awaited(by: [late.vector.record]).map { $0?.reading }
                == [.fresh(late.vector.record.vector)])
        #expect(late.kept.reasons.count == 1)
    }

    @Test("a hash of another payment's event is none, and gives way to a less informed one")
    func another() async throws {
        let late = try await Late()
        var source = late.source()
        // The other payment waits, so that its event is known.
        _ = try await source.readings(for: [late.other.event])
        try await late.put(["event_id": late.other.event.eventID.rawValue, "v1": "0.50"])
        #expect(
            try await source.readings(for: [late.event])
                == [.judge(.missing, isRescore: false)])
        #expect(late.kept.reasons.count == 1)
        #expect(late.kept.reasons.first?.contains(late.other.event.movement.rawValue) == true)
        try await late.compute()
        #expect(
            try await source.awaited(by: [late.vector.record]).map { $0?.reading }
                == [.fresh(late.vector.record.vector)])
    }

    @Test("a better vector of a further event of the movement is believed, and stays")
    func further() async throws {
        let late = try await Late()
        try await late.put(["event_id": "evt_further"])
        try await late.compute()
        var source = late.source()
        let answers = try await source.readings(for: [late.event])
        guard case .judge(.fresh(let vector), _) = answers[0] else {
            Issue.record("\(answers)")
            return
        }
        #expect(vector.values == Array(repeating: 0.5, count: FeatureVector.count))
        #expect(late.kept.reasons == [])
    }
}
