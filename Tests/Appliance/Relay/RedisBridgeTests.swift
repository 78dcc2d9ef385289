import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Relay
@testable import Vocabulary

@Suite("The bridge to Redis", .serialized)
struct RedisBridgeTests {
    /// Payments through the whole pipeline, a bridge to a server, and its connection.
    private func world(
        _ server: RedisServer, payments: Int,
        before: (PipelineFixture.Opened) async throws -> Void = { _ in },
        _ body: (
            _ bridge: Bridge, _ target: RedisTarget, _ source: RelaySource, _ client: RedisClient,
            _ prefix: String
        ) async throws -> Void
    ) async throws {
        let fixture = try PipelineFixture()
        let prefix = "t\(UInt32.random(in: 0..<(.max))):"
        let place = RedisPlace(
            configuration: try RedisConfiguration(url: server.url),
            keys: RedisKeys(prefix: prefix))
        try await fixture.opened { opened in
            let now = SystemLogClock().now()
            for number in 1...payments {
                var record = PipelineFixture.received(
                    PipelineFixture.charge(number, customer: number % 5), event: "evt_\(number)")
                record.timestamp = now
                _ = try await opened.append(record, to: .webhookReceived)
            }
            try await fixture.process(opened)
            try await before(opened)
            let source = opened.plane.relaySource()
            let bridge = Bridge(
                .redis, topics: [.webhookReceived, .paymentFeatures], source: source,
                pauses: BridgePauses(folder: fixture.folder.file("bridges")), luck: { 0 },
                logger: PipelineFixture.quiet
            ) { RedisTarget { () throws(RelayFailure) in place } }
            let client = try RedisClient(place.configuration)
            let outcome: Result<Void, any Error>
            do {
                let target = RedisTarget { () throws(RelayFailure) in place }
                outcome = .success(
                    try await running([bridge]) {
                        try await body(bridge, target, source, client, prefix)
                    })
            } catch {
                outcome = .failure(error)
            }
            await client.shutDown()
            try outcome.get()
        }
    }

    private func drained(_ bridge: Bridge) async throws {
        try await eventually("all is copied: \(bridge.report().lastError ?? "")") {
            let report = bridge.report()
            return report.state == .running && report.lag == 0
        }
    }

    @Test("claims and vectors are there as the cloud roles look them up")
    func copies() async throws {
        try await world(try await RedisServer.shared(), payments: 60) {
            bridge, target, source, client, prefix in
            try await drained(bridge)
            let claims = ClaimStore(client, prefix: "\(prefix)gate:")
            #expect(
                try await claims.standing("evt_7")
                    == .done(identity: Array("charge.succeeded:\(1_760_054_400 + 7 * 60)".utf8)))
            let vector = try await client.send(
                RedisCommand("HMGET", "\(prefix)features:charge:ch_7", "rank", "event_id", "v0"))
            #expect(vector.array?.allSatisfy { $0.bytes != nil } == true)
            #expect(vector.array?[1].bytes == Array("evt_7".utf8))
            let verification = try await target.verify(source)
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.map(\.localCount) == [60, 60])
        }
    }

    @Test("what Redis has lost is told by verify, and begun again")
    func flushed() async throws {
        try await world(try await RedisServer.shared(), payments: 20) {
            bridge, target, source, client, prefix in
            try await drained(bridge)
            _ = try await client.send(RedisCommand("DEL", "\(prefix)gate:evt_3"))
            let verification = try await target.verify(source)
            #expect(!verification.agrees)
            #expect(verification.firstDifference?.contains("evt_3") == true)
            _ = try await client.send(
                RedisCommand("DEL", "\(prefix)bridge:\(source.log)"))
            let gone = try await target.verify(source)
            #expect(!gone.agrees)
            #expect(gone.firstDifference?.contains("no position of this log") == true)
            try bridge.pause(by: "ada")
            try bridge.resume(by: "ada")
            try await drained(bridge)
            try await eventually("it is written again") {
                try await target.verify(source).agrees
            }
        }
    }

    @Test("what somebody has changed there is named by verify", arguments: [
        (["HSET", "features:charge:ch_4", "rank", "1"], "vectors of charge:ch_4"),
        (["HSET", "features:charge:ch_4", "v0", "nan"], "vectors of charge:ch_4"),
        (["SET", "features:charge:ch_4", "x"], "vectors of charge:ch_4"),
        (["SET", "gate:evt_4", "done:charge.refunded:1"], "claims of evt_4"),
        (["RPUSH", "gate:evt_4", "x"], "claims of evt_4"),
    ])
    func changed(command: [String], difference: String) async throws {
        try await world(try await RedisServer.shared(), payments: 6) {
            bridge, target, source, client, prefix in
            try await drained(bridge)
            let key = prefix + command[1]
            if command[0] != "HSET" { _ = try await client.send(RedisCommand("DEL", .text(key))) }
            _ = try await client.send(
                RedisCommand(
                    command[0], [.text(key)] + command.dropFirst(2).map { .text($0) }))
            let verification = try await target.verify(source)
            #expect(verification.firstDifference == "Redis has other \(difference)")
            #expect(verification.parts.count { !$0.agrees } == 1)
        }
    }

    /// The machine's clock, set forward.
    private struct LaterClock: LogClock {
        var milliseconds: Int64

        func now() -> Timestamp {
            Timestamp(milliseconds: SystemLogClock().now().milliseconds + milliseconds)
        }

        func monotonicMilliseconds() -> Int64 { SystemLogClock().monotonicMilliseconds() }
    }

    @Test("what expires while verify looks for it is not missed")
    func expiring() async throws {
        let server = try await RedisServer.shared()
        try await world(server, payments: 20) { bridge, _, source, client, prefix in
            try await drained(bridge)
            _ = try await client.send(RedisCommand("DEL", "\(prefix)gate:evt_3"))
            let place = RedisPlace(
                configuration: try RedisConfiguration(url: server.url),
                keys: RedisKeys(prefix: prefix))
            func verify(minutesLeft: Int64) async throws -> BridgeVerification {
                let age = RedisKeys.lifetimeMilliseconds - minutesLeft * 60_000
                return try await RedisTarget(clock: LaterClock(milliseconds: age)) {
                    () throws(RelayFailure) in place
                }.verify(source)
            }
            let soon = try await verify(minutesLeft: 5)
            #expect(soon.agrees, "\(soon)")
            #expect(soon.parts.map(\.localCount) == [0, 0])
            #expect(try await !verify(minutesLeft: 60).agrees)
        }
    }

    @Test("a vector that the bridge has bettered since it was read is no difference")
    func bettered() async throws {
        try await world(
            try await RedisServer.shared(), payments: 20,
            before: { opened in
                let stored = try #require(try opened.records(.paymentFeatures).last)
                var later = stored.record
                var features = try FeaturesRecord(later.value ?? [], using: JSONDocument())
                features.vector[0] += 1
                later.value = features.encoded()[...]
                _ = try await opened.append(later, to: .paymentFeatures)
            }
        ) { bridge, target, source, client, prefix in
            try await drained(bridge)
            #expect(try await target.verify(source).agrees)
            // As it is between the vector's writing and the position's.
            _ = try await client.send(
                RedisCommand(
                    "HSET", "\(prefix)bridge:\(source.log)", "payment.features", .number(20)))
            let verification = try await target.verify(source)
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.last?.localCount == 20)
        }
    }

    @Test("a server that is stopped and begins again empty is filled again")
    func restarted() async throws {
        let server = try await RedisServer()
        try await world(server, payments: 20) { bridge, target, source, _, _ in
            try await drained(bridge)
            try await server.kill()
            try bridge.pause(by: "ada")
            try bridge.resume(by: "ada")
            try await eventually("it is told") { bridge.report().warning != nil }
            try await server.start()
            try await eventually("it has come back", within: 90) {
                guard bridge.report().state == .running else { return false }
                return try await target.verify(source).agrees
            }
        }
        try await server.kill()
    }
}
