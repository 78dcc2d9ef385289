import AppendLog
import Bridges
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Relay
@testable import Vocabulary

/// Against the broker: what is in the log arrives once, whatever the broker goes through.
@Suite("The bridge to Kafka", .serialized)
struct KafkaBridgeTests {
    /// A log with a bridge to a broker.
    struct World: Sendable {
        var plane: EmbeddedPlane
        var pauses: BridgePauses
        var place: KafkaPlace

        init(
            _ opened: PipelineFixture.Opened, _ fixture: PipelineFixture, _ broker: KafkaServer,
            prefix: String = "t\(UInt32.random(in: 0..<(.max)))-", partitions: Int32 = 3,
            messageBytesMax: Int = 2 << 20
        ) {
            plane = opened.plane
            pauses = BridgePauses(folder: fixture.folder.file("bridges"))
            var configuration = KafkaConfiguration(bootstrap: broker.bootstrap)
            configuration.messageBytesMax = messageBytesMax
            place = KafkaPlace(
                configuration: configuration, names: KafkaNames(prefix: prefix),
                partitions: partitions)
        }

        func bridge() -> Bridge {
            let place = place
            return Bridge(
                .kafka, topics: TopicID.allCases, source: plane.relaySource(), pauses: pauses,
                luck: { 0 }, logger: PipelineFixture.quiet
            ) { KafkaTarget { () throws(RelayFailure) in place } }
        }

        func append(
            _ count: Int, to topic: TopicID = .webhookReceived, bytes: Int = 100
        ) async throws {
            let end = plane.topics[topic].highWatermark.rawValue
            let filling = String(repeating: "x", count: bytes)
            let records = (0..<Int64(count)).map { number in
                var record = PipelineFixture.received(
                    "{\"n\":\(end + number),\"f\":\"\(filling)\"}", event: "evt_\(end + number)")
                record.timestamp = Timestamp(milliseconds: 1_500_000_000_000 + end + number)
                record.headers.append(RecordHeader("null", nil))
                if number % 7 == 3 { record.key = nil }
                if number % 11 == 5 { record.value = nil }
                return record
            }
            _ = try await plane.topics[topic].append(records)
        }

        func run(_ bridge: Bridge, _ body: () async throws -> Void) async throws {
            try await running([bridge], body)
        }

        /// The bridge has nothing left to copy.
        func drained(_ bridge: Bridge) async throws {
            try await eventually("all is copied: \(bridge.report().lastError ?? "")") {
                let report = bridge.report()
                return report.state == .running && report.lag == 0
            }
        }

        /// Both sides are the same, record by record.
        func compare() async throws -> BridgeVerification {
            let place = place
            return try await KafkaTarget { () throws(RelayFailure) in place }
                .verify(plane.relaySource())
        }

        /// Every record of the log is there once.
        func expectEqual() async throws {
            let verification = try await compare()
            #expect(verification.agrees, "\(verification)")
            for part in verification.parts {
                let topic = try #require(TopicID(rawValue: part.name))
                #expect(part.localCount == plane.topics[topic].highWatermark.rawValue)
            }
        }
    }

    private func world(
        broker: KafkaServer? = nil, messageBytesMax: Int = 2 << 20,
        _ body: (World, KafkaServer) async throws -> Void
    ) async throws {
        let server: KafkaServer
        if let broker { server = broker } else { server = try await KafkaServer.shared() }
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            try await body(
                World(opened, fixture, server, messageBytesMax: messageBytesMax), server)
        }
    }

    @Test("every topic arrives with keys, nulls, headers and times, in its partition")
    func everything() async throws {
        try await world { world, _ in
            for topic in TopicID.allCases { try await world.append(50, to: topic) }
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await world.drained(bridge)
                try await world.append(50, to: .deadLetter)
                try await world.drained(bridge)
            }
            try await world.expectEqual()
            let reader = try KafkaReader(world.place.configuration, group: "test")
            var count = 0
            for partition in world.place.partitions(of: .webhookReceived) {
                try reader.read(partition, within: .seconds(20)) { batch in
                    for stored in batch.records {
                        count += 1
                        let place = KafkaPartitioner.partition(
                            ofKey: stored.record.key, count: world.place.partitions)
                        #expect(place == partition.number)
                        let source = CopyHeader.source(of: stored.record)
                        #expect(source?.log == world.plane.log.identity.description)
                        let n = source?.offset.rawValue ?? -1
                        #expect(stored.record.timestamp.milliseconds == 1_500_000_000_000 + n)
                    }
                    return true
                }
            }
            #expect(count == 50)
        }
    }

    @Test("a bridge that begins again goes on where it was, and copies nothing twice")
    func beginsAgain() async throws {
        try await world { world, _ in
            for _ in 0..<4 {
                let bridge = world.bridge()
                try await world.append(40)
                try await world.run(bridge) { try await world.drained(bridge) }
            }
            try await world.expectEqual()
        }
    }

    @Test("a position that has expired is found from the topics' ends and never taken for nothing")
    func expired() async throws {
        try await world { world, broker in
            let first = world.bridge()
            try await world.append(100)
            try await world.run(first) { try await world.drained(first) }
            // As after a week: nobody knows the group.
            let group = world.place.group(of: world.plane.relaySource().log)
            let reader = try KafkaReader(world.place.configuration, group: group)
            let place = world.place.positionPlace(of: .webhookReceived)
            func committed() throws -> [KafkaPartition: Offset] {
                try reader.committed([place], within: .seconds(20))
            }
            #expect(try committed() == [place: Offset(100)])
            try await broker.forget(group: group)
            #expect(try committed() == [:])
            try await world.append(30)
            let second = world.bridge()
            try await world.run(second) { try await world.drained(second) }
            try await world.expectEqual()
        }
    }

    @Test("another log's records in the topics, or nobody's, stop the bridge")
    func foreign() async throws {
        try await world { one, _ in
            let first = one.bridge()
            try await one.append(10)
            try await one.run(first) { try await one.drained(first) }
            try await world { other, _ in
                var other = other
                other.place.names = one.place.names
                let second = other.bridge()
                try await other.append(10)
                try await other.run(second) {
                    try await eventually("it stops") { second.report().state.word == "stopped" }
                }
                #expect(second.report().lastError?.contains("another log's records") == true)
            }
            try await one.expectEqual()
        }
    }

    @Test("topics with another number of partitions stop the bridge with a sentence")
    func partitions() async throws {
        try await world { world, _ in
            let admin = try KafkaAdmin(world.place.configuration)
            try admin.create(
                [KafkaTopic(world.place.names.topic(.paymentScored), partitions: 5)],
                within: .seconds(60))
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await eventually("it stops") { bridge.report().state.word == "stopped" }
            }
            let said = bridge.report().lastError ?? ""
            #expect(said.contains("5 partitions and most of the others have 3"), "\(said)")
        }
    }

    @Test("a topic that is deleted under it stops the bridge; resumed, it copies all of it again")
    func deletedTopic() async throws {
        try await world { world, _ in
            try await world.append(40)
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await world.drained(bridge)
                let name = world.place.names.topic(.webhookReceived)
                try KafkaAdmin(world.place.configuration).delete([name], within: .seconds(60))
                try await world.append(40)
                try await eventually("it stops") { bridge.report().state.word == "stopped" }
                let sentence = bridge.report().lastError ?? ""
                #expect(sentence.hasPrefix("the Kafka topic \(name) was deleted"), "\(sentence)")
                #expect(sentence.contains("`tillbox bridge resume kafka`"), "\(sentence)")
                try bridge.resume(by: "ana")
                try await world.drained(bridge)
                #expect(bridge.report().workingSince != nil)
            }
            try await world.expectEqual()
        }
    }

    @Test("a topic that would delete what is copied, on its arrival, stops the bridge")
    func retention() async throws {
        try await world { world, _ in
            try await world.append(1)
            let admin = try KafkaAdmin(world.place.configuration)
            try admin.create(
                [
                    KafkaTopic(
                        world.place.names.topic(.webhookReceived), partitions: 3,
                        retention: .seconds(7 * 86_400))
                ], within: .seconds(60))
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await eventually("it stops") { bridge.report().state.word == "stopped" }
            }
            #expect(bridge.report().lastError?.contains("retention.ms=-1") == true)
        }
    }

    @Test("a record that is too large is told of in dead.letter and blocks nothing")
    func tooLarge() async throws {
        try await world(messageBytesMax: 64 << 10) { world, _ in
            try await world.append(20)
            try await world.append(1, bytes: 100 << 10)
            try await world.append(20)
            for _ in 0..<2 {
                let bridge = world.bridge()
                try await world.run(bridge) { try await world.drained(bridge) }
            }
            let verification = try await world.compare()
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.first { $0.name == "webhook.received" }?.targetCount == 40)
            let reader = try KafkaReader(world.place.configuration, group: "test")
            var letters: [Record] = []
            for partition in world.place.partitions(of: .deadLetter) {
                try reader.read(partition, within: .seconds(20)) { batch in
                    letters += batch.records.map(\.record)
                    return true
                }
            }
            #expect(letters.count == 1)
            let letter = try #require(letters.first)
            #expect(CopyHeader.placeInstead(in: letter)?.offset == Offset(20))
            #expect(letter.value == nil)
            let told = ["stage", "reason", "event-id", "schema"].map { letter.text($0) }
            #expect(told == ["bridge-kafka", "message_too_large", "evt_20", "dead.letter/1"])
        }
    }

    /// A record of this many bytes that no compression makes smaller.
    private static func dense(_ bytes: Int, key: String = "k") -> Record {
        var random = SeededGenerator(seed: 5)
        return Record(
            key: Array(key.utf8)[...],
            value: (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }[...],
            timestamp: Timestamp(milliseconds: 1_500_000_000_000))
    }

    @Test("a letter of the log that the broker finds too large is told of too, and blocks nothing")
    func largeLetter() async throws {
        try await world { world, broker in
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await world.append(3, to: .deadLetter)
                try await world.drained(bridge)
                // Somebody lowers the bound under the bridge, which it looks at when it connects.
                try await broker.bound(world.place.names.topic(.deadLetter), bytes: 20_000)
                _ = try await world.plane.topics[.deadLetter].append([Self.dense(50_000)])
                try await world.append(3, to: .deadLetter)
                try await eventually("all is copied: \(bridge.report().lastError ?? "")") {
                    let report = bridge.report()
                    if case .stopped(let sentence) = report.state {
                        Issue.record("\(sentence)")
                        return true
                    }
                    return report.state == .running && report.lag == 0
                }
            }
            let verification = try await world.compare()
            #expect(verification.agrees, "\(verification)")
            #expect(verification.parts.first { $0.name == "dead.letter" }?.targetCount == 6)
        }
    }

    @Test("a place that is passed over again moves the position no step back")
    func positionStays() async throws {
        try await world { world, _ in
            // One key: two partitions have nothing, so that each opening looks through all.
            let records = (0..<40).map { Self.dense(10 + $0) }
            _ = try await world.plane.topics[.webhookReceived].append(records)
            let bridge = world.bridge()
            try await world.run(bridge) { try await world.drained(bridge) }
            let (place, source) = (world.place, world.plane.relaySource())
            let target = KafkaTarget { () throws(RelayFailure) in place }
            let places = try await target.open(source, during: RelayAttempt())
            #expect(places[.webhookReceived] == .zero)
            let first = try source.records(.webhookReceived, from: .zero, limit: Offset(10))
            #expect(first.count == 10)
            _ = try await target.deliver(
                RelayRun([.webhookReceived: first]), during: RelayAttempt())
            await target.close()
            let group = place.group(of: source.log)
            let position = place.positionPlace(of: .webhookReceived)
            let committed = try KafkaReader(place.configuration, group: group)
                .committed([position], within: .seconds(10))
            #expect(committed == [position: Offset(40)])
            try await world.expectEqual()
        }
    }

    @Test("behind however many letters the last copied record is found")
    func manyLetters() async throws {
        try await world { world, _ in
            try await world.append(30, to: .deadLetter)
            let bridge = world.bridge()
            try await world.run(bridge) { try await world.drained(bridge) }
            let (place, source) = (world.place, world.plane.relaySource())
            func find() throws -> KafkaFloors? {
                try KafkaPositions(place: place, source: source, patience: .seconds(10))
                    .find { false }[.deadLetter]?.floors
            }
            let before = try #require(try find())
            #expect(before.highest == Offset(29))
            let producer = try KafkaTransactionalProducer(
                place.configuration, transactionalID: place.names.group("letters"))
            try producer.start(within: .seconds(20))
            let letters = (0..<4_200).map { number in
                KafkaOutgoing(
                    Record(key: nil, value: nil, timestamp: Timestamp(milliseconds: 0)),
                    to: place.names.topic(.deadLetter), partition: 1,
                    extraHeaders: [
                        RecordHeader(CopyHeader.log, source.log),
                        CopyHeader.instead(
                            of: SourcePlace(topic: .webhookReceived, offset: Offset(number))),
                    ])
            }
            let outcome = producer.transact(
                letters, offsets: [:], group: .withoutMembers("letters"), within: .seconds(20))
            guard case .committed = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(before[1] != nil)
            #expect(try find() == before)
        }
    }

    @Test("topics that have nothing of the log do not agree with it")
    func nothingThere() async throws {
        try await world { world, _ in
            try await world.append(5)
            try KafkaAdmin(world.place.configuration).create(
                world.place.wantedTopics, within: .seconds(20))
            let verification = try await world.compare()
            #expect(!verification.agrees)
            #expect(
                verification.firstDifference?.hasPrefix(
                    "\(world.place.names.topic(.webhookReceived)) has nothing of this log") == true,
                "\(verification)")
        }
    }

    @Test(
        "a broker that is stopped, hung or killed is told of in 5 s; nothing is lost or doubled",
        .timeLimit(.minutes(5)))
    func brokerTrouble() async throws {
        let broker = try await KafkaServer()
        try await world(broker: broker) { world, _ in
            let bridge = world.bridge()
            try await world.run(bridge) {
                try await world.append(200)
                try await world.drained(bridge)
                try await broker.stop()
                for _ in 0..<10 { try await world.append(100) }
                try await eventually("it is told", within: 5, every: .milliseconds(20)) {
                    bridge.report().warning?.contains("Kafka") == true
                }
                try await broker.start()
                try await world.drained(bridge)
                broker.freeze()
                for _ in 0..<10 { try await world.append(100) }
                try await eventually("it is told", within: 5, every: .milliseconds(20)) {
                    bridge.report().warning?.contains("Kafka") == true
                }
                broker.thaw()
                try await world.drained(bridge)
                // Killed, it loses what it had acknowledged last.
                try await world.append(300)
                try await world.drained(bridge)
                try await broker.kill()
                try await world.append(100)
                try await broker.start()
                try await world.drained(bridge)
            }
            try await world.expectEqual()
        }
        try await broker.stop()
    }
}
