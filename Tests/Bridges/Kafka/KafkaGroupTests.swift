import AppendLog
import Bridges
import TestSupport
import Testing

@Suite("Kafka: consumers, alone and in groups", .ownThread, .timeLimit(.minutes(4)))
struct KafkaGroupTests {
    private func fill(
        _ topic: String, partitions: Int32, perPartition: Int, on server: KafkaServer
    ) throws {
        let producer = try KafkaProducer(Fixture.configuration(server))
        for partition in 0..<partitions {
            for number in 0..<perPartition {
                let record = Fixture.record("\(partition).\(number)")
                try producer.produce(record, to: topic, partition: partition) { _ in }
            }
        }
        #expect(producer.flush(within: Fixture.patience))
    }

    private func starts(
        _ partitions: [KafkaPartition], _ consumer: KafkaConsumer
    ) throws -> [KafkaPartition: KafkaStart] {
        let committed = try consumer.committed(partitions, within: Fixture.patience)
        return Dictionary(uniqueKeysWithValues: partitions.map {
            ($0, committed[$0].map { .offset($0) } ?? .beginning)
        })
    }

    @Test("librdkafka runs with the settings that keep offsets ours")
    func effectiveSettings() async throws {
        let server = try await KafkaServer.shared()
        let consumer = try KafkaConsumer(Fixture.configuration(server), group: Fixture.name("g"))
        for (name, value) in [
            "enable.auto.commit": "false", "enable.auto.offset.store": "false",
            "auto.offset.reset": "error", "isolation.level": "read_committed",
            "partition.assignment.strategy": "range", "allow.auto.create.topics": "false",
            "enable.partition.eof": "true",
        ] {
            #expect(consumer.effective(name) == value, "\(name)")
        }
        let producer = try KafkaProducer(Fixture.configuration(server))
        #expect(producer.effective("enable.idempotence") == "true")
        #expect(producer.effective("sasl.password") == nil)
        consumer.close(within: .seconds(3))
    }

    @Test("reading writes no offset; committing does, and the next reader goes on there")
    func noOffsetByItself() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("quiet", on: server)
        let partition = KafkaPartition(topic, 0)
        try fill(topic, partitions: 1, perPartition: 20, on: server)
        let group = Fixture.name("g")
        let consumer = try KafkaConsumer(Fixture.configuration(server), group: group)
        try consumer.assign([partition: .beginning])
        _ = try consumer.events { if case .endOfPartition = $0 { true } else { false } }
        #expect(consumer.position(of: partition) == Offset(20))
        #expect(consumer.close(within: .seconds(5)))

        let next = try KafkaConsumer(Fixture.configuration(server), group: group)
        #expect(try next.committed([partition], within: Fixture.patience).isEmpty)
        try next.commit([partition: Offset(7)], within: Fixture.patience)
        #expect(
            try next.committed([partition], within: Fixture.patience) == [partition: Offset(7)])
        try next.assign(try starts([partition], next))
        let seen = try next.events { if case .endOfPartition = $0 { true } else { false } }
        #expect(Self.values(seen) == (7..<20).map { "0.\($0)" })
        #expect(try next.lag(of: partition, within: Fixture.patience) == 0)
        try next.seek([partition: Offset(15)], within: Fixture.patience)
        #expect(next.position(of: partition) == Offset(15))
        #expect(try next.lag(of: partition, within: Fixture.patience) == 5)
        let again = try next.events { if case .endOfPartition = $0 { true } else { false } }
        #expect(Self.values(again) == (15..<20).map { "0.\($0)" })
    }

    private static func values(_ events: [KafkaEvent]) -> [String] {
        events.flatMap { event -> [String] in
            if case .records(let batch) = event { batch.records.map(\.text) } else { [] }
        }
    }

    @Test("an offset that the partition does not have stops with its own error, and skips nothing")
    func outOfRange() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("range", on: server)
        let partition = KafkaPartition(topic, 0)
        try fill(topic, partitions: 1, perPartition: 3, on: server)
        let consumer = try KafkaConsumer(Fixture.configuration(server), group: Fixture.name("g"))
        try consumer.assign([partition: .offset(Offset(1000))])
        let error = #expect(throws: KafkaError.self) {
            _ = try consumer.events { if case .records = $0 { true } else { false } }
        }
        guard case .offsetOutOfRange(partition, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.isPermanent == true)
    }

    @Test("what was paused when it was taken away is read when it is given again")
    func pausedAndGivenAgain() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("again", on: server)
        let partition = KafkaPartition(topic, 0)
        try fill(topic, partitions: 1, perPartition: 6, on: server)
        let consumer = try KafkaConsumer(Fixture.configuration(server), group: Fixture.name("g"))
        try consumer.assign([partition: .beginning])
        _ = try consumer.events { if case .endOfPartition = $0 { true } else { false } }
        try consumer.pause([partition])
        try consumer.unassign()
        try consumer.assign([partition: .offset(Offset(2))])
        let seen = try consumer.events { if case .endOfPartition = $0 { true } else { false } }
        #expect(Self.values(seen) == (2..<6).map { "0.\($0)" })
        consumer.close(within: .seconds(3))
    }

    @Test("a paused partition gives nothing, also of what was fetched, and loses nothing")
    func pause() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("paused", partitions: 2, on: server)
        try fill(topic, partitions: 2, perPartition: 100, on: server)
        let (first, second) = (KafkaPartition(topic, 0), KafkaPartition(topic, 1))
        let consumer = try KafkaConsumer(Fixture.configuration(server), group: Fixture.name("g"))
        try consumer.assign([first: .beginning, second: .beginning])
        var seen: [KafkaEvent] = []
        while !seen.contains(where: { if case .records = $0 { true } else { false } }) {
            seen.append(try consumer.next(bytesMax: 50, within: .seconds(1)))
        }
        try consumer.pause([first])
        let whilePaused = try consumer.events {
            if case .endOfPartition(second, _) = $0 { true } else { false }
        }
        for case .records(let batch) in whilePaused { #expect(batch.partition == second) }
        try consumer.resume([first])
        let rest = try consumer.events {
            if case .endOfPartition(first, _) = $0 { true } else { false }
        }
        let all = Self.values(seen + whilePaused + rest)
        #expect(all.filter { $0.hasPrefix("0.") } == (0..<100).map { "0.\($0)" })
        #expect(all.filter { $0.hasPrefix("1.") } == (0..<100).map { "1.\($0)" })
    }

    @Test("two members share the partitions; who goes leaves its own to the other")
    func twoMembers() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("shared", partitions: 4, on: server)
        let group = Fixture.name("g")
        let first = try KafkaConsumer(Fixture.configuration(server), group: group)
        try first.subscribe(to: [topic])
        let all = try Self.assigned(first)
        #expect(all.count == 4)
        let second = try KafkaConsumer(Fixture.configuration(server), group: group)
        try second.subscribe(to: [topic])
        // Until the first one answers, the second one gets nothing.
        let revoked = try Self.revoked(first, besides: second)
        #expect(revoked.sorted() == all)
        try first.unassign()
        let shares = try Self.assignedBoth(first, second)
        #expect(shares.0.count == 2 && shares.1.count == 2)
        #expect((shares.0 + shares.1).sorted() == all)
        #expect(second.close(within: .seconds(5)))
        _ = try Self.revoked(first, besides: nil)
        try first.unassign()
        #expect(try Self.assigned(first) == all)
        #expect(first.close(within: .seconds(5)))
    }

    @Test("a rebalance in the middle of a transaction ends it first, and each record counts once")
    func rebalanceInTransaction() async throws {
        let server = try await KafkaServer.shared()
        let input = try Fixture.topic("in", partitions: 2, on: server)
        let output = try Fixture.topic("out", on: server)
        try fill(input, partitions: 2, perPartition: 300, on: server)
        let group = Fixture.name("g")
        let first = try Worker(group, input, output, server)
        // The first has both partitions and an open transaction when the second comes.
        while first.taken < 100 { try first.step(bytesMax: 100) }
        try first.openTransaction()
        let second = try Worker(group, input, output, server)
        let deadline = ContinuousClock.now + .seconds(40)
        while first.ends.union(second.ends).count < 2 || first.changes < 2 || second.changes < 1 {
            guard .now < deadline else {
                throw Unexpected(what: "after 40 s: \(first.ends) \(second.ends)")
            }
            try second.step(bytesMax: 100)
            try first.step(bytesMax: 100)
        }
        first.close()
        second.close()
        let found = try Fixture.values(in: KafkaPartition(output, 0), on: server)
        let expected = (0..<2).flatMap { partition in (0..<300).map { "\(partition).\($0)" } }
        #expect(found.count == expected.count)
        #expect(Set(found) == Set(expected))
    }

    @Test("a member that does not ask for too long has lost its partitions, and is told so")
    func lost() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("silent", partitions: 2, on: server)
        let group = Fixture.name("g")
        var configuration = Fixture.configuration(server)
        configuration.pollInterval = configuration.sessionTimeout
        let lines = Lines()
        configuration.log = { lines.add($0) }
        let silent = try KafkaConsumer(configuration, group: group)
        try silent.subscribe(to: [topic])
        let all = try Self.assigned(silent)
        try await eventually("its time is over") {
            lines.all.contains { $0.facility == "MAXPOLL" }
        }
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            guard .now < deadline else { throw Unexpected(what: "nothing was lost") }
            do {
                if case .lost(let partitions) = try silent.next(
                    bytesMax: 1, within: .milliseconds(100))
                {
                    #expect(partitions == all)
                    break
                }
            } catch {
                #expect(error.remedy == .abortAndRewind, "\(error)")
            }
        }
        try silent.unassign()
    }

    private static func assigned(_ consumer: KafkaConsumer) throws -> [KafkaPartition] {
        let events = try consumer.events { if case .assigned = $0 { true } else { false } }
        guard case .assigned(let partitions)? = events.last else { return [] }
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: partitions.map { ($0, .beginning) }))
        return partitions
    }

    private static func revoked(
        _ consumer: KafkaConsumer, besides other: KafkaConsumer?
    ) throws -> [KafkaPartition] {
        for _ in 0..<200 {
            if let other, case .assigned = try other.next(bytesMax: 1, within: .milliseconds(20)) {
                throw Unexpected(what: "assigned before the other one has answered")
            }
            if case .revoked(let partitions) = try consumer.next(
                bytesMax: 1, within: .milliseconds(100))
            {
                return partitions
            }
        }
        throw Unexpected(what: "nothing was revoked")
    }

    private static func assignedBoth(
        _ one: KafkaConsumer, _ other: KafkaConsumer
    ) throws -> ([KafkaPartition], [KafkaPartition]) {
        var shares: [[KafkaPartition]] = [[], []]
        for _ in 0..<400 where shares.contains(where: \.isEmpty) {
            for (index, consumer) in [one, other].enumerated() {
                switch try consumer.next(bytesMax: 1, within: .milliseconds(50)) {
                case .assigned(let partitions):
                    shares[index] = partitions
                    try consumer.assign(
                        Dictionary(uniqueKeysWithValues: partitions.map { ($0, .end) }))
                case .revoked, .lost:
                    shares[index] = []
                    try consumer.unassign()
                default: break
                }
            }
        }
        return (shares[0], shares[1])
    }
}

/// A member that copies what it reads, with a producer for each input partition, as a stage does.
final class Worker {
    private let configuration: KafkaConfiguration
    private let consumer: KafkaConsumer
    private let output: String
    private let group: String
    private var producers: [KafkaPartition: KafkaTransactionalProducer] = [:]
    private var open: KafkaTransactionalProducer?
    private(set) var taken = 0
    private(set) var changes = 0
    private(set) var ends: Set<KafkaPartition> = []

    init(_ group: String, _ input: String, _ output: String, _ server: KafkaServer) throws {
        configuration = Fixture.configuration(server)
        self.group = group
        self.output = output
        consumer = try KafkaConsumer(configuration, group: group)
        try consumer.subscribe(to: [input])
    }

    func step(bytesMax: Int) throws {
        switch try consumer.next(bytesMax: bytesMax, within: .milliseconds(50)) {
        case .assigned(let partitions):
            changes += 1
            for partition in partitions {
                let id = KafkaTransactionalProducer.transactionalID(group: group, partition)
                let producer = try KafkaTransactionalProducer(configuration, transactionalID: id)
                try producer.start(within: Fixture.patience)
                producers[partition] = producer
            }
            // After the start, which ends what a predecessor has left open.
            let committed = try consumer.committed(partitions, within: Fixture.patience)
            try consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map {
                ($0, committed[$0].map { .offset($0) } ?? .beginning)
            }))
            ends = []
        case .revoked, .lost:
            try abandonTransaction()
            producers = [:]
            ends = []
            try consumer.unassign()
        case .records(let batch): try copy(batch)
        case .endOfPartition(let partition, _): ends.insert(partition)
        case .nothing: break
        }
    }

    private func copy(_ batch: KafkaBatch) throws {
        try abandonTransaction()
        let outcome = producers[batch.partition]?.transact(
            batch.records.map { KafkaOutgoing($0.record, to: output, partition: 0) },
            offsets: [batch.partition: batch.next], group: .member(consumer),
            within: Fixture.patience)
        guard case .committed? = outcome else { throw Unexpected(what: "\(outcome as Any)") }
        taken += batch.records.count
    }

    /// Begins one that will not be finished.
    func openTransaction() throws {
        guard let producer = producers.values.first else { return }
        try producer.begin()
        try producer.produce(
            KafkaOutgoing(Fixture.record("of no account"), to: output, partition: 0))
        open = producer
    }

    private func abandonTransaction() throws {
        try open?.abort(within: Fixture.patience)
        open = nil
    }

    func close() { consumer.close(within: .seconds(5)) }
}
