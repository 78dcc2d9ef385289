import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@Suite("Kafka: brokers that stop, hang and forget", .ownThread, .timeLimit(.minutes(2)))
struct KafkaFaultTests {
    private func configuration(_ server: KafkaServer) -> KafkaConfiguration {
        var configuration = Fixture.configuration(server)
        configuration.socketTimeout = .seconds(2)
        configuration.deliveryTimeout = .seconds(20)
        return configuration
    }

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
        let deadline = ContinuousClock.now + .seconds(60)
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

    @Test(
        "a broker that hangs for a while delays, and each record is there once",
        .disabled("librdkafka 2.0.2 waits without end in send_offsets while the broker hangs"))
    func hangs() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("hang", on: server)
        var hasHung = false
        let detours = try await replicate(200, to: topic, configuration(server)) { next in
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
        _ = try await replicate(200, to: topic, configuration(server)) { next in
            guard next == 50 || next == 120 else { return }
            try await server.stop()
            try await server.start()
        }
        try expectEach(200, in: topic, on: server)
    }

    @Test("a broker that is killed and loses what it had acknowledged is noticed, not passed over")
    func forgets() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("forget", on: server)
        let partition = KafkaPartition(topic, 0)
        let producer = try KafkaProducer(configuration(server))
        for number in 0..<100 {
            try producer.produce(Fixture.record("\(number)"), to: topic) { _ in }
        }
        #expect(producer.flush(within: Fixture.patience))
        try await server.kill()
        try await server.start()
        let admin = try KafkaAdmin(configuration(server))
        let found = try admin.describe([topic], within: Fixture.patience)
        let consumer = try KafkaConsumer(configuration(server), group: Fixture.name("g"))
        if found.isEmpty {
            // Even the topic is gone, which is a refusal with a sentence.
            let refusals = KafkaTopicCheck.refusals(
                wanted: [KafkaTopic(topic, partitions: 1)], found: found)
            #expect(refusals == [.missing(topic, partitions: 1)])
        } else {
            // Where the topic was saved, a position beyond its end is an error.
            let end = try consumer.ends(of: partition, within: Fixture.patience).stableEnd
            guard end < Offset(100) else { return }
            try consumer.assign([partition: .offset(Offset(100))])
            #expect(throws: KafkaError.self) {
                _ = try consumer.events { if case .records = $0 { true } else { false } }
            }
        }
    }

    @Test("a consumer reads on after a restart, from where it was")
    func consumerAfterRestart() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("reader", on: server)
        let partition = KafkaPartition(topic, 0)
        let producer = try KafkaProducer(configuration(server))
        let consumer = try KafkaConsumer(configuration(server), group: Fixture.name("g"))
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

    @Test("a record without an answer in time is told as perhaps written")
    func perhapsWritten() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("perhaps", on: server)
        var configuration = configuration(server)
        configuration.deliveryTimeout = .seconds(2)
        let producer = try KafkaProducer(configuration)
        let deliveries = Deliveries()
        try producer.produce(Fixture.record("first"), to: topic) { deliveries.add($0) }
        #expect(producer.flush(within: Fixture.patience))
        server.freeze()
        try producer.produce(Fixture.record("second"), to: topic) { deliveries.add($0) }
        try await eventually("the second record's fate", within: 15) { deliveries.count == 2 }
        guard case .perhapsWritten(let error) = deliveries.all[1] else {
            Issue.record("\(deliveries.all[1])")
            return
        }
        #expect(error.isRetryable)
        // And so it was: the broker takes it when it goes on.
        server.thaw()
        try await eventually("it was written after all", within: 15) {
            try Fixture.values(in: KafkaPartition(topic, 0), on: server).contains("second")
        }
    }

    @Test("with a broker that hangs, every call but a transaction's fails when its time is over")
    func boundedCalls() async throws {
        let server = try await KafkaServer()
        let topic = try Fixture.topic("bounded", on: server)
        let partition = KafkaPartition(topic, 0)
        let consumer = try KafkaConsumer(configuration(server), group: Fixture.name("g"))
        try consumer.subscribe(to: [topic])
        _ = try consumer.events { if case .assigned = $0 { true } else { false } }
        try consumer.assign([partition: .beginning])
        let admin = try KafkaAdmin(configuration(server))
        server.freeze()
        func bounded(_ what: String, _ seconds: Double, _ body: () throws -> Void) rethrows {
            let begun = ContinuousClock.now
            try body()
            #expect(begun.duration(to: .now) < .seconds(seconds), "\(what)")
        }
        func unanswered(_ what: String, _ seconds: Double, _ body: () throws -> Void) {
            bounded(what, seconds) {
                #expect(throws: KafkaError.self, "\(what)") { try body() }
            }
        }
        unanswered("topics", 4) { _ = try admin.partitionCounts(within: .seconds(1)) }
        unanswered("describe", 6) { _ = try admin.describe([topic], within: .seconds(1)) }
        unanswered("ends", 4) { _ = try consumer.ends(of: partition, within: .seconds(1)) }
        unanswered("committed", 4) {
            _ = try consumer.committed([partition], within: .seconds(1))
        }
        unanswered("commit", 4) {
            try consumer.commit([partition: Offset(0)], within: .seconds(1))
        }
        try bounded("next", 4) { _ = try consumer.next(bytesMax: 1, within: .seconds(1)) }
        bounded("close", 4) { consumer.close(within: .seconds(1)) }
        server.thaw()
    }
}

@Suite(
    "Kafka: lost answers and TLS, behind a proxy", .ownThread, .timeLimit(.minutes(2)),
    .enabled(if: KafkaNetwork.isPossible, Comment(rawValue: KafkaNetwork.whyNot)))
struct KafkaProxyTests {
    @Test("a lost answer to Produce, TxnOffsetCommit or EndTxn: each record is there once",
        arguments: [KafkaKey.produce, KafkaKey.txnOffsetCommit, KafkaKey.endTxn])
    func lostAnswer(key: Int) async throws {
        let network = try await KafkaNetwork()
        let server = try await KafkaServer(in: network)
        let topic = try Fixture.topic("lost", on: server)
        var configuration = Fixture.configuration(server)
        configuration.socketTimeout = .seconds(5)
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        let source = KafkaPartition("source", 0)
        for number in 0..<6 {
            if number % 2 == 1 { try network.loseAnswers(to: key) }
            let outcome = producer.transact(
                (0..<5).map {
                    KafkaOutgoing(Fixture.record("\(number).\($0)"), to: topic, partition: 0)
                },
                offsets: [source: Offset(Int64(number + 1))], group: .withoutMembers("bridge"),
                within: Fixture.patience)
            guard case .committed = outcome else { throw Unexpected(what: "\(number): \(outcome)") }
        }
        #expect(try network.lostAnswers == 3)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<6).flatMap { number in (0..<5).map { "\(number).\($0)" } })
        let reader = try KafkaReader(configuration, group: "bridge")
        #expect(try reader.committed([source], within: Fixture.patience) == [source: Offset(6)])
    }

    @Test("a lost answer to a plain record: the idempotent producer writes it once")
    func lostPlainAnswer() async throws {
        let network = try await KafkaNetwork()
        let server = try await KafkaServer(in: network)
        let topic = try Fixture.topic("plain", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        for number in 0..<20 {
            if number == 10 { try network.loseAnswers(to: KafkaKey.produce) }
            try producer.produce(Fixture.record("\(number)"), to: topic) { deliveries.add($0) }
            #expect(producer.flush(within: Fixture.patience))
        }
        #expect(try network.lostAnswers == 1)
        #expect(deliveries.written.count == 20)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<20).map(String.init))
    }

    @Test("connections cut in mid-stream, again and again: each record is there once")
    func cut() async throws {
        let network = try await KafkaNetwork()
        let server = try await KafkaServer(in: network)
        let topic = try Fixture.topic("cut", on: server)
        let producer = try KafkaProducer(Fixture.configuration(server))
        let deliveries = Deliveries()
        for number in 0..<2000 {
            if number % 400 == 200 { try network.cut() }
            try producer.produce(Fixture.record("\(number)"), to: topic) { deliveries.add($0) }
        }
        #expect(producer.flush(within: Fixture.patience))
        #expect(deliveries.written.count == 2000)
        let found = try Fixture.values(in: KafkaPartition(topic, 0), on: server)
        #expect(found == (0..<2000).map(String.init))
    }

    @Test("TLS with a checked certificate, alone and with SASL: a transaction goes through")
    func tls() async throws {
        let certificate = try await TestCertificate()
        let network = try await KafkaNetwork(certificate: certificate)
        let server = try await KafkaServer(in: network)
        for (index, security) in [
            KafkaSecurity.tls(caFile: certificate.caFile),
            .saslPlain(user: "u", password: Secret("p"), caFile: certificate.caFile),
            .saslGoogle(account: "a@b.iam", caFile: certificate.caFile) {
                let now = Fixture.now() / 1000
                return GoogleAccessToken(Secret("ya29"), issuedAt: now, expiresAt: now + 3600)
            },
        ].enumerated() {
            let configuration = KafkaConfiguration(bootstrap: server.bootstrap, security: security)
            let topic = Fixture.name("tls\(index)")
            let admin = try KafkaAdmin(configuration)
            try admin.create([KafkaTopic(topic, partitions: 1)], within: Fixture.patience)
            let producer = try KafkaTransactionalProducer(
                configuration, transactionalID: Fixture.name("id"))
            try producer.start(within: Fixture.patience)
            guard case .committed = producer.transact(
                [KafkaOutgoing(Fixture.record("x"), to: topic)], offsets: [:],
                group: .withoutMembers("g"), within: Fixture.patience)
            else {
                Issue.record("not committed with \(security)")
                continue
            }
            let reader = try KafkaReader(configuration, group: Fixture.name("g"))
            let tail = try reader.tail(
                of: KafkaPartition(topic, 0), count: 1, within: Fixture.patience)
            #expect(tail.map(\.text) == ["x"])
        }
    }

    @Test("another CA and another name are refused with a sentence, and no password is sent")
    func wrongCertificate() async throws {
        let other = try await TestCertificate()
        for certificate in [
            try await TestCertificate(), try await TestCertificate(names: "DNS:kafka.example"),
        ] {
            let isOtherName = certificate.names != TestCertificate.loopback
            let network = try await KafkaNetwork(certificate: certificate)
            let server = try await KafkaServer(in: network)
            let caFile = isOtherName ? certificate.caFile : other.caFile
            let configuration = KafkaConfiguration(
                bootstrap: server.bootstrap,
                security: .saslPlain(user: "u", password: Secret("p"), caFile: caFile))
            let admin = try KafkaAdmin(configuration)
            let error = #expect(throws: KafkaError.self) {
                try admin.partitionCounts(within: .seconds(3))
            }
            guard case .certificate? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.isPermanent == true)
        }
    }

    @Test("a CA file that is missing, and a client that speaks TLS to a plain port")
    func wrongFiles() async throws {
        let plain = try await KafkaServer.shared()
        let missing = KafkaConfiguration(
            bootstrap: plain.bootstrap, security: .tls(caFile: "/nowhere/ca.pem"))
        let error = #expect(throws: KafkaError.self) { try KafkaAdmin(missing) }
        #expect(error?.isPermanent == true)
        #expect(error?.description.contains("/nowhere/ca.pem") == true)

        let certificate = try await TestCertificate()
        let admin = try KafkaAdmin(
            KafkaConfiguration(
                bootstrap: plain.bootstrap, security: .tls(caFile: certificate.caFile)))
        let second = #expect(throws: KafkaError.self) {
            try admin.partitionCounts(within: .seconds(2))
        }
        #expect(second?.description.contains(plain.bootstrap) == true)
    }

    @Test("a token that cannot be had is told in the log, and the client waits for one")
    func noToken() async throws {
        let certificate = try await TestCertificate()
        let network = try await KafkaNetwork(certificate: certificate)
        let server = try await KafkaServer(in: network)
        let lines = Lines()
        var configuration = KafkaConfiguration(
            bootstrap: server.bootstrap,
            security: .saslGoogle(account: "a", caFile: certificate.caFile) { throw NoToken() })
        configuration.log = { lines.add($0) }
        let admin = try KafkaAdmin(configuration)
        let error = #expect(throws: KafkaError.self) {
            try admin.partitionCounts(within: .seconds(2))
        }
        #expect(error?.description.contains("no metadata server") == true, "\(lines.all)")
        #expect(lines.all.contains { $0.text.contains("no metadata server") })
    }

    struct NoToken: Error, CustomStringConvertible {
        var description: String { "no metadata server" }
    }
}
