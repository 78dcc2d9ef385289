import CRDKafka

/// What an answer was an answer to: librdkafka's codes alone do not say it.
struct KafkaErrorContext {
    /// The call, in the words of an error.
    var call: String
    var bootstrap = ""
    var topic: String?
    var partition: Int32?
    /// What last went wrong on a connection; a call that only times out is explained by it.
    var trouble: KafkaAnswer?

    /// For people.
    fileprivate var place: String {
        let server = bootstrap.isEmpty ? nil : "at \(bootstrap)"
        return [topic, server].compactMap { $0 }.joined(separator: " ")
    }
}

extension KafkaError {
    /// The error that an answer is, seen in its context.
    init(_ answer: KafkaAnswer, _ context: KafkaErrorContext) {
        var answer = answer
        answer.place = context.place
        if Self.fencing.contains(answer.code) {
            self = .fenced(detail: answer.text)
        } else if answer.isFatal || answer.code == RD_KAFKA_RESP_ERR__FATAL.rawValue {
            self = .fatal(answer)
        } else if let permanent = Self.permanent(answer, context) {
            self = permanent
        } else {
            self = Self.passing(answer, context) ?? .broker(answer)
        }
    }

    private static func permanent(
        _ answer: KafkaAnswer, _ context: KafkaErrorContext
    ) -> KafkaError? {
        switch rd_kafka_resp_err_t(rawValue: answer.code) {
        case RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__TRANSPORT:
            answer.isOfCertificate
                ? .certificate(server: context.bootstrap, detail: answer.text) : nil
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
            isRefused(answer.text)
                ? .authentication(server: context.bootstrap, detail: answer.text) : nil
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            notAuthorized(.topic(context.topic), answer, context)
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            notAuthorized(.group, answer, context)
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            notAuthorized(.cluster, answer, context)
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            notAuthorized(.transactionalID, answer, context)
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            missing(context)
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
            .messageTooLarge(topic: context.topic ?? "", bytesMax: nil)
        default: nil
        }
    }

    private static func notAuthorized(
        _ resource: KafkaResource, _ answer: KafkaAnswer, _ context: KafkaErrorContext
    ) -> KafkaError {
        .notAuthorized(
            resource, server: context.bootstrap, detail: "\(answer.text) (\(context.call))")
    }

    /// Whether a broker has refused credentials. librdkafka has the same code for a token that
    /// could not be had, and for a broker that went away before it answered: it tries again then.
    private static func isRefused(_ text: String) -> Bool {
        !["Failed to acquire", "Local: Broker transport failure", "Local: Timed out"]
            .contains { text.contains($0) }
    }

    /// librdkafka calls both by either name: a partition that was named is what is missing.
    private static func missing(_ context: KafkaErrorContext) -> KafkaError? {
        guard let topic = context.topic else { return nil }
        guard let partition = context.partition, partition >= 0 else {
            return .topicMissing(topic)
        }
        return .partitionMissing(KafkaPartition(topic, partition))
    }

    private static func passing(
        _ answer: KafkaAnswer, _ context: KafkaErrorContext
    ) -> KafkaError? {
        switch rd_kafka_resp_err_t(rawValue: answer.code) {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return .queueFull
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__TRANSPORT,
            // So `rd_kafka_offsets_for_times` marks partitions whose leader it has not found yet.
            RD_KAFKA_RESP_ERR__IN_PROGRESS,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__WAIT_COORD,
            RD_KAFKA_RESP_ERR__WAIT_CACHE:
            return explained(answer, context)
        case RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__SSL,
            RD_KAFKA_RESP_ERR__AUTHENTICATION:
            return .unreachable(bootstrap: context.bootstrap, detail: answer.text)
        case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            return .assignmentLost(detail: answer.text)
        case RD_KAFKA_RESP_ERR__STATE:
            return answer.isRetriable || answer.requiresAbort
                ? nil : .state(detail: "\(context.call): \(answer.text)")
        case RD_KAFKA_RESP_ERR__DESTROY:
            return .closed
        default:
            return nil
        }
    }

    /// A silence, with the reason for it where the connections have one.
    private static func explained(
        _ answer: KafkaAnswer, _ context: KafkaErrorContext
    ) -> KafkaError {
        guard let trouble = context.trouble else {
            return .timedOut(call: context.call, server: context.bootstrap, trouble: nil)
        }
        let behind = KafkaErrorContext(call: context.call, bootstrap: context.bootstrap)
        if let permanent = permanent(trouble, behind) {
            return permanent
        }
        return .unreachable(bootstrap: context.bootstrap, detail: trouble.text)
    }

    /// Either of them: another producer has begun with the same id, or the broker has ended the
    /// transaction (see `KafkaTransaction`).
    ///
    /// INVALID_PRODUCER_EPOCH is not among them. librdkafka turns a transactional producer's into
    /// `_FENCED`; one that is left concerns a record of a plain producer, whose epoch librdkafka
    /// raises by itself then (KIP-360), so that the record may be sent again.
    static let fencing: Set<Int32> = [
        RD_KAFKA_RESP_ERR__FENCED.rawValue, RD_KAFKA_RESP_ERR_PRODUCER_FENCED.rawValue,
    ]
}

extension KafkaAnswer {
    /// Whether a broker's certificate is refused. Either code stands for that, and for a connection
    /// that is reset in the middle of the handshake: the words tell them apart.
    var isOfCertificate: Bool {
        [RD_KAFKA_RESP_ERR__SSL.rawValue, RD_KAFKA_RESP_ERR__TRANSPORT.rawValue].contains(code)
            && text.contains("certificate")
    }

    /// The answer that a bare code is.
    init(_ code: rd_kafka_resp_err_t, text: String? = nil, isFatal: Bool = false) {
        self.init(
            code: code.rawValue, name: String(cString: rd_kafka_err2name(code)),
            text: text ?? String(cString: rd_kafka_err2str(code)), isFatal: isFatal)
    }

    /// Takes over an error object and frees it.
    init?(consuming error: OpaquePointer?) {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        self.init(
            code: rd_kafka_error_code(error).rawValue,
            name: String(cString: rd_kafka_error_name(error)),
            text: String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0,
            requiresAbort: rd_kafka_error_txn_requires_abort(error) != 0)
    }
}
