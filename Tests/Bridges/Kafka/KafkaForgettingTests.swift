import AppendLog
import Bridges
import TestSupport
import Testing

@Suite("Kafka: brokers that lose what they had acknowledged", .ownThread, .timeLimit(.minutes(4)))
struct KafkaForgettingTests {
    @Test("a broker that loses what it had acknowledged is noticed, not passed over")
    func forgets() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("forget", on: server)
        let partition = KafkaPartition(topic, 0)
        func write(_ numbers: Range<Int>, to topic: String) throws {
            let producer = try KafkaProducer(Fixture.impatient(server))
            let deliveries = Deliveries()
            for number in numbers {
                try producer.produce(Fixture.record("\(number)"), to: topic) { deliveries.add($0) }
            }
            #expect(producer.flush(within: Fixture.patience))
            #expect(deliveries.written.count == numbers.count)
        }
        try write(0..<50, to: topic)
        try await server.remember()
        try write(50..<100, to: topic)
        let second = try Fixture.topic("forgotten", on: server)
        try write(0..<10, to: second)
        #expect(try Fixture.values(in: partition, on: server).count == 100)
        try await server.forget()

        // A topic that is gone is a refusal with a sentence.
        let found = try KafkaAdmin(Fixture.impatient(server)).describe(
            [topic, second], within: Fixture.patience)
        let refusals = KafkaTopicCheck.refusals(
            wanted: [KafkaTopic(topic, partitions: 1), KafkaTopic(second, partitions: 1)],
            found: found)
        #expect(refusals == [.missing(second, partitions: 1)])
        // A position beyond the end of one that is left is an error.
        let consumer = try KafkaConsumer(Fixture.impatient(server), group: Fixture.name("g"))
        let end = try consumer.ends(of: partition, within: Fixture.patience).stableEnd
        #expect(end == Offset(50))
        try consumer.assign([partition: .offset(Offset(100))])
        let error = #expect(throws: KafkaError.self) {
            _ = try consumer.events { if case .records = $0 { true } else { false } }
        }
        guard case .offsetOutOfRange(partition, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let reader = try KafkaReader(Fixture.impatient(server), group: Fixture.name("g"))
        #expect(throws: KafkaError.offsetOutOfRange(partition, Offset(100))) {
            try reader.read(partition, from: Offset(100), within: Fixture.patience) { _ in true }
        }
    }

    @Test("a producer that a forgetful broker has ended for good is replaced")
    func endedForGood() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("ended", on: server)
        let plain = try KafkaProducer(Fixture.impatient(server))
        let lasting = try KafkaLastingProducer(Fixture.impatient(server))
        let deliveries = Deliveries()
        func write(_ word: String) throws {
            try plain.produce(Fixture.record("plain \(word)"), to: topic) { deliveries.add($0) }
            try lasting.produce(Fixture.record(word), to: topic) { deliveries.add($0) }
            _ = plain.flush(within: Fixture.patience)
            #expect(lasting.flush(within: Fixture.patience))
        }
        try write("first")
        try await server.remember()
        try write("second")
        #expect(deliveries.written.count == 4)
        try await server.forget()

        // The broker has not seen the second record's number: what comes next cannot be the third.
        var words = 0
        try await eventually("the plain one has ended", every: .milliseconds(200)) {
            words += 1
            try? write("lost \(words)")
            return plain.fatalError != nil
        }
        #expect(throws: KafkaError.self) {
            try plain.produce(Fixture.record("never"), to: topic) { _ in }
        }
        let values = try await Self.written(by: lasting, to: topic, on: server)
        #expect(values.first { $0.hasPrefix("after") } != nil, "\(values)")
        #expect(!values.contains("second") && !values.contains("never"))
    }

    /// All that is there once the producer has written again.
    private static func written(
        by producer: KafkaLastingProducer, to topic: String, on server: KafkaServer
    ) async throws -> [String] {
        let deliveries = Deliveries()
        var count = 0
        try await eventually("it writes again", every: .milliseconds(200)) {
            count += 1
            try? producer.produce(Fixture.record("after \(count)"), to: topic) {
                deliveries.add($0)
            }
            return producer.flush(within: Fixture.patience) && deliveries.written.count > 0
        }
        return try Fixture.values(in: KafkaPartition(topic, 0), on: server)
    }
}
