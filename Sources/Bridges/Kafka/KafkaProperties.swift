/// What librdkafka is told, by its own names, for one kind of client. Pure, so that a test reads
/// it; the names and bounds stand in librdkafka's CONFIGURATION.md.
struct KafkaProperties {
    enum Kind: Hashable {
        case admin
        case producer
        case transactionalProducer(id: String)
        /// - `seesUncommitted`: reads, and counts as the end, what is not committed yet.
        case consumer(group: String, seesUncommitted: Bool = false)
    }

    private(set) var pairs: [(name: String, value: String)] = []

    init(_ configuration: KafkaConfiguration, _ kind: Kind) {
        addConnection(configuration)
        switch kind {
        case .admin:
            break
        case .producer:
            addProducer(configuration)
            setPatience(configuration.deliveryTimeout)
            // Acknowledgements are told one by one.
            set("delivery.report.only.error", "false")
        case .transactionalProducer(let id):
            addProducer(configuration)
            set("transactional.id", id)
            set("transaction.timeout.ms", configuration.transactionTimeout)
            // A record may wait as long as the transaction, and not longer than that.
            setPatience(configuration.transactionTimeout)
            // The commit acknowledges all of them at once.
            set("delivery.report.only.error", "true")
        case .consumer(let group, let seesUncommitted):
            addConsumer(configuration, group: group)
            set("isolation.level", seesUncommitted ? "read_uncommitted" : "read_committed")
        }
    }

    private mutating func addConnection(_ configuration: KafkaConfiguration) {
        set("bootstrap.servers", configuration.bootstrap)
        set("client.id", configuration.clientID)
        set("socket.timeout.ms", configuration.socketTimeout)
        set("socket.connection.setup.timeout.ms", configuration.socketTimeout)
        // Metadata that names a topic makes it on a broker that allows it, with a partition count
        // that nobody chose.
        set("allow.auto.create.topics", "false")
        set("reconnect.backoff.ms", "50")
        set("reconnect.backoff.max.ms", "2000")
        set("message.max.bytes", configuration.messageBytesMax)
        addSecurity(configuration.security)
    }

    private mutating func addSecurity(_ security: KafkaSecurity) {
        switch security {
        case .plaintext:
            set("security.protocol", "plaintext")
        case .tls(let caFile):
            set("security.protocol", "ssl")
            addTrust(caFile)
        case .saslPlain(let user, let caFile, _):
            // The password is read by who connects.
            set("security.protocol", "sasl_ssl")
            set("sasl.mechanism", "PLAIN")
            set("sasl.username", user)
            addTrust(caFile)
        case .saslGoogle(_, let caFile, _):
            set("security.protocol", "sasl_ssl")
            set("sasl.mechanism", "OAUTHBEARER")
            addTrust(caFile)
        }
    }

    private mutating func addTrust(_ caFile: String?) {
        set("enable.ssl.certificate.verification", "true")
        set("ssl.endpoint.identification.algorithm", "https")
        if let caFile { set("ssl.ca.location", caFile) }
    }

    private mutating func addProducer(_ configuration: KafkaConfiguration) {
        set("enable.idempotence", "true")
        set("acks", "all")
        // murmur2 as Kafka's own clients have it, so that a key keeps its partition whoever writes.
        set("partitioner", "murmur2")
        set("linger.ms", configuration.linger)
        set("compression.codec", configuration.compression.rawValue)
        set("queue.buffering.max.kbytes", configuration.producerQueueBytesMax / 1024)
        // Each record costs librdkafka about 300 bytes beside its own.
        set("queue.buffering.max.messages", max(1000, configuration.producerQueueBytesMax / 256))
    }

    /// How long a record waits for its acknowledgement, and, within that, for news of a topic that
    /// the brokers do not know: a new one is known to all of them only after a moment. Without the
    /// second bound a missing topic would look like a broker that is slow.
    private mutating func setPatience(_ patience: Duration) {
        set("message.timeout.ms", patience)
        set("topic.metadata.propagation.max.ms", min(patience / 2, .seconds(5)))
    }

    private mutating func addConsumer(_ configuration: KafkaConfiguration, group: String) {
        set("group.id", group)
        // A position is written by who has dealt with the records, in the same transaction as the
        // outcome or after it. Both defaults would write it before.
        set("enable.auto.commit", "false")
        set("enable.auto.offset.store", "false")
        // The default, `largest`, would pass over what is not there any more and say nothing.
        set("auto.offset.reset", "error")
        // A commit during a cooperative rebalance can lose the assignment (librdkafka #4059).
        set("partition.assignment.strategy", "range")
        set("enable.partition.eof", "true")
        set("session.timeout.ms", configuration.sessionTimeout)
        set("heartbeat.interval.ms", configuration.sessionTimeout / 5)
        set("max.poll.interval.ms", max(configuration.pollInterval, configuration.sessionTimeout))
        // One bound for all partitions together, and one for each answer of a broker's.
        set("queued.max.messages.kbytes", configuration.consumerQueueBytesMax / 1024)
        let fetch = max(configuration.messageBytesMax, configuration.consumerQueueBytesMax / 2)
        set("fetch.max.bytes", fetch)
        set("max.partition.fetch.bytes", max(configuration.messageBytesMax, fetch / 4))
        set("receive.message.max.bytes", fetch + (1 << 20))
        set("fetch.wait.max.ms", "100")
        set("fetch.error.backoff.ms", "100")
    }

    private mutating func set(_ name: String, _ value: String) { pairs.append((name, value)) }
    private mutating func set(_ name: String, _ value: Int) { set(name, String(value)) }
    private mutating func set(_ name: String, _ value: Duration) {
        set(name, String(value.wholeMilliseconds))
    }

    /// Whether the value is a secret that no message may show.
    static func isSecret(_ name: String) -> Bool {
        ["password", "secret", "token", "pem", "jaas", "oauthbearer.config"]
            .contains { name.contains($0) }
    }
}

extension Duration {
    /// What librdkafka's calls take, rounded up so that a short wait is not none; never negative.
    var wholeMilliseconds: Int32 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        let rest = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(seconds * 1000 + rest)
    }
}
