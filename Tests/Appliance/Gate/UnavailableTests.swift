import AppendLog
import Glibc
import LogSupport
import Synchronization
import Testing

@testable import Appliance
@testable import Vocabulary

/// The 503 row of contracts §1: the log cannot take a delivery, and nothing of it is kept.
@Suite("Webhooks that cannot be stored")
struct UnavailableTests {
    private static let body = GateFixture.event()

    private static func deliver(
        _ body: String = body, to fixture: GateFixture
    ) async -> GateAnswer {
        await fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
    }

    private static func isUnavailable(_ answer: GateAnswer) -> Bool {
        if case .unavailable = answer { true } else { false }
    }

    @Test("a failed sync is answered 503, and so is everything until a restart forgets the event")
    func failedSync() async throws {
        let disk = SimulatedDisk(seed: 1)
        let fixture = try GateFixture(disk: disk, at: "/log")
        disk.faults.failing = [.sync: EIO]
        #expect(Self.isUnavailable(await Self.deliver(to: fixture)))
        disk.faults.failing = [:]
        // The log does not know what is on the disk, so it takes nothing more.
        #expect(fixture.log.poison != nil)
        #expect(Self.isUnavailable(await Self.deliver(to: fixture)))
        #expect(fixture.counters[.unavailable] == 2)
        #expect(fixture.counters[.admitted] == 0)

        disk.crash()
        let restarted = try GateFixture(disk: disk, at: "/log")
        // Either the bytes reached the disk before the power went, or they did not: Stripe's retry
        // is acknowledged, and there is one record.
        let retried = await Self.deliver(to: restarted)
        #expect(!Self.isUnavailable(retried))
        #expect(try restarted.records(.webhookReceived).count == 1)
    }

    @Test("a full disk is answered 503, and the retry after it was cleared is stored once")
    func fullDisk() async throws {
        let disk = SimulatedDisk(seed: 2)
        let fixture = try GateFixture(disk: disk, at: "/log")
        disk.faults.failing = [.write: ENOSPC, .preallocate: ENOSPC]
        #expect(Self.isUnavailable(await Self.deliver(to: fixture)))
        #expect(fixture.log.poison == nil)
        disk.faults = SimulatedDisk.Faults()
        #expect(await Self.deliver(to: fixture) == .received(isDuplicate: false))
        #expect(await Self.deliver(to: fixture) == .received(isDuplicate: true))
        #expect(try fixture.records(.webhookReceived).count == 1)
    }

    @Test("a full queue is answered 503 at once, and those in it get their 200")
    func fullQueue() async throws {
        let scheduler = SteppedScheduler()
        var configuration = LogConfiguration()
        configuration.queuedBytesMax = 1
        let fixture = try GateFixture(
            disk: SimulatedDisk(seed: 3), scheduler: scheduler, configuration: configuration,
            at: "/log")
        let first = Answer()
        let second = Answer()
        Self.submit(GateFixture.event(id: "evt_1"), to: fixture, first)
        Self.submit(GateFixture.event(id: "evt_2"), to: fixture, second)
        #expect(first.value == nil)
        #expect(second.value.map(Self.isUnavailable) == true)
        scheduler.run()
        #expect(first.value == .received(isDuplicate: false))
    }

    @Test("copies that wait for a first delivery fail with it, and the event is then admitted anew")
    func copiesFailTogether() async throws {
        let scheduler = SteppedScheduler()
        let disk = SimulatedDisk(seed: 4)
        let fixture = try GateFixture(disk: disk, scheduler: scheduler, at: "/log")
        let answers = (0..<3).map { _ in Answer() }
        for answer in answers { Self.submit(Self.body, to: fixture, answer) }
        disk.faults.failing = [.write: ENOSPC, .preallocate: ENOSPC]
        scheduler.run()
        for answer in answers { #expect(answer.value.map(Self.isUnavailable) == true) }
        disk.faults = SimulatedDisk.Faults()
        let retried = Answer()
        Self.submit(Self.body, to: fixture, retried)
        scheduler.run()
        #expect(retried.value == .received(isDuplicate: false))
    }

    private static func submit(_ body: String, to fixture: GateFixture, _ answer: Answer) {
        fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body), body: Array(body.utf8)
        ) { answer.set($0) }
    }
}

/// What the gate said, once it has.
private final class Answer: Sendable {
    private let stored = Mutex<GateAnswer?>(nil)
    var value: GateAnswer? { stored.withLock { $0 } }
    func set(_ answer: GateAnswer) { stored.withLock { $0 = answer } }
}
