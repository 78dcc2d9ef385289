import AppendLog
import Bridges
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// The cloud plane over real servers, with topics, keys and a ledger of its own.
struct CloudFixture: Sendable {
    let settings: Settings
    let plane: CloudPlane
    let counters = Counters()
    let redis: RedisClient
    let producer: KafkaLastingProducer
    let kafka: KafkaConfiguration
    /// The name of a database that `ledger()` makes.
    let database: String

    /// Kept for as long as the plane speaks to them.
    private let servers: (KafkaServer, RedisServer)

    private static let serial = Atomic(0)

    /// How long one question to a server may take, as everywhere on a machine that others load.
    static let patience = Duration.seconds(60)

    /// - Parameters:
    ///   - broker: nil is the one that tests share.
    ///   - change: what a test sets besides.
    init(
        partitions: Int32 = 1, broker: KafkaServer? = nil, store: RedisServer? = nil,
        logger: Logger = PipelineFixture.quiet, change: (inout Settings) -> Void = { _ in }
    ) async throws {
        let number = Self.serial.add(1, ordering: .relaxed).newValue
        let broker = if let broker { broker } else { try await KafkaServer.shared() }
        let store = if let store { store } else { try await RedisServer.shared() }
        var settings = Settings()
        settings.profile = .cloud
        settings.kafka.bootstrap = broker.bootstrap
        settings.kafka.topicPrefix = "cloud\(number)."
        settings.kafka.partitions = partitions
        settings.redis.url = store.url
        settings.redis.prefix = "cloud\(number):"
        // Blocks while it is made.
        let postgres = try await Self.queue.run { try PostgresServer.common() }
        database = postgres.databaseName()
        settings.postgres.url = postgres.uri(database)
        settings.endpoints = [
            WebhookEndpoint(name: "", secrets: [GateFixture.secret], livemode: .any)
        ]
        settings.webhook.port = 0
        settings.admin.port = 0
        change(&settings)
        self.settings = settings
        servers = (broker, store)
        plane = try CloudPlane(settings, counters: counters, logger: logger)
        kafka = try settings.kafkaConfiguration(
            client: "test", warnings: RationedLog(logger: logger))
        redis = try plane.redis()
        producer = try plane.producer()
        let topics = plane.topics
        _ = try await Self.queue.run { try topics.prepare() }
    }

    private static let queue = BlockingQueue("cloud fixture")

    /// Makes the ledger's database, as `cloud prepare` does.
    func makeLedger() async throws {
        let (plane, database) = (plane, database)
        try await Self.queue.run {
            try PostgresServer.common().sql("postgres", "CREATE DATABASE \(database)")
            try plane.migrate()
        }
    }

    // MARK: What runs

    /// Runs services while `body` looks on, then stops them in order.
    func running(
        _ services: [any Service], _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let group = ServiceGroup(
            services: services, gracefulShutdownSignals: [], logger: PipelineFixture.quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                do {
                    try await body()
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
    }

    // MARK: What is sent

    /// Delivers a body as Stripe does.
    func deliver(_ body: [UInt8], to gate: Gate) async -> GateAnswer {
        let now = Instant(seconds: plane.clock.now().milliseconds / 1000)
        let signature = StripeSignature.header(
            signing: body[...], at: now, secrets: [GateFixture.secret])
        return await gate.receive(endpoint: "", signature: signature, body: body)
    }

    /// Delivers all, each until it is received.
    func deliverAll(_ bodies: [[UInt8]], to gate: Gate) async throws {
        for body in bodies {
            try await eventually("an event is received") {
                if case .received = await deliver(body, to: gate) { true } else { false }
            }
        }
    }

    /// Writes a record as it is.
    @discardableResult
    func write(_ record: Record, to topic: TopicID) async throws -> SourcePlace {
        let writer = KafkaTopicWriter(producer, topic, names: plane.names)
        switch await writer.write(record) {
        case .written(let place): return place
        case .notWritten(let failure), .perhapsWritten(let failure):
            throw NotWritten(topic: topic, reason: "\(failure)")
        }
    }

    struct NotWritten: Error {
        var topic: TopicID
        var reason: String
    }

    /// What somebody else computed: the vector, then its record.
    func tell(_ vector: PlaneScenario.Vector, of event: PaymentEvent) async throws {
        try await store(vector, of: event)
        try await write(vector.stored, to: .paymentFeatures)
    }

    func store(_ vector: PlaneScenario.Vector, of event: PaymentEvent) async throws {
        try await FeatureStore(redis, prefix: settings.redis.prefix).write([
            StoredVector(
                movement: event.movement, eventID: event.eventID,
                schema: vector.record.schemaVersion, rank: event.informedness.rank,
                vector: vector.record.vector)
        ])
    }

    // MARK: What came of it

    /// Every committed record of a topic, partition by partition.
    func records(_ topic: TopicID) async throws -> [Record] {
        let (kafka, names, partitions) = (kafka, plane.names, settings.kafka.partitions)
        return try await Self.queue.run {
            let reader = try KafkaReader(kafka, group: names.group("test"))
            var records: [Record] = []
            for number in 0..<partitions {
                try reader.read(
                    KafkaPartition(names.topic(topic), number), within: Self.patience
                ) { batch in
                    records += batch.records.map(\.record)
                    return true
                }
            }
            return records
        }
    }

    /// Offsets that a step's group has committed.
    func committed(_ step: String, _ topic: TopicID) async throws -> [Int32: Offset] {
        let (kafka, names, partitions) = (kafka, plane.names, settings.kafka.partitions)
        return try await Self.queue.run {
            let reader = try KafkaReader(kafka, group: names.group(step))
            let all = (0..<partitions).map { KafkaPartition(names.topic(topic), $0) }
            let found = try reader.committed(all, within: Self.patience)
            return Dictionary(uniqueKeysWithValues: found.map { ($0.key.number, $0.value) })
        }
    }

    /// What stands of people's decisions, by payment.
    private func decided() throws -> [String: ReviewDecision] {
        let rows = try PostgresServer.common().sql(
            database,
            """
            SELECT t.movement || ' ' || s.decision FROM tillbox.payment_states s
            JOIN tillbox.transactions t ON t.id = s.transaction_id WHERE s.decision <> 0
            """)
        var decided: [String: ReviewDecision] = [:]
        for row in rows.split(separator: "\n") {
            let words = row.split(separator: " ")
            guard words.count == 2, let code = Int(words[1]) else {
                throw NoDecision(row: "\(row)")
            }
            decided[String(words[0])] = ReviewDecision(rawValue: code)
        }
        return decided
    }

    struct NoDecision: Error { var row: String }

    func content(_ ledger: some Ledger) async throws -> LedgerContent {
        let letters = LedgerContent.letters(try await records(.deadLetter))
        return try await Self.queue.run { () throws -> LedgerContent in
            LedgerContent(
                try ledger.posted(after: TransactionID(0), limit: 100_000),
                openReviews: try ledger.openReviews(after: TransactionID(0), limit: 100_000)
                    .reduce(into: [:]) { open, review in
                        open[review.movement.rawValue] = ReviewFinding(
                            score: review.score, reasons: review.reasons)
                    },
                decided: try self.decided(),
                waiting: Set(try ledger.waiting().map(\.key.rawValue)), letters: letters)
        }
    }
}
