public import AppendLog

/// Writes records and tells each one's fate: idempotent, so that a repeated request does not write
/// twice, and acknowledged by all replicas in sync.
///
/// librdkafka sends from threads of its own; nothing here waits but `flush` and `close`. A producer
/// that is let go gives up what is waiting and tells it so soon afterwards: `close` it first.
public final class KafkaProducer: Sendable {
    private let sending: KafkaSending

    /// Connects in the background; an address that does not answer is told by the first record.
    ///
    /// - Throws: `.configuration`.
    public init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        sending = try KafkaSending(configuration, .producer)
    }

    /// Queues a record; its bytes are copied. Does not block.
    ///
    /// Records of one partition are written in the order of these calls. A timestamp of 0 is
    /// written as 1 ms, because librdkafka takes 0 for "now".
    ///
    /// - Parameter done: called once, on librdkafka's own thread, which it must not hold up; not
    ///   called when this throws.
    /// - Throws: `.queueFull`, `.messageTooLarge`, `.partitionMissing`, `.topicMissing`, `.fatal`.
    public func produce(
        _ outgoing: KafkaOutgoing, _ done: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        guard let answer = sending.queue(outgoing, completion: KafkaCompletion(done)) else {
            return
        }
        throw sending.error(answer, for: outgoing)
    }

    /// The same for a plain record.
    public func produce(
        _ record: Record, to topic: String, partition: Int32? = nil,
        _ done: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        try produce(KafkaOutgoing(record, to: topic, partition: partition), done)
    }

    /// Records that are not acknowledged yet.
    public var queuedCount: Int { sending.queuedCount }

    /// What has ended this producer; nil while it can write. Make a new one then.
    public var fatalError: KafkaError? {
        sending.handle.fatalAnswer.map { sending.handle.error($0, "produce") }
    }

    /// Whether it trusts no broker, and would if it were made anew: the file of authorities is
    /// another one since. Make a new one then.
    public var isOutdated: Bool { sending.handle.isOutdated }

    /// Waits until all records have been told their fate. Blocking, at most `patience`.
    ///
    /// - Returns: whether they have.
    public func flush(within patience: Duration) -> Bool { sending.flush(within: patience) }

    /// Waits for acknowledgements, and then gives up what is still waiting: each completion is
    /// called before this returns. Blocking, at most `patience` and a second.
    public func close(within patience: Duration) {
        if !sending.flush(within: patience) { sending.purge() }
    }

    /// The value that librdkafka runs with; nil for secrets and for names that it does not know.
    public func effective(_ property: String) -> String? { sending.handle.effective(property) }
}
