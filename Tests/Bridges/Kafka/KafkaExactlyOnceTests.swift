import AppendLog
import Bridges
import TestSupport
import Testing

@Suite("Kafka: transactions at the broker", .ownThread, .timeLimit(.minutes(4)))
struct KafkaExactlyOnceTests {
    private func producer(
        _ id: String, on server: KafkaServer
    ) throws -> KafkaTransactionalProducer {
        let producer = try KafkaTransactionalProducer(
            Fixture.configuration(server), transactionalID: id)
        try producer.start(within: Fixture.patience)
        return producer
    }

    private func outgoing(_ values: [String], to topic: String) -> [KafkaOutgoing] {
        values.map { KafkaOutgoing(Fixture.record($0), to: topic, partition: 0) }
    }

    private func expectCommitted(
        _ outcome: KafkaTransactionOutcome, _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .committed = outcome else {
            Issue.record("\(outcome)", sourceLocation: location)
            return
        }
    }

    @Test("an open transaction hides what is committed behind it until it ends, and is waited for")
    func settling() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("settle", on: server)
        let partition = KafkaPartition(topic, 0)
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        let (slow, quick) = (
            try producer(Fixture.name("slow"), on: server),
            try producer(Fixture.name("quick"), on: server)
        )
        try reader.settle([partition], within: Fixture.patience)
        try slow.begin()
        try slow.produce(outgoing(["slow"], to: topic)[0])
        try await eventually("the open record is there") { slow.queuedCount == 0 }
        try expectOpen(partition, by: reader)
        expectCommitted(
            quick.transact(
                outgoing(["quick"], to: topic), offsets: [:], group: .withoutMembers("g"),
                within: Fixture.patience))
        #expect(try Fixture.values(in: partition, on: server) == [])
        try expectOpen(partition, by: reader)
        try slow.commit(within: Fixture.patience)
        try reader.settle([partition], within: Fixture.patience)
        #expect(try Fixture.values(in: partition, on: server) == ["slow", "quick"])
    }

    /// A transaction is open from the first record on, and its end is waited for in vain.
    private func expectOpen(_ partition: KafkaPartition, by reader: KafkaReader) throws {
        let begun = ContinuousClock.now
        let error = #expect(throws: KafkaError.self) {
            try reader.settle([partition], within: .seconds(2))
        }
        #expect(begun.duration(to: .now) > .milliseconds(1_900))
        guard case .timedOut(let call, _, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(call == "wait for open transactions in \(partition)")
        // The broker answers: no slow connection was what it waited for.
        #expect(try reader.ends(of: partition, within: Fixture.patience).stableEnd == .zero)
    }

    @Test("the first record at a time or later is found; there may be none")
    func times() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("times", on: server)
        let producer = try producer(Fixture.name("times"), on: server)
        let records = [1_000, 2_000, 3_000].map {
            KafkaOutgoing(Fixture.record("\($0)", at: $0), to: topic, partition: 0)
        }
        for record in records {
            expectCommitted(
                producer.transact(
                    [record], offsets: [:], group: .withoutMembers("g"),
                    within: Fixture.patience))
        }
        let partition = KafkaPartition(topic, 0)
        let offsets = try Fixture.records(in: partition, on: server).map(\.offset)
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        func offset(_ milliseconds: Int64) throws -> Offset? {
            try reader.offset(
                of: partition, at: Timestamp(milliseconds: milliseconds), within: Fixture.patience)
        }
        #expect(try offset(-5) == offsets[0])
        #expect(try offset(1_001) == offsets[1])
        #expect(try offset(3_000) == offsets[2])
        #expect(try offset(3_001) == nil)
    }

    @Test("what is committed is there with its offsets, what is aborted is not")
    func committedAndAborted() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("eos", on: server)
        let source = KafkaPartition("source", 3)
        let group = Fixture.name("bridge")
        let producer = try producer("\(group)-source-3", on: server)
        expectCommitted(
            producer.transact(
                outgoing(["a", "b"], to: topic), offsets: [source: Offset(12)],
                group: .withoutMembers(group), within: Fixture.patience))
        try producer.begin()
        for record in outgoing(["lost"], to: topic) { try producer.produce(record) }
        try producer.sendOffsets(
            [source: Offset(99)], group: .withoutMembers(group), within: Fixture.patience)
        try producer.abort(within: Fixture.patience)
        expectCommitted(
            producer.transact(
                outgoing(["c"], to: topic), offsets: [source: Offset(13)],
                group: .withoutMembers(group), within: Fixture.patience))

        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == ["a", "b", "c"])
        let reader = try KafkaReader(Fixture.configuration(server), group: group)
        let other = KafkaPartition("source", 4)
        // A partition without an offset is not in the answer, and not at 0.
        #expect(
            try reader.committed([source, other], within: Fixture.patience)
                == [source: Offset(13)])
    }

    @Test("an aborted transaction that ended before a read begins hides nothing of its producer")
    func abortedBefore() async throws {
        let proxy = try await KafkaProxy()
        let server = try await KafkaServer(behind: proxy)
        let topic = try Fixture.topic("before", on: server)
        let partition = KafkaPartition(topic, 0)
        let producer = try producer(Fixture.name("id"), on: server)
        try producer.begin()
        try producer.produce(outgoing(["lost"], to: topic)[0])
        try producer.abort(within: Fixture.patience)
        expectCommitted(
            producer.transact(
                outgoing(["kept"], to: topic), offsets: [:],
                group: .withoutMembers(Fixture.name("group")), within: Fixture.patience))
        let place = try #require(try Fixture.records(in: partition, on: server).first?.offset)
        var found: [String] = []
        try KafkaReader(Fixture.configuration(server), group: Fixture.name("reader")).read(
            partition, from: place, within: Fixture.patience
        ) { batch in
            found += batch.records.map(\.text)
            return true
        }
        // A broker tells of the aborted transactions between where a read begins and where it ends
        // (KIP-98). noida-db tells of all, and any client then drops what the same producer has
        // committed since, up to its next abort; the proxy takes out what is too much.
        #expect(found == ["kept"])
    }

    @Test("an open transaction holds back what stands behind it, and the stable end says so")
    func stableEnd() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("stable", on: server)
        let partition = KafkaPartition(topic, 0)
        let producer = try producer(Fixture.name("id"), on: server)
        try producer.begin()
        try producer.produce(outgoing(["open"], to: topic)[0])
        let plain = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        try await eventually("the transaction's record is written") { producer.queuedCount == 0 }
        try plain.produce(Fixture.record("behind"), to: topic, partition: 0) { deliveries.add($0) }
        #expect(plain.flush(within: Fixture.patience))
        #expect(deliveries.written.map(\.offset.rawValue) == [1])
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        #expect(try reader.ends(of: partition, within: Fixture.patience).stableEnd == Offset(0))
        #expect(try Fixture.values(in: partition, on: server).isEmpty)
        try producer.commit(within: Fixture.patience)
        #expect(try Fixture.values(in: partition, on: server) == ["open", "behind"])
        #expect(try reader.ends(of: partition, within: Fixture.patience).stableEnd == Offset(3))
    }

    @Test("a second producer of one id ends the first one's transaction and fences it")
    func fenced() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("fence", on: server)
        let id = Fixture.name("g-fence-0")
        let first = try producer(id, on: server)
        try first.begin()
        try first.produce(outgoing(["of the first"], to: topic)[0])
        try await eventually("the first one's record is written") { first.queuedCount == 0 }

        let second = try producer(id, on: server)
        expectCommitted(
            second.transact(
                outgoing(["of the second"], to: topic), offsets: [:], group: .withoutMembers("g"),
                within: Fixture.patience))
        let error = #expect(throws: KafkaError.self) {
            try first.commit(within: Fixture.patience)
        }
        #expect(error?.remedy == .leave, "\(String(describing: error))")
        guard case .fenced = first.transact(
            outgoing(["again"], to: topic), offsets: [:], group: .withoutMembers("g"),
            within: Fixture.patience)
        else {
            Issue.record("a fenced producer went on")
            return
        }
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == ["of the second"])
        // It did the second one no harm.
        expectCommitted(
            second.transact(
                outgoing(["once more"], to: topic), offsets: [:], group: .withoutMembers("g"),
                within: Fixture.patience))
    }

    @Test("one that is fenced after its transaction's time was perhaps ended by the broker alone")
    func expired() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("expired", on: server)
        let id = Fixture.name("g-expired-0")
        var configuration = Fixture.configuration(server)
        (configuration.transactionTimeout, configuration.socketTimeout) = (.seconds(1), .seconds(1))
        let first = try KafkaTransactionalProducer(configuration, transactionalID: id)
        try first.start(within: Fixture.patience)
        try first.begin()
        let begun = ContinuousClock.now
        try first.produce(outgoing(["of the first"], to: topic)[0])
        try await eventually("its record is written, and its time over") {
            first.queuedCount == 0 && begun.duration(to: .now) > .seconds(1)
        }
        // As the broker does that ends a transaction: it raises the epoch.
        _ = try producer(id, on: server)
        let error = #expect(throws: KafkaError.self) {
            try first.commit(within: Fixture.patience)
        }
        guard case .transactionExpired? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.remedy == .recreate)
        // It says the same to whatever comes next.
        guard case .recreate(.transactionExpired) = first.transact(
            outgoing(["again"], to: topic), offsets: [:], group: .withoutMembers("g"),
            within: Fixture.patience)
        else {
            Issue.record("it went on")
            return
        }
        #expect(try Fixture.values(in: KafkaPartition(topic, 0), on: server).isEmpty)
    }

    @Test("an abandoned transaction is ended by the successor, and readers go on")
    func abandoned() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("abandoned", on: server)
        let id = Fixture.name("g-abandoned-0")
        do {
            let dying = try producer(id, on: server)
            try dying.begin()
            try dying.produce(outgoing(["of the dead"], to: topic)[0])
            try await eventually("its record is written") { dying.queuedCount == 0 }
        }
        let successor = try producer(id, on: server)
        expectCommitted(
            successor.transact(
                outgoing(["of the successor"], to: topic), offsets: [:],
                group: .withoutMembers("g"), within: Fixture.patience))
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == ["of the successor"])
    }

    @Test("a record that can never be written ends its transaction as refused, and only that one")
    func refused() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("refused", on: server)
        let producer = try producer(Fixture.name("id"), on: server)
        let large = Record(
            key: nil, value: ArraySlice(repeating: 1, count: (2 << 20) + 1),
            timestamp: Timestamp(milliseconds: 1))
        let outcome = producer.transact(
            outgoing(["a"], to: topic) + [KafkaOutgoing(large, to: topic)], offsets: [:],
            group: .withoutMembers("g"), within: Fixture.patience)
        guard case .refused(.messageTooLarge(topic, 2 << 20)) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        expectCommitted(
            producer.transact(
                outgoing(["b"], to: topic), offsets: [:], group: .withoutMembers("g"),
                within: Fixture.patience))
        #expect(try Fixture.values(in: KafkaPartition(topic, 0), on: server) == ["b"])
    }

    @Test("a transaction larger than the queue waits for room and is whole")
    func largerThanQueue() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("room", on: server)
        var configuration = Fixture.configuration(server)
        configuration.producerQueueBytesMax = 1 << 20
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        let record = Record(
            key: nil, value: ArraySlice(repeating: 7, count: 100_000),
            timestamp: Timestamp(milliseconds: 1))
        expectCommitted(
            producer.transact(
                (0..<100).map { _ in KafkaOutgoing(record, to: topic) }, offsets: [:],
                group: .withoutMembers("g"), within: Fixture.patience))
        let found = try Fixture.records(in: KafkaPartition(topic, 0), on: server)
        #expect(found.count == 100)
        #expect(found.allSatisfy { $0.record == record })
    }

    @Test("calls at the wrong time are refused and change nothing")
    func wrongTime() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("wrong", on: server)
        let fresh = try KafkaTransactionalProducer(
            Fixture.configuration(server), transactionalID: Fixture.name("id"))
        #expect(throws: KafkaError.self) { try fresh.begin() }
        func expectState(
            _ outcome: KafkaTransactionOutcome, _ location: SourceLocation = #_sourceLocation
        ) {
            guard case .refused(.state) = outcome else {
                Issue.record("\(outcome)", sourceLocation: location)
                return
            }
        }
        func transact(_ value: String) -> KafkaTransactionOutcome {
            fresh.transact(
                outgoing([value], to: topic), offsets: [:], group: .withoutMembers("g"),
                within: Fixture.patience)
        }
        expectState(transact("unstarted"))
        expectState(fresh.resume(within: Fixture.patience))
        try fresh.start(within: Fixture.patience)
        #expect(throws: KafkaError.self) { try fresh.commit(within: Fixture.patience) }
        #expect(throws: KafkaError.self) { try fresh.produce(outgoing(["x"], to: topic)[0]) }
        expectState(fresh.resume(within: Fixture.patience))
        expectCommitted(transact("a"))
        // Beside one that is open nothing is begun, and the open one is not touched.
        try fresh.begin()
        try fresh.produce(outgoing(["b"], to: topic)[0])
        expectState(transact("beside it"))
        expectState(fresh.resume(within: Fixture.patience))
        #expect(throws: KafkaError.self) { try fresh.begin() }
        try fresh.commit(within: Fixture.patience)
        #expect(try Fixture.values(in: KafkaPartition(topic, 0), on: server) == ["a", "b"])
    }
}
