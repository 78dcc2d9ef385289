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
import TwinSupport

@testable import Twin
@testable import Vocabulary

@Suite("Webhook sender", .timeLimit(.minutes(5)))
struct WebhookSenderTests {
    private static func events(_ count: Int) -> [TwinEvent] {
        (1...count).map { TwinEvent.sample($0) }
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
            sender.offer(TwinEvent.sample(1))
            try await eventually("nobody wants it") { sender.backlog == 0 }
            list.withLockedValue { $0 = [endpoint(port: port)] }
            sender.offer(TwinEvent.sample(2))
            try await eventually("the new one has it") { gate.state.requests == 1 }
            list.withLockedValue { $0 = [endpoint(port: port, secrets: ["whsec_x", "whsec_y"])] }
            sender.offer(TwinEvent.sample(3))
            try await eventually("it comes signed twice") { gate.state.requests == 2 }
            #expect(sender.standings()[0].tally[.offered] == 2)
            list.withLockedValue { $0 = [] }
            sender.offer(TwinEvent.sample(4))
            try await eventually("nobody wants it") { sender.standings().isEmpty }
        }
        let signatures = gate.state.signatures.mapValues {
            $0[0].components(separatedBy: "v1=").count - 1
        }
        #expect(
            signatures == [TwinEvent.sample(2).id: 1, TwinEvent.sample(3).id: 2])
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
        let expected = [1, 4, 5, 6].map { TwinEvent.sample($0).id }
        #expect(gate.state.known == Set(expected))
        try await gate.stop()
    }

    @Test("what is in flight when the sender stops does not hold it up")
    func stopping() async throws {
        let gate = ScriptedGate { _ in .stayMute }
        let port = try await gate.listen()
        // Ten minutes for an answer, and five for this test.
        try await sending(to: [endpoint(port: port)]) { sender, _ in
            sender.offer(TwinEvent.sample(1))
            try await eventually("it is in flight") { gate.state.requests == 1 }
        }
        try await gate.stop()
    }
}
