import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// Claims in Redis, records at Kafka: never 200 without both, and never long without an answer.
@Suite("Admission by Redis and Kafka", .serialized)
struct RedisAdmissionTests {
    private static func body(_ id: String, type: String = "charge.succeeded", created: Int = 1)
        -> [UInt8]
    {
        Array(
            """
            {"id":"\(id)","object":"event","type":"\(type)","created":\(created),\
            "livemode":false,"data":{"object":{"id":"ch_1"}}}
            """.utf8)
    }

    private static func claim(_ cloud: CloudFixture, _ id: String) async throws -> String? {
        let key = "\(cloud.settings.redis.prefix)gate:\(id)"
        let reply = try await cloud.redis.send(RedisCommand("GET", .init(key)))
        return reply.bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func claim(
        _ cloud: CloudFixture, _ id: String, is value: String
    ) async throws {
        let key = "\(cloud.settings.redis.prefix)gate:\(id)"
        _ = try await cloud.redis.send(RedisCommand("SET", .init(key), .init(value)))
    }

    /// An answer with room for a machine that is busy: `AnswerClockTests` hold the 5 s themselves.
    private static let soon = Duration.seconds(15)

    private static func isUnavailable(_ answer: GateAnswer) -> Bool {
        if case .unavailable = answer { true } else { false }
    }

    @Test("an event is stored once; its repetition is a duplicate, another one under its id none")
    func once() async throws {
        let cloud = try await CloudFixture()
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        let first = await cloud.deliver(Self.body("evt_1"), to: gate)
        #expect(first == .received(isDuplicate: false))
        #expect(try await Self.claim(cloud, "evt_1") == "done:charge.succeeded:1")
        let second = await cloud.deliver(Self.body("evt_1"), to: gate)
        #expect(second == .received(isDuplicate: true))
        // Each is answered with 200, since a retry would not help, and kept as a dead letter.
        for body in [
            Self.body("evt_1", type: "charge.captured"), Self.body("evt_1", created: 2),
        ] {
            #expect(await cloud.deliver(body, to: gate) == .received(isDuplicate: false))
        }
        let stored = try await cloud.records(.webhookReceived)
        #expect(stored.map { $0.value.map(Array.init) } == [Self.body("evt_1")])
        #expect(stored[0].key.map { String(decoding: $0, as: UTF8.self) } == "evt_1")
        let letters = try await cloud.records(.deadLetter)
        #expect(letters.map { $0.text("reason") } == ["conflicting_event", "conflicting_event"])
    }

    @Test("copies that come together are one record, and each is told so")
    func together() async throws {
        let cloud = try await CloudFixture()
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        let answers = await withTaskGroup(of: GateAnswer.self) { group in
            for _ in 0..<20 {
                group.addTask { await cloud.deliver(Self.body("evt_1"), to: gate) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { $0 == .received(isDuplicate: false) } == 1)
        #expect(answers.count { $0 == .received(isDuplicate: true) } == 19)
        #expect(try await cloud.records(.webhookReceived).count == 1)
    }

    /// Whoever waits for a claim asks Redis again and again.
    private static func untilWaiting(_ cloud: CloudFixture) async throws {
        let before = cloud.redis.statistics.answeredCommands
        try await eventually("somebody waits") {
            cloud.redis.statistics.answeredCommands >= before + 3
        }
    }

    @Test("who meets a pending claim waits for it, and is told 503 where nothing comes of it")
    func pending() async throws {
        let cloud = try await CloudFixture()
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        let pending = "pending:\(ClaimToken().text):charge.succeeded:1"
        try await Self.claim(cloud, "evt_1", is: pending)
        let begun = ContinuousClock.now
        #expect(Self.isUnavailable(await cloud.deliver(Self.body("evt_1"), to: gate)))
        #expect(begun.duration(to: .now) < Self.soon)
        #expect(try await Self.claim(cloud, "evt_1") == pending, "it is not ours to take")
        // Done while somebody waits.
        async let waiting = cloud.deliver(Self.body("evt_1"), to: gate)
        try await Self.untilWaiting(cloud)
        try await Self.claim(cloud, "evt_1", is: "done:charge.succeeded:1")
        #expect(await waiting == .received(isDuplicate: true))
        // Given back while somebody waits: claimed by who waits.
        try await Self.claim(cloud, "evt_2", is: "pending:\(ClaimToken().text):charge.succeeded:1")
        async let second = cloud.deliver(Self.body("evt_2"), to: gate)
        try await Self.untilWaiting(cloud)
        _ = try await cloud.redis.send(
            RedisCommand("DEL", .init("\(cloud.settings.redis.prefix)gate:evt_2")))
        #expect(await second == .received(isDuplicate: false))
        #expect(try await cloud.records(.webhookReceived).count == 1)
    }

    @Test("while Redis hangs or is gone it is 503 in time, and goes on by itself", arguments: [
        true, false,
    ])
    func redisDown(hangs: Bool) async throws {
        let store = try await RedisServer()
        let cloud = try await CloudFixture(store: store)
        let redis = try cloud.plane.redis(within: RedisAdmission.claimPatience)
        let gate = cloud.plane.gate(redis, cloud.producer)
        #expect(
            await cloud.deliver(Self.body("evt_0"), to: gate) == .received(isDuplicate: false))
        if hangs { store.freeze() } else { try await store.kill() }
        let begun = ContinuousClock.now
        #expect(Self.isUnavailable(await cloud.deliver(Self.body("evt_1"), to: gate)))
        #expect(begun.duration(to: .now) < Self.soon)
        #expect(try await cloud.records(.webhookReceived).count == 1)
        #expect(cloud.counters.standstills.outside != nil)
        if hangs { store.thaw() } else { try await store.start() }
        try await eventually("it takes deliveries again") {
            await cloud.deliver(Self.body("evt_2"), to: gate) == .received(isDuplicate: false)
        }
        #expect(cloud.counters.standstills.warnings.isEmpty, "what has passed is not told any more")
        await redis.shutDown()
    }

    @Test("while Kafka hangs it is 503 in time, and the claim stands: nobody knows")
    func kafkaHangs() async throws {
        let broker = try await KafkaServer()
        let cloud = try await CloudFixture(broker: broker)
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        #expect(
            await cloud.deliver(Self.body("evt_0"), to: gate) == .received(isDuplicate: false))
        broker.freeze()
        let begun = ContinuousClock.now
        #expect(Self.isUnavailable(await cloud.deliver(Self.body("evt_1"), to: gate)))
        #expect(begun.duration(to: .now) < Self.soon)
        #expect(try await Self.claim(cloud, "evt_1")?.hasPrefix("pending:") == true)
        broker.thaw()
        try await eventually("it takes deliveries again") {
            await cloud.deliver(Self.body("evt_2"), to: gate) == .received(isDuplicate: false)
        }
    }

    @Test("what was certainly not written gives its claim back")
    func givenBack() async throws {
        let cloud = try await CloudFixture()
        let gate = cloud.plane.gate(cloud.redis, cloud.producer)
        // More than a topic takes, which the producer says before it sends anything.
        let large = String(repeating: "x", count: 3 << 20)
        let body = Self.body("evt_1", type: large)
        #expect(Self.isUnavailable(await cloud.deliver(body, to: gate)))
        #expect(try await cloud.records(.webhookReceived).isEmpty)
        #expect(try await Self.claim(cloud, "evt_1") == nil)
    }
}
