package import AppendLog
import Appliance
package import Bridges
import Synchronization
package import Vocabulary

/// One topic, for records that were derived from no other: each is its own write, acknowledged by
/// all replicas.
package struct KafkaTopicWriter: Sendable {
    private let producer: KafkaLastingProducer
    private let topic: TopicID
    private let name: String

    package init(_ producer: KafkaLastingProducer, _ topic: TopicID, names: KafkaNames) {
        self.producer = producer
        self.topic = topic
        name = names.topic(topic)
    }

    /// What became of a record.
    enum Outcome: Sendable {
        case written(SourcePlace)
        /// Certainly not there.
        case notWritten(StoreFailure)
        /// Nobody knows.
        case perhapsWritten(StoreFailure)
    }

    /// Writes a record; `done` is called once, on any thread: be quick there.
    func write(_ record: Record, done: @escaping @Sendable (Outcome) -> Void) {
        let topic = topic
        do throws(KafkaError) {
            try producer.produce(record, to: name) { delivery in
                switch delivery {
                case .written(let partition, let offset):
                    done(
                        .written(
                            SourcePlace(
                                topic: topic, partition: partition.number, offset: offset)))
                case .notWritten(let error): done(.notWritten(StoreFailure(error)))
                case .perhapsWritten(let error): done(.perhapsWritten(StoreFailure(error)))
                }
            }
        } catch {
            done(.notWritten(StoreFailure(error)))
        }
    }

    func write(_ record: Record) async -> Outcome {
        await withCheckedContinuation { continuation in
            write(record) { continuation.resume(returning: $0) }
        }
    }

    /// Writes records together, those of one key in their order.
    ///
    /// - Parameter done: called once, on any thread, when the fate of all is known; the first
    ///   failure is everybody's.
    func write(
        _ records: [Record], done: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        guard !records.isEmpty else { return done(.success(())) }
        let tally = WriteTally(count: records.count, done)
        for record in records {
            write(record) { outcome in
                switch outcome {
                case .written: tally.take(nil)
                case .notWritten(let failure), .perhapsWritten(let failure): tally.take(failure)
                }
            }
        }
    }
}

/// `dead.letter` at Kafka, for deliveries that are no events.
package struct KafkaLetters: LetterStore {
    private let writer: KafkaTopicWriter

    package init(_ producer: KafkaLastingProducer, names: KafkaNames) {
        writer = KafkaTopicWriter(producer, .deadLetter, names: names)
    }

    package func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        writer.write(letters, done: completion)
    }
}

/// Counts the answers to records that were written together; the first failure is everybody's.
private final class WriteTally: Sendable {
    private struct State {
        var rest: Int
        var failure: StoreFailure?
    }

    private let state: Mutex<State>
    private let completion: @Sendable (Result<Void, StoreFailure>) -> Void

    init(count: Int, _ completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void) {
        state = Mutex(State(rest: count))
        self.completion = completion
    }

    func take(_ failure: StoreFailure?) {
        let (isLast, first) = state.withLock { state in
            state.rest -= 1
            state.failure = state.failure ?? failure
            return (state.rest == 0, state.failure)
        }
        guard isLast else { return }
        completion(first.map { .failure($0) } ?? .success(()))
    }
}

/// People's decisions at Kafka: records of `payment.review`, all of one payment in one partition.
package struct KafkaDecisions: DecisionLog {
    private let writer: KafkaTopicWriter
    private let configuration: KafkaConfiguration
    private let names: KafkaNames

    package init(
        _ producer: KafkaLastingProducer, configuration: KafkaConfiguration, names: KafkaNames
    ) {
        writer = KafkaTopicWriter(producer, .paymentReview, names: names)
        self.configuration = configuration
        self.names = names
    }

    private static let queue = BlockingQueue("tillbox.decisions")
    private static let patience = Duration.seconds(5)

    /// Behind the last record: behind that only markers of transactions can stand, which no
    /// position of the ledger ever passes.
    package func end(of movement: MovementKey) async throws -> SourcePlace? {
        let (configuration, name) = (configuration, names.topic(.paymentReview))
        return try await Self.queue.run { () throws(KafkaError) in
            let topics = try KafkaAdmin(configuration).describe([name], within: Self.patience)
            guard let topic = topics[name] else { throw .topicMissing(name) }
            let number = KafkaPartitioner.partition(
                ofKey: ArraySlice(movement.rawValue.utf8), count: topic.partitions)
            let reader = try KafkaReader(configuration, group: name)
            let last = try reader.tail(
                of: KafkaPartition(name, number), count: 1, within: Self.patience).last
            return last.map {
                SourcePlace(topic: .paymentReview, partition: number, offset: $0.offset).next
            }
        }
    }

    package func append(_ decision: Record) async throws(StoreFailure) -> SourcePlace {
        switch await writer.write(decision) {
        case .written(let place): return place
        case .notWritten(let failure), .perhapsWritten(let failure): throw failure
        }
    }
}
