import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@Suite(
    "Kafka: lost answers and cut connections, behind a proxy", .ownThread, .timeLimit(.minutes(4)))
struct KafkaProxyTests {
    @Test("a lost answer to Produce, TxnOffsetCommit or EndTxn: each record is there once",
        arguments: [KafkaKey.produce, KafkaKey.txnOffsetCommit, KafkaKey.endTxn])
    func lostAnswer(key: Int) async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("lost", on: server)
        var configuration = Fixture.configuration(server)
        configuration.socketTimeout = .seconds(5)
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        let source = KafkaPartition("source", 0)
        for number in 0..<6 {
            if number % 2 == 1 { try proxy.loseAnswers(to: key) }
            let outcome = producer.transact(
                (0..<5).map {
                    KafkaOutgoing(Fixture.record("\(number).\($0)"), to: topic, partition: 0)
                },
                offsets: [source: Offset(Int64(number + 1))], group: .withoutMembers("bridge"),
                within: Fixture.patience)
            guard case .committed = outcome else { throw Unexpected(what: "\(number): \(outcome)") }
        }
        #expect(try proxy.lostAnswers == 3)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<6).flatMap { number in (0..<5).map { "\(number).\($0)" } })
        let reader = try KafkaReader(configuration, group: "bridge")
        #expect(try reader.committed([source], within: Fixture.patience) == [source: Offset(6)])
    }

    @Test("a lost answer to a plain record: the idempotent producer writes it once")
    func lostPlainAnswer() async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("plain", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        for number in 0..<20 {
            if number == 10 { try proxy.loseAnswers(to: KafkaKey.produce) }
            try producer.produce(Fixture.record("\(number)"), to: topic) { deliveries.add($0) }
            #expect(producer.flush(within: Fixture.patience))
        }
        #expect(try proxy.lostAnswers == 1)
        #expect(deliveries.written.count == 20)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<20).map(String.init))
    }

    @Test("connections cut in mid-stream, again and again: each record is there once")
    func cut() async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("cut", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        var cuts = 0
        for number in 0..<2000 {
            try producer.produce(Fixture.record("\(number)"), to: topic) { deliveries.add($0) }
            guard number % 400 == 200 else { continue }
            // After the cut before, the producer takes a moment to be there again.
            try await eventually("there is a connection to cut") {
                let isCut = (try? proxy.cut()) ?? 0 > 0
                if isCut { cuts += 1 }
                return isCut
            }
        }
        #expect(producer.flush(within: Fixture.patience))
        #expect(cuts == 5)
        #expect(deliveries.written.count == 2000)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<2000).map(String.init))
    }
}
