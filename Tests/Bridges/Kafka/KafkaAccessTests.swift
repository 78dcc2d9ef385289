import AppendLog
import Bridges
import Foundation
import Synchronization
import TestSupport
import Testing

/// Certificates, passwords and tokens, at a real broker behind a door that speaks TLS and refuses
/// other credentials than it was told of (the broker itself takes any).
@Suite(
    "Kafka: who may come in", .ownThread, .timeLimit(.minutes(4)))
struct KafkaAccessTests {
    /// A broker behind its door.
    struct World {
        let certificate: TestCertificate
        let proxy: KafkaProxy
        let server: KafkaServer

        init(names: String = TestCertificate.loopback) async throws {
            certificate = try await TestCertificate(names: names)
            proxy = try await KafkaProxy(certificate: certificate)
            server = try await KafkaServer(behind: proxy)
        }

        func configuration(_ security: KafkaSecurity) -> KafkaConfiguration {
            var configuration = KafkaConfiguration(bootstrap: server.bootstrap, security: security)
            configuration.socketTimeout = .seconds(5)
            return configuration
        }

        func plain(_ password: @escaping @Sendable () throws -> Secret) -> KafkaConfiguration {
            configuration(
                .saslPlain(user: "ann", caFile: certificate.caFile, password: password))
        }

        func google(
            _ token: @escaping @Sendable () throws -> GoogleAccessToken
        ) -> KafkaConfiguration {
            configuration(
                .saslGoogle(account: "a@b.iam", caFile: certificate.caFile, token: token))
        }
    }

    /// Makes a topic, writes to it in a transaction, and reads it as a member of a group: every
    /// kind of client comes in.
    private func useAll(_ configuration: KafkaConfiguration) throws {
        let topic = Fixture.name("access")
        let admin = try KafkaAdmin(configuration)
        try admin.create([KafkaTopic(topic, partitions: 1)], within: Fixture.patience)
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        let outcome = producer.transact(
            [KafkaOutgoing(Fixture.record("x"), to: topic)],
            offsets: [KafkaPartition("source", 0): Offset(1)], group: .withoutMembers("g"),
            within: Fixture.patience)
        guard case .committed = outcome else { throw Unexpected(what: "\(outcome)") }
        let consumer = try KafkaConsumer(configuration, group: Fixture.name("g"))
        try consumer.subscribe(to: [topic])
        _ = try consumer.events { if case .assigned = $0 { true } else { false } }
        try consumer.assign([KafkaPartition(topic, 0): .beginning])
        let seen = try consumer.events { if case .endOfPartition = $0 { true } else { false } }
        guard case .records(let batch)? = seen.first else { throw Unexpected(what: "\(seen)") }
        #expect(batch.records.map(\.text) == ["x"])
        #expect(consumer.close(within: .seconds(5)))
    }

    /// What a call answers that no broker lets in, with each kind of client: the first error that
    /// is `final`, since a connection may break before its answer has come.
    private func refusals(
        _ configuration: KafkaConfiguration, within patience: Duration = .seconds(3),
        final isFinal: (KafkaError) -> Bool = \.isPermanent
    ) throws -> [KafkaError?] {
        let partition = KafkaPartition("t", 0)
        let admin = try KafkaAdmin(configuration)
        let reader = try KafkaReader(configuration, group: "g")
        let producer = try KafkaTransactionalProducer(configuration, transactionalID: "t")
        return [
            refusal(isFinal) { _ = try admin.partitionCounts(within: patience) },
            refusal(isFinal) { _ = try reader.ends(of: partition, within: patience) },
            refusal(isFinal) { try producer.start(within: patience) },
        ]
    }

    /// The error that a call ends with, or the one of its last try within half a minute.
    private func refusal(
        _ isFinal: (KafkaError) -> Bool, _ call: () throws -> Void
    ) -> KafkaError? {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let error = #expect(throws: KafkaError.self) { try call() }
            guard let error, !isFinal(error), ContinuousClock.now < deadline else { return error }
        }
    }

    private func expectSentence(_ error: KafkaError?, _ words: String) {
        let sentence = error.map { "\($0)" } ?? ""
        #expect(sentence.contains(words), "\(sentence)")
        #expect(!sentence.contains("\n"))
    }

    @Test("TLS with a checked certificate lets every kind of client in")
    func tls() async throws {
        let world = try await World()
        try useAll(world.configuration(.tls(caFile: world.certificate.caFile)))
        #expect(try world.proxy.seenRequests > 10)
        #expect(try world.proxy.shown.isEmpty)
    }

    @Test("SASL PLAIN shows user and password, and the right ones let every kind of client in")
    func plain() async throws {
        let world = try await World()
        try world.proxy.accept("ann\u{0}right")
        try useAll(world.plain { Secret("right") })
        #expect(try world.proxy.shown.hasSuffix("\u{0}ann\u{0}right"))
    }

    @Test("a wrong password is one sentence and permanent, whatever client meets it")
    func wrongPassword() async throws {
        let world = try await World()
        try world.proxy.accept("ann\u{0}right")
        for error in try refusals(world.plain { Secret("wrong-one") }) {
            guard case .authentication? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.isPermanent == true)
            expectSentence(error, "kafka.password_file")
            #expect(error?.description.contains("wrong-one") == false)
        }
    }

    @Test("a password that is changed is read again: clients go on without a restart")
    func newPassword() async throws {
        let world = try await World()
        try world.proxy.accept("ann\u{0}first")
        let password = Mutex("first")
        let configuration = world.plain { Secret(password.withLock { $0 }) }
        let topic = Fixture.name("renewed")
        let admin = try KafkaAdmin(configuration)
        try admin.create([KafkaTopic(topic, partitions: 1)], within: Fixture.patience)
        let producer = try KafkaProducer(configuration)
        let reader = try KafkaReader(configuration, group: Fixture.name("g"))
        for (number, word) in ["first", "second", "third"].enumerated() {
            // Both are good while the one takes the other's place: a client may come in meanwhile.
            try world.proxy.accept("ann\u{0}")
            password.withLock { $0 = word }
            try world.proxy.accept("ann\u{0}\(word)")
            // As a broker does with a connection whose credentials have ended.
            try world.proxy.cut()
            let deliveries = Deliveries()
            try producer.produce(Fixture.record(word), to: topic) { deliveries.add($0) }
            #expect(producer.flush(within: Fixture.patience))
            #expect(deliveries.written.count == 1)
            let tail = try reader.tail(
                of: KafkaPartition(topic, 0), count: 9, within: Fixture.patience)
            #expect(tail.count == number + 1)
            #expect(try admin.partitionCounts(within: Fixture.patience)[topic] == 1)
        }
    }

    @Test("a password that cannot be read is a sentence before anything is connected to")
    func noPassword() async throws {
        let world = try await World()
        let error = #expect(throws: KafkaError.self) {
            try KafkaAdmin(world.plain { throw NoSecret() })
        }
        expectSentence(error, "no secret here")
        #expect(error?.isPermanent == true)
        #expect(try world.proxy.seenRequests == 0)
    }

    struct NoSecret: Error, CustomStringConvertible {
        var description: String { "no secret here" }
    }

    @Test("Google's token is shown in its three parts, and lets every kind of client in")
    func google() async throws {
        let world = try await World()
        let token = "ya29.\(UUID().uuidString)"
        let issued = Fixture.now() / 1000
        try world.proxy.accept("." + token.base64URL)
        try useAll(
            world.google {
                GoogleAccessToken(Secret(token), issuedAt: issued, expiresAt: issued + 3600)
            })
        let claims = "{\"exp\":\(issued + 3600),\"iat\":\(issued),\"iss\":\"Google\","
            + "\"sub\":\"a@b.iam\"}"
        let parts = [#"{"typ":"JWT","alg":"GOOG_OAUTH2_TOKEN"}"#, claims, token].map(\.base64URL)
        let shown = try world.proxy.shown
        #expect(shown.contains("auth=Bearer \(parts.joined(separator: "."))\u{1}"), "\(shown)")
    }

    @Test("a token is asked for again before it ends")
    func renewedToken() async throws {
        let world = try await World()
        let count = Mutex(0)
        let admin = try KafkaAdmin(
            world.google {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                let now = Fixture.now() / 1000
                return GoogleAccessToken(
                    Secret("token-\(number)"), issuedAt: now, expiresAt: now + 4)
            })
        _ = try admin.partitionCounts(within: Fixture.patience)
        #expect(try world.proxy.shown.contains("token-1".base64URL))
        try await eventually("a second one is asked for") { count.withLock { $0 } >= 2 }
        // What is asked for is set a moment later; a connection that begins then shows it.
        try await eventually("a second one is shown", every: .milliseconds(200)) {
            try world.proxy.cut()
            _ = try admin.partitionCounts(within: Fixture.patience)
            let shown = try world.proxy.shown
            return !shown.isEmpty && !shown.contains("token-1".base64URL)
        }
    }

    @Test("a token that a broker refuses is one sentence and permanent")
    func refusedToken() async throws {
        let world = try await World()
        try world.proxy.accept("another token")
        let configuration = world.google {
            let now = Fixture.now() / 1000
            return GoogleAccessToken(Secret("ya29-bad"), issuedAt: now, expiresAt: now + 3600)
        }
        for error in try refusals(configuration) {
            guard case .authentication? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            expectSentence(error, "refuses these credentials")
            #expect(error?.description.contains("ya29-bad") == false)
        }
    }

    @Test("a token that cannot be had is told, and waited for")
    func noToken() async throws {
        let world = try await World()
        let lines = Lines()
        var configuration = world.google { throw NoToken() }
        configuration.log = { lines.add($0) }
        for error in try refusals(configuration, within: .seconds(5), final: { _ in true }) {
            expectSentence(error, "no metadata server")
            #expect(error?.isRetryable == true)
        }
        #expect(lines.all.contains { $0.text.contains("no metadata server") })
    }

    struct NoToken: Error, CustomStringConvertible {
        var description: String { "no metadata server" }
    }

    @Test("another CA and another name are refused with a sentence, and nothing is sent",
        arguments: [true, false])
    func wrongCertificate(isOtherName: Bool) async throws {
        let world = try await World(
            names: isOtherName ? "DNS:kafka.example" : TestCertificate.loopback)
        let other = try await TestCertificate()
        let caFile = isOtherName ? world.certificate.caFile : other.caFile
        let configuration = world.configuration(
            .saslPlain(user: "ann", caFile: caFile) { Secret("p") })
        for error in try refusals(configuration) {
            guard case .certificate? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.isPermanent == true)
            expectSentence(error, "kafka.ca_file")
        }
        // No request at all; with the right ones there are some.
        #expect(try world.proxy.seenRequests == 0)
        #expect(try world.proxy.shown.isEmpty)
        guard !isOtherName else { return }
        _ = try KafkaAdmin(world.plain { Secret("p") }).partitionCounts(within: Fixture.patience)
        #expect(try world.proxy.seenRequests > 0)
        #expect(try world.proxy.shown.contains("ann\u{0}p"))
    }

    @Test("another authority, and its file later: only a new client comes in, and knows it")
    func otherAuthority() async throws {
        let world = try await World()
        let folder = try TemporaryFolder()
        let file = folder.file("ca.pem")
        func trust(_ certificates: [TestCertificate]) throws {
            let bundle = try certificates.map {
                try String(contentsOfFile: $0.caFile, encoding: .utf8)
            }
            try bundle.joined().write(toFile: file, atomically: true, encoding: .utf8)
        }
        try trust([world.certificate])
        var configuration = world.configuration(.tls(caFile: file))
        configuration.deliveryTimeout = .seconds(2)
        let topic = Fixture.name("authority")
        let admin = try KafkaAdmin(configuration)
        try admin.create([KafkaTopic(topic, partitions: 1)], within: Fixture.patience)
        let producer = try KafkaLastingProducer(configuration)
        try write("first", to: topic, by: producer)

        let next = try await TestCertificate()
        try world.proxy.show(next)
        try world.proxy.cut()
        let error = refusal(\.isPermanent) {
            _ = try admin.partitionCounts(within: .seconds(2))
        }
        expectSentence(error, "whether the certificate has expired")
        // Nothing that a new client could do better.
        #expect(!admin.isOutdated)

        try trust([world.certificate, next])
        #expect(admin.isOutdated)
        _ = try KafkaAdmin(configuration).partitionCounts(within: Fixture.patience)
        try write("second", to: topic, by: producer)
        producer.close(within: .seconds(1))
    }

    /// Writes a record again and again, until one is acknowledged.
    private func write(
        _ text: String, to topic: String, by producer: KafkaLastingProducer
    ) throws {
        let deadline = ContinuousClock.now + Fixture.patience
        while true {
            let deliveries = Deliveries()
            try producer.produce(Fixture.record(text), to: topic) { deliveries.add($0) }
            _ = producer.flush(within: .seconds(3))
            if !deliveries.written.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                throw Unexpected(what: "\(text): \(deliveries.all)")
            }
        }
    }

    @Test("a CA file that is missing, and a client that speaks TLS to a plain port")
    func wrongFiles() async throws {
        let plain = try await KafkaServer.shared()
        let missing = KafkaConfiguration(
            bootstrap: plain.bootstrap, security: .tls(caFile: "/nowhere/ca.pem"))
        let error = #expect(throws: KafkaError.self) { try KafkaAdmin(missing) }
        #expect(error?.isPermanent == true)
        expectSentence(error, "/nowhere/ca.pem")

        let certificate = try await TestCertificate()
        let admin = try KafkaAdmin(
            KafkaConfiguration(
                bootstrap: plain.bootstrap, security: .tls(caFile: certificate.caFile)))
        let second = #expect(throws: KafkaError.self) {
            try admin.partitionCounts(within: .seconds(5))
        }
        expectSentence(second, plain.bootstrap)
    }
}

/// What the broker says no to because somebody has to mend something.
@Suite("Kafka: what somebody must mend", .ownThread, .timeLimit(.minutes(4)))
struct KafkaRefusalTests {
    private func producer(_ server: KafkaServer) throws -> KafkaTransactionalProducer {
        var configuration = Fixture.configuration(server)
        configuration.compression = .none
        let producer = try KafkaTransactionalProducer(
            configuration, transactionalID: Fixture.name("id"))
        try producer.start(within: Fixture.patience)
        return producer
    }

    /// The error of a transaction that is refused.
    private func refusal(
        _ outgoing: KafkaOutgoing, by producer: KafkaTransactionalProducer
    ) throws -> KafkaError {
        let outcome = producer.transact(
            [outgoing], offsets: [:], group: .withoutMembers("g"), within: Fixture.patience)
        guard case .refused(let error) = outcome else { throw Unexpected(what: "\(outcome)") }
        #expect(error.isPermanent)
        #expect(!error.description.contains("\n"))
        return error
    }

    private func large(_ count: Int) -> Record {
        Record(
            key: nil, value: ArraySlice((0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0) }),
            timestamp: Timestamp(milliseconds: 1))
    }

    @Test("a record that is too large for the client or for the topic")
    func tooLarge() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("large", on: server, messageBytesMax: 10_000)
        let producer = try producer(server)
        for count in [50_000, (2 << 20) + 1] {
            let error = try refusal(
                KafkaOutgoing(large(count), to: topic, partition: 0), by: producer)
            guard case .messageTooLarge(topic, _) = error else {
                Issue.record("\(error)")
                continue
            }
            #expect(error.description.contains("too large for the Kafka topic \(topic)"))
        }
        // It blocks nothing.
        let outcome = producer.transact(
            [KafkaOutgoing(Fixture.record("small"), to: topic, partition: 0)], offsets: [:],
            group: .withoutMembers("g"), within: Fixture.patience)
        guard case .committed = outcome else {
            Issue.record("a small record behind a large one was not written: \(outcome)")
            return
        }
    }

    @Test("a topic that is missing, for who writes and for who reads")
    func missingTopic() async throws {
        let server = try await KafkaServer.shared()
        let name = Fixture.name("nowhere")
        let expected = KafkaError.topicMissing(name)
        #expect(
            try refusal(KafkaOutgoing(Fixture.record("x"), to: name), by: producer(server))
                == expected)
        #expect(expected.description.contains("create it"))
        let reader = try KafkaReader(Fixture.configuration(server), group: Fixture.name("g"))
        let error = #expect(throws: KafkaError.self) {
            try reader.read(KafkaPartition(name, 0), within: Fixture.patience) { _ in true }
        }
        #expect(error?.isPermanent == true, "\(String(describing: error))")
        #expect(error?.description.contains(name) == true)
        let admin = try KafkaAdmin(Fixture.configuration(server))
        #expect(try admin.describe([name], within: Fixture.patience).isEmpty)
    }

    @Test("a topic with another number of partitions")
    func otherCount() async throws {
        let server = try await KafkaServer.shared()
        let topic = try Fixture.topic("counted", partitions: 3, on: server)
        let admin = try KafkaAdmin(Fixture.configuration(server))
        let wanted = [KafkaTopic(topic, partitions: 4)]
        // Making it again changes nothing, and says nothing: the check does.
        try admin.create(wanted, within: Fixture.patience)
        let found = try admin.describe([topic], within: Fixture.patience)
        let refusals = KafkaTopicCheck.refusals(wanted: wanted, found: found)
        #expect(refusals == [.otherPartitionCount(topic, found: 3, wanted: 4)])
        let sentence = refusals.map { "\($0)" }.joined()
        #expect(sentence.contains("3 partitions and not 4") && !sentence.contains("\n"))
        let error = try refusal(
            KafkaOutgoing(Fixture.record("x"), to: topic, partition: 3), by: producer(server))
        #expect(error == .partitionMissing(KafkaPartition(topic, 3)))
    }
}
