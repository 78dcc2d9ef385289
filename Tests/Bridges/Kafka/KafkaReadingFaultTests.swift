import AppendLog
import Bridges
import TestSupport
import Testing

@Suite(
    "Kafka: readers, and brokers that stop or are not there", .ownThread, .timeLimit(.minutes(4)))
struct KafkaReadingFaultTests {
    @Test("a reader waits out a restart, and reads all")
    func readerDuringRestart() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("restarting", on: server)
        let producer = try KafkaProducer(Fixture.impatient(server))
        for number in 0..<50 {
            try producer.produce(Fixture.record("\(number)"), to: topic) { _ in }
        }
        #expect(producer.flush(within: Fixture.patience))
        try await server.stop()
        let configuration = Fixture.impatient(server)
        async let values = {
            let reader = try KafkaReader(configuration, group: Fixture.name("g"))
            var found: [String] = []
            try reader.read(KafkaPartition(topic, 0), within: Fixture.patience) { batch in
                found += batch.records.map(\.text)
                return true
            }
            return found
        }()
        try await server.start()
        #expect(try await values == (0..<50).map(String.init))
    }

    @Test("a reader that meets nobody says why when its patience is over")
    func readerWithoutBroker() async throws {
        let port = try freePort()
        let reader = try KafkaReader(
            KafkaConfiguration(bootstrap: "127.0.0.1:\(port)"), group: Fixture.name("g"))
        let begun = ContinuousClock.now
        let error = #expect(throws: KafkaError.self) {
            try reader.read(KafkaPartition("t", 0), within: .seconds(1)) { _ in true }
        }
        #expect(begun.duration(to: .now) < Fixture.patience)
        #expect(error?.isRetryable == true)
        #expect(error?.description.contains("127.0.0.1:\(port)") == true)
    }

    @Test("a consumer reads on after a restart, from where it was")
    func consumerAfterRestart() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("reader", on: server)
        let partition = KafkaPartition(topic, 0)
        let producer = try KafkaProducer(Fixture.impatient(server))
        let consumer = try KafkaConsumer(Fixture.impatient(server), group: Fixture.name("g"))
        try consumer.assign([partition: .beginning])
        var seen: [String] = []
        for round in 0..<2 {
            for number in 0..<50 {
                let record = Fixture.record("\(round).\(number)")
                try producer.produce(record, to: topic) { _ in }
            }
            #expect(producer.flush(within: Fixture.patience))
            let deadline = ContinuousClock.now + .seconds(30)
            while seen.count < 50 * (round + 1) {
                guard .now < deadline else { throw Unexpected(what: "\(seen.count) records") }
                do {
                    if case .records(let batch) = try consumer.next(
                        bytesMax: 1 << 20, within: .milliseconds(200))
                    {
                        seen += batch.records.map(\.text)
                    }
                } catch {
                    // What a restart looks like from here has to be worth another try.
                    #expect(error.isRetryable, "\(error)")
                }
            }
            guard round == 0 else { continue }
            try await server.stop()
            try await server.start()
        }
        #expect(seen == (0..<2).flatMap { round in (0..<50).map { "\(round).\($0)" } })
    }
}
