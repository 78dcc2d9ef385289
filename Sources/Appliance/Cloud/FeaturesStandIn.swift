import AppendLog
package import Appliance
package import Bridges
package import Logging
import ServiceLifecycle
package import Vocabulary

/// Stands in for the job that computes vectors: reads `payment.validated`, computes with the
/// embedded plane's own engine, and writes Redis first, then `payment.features`.
///
/// It is for trying the roles on one machine, and no role itself: it remembers nothing, so that it
/// reads the whole topic at each start and tells again of what it told before, and the order of
/// events over several partitions is as it comes. The score role takes neither amiss.
package struct FeaturesStandIn: Service {
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    private let partitions: Int32
    private let store: FeatureStore
    private let writer: KafkaTopicWriter
    private let schema: String
    private let limits: FeatureLimits
    private let warnings: RationedLog
    private let thread = OwnThread("tillbox.features")

    /// - Parameters:
    ///   - prefix: in front of every key in Redis.
    ///   - schema: the model schema's version.
    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, partitions: Int32,
        redis: RedisClient, prefix: String, producer: KafkaLastingProducer, schema: String,
        limits: FeatureLimits, logger: Logger
    ) {
        self.configuration = configuration
        self.names = names
        self.partitions = partitions
        store = FeatureStore(redis, prefix: prefix)
        writer = KafkaTopicWriter(producer, .paymentFeatures, names: names)
        self.schema = schema
        self.limits = limits
        warnings = RationedLog(logger: logger)
    }

    package func run() async throws {
        try await withTaskExecutorPreference(thread) {
            var engine = FeatureEngine(limits: limits)
            let consumer = try KafkaConsumer(configuration, group: names.group("features"))
            try consumer.assign(
                Dictionary(
                    uniqueKeysWithValues: names.partitions(
                        of: .paymentValidated, count: partitions
                    ).map { ($0, .beginning) }))
            // The engine has counted them, and will not again: they are told until they are there.
            var untold: [Told] = []
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                do {
                    if untold.isEmpty {
                        guard
                            case .records(let batch) = try consumer.next(
                                bytesMax: 1 << 20, within: .milliseconds(100))
                        else { continue }
                        untold = vectors(of: batch, &engine)
                    }
                    try await tell(untold)
                    untold = []
                } catch let error as any PassingFailure where error.isRetryable {
                    warnings.warning(
                        "waiting for what is outside", kind: "features", ["error": "\(error)"])
                    // Ended early by a wish to stop, which the next turn notices.
                    try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
                }
            }
            consumer.close(within: .seconds(1))
        }
    }

    /// A payment and its vector.
    private struct Told {
        var event: PaymentEvent
        var vector: FeatureVector
        var time: Timestamp
    }

    private func vectors(of batch: KafkaBatch, _ engine: inout FeatureEngine) -> [Told] {
        var told: [Told] = []
        let document = JSONDocument()
        for stored in batch.records {
            guard let event = try? PaymentEvent(stored.record.value ?? [], using: document) else {
                // Every step that reads it writes a dead letter of it.
                warnings.warning(
                    "a record cannot be read", kind: "features.unreadable",
                    ["partition": "\(batch.partition)", "offset": "\(stored.offset)"])
                continue
            }
            guard case .score(let vector, _) = engine.observe(event) else { continue }
            told.append(Told(event: event, vector: vector, time: stored.record.timestamp))
        }
        return told
    }

    /// The vector first: whoever reads of it finds it.
    private func tell(_ told: [Told]) async throws {
        guard !told.isEmpty else { return }
        try await store.write(
            told.map {
                StoredVector(
                    movement: $0.event.movement, eventID: $0.event.eventID, schema: schema,
                    rank: $0.event.informedness.rank, vector: $0.vector)
            })
        let records = told.map { one in
            let record = FeaturesRecord(
                eventID: one.event.eventID, objectID: one.event.objectID, schemaVersion: schema,
                vector: one.vector)
            return Record(
                key: Array(one.event.orderingKey.utf8)[...], value: record.encoded()[...],
                timestamp: one.time)
        }
        let written: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            writer.write(records) { continuation.resume(returning: $0) }
        }
        guard case .failure(let failure) = written else { return }
        switch failure {
        case .outside, .queueFull: throw NotTold(failure: failure)
        // What can never be written is found by the score role's own sweep.
        default: return
        }
    }

    /// Records that Kafka has not taken, and may later.
    private struct NotTold: PassingFailure, CustomStringConvertible {
        var failure: StoreFailure
        var isRetryable: Bool { true }
        var description: String { "\(failure)" }
    }
}
