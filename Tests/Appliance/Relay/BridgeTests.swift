import AppendLog
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Relay
@testable import Vocabulary

@Suite("A bridge")
struct BridgeTests {
    /// A log, and bridges over it that run for as long as `body` does.
    struct World {
        var plane: EmbeddedPlane
        var pauses: BridgePauses

        func bridge(_ name: BridgeName, to store: FakeStore) -> Bridge {
            Bridge(
                name, topics: TopicID.allCases, source: plane.relaySource(), pauses: pauses,
                luck: { 0 }, logger: PipelineFixture.quiet
            ) { FakeTarget(store) }
        }

        func append(_ count: Int, to topic: TopicID = .webhookReceived) async throws {
            let end = plane.topics[topic].highWatermark.rawValue
            let records = (0..<Int64(count)).map { number in
                PipelineFixture.received("{\"n\":\(end + number)}", event: "evt_\(end + number)")
            }
            _ = try await plane.topics[topic].append(records)
        }

        func run(_ bridges: [Bridge], _ body: () async throws -> Void) async throws {
            try await running([BridgeBoard(bridges)], body)
        }
    }

    /// - Parameter expires: whether segments are small and, but for the last one, too old to be
    ///   kept, since the records are.
    private func world(
        expires: Bool = false, _ body: (World) async throws -> Void
    ) async throws {
        let fixture = try PipelineFixture { settings in
            guard expires else { return }
            settings.retentionDays = 1
            settings.segmentByteCountMax = 1 << 20
        }
        try await fixture.opened { opened in
            try await body(
                World(
                    plane: opened.plane,
                    pauses: BridgePauses(folder: fixture.folder.file("bridges"))))
        }
    }

    private func arrived(
        _ store: FakeStore, _ world: World, _ topic: TopicID = .webhookReceived
    ) throws -> Bool {
        // A read ends with its segment.
        let reader = world.plane.relaySource()[topic]
        var all: [StoredRecord] = []
        try reader.scan(from: reader.start) { stored in
            all.append(stored)
            return true
        }
        return store.records(topic) == all
    }

    @Test("what is in the log arrives once, in order, and so does what comes later")
    func delivers() async throws {
        try await world { world in
            let store = FakeStore()
            try await world.append(500)
            let bridge = world.bridge(.kafka, to: store)
            try await world.run([bridge]) {
                try await eventually("the backlog is copied") { try arrived(store, world) }
                try await world.append(3, to: .deadLetter)
                try await world.append(20)
                try await eventually("the rest is copied") {
                    try arrived(store, world) && arrived(store, world, .deadLetter)
                }
                let report = bridge.report()
                #expect(report.state == .running)
                #expect(report.lag == 0)
                #expect(report.deliveredCount == 523)
                #expect(report.lastDelivery != nil)
            }
            try await eventually("the place is noted in the log") {
                world.plane.relaySource().noted(.kafka)[.webhookReceived] == Offset(520)
            }
        }
    }

    @Test("an answer that is lost leads to no record twice, since the target says what it has")
    func lostAnswers() async throws {
        try await world { world in
            let store = FakeStore()
            store.change {
                $0.losesAnswers = true
                $0.deliveryFailures = Array(repeating: .passing("cut"), count: 3)
            }
            try await world.append(200)
            try await world.run([world.bridge(.kafka, to: store)]) {
                try await eventually("all of it is copied") { try arrived(store, world) }
                try await world.append(200)
                try await eventually("the rest is copied") { try arrived(store, world) }
            }
        }
    }

    @Test("a target that fails is tried again, and its failures are told")
    func triesAgain() async throws {
        try await world { world in
            let store = FakeStore()
            store.change {
                $0.openFailures = Array(repeating: .passing("no broker answers"), count: 2)
                $0.deliveryFailures = [.passing("cut off")]
            }
            try await world.append(10)
            let bridge = world.bridge(.kafka, to: store)
            try await world.run([bridge]) {
                try await eventually("it is told") {
                    bridge.report().warning?.contains("no broker answers") == true
                }
                try await eventually("all of it is copied") { try arrived(store, world) }
                try await eventually("the failures are over") {
                    bridge.report().failureCount == 0
                }
                let report = bridge.report()
                #expect(report.warning == nil)
                // It is over, and told as such.
                #expect(report.lastError == "cut off")
                #expect(report.lastErrorAt != nil && report.workingSince != nil)
            }
        }
    }

    @Test("a refusal stops it and no other, until somebody resumes it")
    func refusal() async throws {
        try await world { world in
            let (bad, good) = (FakeStore(), FakeStore())
            bad.change { $0.openFailures = [.permanent("the topic has 3 partitions")] }
            try await world.append(10)
            let (stopped, other) = (world.bridge(.kafka, to: bad), world.bridge(.redis, to: good))
            try await world.run([stopped, other]) {
                try await eventually("it has stopped") {
                    stopped.report().state == .stopped("the topic has 3 partitions")
                }
                try await world.append(10)
                try await eventually("the other goes on") { try arrived(good, world) }
                #expect(bad.contents.withLock { $0.openCount } == 1)
                #expect(stopped.report().warning?.contains("3 partitions") == true)
                #expect(stopped.report().lag == 20)
                try stopped.resume(by: "ada")
                try await eventually("it is copied too") { try arrived(bad, world) }
            }
        }
    }

    @Test("a target that hangs holds up neither the log nor another bridge, nor the stop")
    func hangs() async throws {
        try await world { world in
            let (stuck, good) = (FakeStore(), FakeStore())
            stuck.change { $0.hangs = true }
            var asked = ContinuousClock.now
            try await world.run([
                world.bridge(.kafka, to: stuck), world.bridge(.redis, to: good),
            ]) {
                for _ in 0..<20 { try await world.append(50) }
                try await eventually("the other has all") { try arrived(good, world) }
                try await eventually("the first one hangs") {
                    stuck.contents.withLock { $0.openCount } > 0
                }
                #expect(stuck.records(.webhookReceived).isEmpty)
                asked = .now
            }
            #expect(asked.duration(to: .now) < .seconds(30))
        }
    }

    @Test("a call that hangs is told of within 5 s, and is over once it comes back")
    func toldWhileItHangs() async throws {
        try await world { world in
            let store = FakeStore()
            let bridge = world.bridge(.kafka, to: store)
            try await world.run([bridge]) {
                try await world.append(5)
                try await eventually("it runs") { try arrived(store, world) }
                #expect(bridge.report().warning == nil)
                store.change { $0.hangs = true }
                try await world.append(5)
                try await eventually("it is told", within: 5, every: .milliseconds(20)) {
                    bridge.report().warning?.contains("waits for its target") == true
                }
                // It is the same call: nothing was given up.
                #expect(bridge.report().state == .running)
                #expect(bridge.report().failureCount == 0)
                store.change { $0.hangs = false }
                try await eventually("the rest is copied") { try arrived(store, world) }
                try await eventually("the waiting is over") { bridge.report().warning == nil }
            }
        }
    }

    @Test("what a call says of its wait once it was paused is not told")
    func pausedWhileItHangs() async throws {
        try await world { world in
            let store = FakeStore()
            let bridge = world.bridge(.kafka, to: store)
            store.change { $0.hangs = true }
            try await world.run([bridge]) {
                try await world.append(5)
                try await eventually("it hangs") { store.contents.withLock { $0.isHanging } }
                try bridge.pause(by: "ada")
                try await eventually("it has let go") {
                    store.contents.withLock { $0.closeCount } > 0
                }
                #expect(bridge.report().lastErrorAt == nil)
                #expect(bridge.report().lastError == nil)
            }
        }
    }

    @Test("a pause holds over a restart, and what piles up meanwhile arrives at once")
    func pausing() async throws {
        try await world { world in
            let store = FakeStore()
            let first = world.bridge(.kafka, to: store)
            try await world.run([first]) {
                try await world.append(5)
                try await eventually("it runs") { try arrived(store, world) }
                try first.pause(by: "ada\nlovelace")
                try await eventually("it has let go") {
                    store.contents.withLock { $0.closeCount } > 0
                }
                try await world.append(5)
            }
            let second = world.bridge(.kafka, to: store)
            guard case .paused(let pause) = second.report().state else {
                Issue.record("not paused: \(second.report().state)")
                return
            }
            #expect(pause.by == "ada lovelace")
            try await world.run([second]) {
                try await world.append(90)
                #expect(store.records(.webhookReceived).count == 5)
                try second.resume(by: "ada")
                try await eventually("all of it is copied") { try arrived(store, world) }
            }
            #expect(world.pauses.pause(of: .kafka) == nil)
        }
    }

    @Test("a delivery that a pause cuts off has not failed")
    func cutOff() async throws {
        try await world { world in
            let store = FakeStore()
            store.change { $0.hangs = true }
            let bridge = world.bridge(.kafka, to: store)
            try await world.append(5)
            try await world.run([bridge]) {
                try await eventually("it delivers") { store.contents.withLock { $0.isHanging } }
                try bridge.pause(by: "ada")
                try await eventually("it has let go") {
                    store.contents.withLock { $0.closeCount } > 0
                }
            }
            let report = bridge.report()
            #expect(report.state.word == "paused")
            #expect(report.lastErrorAt == nil && report.lastError == nil)
        }
    }

    @Test("of two people who pause and resume at once the last one has both state and file")
    func twoPeople() async throws {
        try await world { world in
            let bridge = world.bridge(.kafka, to: FakeStore())
            for _ in 0..<40 {
                await withTaskGroup(of: Void.self) { people in
                    people.addTask { try? bridge.pause(by: "ada") }
                    people.addTask { try? bridge.resume(by: "bob") }
                    people.addTask { try? bridge.pause(by: "eve") }
                }
                let pause = world.pauses.pause(of: .kafka)
                if case .paused(let told) = bridge.report().state {
                    #expect(told.by == pause?.by)
                } else {
                    #expect(pause == nil)
                }
            }
        }
    }

    @Test("a pause that cannot even be looked for holds")
    func unreadablePause() throws {
        let folder = try TemporaryFolder()
        let pauses = BridgePauses(folder: folder.file("bridges"))
        #expect(pauses.pause(of: .redis) == nil)
        try pauses.keep(BridgePause(by: "ada", at: Instant(seconds: 7)), of: .redis)
        #expect(pauses.pause(of: .redis) == BridgePause(by: "ada", at: Instant(seconds: 7)))
        let path = folder.file("bridges/kafka.paused")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
        #expect(pauses.pause(of: .kafka)?.by == "unknown")
        try pauses.remove(of: .redis)
        try pauses.remove(of: .redis)
        #expect(pauses.pause(of: .redis) == nil)
    }

    @Test("a pause that cannot be kept or taken back says what is in the way, and what to do")
    func unkeptPause() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("file")
        try "".write(toFile: file, atomically: true, encoding: .utf8)
        let pauses = BridgePauses(folder: "\(file)/bridges")
        let pause = BridgePause(by: "ada", at: Instant(seconds: 7))
        #expect(
            throws: RelayFailure.permanent(
                "the pause cannot be kept in \(file)/bridges/kafka.paused: Not a directory; make "
                    + "room there, and the folder writable for tillbox, and pause it again")
        ) { try pauses.keep(pause, of: .kafka) }
        #expect(
            throws: RelayFailure.permanent(
                "the pause in \(file)/bridges/kafka.paused cannot be taken back: Not a directory; "
                    + "make the folder writable for tillbox, and resume it again")
        ) { try pauses.remove(of: .kafka) }
    }

    @Test("a position that does not fit the log stops the bridge", arguments: [true, false])
    func position(isBeyond: Bool) async throws {
        try await world { world in
            let store = FakeStore()
            try await world.append(10)
            store.change { $0.next = [.webhookReceived: Offset(isBeyond ? 11 : 10)] }
            let bridge = world.bridge(.kafka, to: store)
            try await world.run([bridge]) {
                try await eventually("it is known") {
                    bridge.report().state.word == (isBeyond ? "stopped" : "running")
                }
            }
        }
    }

    @Test("retention keeps what a bridge has not copied, and no longer than until it has")
    func retention() async throws {
        try await world(expires: true) { world in
            let store = FakeStore()
            store.change { $0.openFailures = [.permanent("no")] }
            let (bridge, topic) = (
                world.bridge(.kafka, to: store), world.plane.topics[.webhookReceived]
            )
            try await world.run([bridge]) {
                for _ in 0..<8 { try await world.append(2_000) }
                try await eventually("it has stopped") {
                    bridge.report().state == .stopped("no")
                }
                try await eventually("its place is noted") {
                    try world.plane.log.cursors.committed(
                        group: GroupName("bridge-kafka"), topic: topic.name) == .zero
                }
                #expect(try await world.plane.log.applyRetention()[topic.name] == 0)
                #expect(topic.start == .zero)
                try bridge.resume(by: "ada")
                try await eventually("it is copied") { try arrived(store, world) }
                try await eventually("its end is noted") {
                    world.plane.relaySource().noted(.kafka)[.webhookReceived] == Offset(16_000)
                }
                #expect(try await world.plane.log.applyRetention()[topic.name, default: 0] > 0)
                #expect(topic.start > .zero)
            }
        }
    }
}
