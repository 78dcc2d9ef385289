import Bridges
import ServiceLifecycle
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// A ledger in Postgres belongs to the topics that it is booked from.
@Suite("The ledger and its topics", .serialized)
struct LedgerTieTests {
    /// Another installation: the same servers, where the settings do not say otherwise.
    private static func plane(
        beside cloud: CloudFixture, _ change: (inout Settings) -> Void = { _ in }
    ) throws -> CloudPlane {
        var settings = cloud.settings
        change(&settings)
        return try CloudPlane(settings, counters: Counters(), logger: PipelineFixture.quiet)
    }

    private static func other(beside cloud: CloudFixture) throws -> CloudPlane {
        try plane(beside: cloud) { $0.kafka.topicPrefix += "other." }
    }

    private static func notes(_ cloud: CloudFixture) throws -> [String] {
        try PostgresSchema.notes(in: cloud.settings.postgresConfiguration())
    }

    private static func origin(_ plane: CloudPlane) -> KafkaOrigin {
        KafkaOrigin(cluster: KafkaProxy.cluster, prefix: plane.names.prefix)
    }

    /// The ledger has read one record of `payment.scored`.
    private static func read(_ ledger: PostgresLedger) throws {
        _ = try ledger.post(
            [],
            positions: [
                ConsumerPosition(topic: TopicID.paymentScored.rawValue, nextOffset: 1)
            ])
    }

    @Test("one that was never used is noted once, and others are refused with what to do")
    func otherPrefix() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        for _ in 0..<2 { try cloud.plane.noteTopics() }
        let own = Self.origin(cloud.plane)
        #expect(try Self.notes(cloud) == ["kafka/1/\(own.text)"])
        let other = try Self.other(beside: cloud)
        let refusal = LedgerNotOwn.otherTopics(noted: own, own: Self.origin(other))
        #expect(throws: refusal) { try other.noteTopics() }
        #expect(throws: refusal) { try other.requireOwnLedger() }
        #expect(throws: refusal) { try other.hold(other.ledger()) }
        try Self.plane(beside: cloud).hold(cloud.plane.ledger())
        try cloud.plane.requireOwnLedger()
        #expect(try Self.notes(cloud).count == 1)
        for words in [own.prefix, other.names.prefix, "TILLBOX_POSTGRES_URL", own.cluster] {
            #expect(refusal.description.contains(words))
        }
        #expect(
            refusal.description.hasSuffix("`tillbox cloud prepare --moved-from \(own.text)`"))
    }

    @Test("one in use that has nothing noted is noted by the first role that books into it")
    func adopted() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        let ledger = try cloud.plane.ledger()
        try Self.read(ledger)
        let other = try Self.other(beside: cloud)
        try other.noteTopics()
        try other.requireOwnLedger()
        #expect(try Self.notes(cloud) == [])
        try cloud.plane.hold(ledger)
        #expect(try Self.notes(cloud) == ["kafka/1/\(Self.origin(cloud.plane).text)"])
        #expect(throws: LedgerNotOwn.self) { try other.hold(ledger) }
        #expect(try ledger.verify().fault == nil)
    }

    @Test("of two installations that begin at once, one has it")
    func atOnce() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        let planes = [cloud.plane, try Self.other(beside: cloud)]
        let held = await withTaskGroup(of: Bool.self) { group in
            for plane in planes {
                group.addTask(executorPreference: OwnThread("test.tie")) {
                    do {
                        try plane.hold(plane.ledger())
                        return true
                    } catch {
                        #expect(error is LedgerNotOwn)
                        return false
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(held.sorted { !$0 && $1 } == [false, true])
        #expect(try Self.notes(cloud).count == 1)
    }

    @Test("a role ends before it books anything into another installation's")
    func roleEnds() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        try cloud.plane.noteTopics()
        let other = try Self.other(beside: cloud)
        _ = try other.topics.prepare()
        let ledger = try other.ledger()
        let service = other.book(ledger, pulse: Pulse("ledger"))
        await #expect(throws: LedgerNotOwn.self) { try await service.run() }
        #expect(try ledger.position(topic: TopicID.paymentScored.rawValue) == nil)
    }

    @Test("redrive and reconciliation refuse another installation's")
    func commands() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        try cloud.plane.noteTopics()
        let other = try Self.other(beside: cloud)
        _ = try other.topics.prepare()
        await #expect(throws: LedgerNotOwn.self) {
            try await other.redriving(isDryRun: true) { _ in }
        }
        await #expect(throws: LedgerNotOwn.self) { try await other.reconciling { _ in } }
    }

    @Test("one that a box's bridge fills is no role's")
    func copyOfBox() async throws {
        let cloud = try await CloudFixture()
        try await cloud.makeLedger()
        let (ledger, log) = (try cloud.plane.ledger(), "0123456789abcdef0123456789abcdef")
        try ledger.adopt(log: log)
        #expect(throws: LedgerNotOwn.copyOfBox(log: log)) { try cloud.plane.hold(ledger) }
        #expect(throws: LedgerNotOwn.copyOfBox(log: log)) { try cloud.plane.noteTopics() }
        #expect(try Self.notes(cloud) == [log])
    }

    @Test("another cluster is refused; topics that were moved there are its own once that is said")
    func moved() async throws {
        let proxy = try await KafkaProxy()
        let cloud = try await CloudFixture(broker: try await KafkaServer(behind: proxy))
        try await cloud.makeLedger()
        let ledger = try cloud.plane.ledger()
        try cloud.plane.hold(ledger)
        try Self.read(ledger)
        let former = Self.origin(cloud.plane)
        let there = KafkaOrigin(cluster: "b-cluster-of-its-own", prefix: former.prefix)
        try proxy.tell(cluster: there.cluster)
        let plane = try Self.plane(beside: cloud)
        let refusal = LedgerNotOwn.otherTopics(noted: former, own: there)
        #expect(throws: refusal) { try plane.hold(ledger) }
        let wrong = "c/\(former.prefix)"
        #expect(
            throws: LedgerNotOwn.notMoved(named: wrong, .roles(former, turn: 1))
        ) { try plane.moveTopics(from: wrong) }
        // The ledger has read a record that is not there.
        let scored = "\(KafkaPartition(plane.names.topic(.paymentScored), 0))"
        #expect(throws: LedgerNotOwn.tooShort(partition: scored, end: 0, read: 1)) {
            try plane.moveTopics(from: former.text)
        }
        try await cloud.write(PipelineFixture.received("{}", event: "evt_1"), to: .paymentScored)
        for _ in 0..<2 { try plane.moveTopics(from: former.text) }
        try plane.hold(ledger)
        #expect(
            try Set(Self.notes(cloud)) == ["kafka/1/\(former.text)", "kafka/2/\(there.text)"])
        // Whoever has stayed behind is refused.
        try proxy.tell(cluster: former.cluster)
        #expect(throws: LedgerNotOwn.otherTopics(noted: there, own: former)) {
            try Self.plane(beside: cloud).hold(ledger)
        }
    }
}
