import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@Suite("Kafka: writers, and brokers that stop and hang", .ownThread, .timeLimit(.minutes(4)))
struct KafkaFaultTests {
    private func transact(
        _ producer: KafkaTransactionalProducer, _ values: [String], to topic: String,
        next: Int64, within patience: Duration
    ) -> KafkaTransactionOutcome {
        producer.transact(
            values.map { KafkaOutgoing(Fixture.record($0), to: topic, partition: 0) },
            offsets: [KafkaPartition("source", 0): Offset(next)], group: .withoutMembers("bridge"),
            within: patience)
    }

    /// Replicates numbers by transactions of ten, as a bridge does, whatever comes between.
    ///
    /// - Returns: how often a transaction did not end at once.
    private func replicate(
        _ count: Int, to topic: String, _ configuration: KafkaConfiguration,
        during trouble: (Int) async throws -> Void, whenStuck: () -> Void = {}
    ) async throws -> Int {
        let id = Fixture.name("bridge-source-0")
        var producer = try KafkaTransactionalProducer(configuration, transactionalID: id)
        try producer.start(within: Fixture.patience)
        var next = 0
        var detours = 0
        var outcome = KafkaTransactionOutcome.committed
        let deadline = ContinuousClock.now + .seconds(100)
        while next < count {
            guard .now < deadline else { throw Unexpected(what: "\(next): \(outcome)") }
            try await trouble(next)
            outcome = transact(
                producer, (next..<next + 10).map(String.init), to: topic, next: Int64(next + 10),
                within: .milliseconds(700))
            while case .unfinished = outcome, .now < deadline {
                detours += 1
                whenStuck()
                outcome = producer.resume(within: .milliseconds(700))
            }
            switch outcome {
            case .committed: next += 10
            case .aborted:
                detours += 1
                whenStuck()
            case .recreate:
                detours += 1
                whenStuck()
                producer = try KafkaTransactionalProducer(configuration, transactionalID: id)
                try producer.start(within: Fixture.patience)
                next = try committed(configuration)
            case .unfinished, .fenced, .refused: throw Unexpected(what: "\(next): \(outcome)")
            }
        }
        return detours
    }

    private func committed(_ configuration: KafkaConfiguration) throws -> Int {
        let reader = try KafkaReader(configuration, group: "bridge")
        let source = KafkaPartition("source", 0)
        let found = try reader.committed([source], within: Fixture.patience)
        return Int(found[source]?.rawValue ?? 0)
    }

    private func expectEach(_ count: Int, in topic: String, on server: KafkaServer) throws {
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<count).map(String.init))
    }

    @Test("a broker that hangs for a while delays, and each record is there once")
    func hangs() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("hang", on: server)
        var hasHung = false
        let detours = try await replicate(200, to: topic, Fixture.impatient(server)) { next in
            // Once: the same place comes again after an abort.
            guard next == 100, !hasHung else { return }
            hasHung = true
            server.freeze()
        } whenStuck: {
            // Whatever it hangs in has been without an answer for its whole patience.
            server.thaw()
        }
        #expect(detours > 0)
        try expectEach(200, in: topic, on: server)
    }

    @Test("a broker restarted under load: each record is there once")
    func restarted() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("restart", on: server)
        _ = try await replicate(200, to: topic, Fixture.impatient(server)) { next in
            guard next == 50 || next == 120 else { return }
            try await server.stop()
            try await server.start()
        }
        try expectEach(200, in: topic, on: server)
    }

    @Test("a record without an answer in time is told as perhaps written")
    func perhapsWritten() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("perhaps", on: server)
        var configuration = Fixture.impatient(server)
        configuration.deliveryTimeout = .seconds(2)
        let producer = try KafkaProducer(configuration)
        let deliveries = Deliveries()
        try producer.produce(Fixture.record("first"), to: topic) { deliveries.add($0) }
        #expect(producer.flush(within: Fixture.patience))
        server.freeze()
        try producer.produce(Fixture.record("second"), to: topic) { deliveries.add($0) }
        try await eventually("the second record's fate") { deliveries.count == 2 }
        guard case .perhapsWritten(let error) = deliveries.all[1] else {
            Issue.record("\(deliveries.all[1])")
            return
        }
        #expect(error.isRetryable)
        // And so it was: the broker takes it when it goes on.
        server.thaw()
        try await eventually("it was written after all") {
            try Fixture.values(in: KafkaPartition(topic, 0), on: server).contains("second")
        }
    }

    @Test("with a broker that hangs, every call fails when its time is over")
    func boundedCalls() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("bounded", on: server)
        let partition = KafkaPartition(topic, 0)
        var configuration = Fixture.configuration(server)
        // What waits for its connection, and not for its own time, is late by far.
        configuration.socketTimeout = .seconds(60)
        configuration.transactionTimeout = .seconds(60)
        let consumer = try KafkaConsumer(configuration, group: Fixture.name("g"))
        try consumer.subscribe(to: [topic])
        _ = try consumer.events { if case .assigned = $0 { true } else { false } }
        try consumer.assign([partition: .beginning])
        let admin = try KafkaAdmin(configuration)
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        let fresh = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        server.freeze()
        func bounded(_ what: String, _ body: () throws -> Void) rethrows {
            let begun = ContinuousClock.now
            try body()
            #expect(begun.duration(to: .now) < Fixture.patience, "\(what)")
        }
        func unanswered(_ what: String, _ body: () throws -> Void) {
            bounded(what) { #expect(throws: KafkaError.self, "\(what)") { try body() } }
        }
        unanswered("topics") { _ = try admin.partitionCounts(within: .seconds(1)) }
        unanswered("describe") { _ = try admin.describe([topic], within: .seconds(1)) }
        unanswered("create") {
            try admin.create([KafkaTopic("new", partitions: 1)], within: .seconds(1))
        }
        unanswered("delete") { try admin.delete(["new"], within: .seconds(1)) }
        unanswered("ends") { _ = try consumer.ends(of: partition, within: .seconds(1)) }
        unanswered("committed") { _ = try consumer.committed([partition], within: .seconds(1)) }
        unanswered("commit") { try consumer.commit([partition: Offset(0)], within: .seconds(1)) }
        unanswered("start") { try fresh.start(within: .seconds(1)) }
        // The abort has a second of its own, and each call one to come back in.
        bounded("transact") {
            let outcome = transact(producer, ["x"], to: topic, next: 1, within: .seconds(1))
            if case .committed = outcome { Issue.record("\(outcome)") }
        }
        try bounded("next") { _ = try consumer.next(bytesMax: 1, within: .seconds(1)) }
        bounded("close") { consumer.close(within: .seconds(1)) }
        server.thaw()
    }
}
