import AppendLog
@testable import Bridges
import Testing

@Suite("Kafka: settings, words and places")
struct KafkaWordsTests {
    private func value(_ name: String, _ kind: KafkaProperties.Kind) -> String? {
        KafkaProperties(KafkaConfiguration(bootstrap: "h:1"), kind).pairs.last { $0.name == name }?
            .value
    }

    @Test("a consumer writes no offset by itself and passes over nothing")
    func consumerSettings() {
        let kind = KafkaProperties.Kind.consumer(group: "g")
        #expect(value("enable.auto.commit", kind) == "false")
        #expect(value("enable.auto.offset.store", kind) == "false")
        #expect(value("auto.offset.reset", kind) == "error")
        #expect(value("isolation.level", kind) == "read_committed")
        #expect(value("partition.assignment.strategy", kind) == "range")
        let onlooker = KafkaProperties.Kind.consumer(group: "g", seesUncommitted: true)
        #expect(value("isolation.level", onlooker) == "read_uncommitted")
    }

    @Test("producers are idempotent, wait for all replicas and place keys as Kafka does",
        arguments: [KafkaProperties.Kind.producer, .transactionalProducer(id: "t")])
    func producerSettings(kind: KafkaProperties.Kind) {
        #expect(value("enable.idempotence", kind) == "true")
        #expect(value("acks", kind) == "all")
        #expect(value("partitioner", kind) == "murmur2")
        #expect(value("message.max.bytes", kind) == "2097152")
        #expect(value("queue.buffering.max.kbytes", kind) == "32768")
    }

    @Test("a transaction's time is longer than a request's and than Cloud Run's end is near")
    func transactionSettings() {
        let kind = KafkaProperties.Kind.transactionalProducer(id: "g-t-0")
        #expect(value("transactional.id", kind) == "g-t-0")
        #expect(value("transaction.timeout.ms", kind) == "15000")
        #expect(value("socket.timeout.ms", kind) == "10000")
    }

    @Test("no client makes a topic by naming it", arguments: [
        KafkaProperties.Kind.admin, .producer, .transactionalProducer(id: "t"),
        .consumer(group: "g"),
    ])
    func noTopicByItself(kind: KafkaProperties.Kind) {
        #expect(value("allow.auto.create.topics", kind) == "false")
    }

    @Test("credentials travel over TLS only, with the broker's name checked")
    func credentials() {
        for security in [
            KafkaSecurity.saslPlain(user: "u") { Secret("p") },
            .saslGoogle(account: "a") { GoogleAccessToken(Secret("t"), issuedAt: 0, expiresAt: 1) },
        ] {
            let pairs = KafkaProperties(
                KafkaConfiguration(bootstrap: "h:1", security: security), .producer
            ).pairs
            #expect(pairs.contains { $0 == ("security.protocol", "sasl_ssl") })
            #expect(pairs.contains { $0 == ("enable.ssl.certificate.verification", "true") })
            #expect(pairs.contains { $0 == ("ssl.endpoint.identification.algorithm", "https") })
        }
    }

    @Test("a secret is never printed, alone or inside of something")
    func secrets() {
        let secret = Secret("hunter2")
        var dumped = ""
        let security = KafkaSecurity.saslPlain(user: "u") { secret }
        dump(KafkaConfiguration(bootstrap: "h:1", security: security), to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\(security)", dumped] {
            #expect(!text.contains("hunter2"), "\(text)")
        }
        #expect(secret.reveal() == "hunter2")
    }

    /// `org.apache.kafka.common.utils.UtilsTest.testMurmur2`.
    static let hashes: [(key: String, hash: Int32)] = [
        ("21", -973_932_308), ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
    ]

    @Test("murmur2 gives Kafka's own values", arguments: hashes)
    func murmur2(key: String, hash: Int32) {
        let own = KafkaPartitioner.murmur2(ArraySlice(key.utf8))
        #expect(Int32(bitPattern: own) == hash)
        // A slice that begins elsewhere is hashed by its own bytes alone.
        let shifted = Array("xyz".utf8) + Array(key.utf8)
        #expect(KafkaPartitioner.murmur2(shifted[3...]) == own)
    }

    @Test("a Google token has three parts, and the middle one says whose it is")
    func googleToken() {
        let token = GoogleAccessToken(Secret("ya29.abc"), issuedAt: 1000, expiresAt: 4600)
        let parts = token.threeParts(account: "a@b.iam").reveal().split(separator: ".")
        #expect(parts.count == 3)
        #expect(parts.first == "eyJ0eXAiOiJKV1QiLCJhbGciOiJHT09HX09BVVRIMl9UT0tFTiJ9")
        // {"exp":4600,"iat":1000,"iss":"Google","sub":"a@b.iam"}
        let claims = "eyJleHAiOjQ2MDAsImlhdCI6MTAwMCwiaXNzIjoiR29vZ2xlIiwic3ViIjoiYUBiLmlhbSJ9"
        #expect(parts.dropFirst().first.map(String.init) == claims)
        #expect(parts.last == "eWEyOS5hYmM")
    }

    @Test("base64url gives RFC 4648's values without padding", arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"), ("\u{FF}\u{FE}?>", "w7_Dvj8-"),
    ])
    func base64URL(text: String, expected: String) {
        #expect(GoogleAccessToken.base64URL(Array(text.utf8)) == expected)
    }

    @Test("text inside of a token's JSON cannot end its string")
    func escaping() {
        #expect(GoogleAccessToken.escaped("a\"b\\c\n") == #"a\"b\\c\u000a"#)
    }

    @Test("a wait is rounded up, and neither negative nor endless", arguments: [
        (Duration.zero, Int32(0)), (.seconds(-3), 0), (.microseconds(1), 1),
        (.milliseconds(1500), 1500), (.seconds(10_000_000), 2_000_000_000),
    ])
    func waits(duration: Duration, milliseconds: Int32) {
        #expect(duration.wholeMilliseconds == milliseconds)
    }

    static let topic = KafkaTopic("t", partitions: 3)

    @Test("a topic is refused for each thing that is not as it must be")
    func topicRefusals() {
        func refusals(_ found: KafkaTopic?, age: Duration? = nil) -> [KafkaTopicRefusal] {
            KafkaTopicCheck.refusals(
                wanted: [Self.topic], found: found.map { ["t": $0] } ?? [:], oldestRecordAge: age)
        }
        #expect(refusals(Self.topic).isEmpty)
        #expect(refusals(nil) == [.missing("t", partitions: 3)])
        var other = Self.topic
        other.partitions = 4
        #expect(refusals(other) == [.otherPartitionCount("t", found: 4, wanted: 3)])
        other = Self.topic
        other.messageBytesMax = 1_048_588
        #expect(
            refusals(other) == [.smallMessages("t", bytesMax: 1_048_588, needed: 2_097_152)])
        other = Self.topic
        other.retention = .seconds(604_800)
        #expect(
            refusals(other) == [.shortRetention("t", found: .seconds(604_800), needed: nil)])
        // A finite time is enough where the oldest record is younger.
        #expect(refusals(other, age: .seconds(86_400)).isEmpty)
        #expect(
            refusals(other, age: .seconds(700_000))
                == [.shortRetention("t", found: .seconds(604_800), needed: .seconds(700_000))])
    }

    @Test("of topics with different counts the odd ones are named, and all with one other count")
    func partitionCounts() {
        func refusals(_ counts: [Int32], wanted: Int32) -> [KafkaTopicRefusal] {
            let topics = counts.enumerated().map { KafkaTopic("t\($0)", partitions: $1) }
            return KafkaTopicCheck.refusals(
                wanted: topics.map { KafkaTopic($0.name, partitions: wanted) },
                found: Dictionary(uniqueKeysWithValues: topics.map { ($0.name, $0) }))
        }
        #expect(refusals([3, 3, 3], wanted: 3).isEmpty)
        #expect(
            refusals([3, 4, 3], wanted: 3) == [.unequalPartitionCounts("t1", found: 4, most: 3)])
        #expect(
            refusals([4, 4], wanted: 3).first == .otherPartitionCount("t0", found: 4, wanted: 3))
        // The setting is that of the odd one.
        #expect(
            refusals([3, 4, 3], wanted: 4) == [
                .otherPartitionCount("t0", found: 3, wanted: 4),
                .unequalPartitionCounts("t1", found: 4, most: 3),
                .otherPartitionCount("t2", found: 3, wanted: 4),
            ])
        #expect(refusals([4, 3], wanted: 3) == [.unequalPartitionCounts("t0", found: 4, most: 3)])
    }

    @Test("every refusal is one sentence that says what to do", arguments: [
        (KafkaTopicRefusal.missing("t", partitions: 3), "create it"),
        (.otherPartitionCount("t", found: 4, wanted: 3), "kafka.partitions"),
        (.unequalPartitionCounts("t", found: 4, most: 3), "kafka.partitions: 3"),
        (.shortRetention("t", found: .seconds(604_800), needed: nil), "retention.ms=-1"),
        (.smallMessages("t", bytesMax: 1, needed: 2), "max.message.bytes=2"),
    ])
    func sentences(refusal: KafkaTopicRefusal, advice: String) {
        #expect("\(refusal)".contains(advice))
        #expect(!"\(refusal)".contains("\n"))
    }

    /// Code, context's topic and partition, trouble: error and remedy.
    static let errors: [(Int32, String?, Int32?, Int32?, KafkaRemedy)] = [
        (-185, nil, nil, nil, .callAgain),
        (-185, nil, nil, -195, .callAgain),
        (-185, nil, nil, -169, .stop),
        (-195, nil, nil, nil, .callAgain),
        (-193, nil, nil, nil, .callAgain),
        (-184, nil, nil, nil, .callAgain),
        (29, "t", nil, nil, .stop),
        (53, nil, nil, nil, .stop),
        (3, "t", nil, nil, .stop),
        (-190, "t", 7, nil, .stop),
        (10, "t", nil, nil, .stop),
        (-144, nil, nil, nil, .leave),
        (47, nil, nil, nil, .callAgain),
        (90, nil, nil, nil, .leave),
        (22, nil, nil, nil, .abortAndRewind),
        (25, nil, nil, nil, .abortAndRewind),
        (-142, nil, nil, nil, .abortAndRewind),
        (-150, nil, nil, nil, .recreate),
        (6, nil, nil, nil, .callAgain),
    ]

    @Test("an error says what to do about it", arguments: errors.indices)
    func remedies(row: Int) {
        let (code, topic, partition, trouble, remedy) = Self.errors[row]
        let context = KafkaErrorContext(
            call: "c", bootstrap: "h:1", topic: topic, partition: partition,
            trouble: trouble.map { KafkaAnswer(code: $0, name: "T", text: "trouble") })
        let error = KafkaError(KafkaAnswer(code: code, name: "N", text: "text"), context)
        #expect(error.remedy == remedy, "\(code): \(error)")
        #expect(!error.description.isEmpty && !error.description.contains("\n"))
    }

    @Test("a fatal answer ends the client, whatever its code says")
    func fatal() {
        let answer = KafkaAnswer(code: 6, name: "N", text: "text", isFatal: true)
        #expect(KafkaError(answer, KafkaErrorContext(call: "c")).remedy == .recreate)
    }

    @Test("a broker that goes away while it is shown a password has not refused it", arguments: [
        ("SASL PLAIN mechanism handshake failed: Local: Broker transport failure: broker's "
            + "supported mechanisms: (n/a)", false),
        ("SASL authentication error: Local: Timed out", false),
        ("Failed to acquire SASL OAUTHBEARER token: no metadata server", false),
        ("SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism", true),
        ("SASL authentication error: Authentication failed", true),
        ("Local: Authentication failure", true),
    ])
    func goneWhileAuthenticating(text: String, isRefused: Bool) {
        let answer = KafkaAnswer(code: -169, name: "_AUTHENTICATION", text: text)
        let error = KafkaError(answer, KafkaErrorContext(call: "c", bootstrap: "h:1"))
        #expect(error.isPermanent == isRefused && error.isRetryable != isRefused, "\(error)")
    }

    @Test("a reset handshake is passing, an untrusted certificate is not")
    func handshakes() {
        func error(_ text: String, _ code: Int32 = -181) -> KafkaError {
            let trouble = KafkaAnswer(code: code, name: "_SSL", text: text)
            return KafkaError(
                KafkaAnswer(code: -185, name: "_TIMED_OUT", text: "timed out"),
                KafkaErrorContext(call: "c", bootstrap: "h:1", trouble: trouble))
        }
        #expect(error("SSL handshake failed: Disconnected").isRetryable)
        #expect(error("SSL handshake failed: certificate verify failed").isPermanent)
        // librdkafka has been seen to give the second of these the code of the first.
        #expect(error("Disconnected", -195).isRetryable)
        #expect(error("SSL routines::certificate verify failed", -195).isPermanent)
    }

    /// What a person meets: librdkafka's code and words, and what our sentence has to say.
    private struct Met {
        var code: Int32
        var text: String
        var topic: String?
        var partition: Int32?
        /// The connections' own trouble, for codes that only say that nobody answered.
        var trouble: (code: Int32, text: String)?
        var says: [String]
    }

    private static let met = [
        Met(
            code: 3, text: "Broker: Unknown topic or partition", topic: "box.dead.letter",
            says: ["the Kafka topic box.dead.letter does not exist", "create it"]),
        Met(
            code: -190, text: "Local: Unknown partition", topic: "box.dead.letter", partition: 2,
            says: ["the Kafka topic box.dead.letter has no partition 2", "deleted", "create it"]),
        Met(
            code: 29, text: "Broker: Topic authorization failed", topic: "box.dead.letter",
            says: ["does not let this account use the topic box.dead.letter", "Read, Write"]),
        Met(
            code: 30, text: "Broker: Group authorization failed",
            says: ["does not let this account use its consumer group", "grant it Read"]),
        Met(
            code: 31, text: "Broker: Cluster authorization failed",
            says: ["does not let this account use the cluster", "IdempotentWrite"]),
        Met(
            code: 53, text: "Broker: Transactional Id authorization failed",
            says: ["does not let this account use its transactional ids", "Write and Describe"]),
        Met(
            code: 58, text: "Broker: SASL Authentication failed",
            says: ["refuses these credentials", "kafka.password_file", "(at h:9092)"]),
        Met(
            code: -169, text: "Local: Authentication failure",
            says: ["refuses these credentials", "kafka.username", "(at h:9092)"]),
        Met(
            code: 10, text: "Broker: Message size too large", topic: "box.dead.letter",
            says: ["too large for the Kafka topic box.dead.letter", "raise its max.message.bytes"]),
        Met(
            code: -187, text: "Local: All broker connections are down",
            says: ["Kafka did not answer in time (commit, at h:9092)"]),
        Met(
            code: -185, text: "Local: Timed out", trouble: (-195, "Connection refused"),
            says: ["no Kafka broker answers at h:9092; check that it runs"]),
        Met(
            code: -193, text: "Local: Host resolution failure",
            says: ["no Kafka broker answers at h:9092", "kafka.bootstrap"]),
        Met(
            code: -181, text: "SSL handshake failed: certificate verify failed",
            says: ["certificate is not trusted", "check kafka.ca_file", "(at h:9092)"]),
        Met(
            code: -185, text: "Local: Timed out", trouble: (-181, "certificate verify failed"),
            says: ["certificate is not trusted", "check kafka.ca_file", "(at h:9092)"]),
        Met(
            code: -144, text: "Local: This instance has been fenced by a newer instance",
            says: ["another Kafka producer has taken over", "two processes run with the same"]),
        Met(
            code: 90, text: "Broker: There is a newer producer",
            says: ["another Kafka producer has taken over", "two processes run with the same"]),
        Met(
            code: 15, text: "Broker: Coordinator not available",
            says: ["coordinator for the group or the transaction is not available now", "h:9092"]),
        Met(
            code: 14, text: "Broker: Coordinator load in progress",
            says: ["coordinator for the group or the transaction is not available now", "again"]),
        Met(
            code: 6, text: "Broker: Not leader for partition", topic: "box.dead.letter",
            says: ["has no leader now", "(box.dead.letter at h:9092)"]),
        Met(
            code: 19, text: "Broker: Not enough in-sync replicas",
            says: ["min.insync.replicas", "start the brokers"]),
        Met(code: 38, text: "Broker: Invalid replication factor", says: ["does not make a topic"]),
        Met(code: 56, text: "Broker: Disk error", says: ["cannot use its disk"]),
        Met(
            code: 22, text: "Broker: Specified group generation id is not valid",
            says: ["place in the Kafka consumer group is gone", "joined again"]),
        Met(code: 97, text: "Broker: Something new", says: ["is not foreseen", "broker's log"]),
    ]

    @Test("what a person meets is our sentence, with librdkafka's words at its end alone",
        arguments: met.indices)
    func whatIsMet(row: Int) {
        let met = Self.met[row]
        let context = KafkaErrorContext(
            call: "commit", bootstrap: "h:9092", topic: met.topic, partition: met.partition,
            trouble: met.trouble.map { KafkaAnswer(code: $0.code, name: "T", text: $0.text) })
        let answer = KafkaAnswer(code: met.code, name: "NAME", text: met.text)
        let sentence = KafkaError(answer, context).description
        for part in met.says {
            #expect(sentence.contains(part), "\(met.code): \(sentence)")
        }
        // Whose words they are is seen by the place: nothing of ours comes behind them.
        let raw = met.trouble?.text ?? met.text
        if let place = sentence.firstRange(of: raw) {
            #expect(sentence[..<place.lowerBound].hasSuffix(": "), "\(sentence)")
            let tail = sentence[place.upperBound...]
            #expect(tail.isEmpty || tail.hasPrefix(" ("), "\(sentence)")
        }
        #expect(!sentence.hasPrefix("Broker:") && !sentence.hasPrefix("Local:"), "\(sentence)")
        #expect(!sentence.contains("\n") && !sentence.contains(" : "), "\(sentence)")
    }
}
