import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@Suite("Kafka: records there and back", .ownThread, .timeLimit(.minutes(4)))
struct KafkaRoundTripTests {
    private func written(
        _ records: [Record], to topic: String, on server: KafkaServer, partition: Int32? = nil,
        _ change: (inout KafkaConfiguration) -> Void = { _ in }
    ) throws -> Deliveries {
        var configuration = Fixture.configuration(server)
        change(&configuration)
        let producer = try KafkaProducer(configuration)
        let deliveries = Deliveries()
        for record in records {
            try producer.produce(record, to: topic, partition: partition) { deliveries.add($0) }
        }
        #expect(producer.flush(within: Fixture.patience))
        #expect(deliveries.count == records.count)
        return deliveries
    }

    static let oddRecords = [
        Record(
            key: ArraySlice("k".utf8), value: ArraySlice("v".utf8),
            headers: [
                RecordHeader("event-id", "evt_1"), RecordHeader("event-id", "evt_2"),
                RecordHeader("null", nil), RecordHeader("none", ArraySlice([])),
                RecordHeader("ü", ArraySlice([0, 255, 10])),
            ], timestamp: Timestamp(milliseconds: 1_600_000_000_123)),
        Record(key: nil, value: ArraySlice("x".utf8), timestamp: Timestamp(milliseconds: 2)),
        Record(key: [], value: [], timestamp: Timestamp(milliseconds: 3)),
        Record(key: ArraySlice("t".utf8), value: nil, timestamp: Timestamp(milliseconds: 4)),
        Record(
            key: ArraySlice([0, 255]), value: ArraySlice(repeating: 7, count: 1 << 20),
            timestamp: Timestamp(milliseconds: 5)),
    ]

    @Test("key, value, headers and timestamp come back as they were, null apart from empty",
        arguments: KafkaCompression.allCases)
    func roundTrip(compression: KafkaCompression) async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("odd", on: server)
        let deliveries = try written(Self.oddRecords, to: topic, on: server) {
            $0.compression = compression
        }
        #expect(deliveries.written.map(\.offset.rawValue) == [0, 1, 2, 3, 4])
        let found = try Fixture.records(in: KafkaPartition(topic, 0), on: server)
        #expect(found.map(\.record) == Self.oddRecords)
        #expect(found.map(\.offset.rawValue) == [0, 1, 2, 3, 4])
    }

    @Test("a timestamp of 0, which librdkafka takes for now, is written as the next millisecond")
    func timestampZero() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("zero", on: server)
        _ = try written([Fixture.record("a", at: 0)], to: topic, on: server)
        let found = try Fixture.records(in: KafkaPartition(topic, 0), on: server)
        #expect(found.map(\.record.timestamp.milliseconds) == [1])
    }

    @Test("further headers stand behind the record's own")
    func extraHeaders() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("extra", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let outgoing = KafkaOutgoing(
            Self.oddRecords[0], to: topic, extraHeaders: [RecordHeader("tillbox-offset", "7")])
        try producer.produce(outgoing) { _ in }
        #expect(producer.flush(within: Fixture.patience))
        let found = try Fixture.records(in: KafkaPartition(topic, 0), on: server)
        #expect(
            found.first?.record.headers
                == Self.oddRecords[0].headers + [RecordHeader("tillbox-offset", "7")])
    }

    @Test("librdkafka places each key where our own murmur2 says")
    func placement() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("placed", partitions: 7, on: server)
        let keys = (0..<200).map { "cus_\($0)" }
        let records = keys.map { Fixture.record($0, key: $0) } + [Fixture.record("none")]
        _ = try written(records, to: topic, on: server)
        for number in 0..<Int32(7) {
            let expected = keys.filter {
                KafkaPartitioner.partition(ofKey: ArraySlice($0.utf8), count: 7) == number
            } + (KafkaPartitioner.partition(ofKey: nil, count: 7) == number ? ["none"] : [])
            let partition = KafkaPartition(topic, number)
            #expect(try Fixture.values(in: partition, on: server) == expected)
        }
    }

    @Test("a record goes to the partition that is chosen, whatever its key")
    func chosenPartition() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("chosen", partitions: 3, on: server)
        let deliveries = try written(
            (0..<9).map { Fixture.record("\($0)", key: "\($0)") }, to: topic, on: server,
            partition: 2)
        #expect(deliveries.written.allSatisfy { $0.partition == KafkaPartition(topic, 2) })
        let found = try Fixture.values(in: KafkaPartition(topic, 2), on: server)
        #expect(found == (0..<9).map(String.init))
    }

    @Test("topics are made as wished, described as they are, and never by being named")
    func topics() async throws {
        let server = try await KafkaServer.shared()
        let admin = try KafkaAdmin(Fixture.configuration(server))
        let kept = KafkaTopic(Fixture.name("kept"), partitions: 4)
        let finite = KafkaTopic(
            Fixture.name("finite"), partitions: 1, retention: .seconds(3_000_000),
            messageBytesMax: 300_000)
        try admin.create([kept, finite], within: Fixture.patience)
        // Again is no error, and changes nothing.
        try admin.create([kept], within: Fixture.patience)
        let names = [kept.name, finite.name, "absent"]
        let found = try admin.describe(names, within: Fixture.patience)
        #expect(found == [kept.name: kept, finite.name: finite])
        #expect(
            KafkaTopicCheck.refusals(
                wanted: [kept, finite, KafkaTopic("absent", partitions: 1)], found: found,
                oldestRecordAge: .seconds(60)) == [.missing("absent", partitions: 1)])
        #expect(try admin.partitionCounts(within: Fixture.patience)["absent"] == nil)
        try admin.delete([finite.name, "absent"], within: Fixture.patience)
        #expect(try admin.describe([finite.name], within: Fixture.patience).isEmpty)
    }

    @Test("a record for a topic that is missing is certainly not written, and makes no topic")
    func missingTopic() async throws {
        let server = try await KafkaServer.shared()
        let topic = Fixture.name("nowhere")
        let deliveries = try written([Fixture.record("x")], to: topic, on: server) {
            $0.deliveryTimeout = .seconds(3)
        }
        guard case .notWritten(let error)? = deliveries.all.first else {
            Issue.record("\(deliveries.all)")
            return
        }
        #expect(error == .topicMissing(topic))
        #expect(error.isPermanent)
        let admin = try KafkaAdmin(Fixture.configuration(server))
        #expect(try admin.partitionCounts(within: Fixture.patience)[topic] == nil)
    }

    @Test("a partition that the topic does not have is refused")
    func missingPartition() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("few", partitions: 2, on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        // The first tells it by its completion: nothing was known of the topic yet.
        try producer.produce(Fixture.record("x"), to: topic, partition: 7) { deliveries.add($0) }
        _ = producer.flush(within: Fixture.patience)
        guard case .notWritten(.partitionMissing(KafkaPartition(topic, 7)))? = deliveries.all.first
        else {
            Issue.record("\(deliveries.all)")
            return
        }
        #expect(throws: KafkaError.partitionMissing(KafkaPartition(topic, 7))) {
            try producer.produce(Fixture.record("x"), to: topic, partition: 7) { _ in }
        }
    }

    @Test("a record beyond the client's bound is refused at once, and the producer lives")
    func tooLarge() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("small", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let large = Record(
            key: nil, value: ArraySlice(repeating: 1, count: (2 << 20) + 1),
            timestamp: Timestamp(milliseconds: 1))
        let expected = KafkaError.messageTooLarge(topic: topic, bytesMax: 2 << 20)
        #expect(throws: expected) {
            try producer.produce(large, to: topic) { _ in }
        }
        #expect(expected.isPermanent)
        let deliveries = Deliveries()
        try producer.produce(Fixture.record("small"), to: topic) { deliveries.add($0) }
        #expect(producer.flush(within: Fixture.patience))
        #expect(deliveries.written.count == 1)
    }

    @Test("a record beyond the topic's bound is certainly not written, and holds up no other")
    func tooLargeForTopic() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("bound", on: server, messageBytesMax: 10_000)
        let large = Record(
            key: nil, value: ArraySlice((0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* $0) }),
            timestamp: Timestamp(milliseconds: 1))
        let deliveries = try written([large], to: topic, on: server) { $0.compression = .none }
        guard case .notWritten(.messageTooLarge(topic, nil))? = deliveries.all.first else {
            Issue.record("\(deliveries.all)")
            return
        }
        let next = try written([Fixture.record("small")], to: topic, on: server)
        #expect(next.written.map(\.offset.rawValue) == [0])
    }

    @Test("a full queue says so, keeps its bound, and takes records again when there is room")
    func fullQueue() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("full", on: server)
        var configuration = Fixture.configuration(server)
        configuration.producerQueueBytesMax = 1 << 20
        configuration.linger = .seconds(5)
        configuration.compression = .none
        let producer = try KafkaProducer(configuration)
        let deliveries = Deliveries()
        let record = Record(
            key: nil, value: ArraySlice(repeating: 9, count: 100_000),
            timestamp: Timestamp(milliseconds: 1))
        var taken = 0
        #expect(throws: KafkaError.queueFull) {
            for _ in 0..<100 {
                try producer.produce(record, to: topic) { deliveries.add($0) }
                taken += 1
            }
        }
        #expect((5...11).contains(taken), "\(taken)")
        #expect(producer.flush(within: Fixture.patience))
        try producer.produce(record, to: topic) { deliveries.add($0) }
        #expect(producer.flush(within: Fixture.patience))
        #expect(deliveries.written.count == taken + 1)
    }

    @Test("a producer that goes tells every record's fate")
    func everyFate() async throws {
        let port = try freePort()
        let deliveries = Deliveries()
        do {
            let producer = try KafkaProducer(KafkaConfiguration(bootstrap: "127.0.0.1:\(port)"))
            for number in 0..<10 {
                try producer.produce(Fixture.record("\(number)"), to: "t") { deliveries.add($0) }
            }
        }
        try await eventually("all fates are told") { deliveries.count == 10 }
        for delivery in deliveries.all {
            guard case .notWritten = delivery else {
                Issue.record("\(delivery)")
                continue
            }
        }
    }

    @Test("an address where nobody is, or that is no name, is one sentence and may be tried again",
        arguments: ["127.0.0.1:1", "no-such-host.invalid:9092"])
    func unreachable(bootstrap: String) async throws {
        let admin = try KafkaAdmin(KafkaConfiguration(bootstrap: bootstrap))
        let error = #expect(throws: KafkaError.self) {
            try admin.partitionCounts(within: .seconds(1))
        }
        #expect(error?.isRetryable == true)
        #expect(error?.description.contains(bootstrap) == true, "\(error.debugDescription)")
    }

    @Test("librdkafka speaks into the closure that it was given")
    func log() async throws {
        let port = try freePort()
        let lines = Lines()
        var configuration = KafkaConfiguration(bootstrap: "127.0.0.1:\(port)")
        configuration.log = { lines.add($0) }
        let admin = try KafkaAdmin(configuration)
        #expect(throws: KafkaError.self) { try admin.partitionCounts(within: .milliseconds(500)) }
        try await eventually("a line about the connection") {
            lines.all.contains { $0.text.contains("\(port)") && (0...7).contains($0.level) }
        }
    }

    @Test("the tail of a partition is its last committed records, however many markers lie between")
    func tail() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("tail", on: server)
        let partition = KafkaPartition(topic, 0)
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        #expect(try reader.tail(of: partition, count: 3, within: Fixture.patience).isEmpty)
        let producer = try KafkaTransactionalProducer(
            Fixture.configuration(server), transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        for number in 0..<6 {
            let outcome = producer.transact(
                [KafkaOutgoing(Fixture.record("\(number)"), to: topic)], offsets: [:],
                group: .withoutMembers("g"), within: Fixture.patience)
            guard case .committed = outcome else { throw Unexpected(what: "\(outcome)") }
        }
        let tail = try reader.tail(of: partition, count: 3, within: Fixture.patience)
        #expect(tail.map(\.text) == ["3", "4", "5"])
        let all = try reader.tail(of: partition, count: 99, within: Fixture.patience)
        #expect(all.map(\.text) == (0..<6).map(String.init))
    }

    @Test("a stretch is read from here to there, and not further")
    func stretch() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("stretch", on: server)
        let partition = KafkaPartition(topic, 0)
        _ = try written((0..<50).map { Fixture.record("\($0)") }, to: topic, on: server)
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        var found: [String] = []
        var batches = 0
        try reader.read(
            partition, from: Offset(10), to: Offset(20), bytesMax: 5, within: Fixture.patience
        ) { batch in
            found += batch.records.map(\.text)
            batches += 1
            #expect(batch.byteCount <= 5)
            return true
        }
        #expect(found == (10..<20).map(String.init))
        #expect(batches > 3)
        #expect(throws: KafkaError.offsetOutOfRange(partition, Offset(51))) {
            try reader.read(partition, from: Offset(51), within: Fixture.patience) { _ in true }
        }
    }
}

/// Gathers lines from several threads.
final class Lines: @unchecked Sendable {
    // `@unchecked Sendable`: the lock guards the list.
    private let lock = NSLock()
    private var list: [KafkaLogLine] = []
    var all: [KafkaLogLine] { lock.withLock { list } }
    func add(_ line: KafkaLogLine) { lock.withLock { list.append(line) } }
}
