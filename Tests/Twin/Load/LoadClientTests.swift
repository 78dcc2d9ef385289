import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestSupport
import Testing
import TwinSupport

@testable import Traffic
@testable import Vocabulary

@Suite("Load client", .timeLimit(.minutes(5)))
struct LoadClientTests {
    private static func plan(
        _ count: Int, duplicates: Double = 0, badSignatures: Double = 0
    ) -> DeliveryPlan {
        DeliveryPlan(
            .init(
                world: .init(seed: 21, customers: 100), count: count, duplicates: duplicates,
                badSignatures: badSignatures))
    }

    private static func settings(
        port: Int, change: (inout LoadClient.Settings) -> Void = { _ in }
    ) throws -> LoadClient.Settings {
        var settings = LoadClient.Settings(
            target: try LoadTarget("http://127.0.0.1:\(port)"), secret: "whsec_x")
        change(&settings)
        return settings
    }

    /// Runs `plan` against `gate` and stops it.
    private static func run(
        _ plan: DeliveryPlan, against gate: ScriptedGate,
        change: (inout LoadClient.Settings) -> Void = { _ in },
        acknowledged: (@Sendable (StreamedEvent) -> Void)? = nil
    ) async throws -> LoadResult {
        let port = try await gate.listen()
        let client = LoadClient(settings: try settings(port: port, change: change))
        do {
            let result = try await client.run(plan, acknowledged: acknowledged)
            try await gate.stop()
            return result
        } catch {
            try await gate.stop()
            throw error
        }
    }

    @Test("counts what was accepted, duplicate and refused, and finds nothing to object to")
    func counting() async throws {
        let gate = ScriptedGate()
        let acknowledged = NIOLockedValueBox<[String]>([])
        let result = try await Self.run(
            Self.plan(3_000, duplicates: 0.2), against: gate,
            acknowledged: { event in acknowledged.withLockedValue { $0.append(event.id.rawValue) } }
        )
        let tally = result.tally
        #expect(tally.differences.isEmpty)
        #expect(tally.firsts + tally.copies == 3_000)
        #expect(tally.accepted == tally.firsts)
        #expect(tally.duplicates == tally.copies)
        #expect(tally.latency.count == 3_000)
        #expect(tally.retries == 0)
        #expect(gate.state.requests == 3_000)
        #expect(gate.state.connections == 16)
        #expect(gate.state.inFlightMost <= 16)
        #expect(Set(acknowledged.withLockedValue { $0 }) == gate.state.known)
        #expect(acknowledged.withLockedValue { $0.count } == 3_000)
    }

    @Test("a gate that accepts forgeries is found out")
    func forgeries() async throws {
        let result = try await Self.run(
            Self.plan(500, badSignatures: 0.2), against: ScriptedGate())
        #expect(result.tally.forgeries > 50)
        let found = result.tally.differences.filter { $0.key.hasPrefix("forgery_") }
        #expect(found.values.reduce(0, +) == result.tally.forgeries)
    }

    @Test("a gate that refuses everything is found out, code by code")
    func refusals() async throws {
        let gate = ScriptedGate { _ in
            .answer(.badRequest, #"{"error": {"code": "signature_mismatch", "message": "no"}}"#)
        }
        let result = try await Self.run(Self.plan(200, badSignatures: 0.2), against: gate)
        #expect(result.tally.refused == ["signature_mismatch": 200])
        let wrong = result.tally.firsts
        #expect(result.tally.differences == ["refused_signature_mismatch": wrong])
    }

    @Test("a gate that accepts a copy twice is found out")
    func acceptedTwice() async throws {
        let gate = ScriptedGate { _ in .answer(.ok, #"{"received":true}"#) }
        let result = try await Self.run(Self.plan(500, duplicates: 0.2), against: gate)
        #expect(result.tally.differences == ["accepted_twice": result.tally.copies])
    }

    @Test("retries after 503, a lost answer or connection until each event is accepted once")
    func retries() async throws {
        let gate = ScriptedGate { request in
            switch request.number % 7 {
            case 1: .answer(.serviceUnavailable, #"{"error":{"code":"busy"}}"#)
            case 3: .hangUp
            case 5: .receiveAndHangUp
            default: .receive()
            }
        }
        let result = try await Self.run(Self.plan(600), against: gate) {
            $0.retry = .untilAcknowledged
        }
        #expect(result.tally.differences.isEmpty)
        #expect(result.tally.retries > 200)
        #expect(result.tally.connectionsLost > 100)
        #expect(gate.state.accepted.count == 600)
        #expect(result.tally.accepted + result.tally.duplicates == 600)
        #expect(result.tally.attempts == 600 + result.tally.retries)
    }

    @Test("gives a delivery up after its attempts, and says so")
    func abandons() async throws {
        let gate = ScriptedGate { _ in .hangUp }
        let result = try await Self.run(Self.plan(5), against: gate) {
            $0.retry = .bounded(attempts: 3)
        }
        #expect(result.tally.abandoned == 5)
        #expect(result.tally.attempts == 15)
        #expect(result.tally.differences == ["abandoned": 5])
    }

    @Test("an answer that does not come in time is a reason to try again")
    func timeouts() async throws {
        let gate = ScriptedGate { $0.number <= 2 ? .stayMute : .receive() }
        let result = try await Self.run(Self.plan(20), against: gate) {
            $0.answerTimeout = .milliseconds(150)
            $0.connections = 2
        }
        #expect(result.tally.timeouts == 2)
        #expect(result.tally.accepted == 20)
        #expect(result.tally.differences.isEmpty)
    }

    @Test("outlives a server that dies and comes back")
    func reconnects() async throws {
        let successor = ScriptedGate()
        let first = NIOLockedValueBox<ScriptedGate?>(nil)
        let (deaths, death) = AsyncStream.makeStream(of: Void.self)
        let gate = ScriptedGate { request in
            guard request.number == 100 else { return .receive() }
            first.withLockedValue { $0 }?.die()
            death.finish()
            return .hangUp
        }
        first.withLockedValue { $0 = gate }
        let port = try await gate.listen(port: try freePort())
        let client = LoadClient(
            settings: try Self.settings(port: port) { $0.retry = .untilAcknowledged })
        async let running = client.run(Self.plan(400))
        for await _ in deaths {}
        _ = try await successor.listen(port: port)
        let result = try await running
        first.withLockedValue { $0 = nil }
        try await gate.stop()
        try await successor.stop()
        let all = gate.state.known.union(successor.state.known)
        #expect(all.count == 400)
        #expect(successor.state.known.count > 250)
        #expect(result.tally.accepted + result.tally.duplicates == 400)
    }

    @Test("nobody there is an error that names the address")
    func refused() async throws {
        let port = try freePort()
        let client = LoadClient(settings: try Self.settings(port: port))
        await #expect(throws: LoadError.cannotConnect(host: "127.0.0.1", port: port)) {
            try await client.run(Self.plan(10))
        }
    }

    @Test("a server that never answers ends the run when patience is at an end")
    func silent() async throws {
        let gate = ScriptedGate { _ in .stayMute }
        await #expect(throws: LoadError.silent(seconds: 1)) {
            try await Self.run(Self.plan(10), against: gate) { $0.patience = .seconds(1) }
        }
    }

    @Test("at a rate, sends on schedule and counts a stall against every delivery that it delayed")
    func pacing() async throws {
        // One connection; the tenth answer takes 200 ms, which is forty intended times.
        let gate = ScriptedGate {
            .receive(after: $0.number == 10 ? .milliseconds(200) : .zero)
        }
        let result = try await Self.run(Self.plan(100), against: gate) {
            $0.rate = 200
            $0.connections = 1
        }
        let elapsed = Double(result.elapsed.nanoseconds) / 1e9
        // The hundredth is intended 99 intervals after the first.
        #expect(elapsed >= 0.495)
        #expect(result.tally.latency.max >= 195_000_000)
        // Some thirty deliveries waited for the stall to end: a tenth by more than 100 ms.
        #expect(result.tally.latency.value(atShare: 0.9) >= 90_000_000)
    }

    @Test(
        "reads addresses",
        arguments: [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/webhooks/stripe"),
            ("http://localhost/", "localhost", 80, "/webhooks/stripe"),
            ("http://[::1]:99/hooks/a?b=c", "::1", 99, "/hooks/a?b=c"),
        ])
    func addresses(url: String, host: String, port: Int, path: String) throws {
        let target = try LoadTarget(url)
        #expect(target.host == host)
        #expect(target.port == port)
        #expect(target.path == path)
    }

    @Test("refuses what is not plain HTTP", arguments: ["https://a.b", "ftp://x", "nonsense", ""])
    func notHTTP(url: String) {
        #expect(throws: LoadTarget.Refusal.notHTTP) { try LoadTarget(url) }
    }
}
