public import AppendLog

/// Why the Kafka client cannot do what it was asked to.
public enum KafkaError: Error, Hashable, Sendable {
    // Permanent: nothing but somebody's hand mends them.
    /// librdkafka does not take this value of its property.
    case configuration(property: String, detail: String)
    /// The TLS handshake failed: another CA, another name, an ended certificate.
    case certificate(server: String, detail: String)
    case authentication(server: String, detail: String)
    case notAuthorized(KafkaResource, server: String, detail: String)
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
    case timedOut(call: String, server: String, trouble: String?)
    /// The producer holds as many records as it may; wait for acknowledgements.
    case queueFull
    /// So many producers are still in a call that does not return, because a broker hangs.
    case producersHang(Int)

    // The place in the group is gone; what was done for it may not be committed.
    case assignmentLost(detail: String)

    // This client is over; make a new one.
    /// A newer producer has the same transactional id.
    case fenced(detail: String)
    /// The transaction had outlived its time: the broker has ended it, or a newer producer has.
    case transactionExpired(detail: String)
    case fatal(KafkaAnswer)

    /// A call at a time that is not its own.
    case state(detail: String)
    /// Whatever else a broker or librdkafka answers.
    case broker(KafkaAnswer)
    case closed
}

/// What an account may or may not use.
public enum KafkaResource: Hashable, Sendable {
    /// Its name, where the answer says it.
    case topic(String?)
    case group
    case transactionalID
    case cluster
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
    /// The topic that it is about and the servers that were asked, for people; empty where it has
    /// not been seen in its context.
    public var place = ""

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
        case .unreachable, .timedOut, .queueFull, .producersHang: .callAgain
        case .assignmentLost: .abortAndRewind
        case .fenced: .leave
        case .fatal, .transactionExpired, .closed: .recreate
        case .broker(let answer):
            if answer.requiresAbort { .abortAndRewind } else { .callAgain }
        }
    }

    /// Whether the same call may succeed later without anybody mending anything here.
    public var isRetryable: Bool { remedy == .callAgain }

    /// Whether somebody has to mend something before it can succeed.
    public var isPermanent: Bool { remedy == .stop }
}
