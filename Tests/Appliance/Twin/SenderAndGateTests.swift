import AppendLog
import Synchronization
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Twin
@testable import Vocabulary

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
