import AppendLog
@testable import Bridges
import Foundation
import TestSupport
import Testing

@Suite(
    "Kafka: calls that do not come back", .ownThread, .timeLimit(.minutes(4)))
struct KafkaHangTests {
    private let source = KafkaPartition("source", 0)

    private func configuration(_ server: KafkaServer) -> KafkaConfiguration {
        var configuration = Fixture.configuration(server)
        configuration.socketTimeout = .seconds(2)
        return configuration
    }

    /// Held by a client's log, and so there until the client has ended.
    private final class Life: Sendable {}

    private func configuration(_ server: KafkaServer, held life: Life?) -> KafkaConfiguration {
        var configuration = configuration(server)
        configuration.log = { _ in withExtendedLifetime(life) {} }
        return configuration
    }

    private func elapsed(_ body: () throws -> Void) rethrows -> Duration {
        let begun = ContinuousClock.now
        try body()
        return begun.duration(to: .now)
    }

    @Test("a broker hangs inside of send offsets: the producer is given up and ends behind it")
    func sendOffsets() async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("hang", on: server)
        let abandoned = KafkaAbandoned()
        let id = Fixture.name("id")
        var producer: KafkaTransactionalProducer? = try KafkaTransactionalProducer(
            configuration(server), transactionalID: id, abandoned)
        try producer?.start(within: Fixture.patience)
        // Between its two requests send_offsets asks for the group's coordinator.
        try proxy.hold(at: KafkaKey.findCoordinator)
        expectGivenUp(try #require(producer), topic)
        #expect(try proxy.isHeld, "it did not come to send offsets")
        #expect(abandoned.count == 1)
        // Letting it go does not wait for it either, which would be for ever.
        #expect(elapsed { producer = nil } < .seconds(10))
        #expect(abandoned.count == 1)
        try proxy.go()
        try await eventually("the call returns") { abandoned.count == 0 }

        let successor = try KafkaTransactionalProducer(
            configuration(server), transactionalID: id, abandoned)
        try successor.start(within: Fixture.patience)
        let reader = try KafkaReader(configuration(server), group: "bridge")
        #expect(try reader.committed([source], within: Fixture.patience).isEmpty)
        guard case .committed = transact(successor, topic, within: Fixture.patience) else {
            Issue.record("the successor did not commit")
            return
        }
        #expect(try Fixture.values(in: KafkaPartition(topic, 0), on: server) == ["x"])
    }

    private func transact(
        _ producer: KafkaTransactionalProducer, _ topic: String, within patience: Duration
    ) -> KafkaTransactionOutcome {
        producer.transact(
            [KafkaOutgoing(Fixture.record("x"), to: topic, partition: 0)],
            offsets: [source: Offset(1)], group: .withoutMembers("bridge"), within: patience)
    }

    /// It hangs until its patience is over, and from then on says at once that it is given up.
    private func expectGivenUp(_ producer: KafkaTransactionalProducer, _ topic: String) {
        let time = elapsed {
            guard case .recreate(let error) = transact(producer, topic, within: .seconds(5)) else {
                Issue.record("it was not given up")
                return
            }
            #expect(error.remedy == .recreate)
            #expect(error.description.contains("hangs"), "\(error)")
        }
        #expect(time < .seconds(15), "\(time)")
        let again = elapsed {
            guard case .recreate = transact(producer, topic, within: Fixture.patience) else {
                Issue.record("an abandoned producer went on")
                return
            }
            #expect(throws: KafkaError.self) { try producer.begin() }
            #expect(throws: KafkaError.self) { try producer.abort(within: Fixture.patience) }
        }
        #expect(again < .seconds(10), "\(again)")
    }

    @Test("a call gives its answer in time, or keeps its client until it returns")
    func callThread() async throws {
        let abandoned = KafkaAbandoned()
        let thread = KafkaCallThread(abandoned)
        var handle: KafkaHandle? = try KafkaHandle(
            KafkaConfiguration(bootstrap: "127.0.0.1:1"), .producer)
        weak let held = handle
        let answered = thread.run(try #require(handle), within: .seconds(5)) { _ in nil }
        guard case .returned(nil) = answered else {
            Issue.record("\(answered)")
            return
        }
        let end = DispatchSemaphore(value: 0)
        guard case .abandoned = thread.run(try #require(handle), within: .zero, { _ in
            end.wait()
            return nil
        }) else {
            Issue.record("a call that hangs gave an answer")
            return
        }
        #expect(abandoned.count == 1)
        handle = nil
        #expect(held != nil)
        end.signal()
        try await eventually("the client is let go") { held == nil }
        #expect(abandoned.count == 0)
    }

    @Test("while too many hang no other producer is made, and that passes")
    func bound() async throws {
        let abandoned = KafkaAbandoned()
        for _ in 0..<KafkaAbandoned.countMax { abandoned.add() }
        let configuration = KafkaConfiguration(bootstrap: "127.0.0.1:1")
        let error = #expect(throws: KafkaError.self) {
            _ = try KafkaTransactionalProducer(configuration, transactionalID: "t", abandoned)
        }
        #expect(error == .producersHang(KafkaAbandoned.countMax))
        #expect(error?.isRetryable == true)
        abandoned.remove()
        _ = try KafkaTransactionalProducer(configuration, transactionalID: "t", abandoned)
    }

    @Test("clients of a broker that hangs are let go at once, and end soon")
    func lettingGo() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("letting", partitions: 2, on: server)
        var life: Life? = Life()
        weak let lives = life
        var consumer: KafkaConsumer? = try KafkaConsumer(
            configuration(server, held: life), group: Fixture.name("g"))
        try consumer?.subscribe(to: [topic])
        _ = try consumer?.events { if case .assigned = $0 { true } else { false } }
        try consumer?.assign([KafkaPartition(topic, 0): .beginning])
        var producer: KafkaProducer? = try KafkaProducer(configuration(server, held: life))
        life = nil
        let deliveries = Deliveries()
        try producer?.produce(Fixture.record("a"), to: topic) { deliveries.add($0) }
        #expect(producer?.flush(within: Fixture.patience) == true)
        server.freeze()
        for _ in 0..<10 {
            try producer?.produce(Fixture.record("b"), to: topic) { deliveries.add($0) }
        }
        let time = elapsed { (consumer, producer) = (nil, nil) }
        // Leaving the group alone waits for a second: they are not waited for where they live on.
        #expect(lives != nil || time < .seconds(1), "\(time)")
        try await eventually("each record is told its fate") { deliveries.count == 11 }
        try await eventually("both have ended") { lives == nil }
        server.thaw()
    }

    @Test("a closed consumer throws, whatever it is asked, and closing it again does nothing")
    func closed() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("closed", on: server)
        let partition = KafkaPartition(topic, 0)
        let consumer = try KafkaConsumer(configuration(server), group: Fixture.name("g"))
        try consumer.assign([partition: .beginning])
        #expect(consumer.close(within: .seconds(5)))
        #expect(consumer.close(within: .seconds(5)))
        func closed(_ body: () throws(KafkaError) -> Void) {
            #expect(throws: KafkaError.closed) { try body() }
        }
        closed { () throws(KafkaError) in _ = try consumer.next(bytesMax: 1, within: .zero) }
        closed { () throws(KafkaError) in try consumer.subscribe(to: [topic]) }
        closed { () throws(KafkaError) in try consumer.assign([partition: .beginning]) }
        closed { () throws(KafkaError) in try consumer.unassign() }
        closed { () throws(KafkaError) in try consumer.pause([partition]) }
        closed { () throws(KafkaError) in try consumer.resume([partition]) }
        closed { () throws(KafkaError) in try consumer.seek([partition: .zero], within: .zero) }
        closed { () throws(KafkaError) in
            _ = try consumer.committed([partition], within: .seconds(1))
        }
        closed { () throws(KafkaError) in
            try consumer.commit([partition: .zero], within: .seconds(1))
        }
        closed { () throws(KafkaError) in
            _ = try consumer.ends(of: partition, within: .seconds(1))
        }
        #expect(KafkaError.closed.remedy == .recreate)
    }

    @Test("while a commit has no answer another transaction is refused and nothing of it is there")
    func commitUnderWay() async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("committing", on: server)
        let producer = try KafkaTransactionalProducer(
            configuration(server), transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        func transact(_ value: String, _ patience: Duration) -> KafkaTransactionOutcome {
            producer.transact(
                [KafkaOutgoing(Fixture.record(value), to: topic, partition: 0)], offsets: [:],
                group: .withoutMembers("g"), within: patience)
        }
        try proxy.hold(at: KafkaKey.endTxn)
        guard case .unfinished = transact("first", .seconds(5)) else {
            Issue.record("the commit had an answer")
            return
        }
        #expect(try proxy.isHeld, "it did not come to its end")
        // Not `.unfinished`: what `resume` says then is about the first one.
        guard case .refused(.state(let detail)) = transact("second", .seconds(5)) else {
            Issue.record("a second transaction beside an open commit")
            return
        }
        #expect(detail.contains("resume"))
        try proxy.go()
        guard case .committed = producer.resume(within: Fixture.patience) else {
            Issue.record("the commit was not resumed")
            return
        }
        #expect(try Fixture.values(in: KafkaPartition(topic, 0), on: server) == ["first"])
    }
}
