package import Appliance
package import AppendLog
package import Bridges
package import Cloud
import Console
package import Logging
import Reconcile
package import ServiceLifecycle
package import Vocabulary

/// The plane of the profile `cloud`: records at Kafka, claims and vectors in Redis, the ledger in
/// Postgres. Nothing is written on this machine, and of each role there may be several instances.
///
/// The same gate, steps and posting rules as in the embedded plane; only the doors are others.
package struct CloudPlane: Sendable {
    package let settings: Settings
    package let names: KafkaNames
    package let clock: any LogClock
    package let counters: Counters
    package let logger: Logger
    let kafka: KafkaConfiguration
    private let tie: LedgerTie

    /// Opens nothing yet.
    ///
    /// - Throws: `SettingsError`.
    package init(
        _ settings: Settings, clock: any LogClock = SystemLogClock(), counters: Counters,
        logger: Logger
    ) throws {
        self.settings = settings
        self.clock = clock
        self.counters = counters
        self.logger = logger
        names = KafkaNames(prefix: settings.kafka.topicPrefix)
        kafka = try settings.kafkaConfiguration(
            client: "tillbox", warnings: RationedLog(logger: logger))
        tie = LedgerTie(kafka, names: names)
    }

    // MARK: Doors

    package var topics: CloudTopics {
        CloudTopics(kafka, names: names, partitions: settings.kafka.partitions)
    }

    /// Looks at the topics before a process begins its work. Blocks.
    ///
    /// - Returns: why Kafka does not answer, which is waited for; nil where it did.
    /// - Throws: `CloudUnprepared`; `KafkaTopicRefusal`; `KafkaError` that keeps us out for good.
    func checkTopics() throws -> String? {
        do {
            try topics.check(within: CloudTopics.answerPatience)
            return nil
        } catch let error as KafkaError where error.isRetryable {
            logger.warning("Kafka does not answer yet", metadata: ["error": "\(error)"])
            return "\(error)"
        }
    }

    /// - Parameter patience: how long an answer of Redis may take; a delivery's own answer leaves
    ///   less time than a step has.
    /// - Throws: `SettingsError`; `RedisConfigurationError`; `StreamError`, where the process has
    ///   no descriptor left.
    package func redis(within patience: Duration = .seconds(2)) throws -> RedisClient {
        var configuration = try settings.redisConfiguration()
        configuration.commandTimeout = patience
        return try RedisClient(configuration)
    }

    /// For what was derived from nothing: webhooks, letters, decisions.
    package func producer() throws -> KafkaLastingProducer {
        var kafka = kafka
        kafka.deliveryTimeout = RedisAdmission.deliveryPatience
        return try KafkaLastingProducer(kafka)
    }

    /// For who books, whose statements may take as long as a batch does.
    ///
    /// - Parameters:
    ///   - patience: how long a connect, or another instance's batch, is waited for at once.
    ///   - onWait: for who can wait for a server that does not answer yet.
    /// - Throws: `LedgerError`, also where `cloud prepare` has not made it.
    package func ledger(
        within patience: Duration = .seconds(5), onWait: ((LedgerError) -> Void)? = nil
    ) throws(LedgerError) -> PostgresLedger {
        let clock = clock
        var configuration = settings.postgresConfiguration()
        (configuration.connectTimeout, configuration.lockTimeout) = (patience, patience)
        return try PostgresLedger.open(
            configuration, clockMilliseconds: { clock.now().milliseconds }, onWait: onWait)
    }

    /// Makes the accounts, or brings older ones to this schema, as their tables' owner. Blocks.
    ///
    /// - Throws: `AccountsFailure`.
    package func migrateAccounts() throws {
        try ConsoleSchema.migrate(settings.postgresConfiguration())
    }

    /// The same of the ledger. Blocks.
    package func migrate() throws(LedgerError) {
        try PostgresSchema.migrate(settings.postgresConfiguration())
    }

    /// Whether the ledger is booked from these topics, for who is about to write to them or to make
    /// them. A ledger that is not there, or has nothing noted, is nobody else's. Blocks.
    ///
    /// - Throws: `LedgerNotOwn`; `LedgerError`; `KafkaError`.
    package func requireOwnLedger() throws {
        try tie.compare(PostgresSchema.notes(in: askedConfiguration()))
    }

    /// The same, and notes the topics in a ledger that has nothing noted. Blocks.
    func hold(_ ledger: PostgresLedger) throws { try tie.hold(ledger) }

    /// Notes the topics in a ledger that nobody has used yet. Blocks.
    package func noteTopics() throws {
        let ledger = try ledger()
        defer { ledger.close() }
        try tie.noteInEmpty(ledger)
    }

    /// Takes the ledger's topics to be here from now on, where an operator says that they were
    /// moved. Blocks.
    ///
    /// - Parameter former: `CLUSTER/PREFIX` as the ledger has it.
    /// - Throws: `LedgerNotOwn` where they are not those; `LedgerError`; `KafkaError`.
    package func moveTopics(from former: String) throws {
        guard try !PostgresSchema.notes(in: settings.postgresConfiguration()).isEmpty else {
            throw LedgerNotOwn.notMoved(named: former, nil)
        }
        try migrate()
        let ledger = try ledger()
        defer { ledger.close() }
        try tie.move(ledger, from: former, partitions: settings.kafka.partitions)
    }

    package func gate(_ redis: RedisClient, _ producer: KafkaLastingProducer) -> Gate {
        let received = KafkaTopicWriter(producer, .webhookReceived, names: names)
        return Gate(
            endpoints: settings.endpoints, toleranceSeconds: settings.toleranceSeconds,
            bodyByteCountMax: settings.bodyByteCountMax,
            admission: RedisAdmission(redis, prefix: settings.redis.prefix, log: received),
            deadLetters: KafkaLetters(producer, names: names),
            answerPatience: RedisAdmission.answerPatience, clock: clock, counters: counters,
            logger: logger)
    }

    package func decisions(_ producer: KafkaLastingProducer) -> KafkaDecisions {
        KafkaDecisions(producer, configuration: kafka, names: names)
    }

    /// Asks Stripe for refunds; nil without an API key.
    func refunds() -> RefundDesk? {
        let base = settings.stripeBase
        return settings.stripeKey.map { key in
            RefundDesk(
                stripe: HTTPStripeTransport(
                    base: base, key: key, clock: StripeClock(clock),
                    reach: StripeReach(base: base, clock: clock, logger: logger)))
        }
    }

    /// The topics for who only looks.
    func shownLog() throws(KafkaError) -> KafkaLog {
        try KafkaLog(kafka, names: names, partitions: settings.kafka.partitions)
    }

    /// The same for what open pages are told, which waits less long: it looks again soon.
    func followedLog() throws(KafkaError) -> KafkaLog {
        try KafkaLog(
            kafka, names: names, partitions: settings.kafka.partitions,
            answerPatience: .seconds(2))
    }

    /// What comes into some topics from now on, for one who asks.
    func tail(_ topics: [TopicID]) -> @Sendable () throws -> AfarLook.Piece {
        let tail = KafkaTail(
            kafka, names: names, topics: topics, partitions: settings.kafka.partitions)
        return {
            let piece = try tail.take()
            return AfarLook.Piece(records: piece.records, passed: piece.passed)
        }
    }

    /// An index of payments that follows the topics, and is kept nowhere.
    func index(logger: Logger) throws(KafkaError) -> PaymentIndex {
        let log = try shownLog()
        return PaymentIndex(
            partitions: log.partitions,
            reader: { lane throws(StoreFailure) in try log.reader(lane) }, logger: logger)
    }

    // MARK: Steps

    /// Validation and scoring.
    package func score(_ redis: RedisClient, pulse: Pulse) throws -> any Service {
        typealias Step = CloudStage<RedisFeatures>
        let steps = try PipelineSteps(settings, counters: counters)
        let verdicts = try steps.verdicts()
        let features = lateFeatures(redis, schema: steps.model.schema.version)
        let group = names.group(Step.name)
        let member = KafkaMember(
            KafkaStep(
                name: Step.name, group: group, inputs: Step.inputs, lead: Step.input,
                tick: .seconds(1)),
            names: names, configuration: kafka,
            positions: GroupPositions(
                kafka, names: names, group: group, outputs: Step.outputs, pulse: pulse),
            pulse: pulse)
        let logger = logger
        return StageRunner(logger: logger) {
            let stage = Step(
                validate: steps.validate(), score: steps.score(features, verdicts))
            return (stage, KafkaFlow(member, logger: logger))
        }
    }

    /// The vectors of the score role.
    ///
    /// - Parameter schema: the model schema's version.
    func lateFeatures(_ redis: RedisClient, schema: String) -> RedisFeatures {
        RedisFeatures(
            redis, prefix: settings.redis.prefix, schema: schema,
            waitSeconds: settings.scoreWaitSeconds, logger: logger)
    }

    /// What computes vectors where nobody else does; no role.
    func features(_ redis: RedisClient, _ producer: KafkaLastingProducer) throws -> any Service {
        let steps = try PipelineSteps(settings, counters: counters)
        return FeaturesStandIn(
            kafka, names: names, partitions: settings.kafka.partitions, redis: redis,
            prefix: settings.redis.prefix, producer: producer, schema: steps.model.schema.version,
            limits: steps.featureLimits, logger: logger)
    }

    /// Booking, and publishing what was booked.
    package func book(_ ledger: PostgresLedger, pulse: Pulse) -> any Service {
        let tie = tie
        let positions = LedgerPositions(ledger) { try tie.hold(ledger) }
        let member = KafkaMember(
            KafkaStep(
                name: LedgerStep.name, group: names.group(LedgerStep.name),
                inputs: LedgerStep.inputs, lead: .paymentScored, tick: .milliseconds(250)),
            names: names, configuration: kafka, positions: positions, pulse: pulse)
        let (clock, counters, logger) = (clock, counters, logger)
        return LedgerService(
            desk: { LedgerDesk(ledger: ledger, clock: clock, counters: counters) }, logger: logger
        ) { _ in KafkaFlow(member, logger: logger) }
    }
}
