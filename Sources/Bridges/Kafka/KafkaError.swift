public import AppendLog

/// Why the Kafka client cannot do what it was asked to.
public enum KafkaError: Error, Hashable, Sendable {
    // Permanent: nothing but somebody's hand mends them.
    /// librdkafka does not take this value of its property.
    case configuration(property: String, detail: String)
    /// The TLS handshake failed: another CA, another name, an ended certificate.
    case certificate(detail: String)
    case authentication(detail: String)
    case notAuthorized(detail: String)
    case topicMissing(String)
    case partitionMissing(KafkaPartition)
    /// The client's bound where `bytesMax` is known, else the topic's.
    case messageTooLarge(topic: String, bytesMax: Int?)
    /// The partition begins later than what was asked for, or ends before it. nil where the broker
    /// does not say which offset.
    case offsetOutOfRange(KafkaPartition, Offset?)

    // Passing: the same call may succeed later.
    case unreachable(bootstrap: String, detail: String)
    /// No answer in time. `trouble` is the last thing that went wrong on a connection.
    case timedOut(call: String, trouble: String?)
    /// The producer holds as many records as it may; wait for acknowledgements.
    case queueFull

    // The place in the group is gone; what was done for it may not be committed.
    case assignmentLost(detail: String)

    // This client is over; make a new one.
    /// A newer producer has the same transactional id.
    case fenced(detail: String)
    case fatal(KafkaAnswer)

    /// A call at a time that is not its own.
    case state(detail: String)
    /// Whatever else a broker or librdkafka answers.
    case broker(KafkaAnswer)
    case closed
}

/// An error in librdkafka's words.
public struct KafkaAnswer: Hashable, Sendable {
    /// Negative ones are the client's own, others are the protocol's error codes.
    public var code: Int32
    /// As in the protocol, such as `NOT_LEADER_FOR_PARTITION`.
    public var name: String
    public var text: String
    /// The client that got it is over.
    public var isFatal: Bool
    /// The same call again is right, and resumes it.
    public var isRetriable: Bool
    /// The open transaction can only be aborted.
    public var requiresAbort: Bool

    public init(
        code: Int32, name: String, text: String, isFatal: Bool = false, isRetriable: Bool = false,
        requiresAbort: Bool = false
    ) {
        self.code = code
        self.name = name
        self.text = text
        self.isFatal = isFatal
        self.isRetriable = isRetriable
        self.requiresAbort = requiresAbort
    }
}

/// What a caller does about an error.
public enum KafkaRemedy: Hashable, Sendable {
    /// The same call again, after a while.
    case callAgain
    /// Abort, and read again from the committed offsets.
    case abortAndRewind
    /// Throw the client away and make a new one.
    case recreate
    /// Somebody else has taken over: leave the partition to them.
    case leave
    /// Say the sentence and stop this bridge; again changes nothing.
    case stop
}

extension KafkaError {
    public var remedy: KafkaRemedy {
        switch self {
        case .configuration, .certificate, .authentication, .notAuthorized, .topicMissing,
            .partitionMissing, .messageTooLarge, .offsetOutOfRange, .state: .stop
        case .unreachable, .timedOut, .queueFull: .callAgain
        case .assignmentLost: .abortAndRewind
        case .fenced: .leave
        case .fatal, .closed: .recreate
        case .broker(let answer):
            if answer.requiresAbort { .abortAndRewind } else { .callAgain }
        }
    }

    /// Whether the same call may succeed later without anybody mending anything here.
    public var isRetryable: Bool { remedy == .callAgain }

    /// Whether somebody has to mend something before it can succeed.
    public var isPermanent: Bool { remedy == .stop }
}

extension KafkaError: CustomStringConvertible {
    /// One sentence, with what to do where somebody must do it.
    public var description: String {
        switch self {
        case .configuration(let property, let detail):
            "the Kafka setting \(property) is not accepted: \(detail)"
        case .certificate(let detail):
            "the Kafka broker's certificate is not trusted; check kafka.ca_file and the names in "
                + "kafka.bootstrap: \(detail)"
        case .authentication(let detail):
            "the Kafka broker refuses these credentials; check kafka.username and "
                + "kafka.password_file: \(detail)"
        case .notAuthorized(let detail):
            "the Kafka broker does not allow this; grant the account access to its topics, group "
                + "and transactional ids: \(detail)"
        case .topicMissing(let topic):
            "the Kafka topic \(topic) does not exist; create it with the right number of "
                + "partitions, it is never made by itself"
        case .partitionMissing(let partition):
            "the Kafka partition \(partition) does not exist; the topic has fewer partitions"
        case .messageTooLarge(let topic, let bytesMax):
            "a record is too large for the Kafka topic \(topic)"
                + (bytesMax.map { ", \($0) bytes are allowed" } ?? "; raise its max.message.bytes")
        case .offsetOutOfRange(let partition, let offset):
            "the Kafka partition \(partition) does not hold offset "
                + "\(offset.map { "\($0)" } ?? "asked for") any more, or not yet; nothing is "
                + "passed over, so find the position again"
        case .unreachable(let bootstrap, let detail):
            "no Kafka broker answers at \(bootstrap): \(detail)"
        case .timedOut(let call, let trouble):
            "Kafka did not answer in time (\(call))" + (trouble.map { ": \($0)" } ?? "")
        case .queueFull: "the Kafka producer's queue is full"
        case .assignmentLost(let detail):
            "the place in the Kafka consumer group is gone: \(detail)"
        case .fenced(let detail):
            "another Kafka producer has taken over this transactional id: \(detail)"
        case .fatal(let answer): "the Kafka client has failed for good: \(answer)"
        case .state(let detail): "a Kafka call at the wrong time: \(detail)"
        case .broker(let answer): "Kafka refused: \(answer)"
        case .closed: "the Kafka client is closed"
        }
    }
}

extension KafkaAnswer: CustomStringConvertible {
    public var description: String { "\(text) (\(name), \(code))" }
}
