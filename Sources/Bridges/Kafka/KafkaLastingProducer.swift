public import AppendLog
import Synchronization

/// Writes single records for as long as the process lives: a producer that is over is replaced.
///
/// An idempotent producer ends for good where the broker's count of its records and its own differ
/// (OUT_OF_ORDER_SEQUENCE_NUMBER): the broker has lost what it had acknowledged, or an answer was
/// lost at a bad moment. Whoever writes single records has nothing to abort then, and each of them
/// was told its fate. Without a new producer all later ones would be refused until a restart. The
/// same where the brokers have certificates of another authority, which the file names by now.
public final class KafkaLastingProducer: Sendable {
    private struct State {
        var producer: KafkaProducer
        var madeAt = ContinuousClock.now
    }

    /// From one producer to the next: each costs threads and connections.
    private static let renewalPause = Duration.seconds(1)

    private let configuration: KafkaConfiguration
    private let state: Mutex<State>

    /// Connects in the background, as `KafkaProducer` does. Nothing lingers: somebody waits for
    /// each record, and what comes while one is under way goes together all the same.
    ///
    /// - Throws: `.configuration`.
    public init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        var configuration = configuration
        configuration.linger = .zero
        self.configuration = configuration
        state = Mutex(State(producer: try KafkaProducer(configuration)))
    }

    /// Queues a record; see `KafkaProducer.produce`. Two records that stand on both sides of a
    /// renewal may be written in either order.
    ///
    /// - Throws: what that throws; `.fatal` only within a second of the last renewal;
    ///   `.configuration` where none can be made.
    public func produce(
        _ record: Record, to topic: String, partition: Int32? = nil,
        _ done: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        try living().produce(record, to: topic, partition: partition, done)
    }

    /// What was queued before is told its fate by the producer that is let go.
    private func living() throws(KafkaError) -> KafkaProducer {
        try state.withLock { state throws(KafkaError) in
            if state.producer.fatalError != nil || state.producer.isOutdated,
                .now - state.madeAt >= Self.renewalPause
            {
                state = State(producer: try KafkaProducer(configuration))
            }
            return state.producer
        }
    }

    /// Waits until all records have been told their fate. Blocking, at most `patience`.
    ///
    /// - Returns: whether they have.
    public func flush(within patience: Duration) -> Bool {
        state.withLock { $0.producer }.flush(within: patience)
    }

    /// Waits for acknowledgements, and then gives up what is still waiting; see
    /// `KafkaProducer.close`.
    public func close(within patience: Duration) {
        state.withLock { $0.producer }.close(within: patience)
    }
}
