import AppendLog
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A sender that runs while `body` does, and whose endpoints may change meanwhile.
private func sending(
    to endpoints: [TwinEndpoint], clock: any LogClock = SystemLogClock(),
    change: (inout DeliverySettings) -> Void = { _ in },
    _ body: @escaping @Sendable (WebhookSender, NIOLockedValueBox<[TwinEndpoint]>) async throws
        -> Void
) async throws {
    var settings = DeliverySettings()
    settings.schedule.firstMilliseconds = 5
    settings.schedule.longestMilliseconds = 20
    settings.schedule.attemptsMax = 100
    // A slow machine is no reason to try again.
    settings.answerMillisecondsMax = 600_000
    change(&settings)
    let list = NIOLockedValueBox(endpoints)
    let sender = WebhookSender(settings: settings, clock: clock, logger: quiet)
    sender.follow { list.withLockedValue { $0 } }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await sender.run() }
        try await body(sender, list)
        group.cancelAll()
    }
}

private func endpoint(
    _ id: String = "we_1", port: Int, secrets: [String] = ["whsec_x"], path: String = "/"
) -> TwinEndpoint {
    TwinEndpoint(id: id, url: "http://127.0.0.1:\(port)\(path)", secrets: secrets)
}

@Suite("Webhook sender", .timeLimit(.minutes(5)))
struct WebhookSenderTests {
    private static func events(_ count: Int) -> [TwinEvent] {
        (1...count).map { DeliveryQueueTests.event($0) }
    }

    @Test("delivers every event once to every endpoint")
    func plain() async throws {
        let (one, other) = (ScriptedGate(), ScriptedGate())
        let endpoints = [
            endpoint(port: try await one.listen()),
            endpoint("we_2", port: try await other.listen()),
        ]
        let events = Self.events(300)
        try await sending(to: endpoints) { sender, _ in
            for event in events { sender.offer(event) }
            try await eventually("all is delivered") { sender.backlog == 0 }
            #expect(sender.standings().map { $0.tally[.delivered] } == [300, 300])
            #expect(sender.latency.count == 600)
        }
        for gate in [one, other] {
            #expect(gate.state.known == Set(events.map(\.id)))
            #expect(gate.state.requests == 300)
            #expect(gate.state.inFlightMost <= DeliveryLimits().inFlightMax)
            try await gate.stop()
        }
    }

    @Test("goes on trying while the endpoint fails, hangs up or is not there")
    func retries() async throws {
        let gate = ScriptedGate { request in
            switch request.number % 4 {
            case 1: .answer(.internalServerError, "no")
            case 2: .hangUp
            case 3: .answer(.found, "elsewhere")
            default: .receive()
            }
        }
        let port = try freePort()
        try await sending(to: [endpoint(port: port)]) { sender, _ in
            for event in Self.events(20) { sender.offer(event) }
            try await eventually("the closed port is noticed") {
                sender.standings().first.map { $0.tally[.unanswered] > 0 } == true
            }
            _ = try await gate.listen(port: port)
            try await eventually("all is delivered") { sender.backlog == 0 }
            let tally = try #require(sender.standings().first).tally
            #expect(tally[.delivered] == 20)
            #expect(tally[.refused] > 0)
            #expect(tally[.attempts] == 20 + tally[.retries])
        }
        #expect(gate.state.known.count == 20)
        try await gate.stop()
    }

    @Test("an endpoint that is mute or gone does not hold up another")
    func independence() async throws {
        let (mute, well) = (ScriptedGate { _ in .stayMute }, ScriptedGate())
        let endpoints = [
            endpoint("we_mute", port: try await mute.listen()),
            endpoint("we_gone", port: try freePort()),
            endpoint("we_well", port: try await well.listen()),
        ]
        try await sending(to: endpoints, change: { $0.answerMillisecondsMax = 100 }) { sender, _ in
            for event in Self.events(200) { sender.offer(event) }
            try await eventually("the third has all") { well.state.known.count == 200 }
            try await eventually("a time-out is noticed") {
                sender.standings()[0].tally.lastFailure?.outcome == .unanswered(reason: "timeout")
            }
            #expect(sender.standings()[0].inFlight <= DeliveryLimits().inFlightMax)
        }
        try await mute.stop()
        try await well.stop()
    }

    @Test("follows the list of endpoints: new ones, new secrets, and none for those that are gone")
    func changes() async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        try await sending(to: []) { sender, list in
            sender.offer(DeliveryQueueTests.event(1))
            try await eventually("nobody wants it") { sender.backlog == 0 }
            list.withLockedValue { $0 = [endpoint(port: port)] }
            sender.offer(DeliveryQueueTests.event(2))
            try await eventually("the new one has it") { gate.state.requests == 1 }
            list.withLockedValue { $0 = [endpoint(port: port, secrets: ["whsec_x", "whsec_y"])] }
            sender.offer(DeliveryQueueTests.event(3))
            try await eventually("it comes signed twice") { gate.state.requests == 2 }
            #expect(sender.standings()[0].tally[.offered] == 2)
            list.withLockedValue { $0 = [] }
            sender.offer(DeliveryQueueTests.event(4))
            try await eventually("nobody wants it") { sender.standings().isEmpty }
        }
        let signatures = gate.state.signatures.mapValues {
            $0[0].components(separatedBy: "v1=").count - 1
        }
        #expect(
            signatures == [DeliveryQueueTests.event(2).id: 1, DeliveryQueueTests.event(3).id: 2])
        try await gate.stop()
    }

    @Test("faults changed while it runs strike from then on, at endpoints new and old")
    func faultsAtRunTime() async throws {
        let gate = ScriptedGate()
        let port = try await gate.listen()
        try await sending(to: [endpoint(port: port)]) { sender, list in
            let events = Self.events(6)
            sender.offer(events[0])
            try await eventually("the first is there") { gate.state.requests == 1 }
            sender.set(.loss, .init(next: 2))
            sender.offer(events[1])
            sender.offer(events[2])
            sender.offer(events[3])
            try await eventually("the fourth is there") { gate.state.requests == 2 }
            sender.set(.duplicate, .init(share: 1))
            sender.set(delayMilliseconds: 1)
            sender.offer(events[4])
            try await eventually("the fifth is there twice") { gate.state.requests == 4 }
            sender.clearFaults()
            list.withLockedValue { $0.append(endpoint("we_2", port: port)) }
            sender.offer(events[5])
            try await eventually("the sixth comes to both") { gate.state.requests == 6 }
        }
        let expected = [1, 4, 5, 6].map { DeliveryQueueTests.event($0).id }
        #expect(gate.state.known == Set(expected))
        try await gate.stop()
    }

    @Test("what is in flight when the sender stops does not hold it up")
    func stopping() async throws {
        let gate = ScriptedGate { _ in .stayMute }
        let port = try await gate.listen()
        // Ten minutes for an answer, and five for this test.
        try await sending(to: [endpoint(port: port)]) { sender, _ in
            sender.offer(DeliveryQueueTests.event(1))
            try await eventually("it is in flight") { gate.state.requests == 1 }
        }
        try await gate.stop()
    }
}

@Suite("Webhook sender and gate", .timeLimit(.minutes(5)))
struct SenderAndGateTests {
    /// Delivers 400 events to the real gate with these faults, until nothing is pending.
    ///
    /// - Returns: the ids in `webhook.received`, in order, and the tally.
    private static func deliver(
        secrets: [String] = [GateFixture.secret],
        _ faults: @escaping @Sendable (inout DeliveryFaults) -> Void
    ) async throws -> (received: [String], tally: DeliveryTally, fixture: GateFixture) {
        let fixture = try GateFixture()
        let tally = Mutex(DeliveryTally())
        try await fixture.serve { client in
            let there = endpoint(port: client.port, secrets: secrets, path: "/webhooks/stripe")
            // The fixture's clock stands still, so the waits are timed by the machine's own.
            let clock = MixedClock(wall: fixture.clock)
            try await sending(
                to: [there], clock: clock,
                change: {
                    $0.faults.delayMilliseconds = 20
                    faults(&$0.faults)
                }
            ) { sender, _ in
                for number in 1...400 {
                    sender.offer(
                        TwinEvent(
                            id: "evt_\(number)", type: "charge.succeeded", created: 0,
                            account: nil, body: Array(GateFixture.event(id: "evt_\(number)").utf8)))
                }
                try await eventually("all is delivered") { sender.backlog == 0 }
                let now = try #require(sender.standings().first).tally
                tally.withLock { $0 = now }
            }
        }
        let keys = try fixture.records(.webhookReceived).map {
            String(decoding: $0.record.key ?? [], as: UTF8.self)
        }
        return (keys, tally.withLock { $0 }, fixture)
    }

    private static let all = Set((1...400).map { "evt_\($0)" })

    @Test("every event arrives once, whatever happens to its first attempt", arguments: [
        DeliveryFault.duplicate, .reorder, .delay, .twoSecrets, .staleTimestamp, .wrongSignature,
    ])
    func arrives(fault: DeliveryFault) async throws {
        let (received, tally, fixture) = try await Self.deliver { $0[fault].share = 0.3 }
        #expect(Set(received) == Self.all)
        #expect(received.count == 400)
        #expect(tally[.givenUp] == 0)
        let isRefused = fault == .staleTimestamp || fault == .wrongSignature
        #expect((tally[.refused] > 50) == isRefused)
        #expect(fixture.counters[.signatureRefused] >= tally[.refused])
        #expect((fixture.counters[.duplicates] > 50) == (fault == .duplicate))
    }

    @Test("a lost event does not arrive, and no other is missing")
    func lost() async throws {
        let (received, tally, _) = try await Self.deliver { $0[.loss].share = 0.2 }
        #expect(tally[.lost] > 40)
        #expect(received.count == 400 - tally[.lost])
        #expect(Set(received).isSubset(of: Self.all))
    }

    @Test("a second event of one fact is a new event to the gate")
    func second() async throws {
        let (received, tally, _) = try await Self.deliver { $0[.secondEvent].share = 0.2 }
        #expect(tally[.toldTwice] > 40)
        #expect(Set(received).count == 400 + tally[.toldTwice])
        #expect(Set(received).isSuperset(of: Self.all))
    }

    @Test("is accepted by either secret while they rotate")
    func rotation() async throws {
        for secrets in [["whsec_new", GateFixture.secret], [GateFixture.rotated, "whsec_old"]] {
            let (received, tally, _) = try await Self.deliver(secrets: secrets) { _ in }
            #expect(Set(received) == Self.all)
            #expect(tally[.refused] == 0)
        }
    }
}

/// The wall clock of a test, and the machine's monotonic clock.
private struct MixedClock: LogClock {
    let wall: SetClock

    func now() -> Timestamp { wall.now() }
    func monotonicMilliseconds() -> Int64 { SystemLogClock().monotonicMilliseconds() }
}
