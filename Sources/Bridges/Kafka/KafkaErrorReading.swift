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
}

extension KafkaError {
    /// The error that an answer is, seen in its context.
    init(_ answer: KafkaAnswer, _ context: KafkaErrorContext) {
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
            // Either code stands for either: a connection that is reset in the middle of the
            // handshake, and a certificate that is refused. The words tell them apart.
            answer.text.contains("certificate") ? .certificate(detail: answer.text) : nil
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
            // A token that could not be had was refused by nobody; librdkafka asks again.
            answer.text.contains("Failed to acquire") ? nil : .authentication(detail: answer.text)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            .notAuthorized(detail: "\(answer.text) (\(context.topic ?? context.call))")
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            missing(context)
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
            .messageTooLarge(topic: context.topic ?? "", bytesMax: nil)
        default: nil
        }
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
            return answer.isRetriable ? nil : .state(detail: "\(context.call): \(answer.text)")
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
            return .timedOut(call: context.call, trouble: nil)
        }
        if let permanent = permanent(trouble, KafkaErrorContext(call: context.call)) {
            return permanent
        }
        return .unreachable(bootstrap: context.bootstrap, detail: trouble.text)
    }

    /// Any of them: another producer has begun with the same id.
    static let fencing: Set<Int32> = [
        RD_KAFKA_RESP_ERR__FENCED.rawValue, RD_KAFKA_RESP_ERR_PRODUCER_FENCED.rawValue,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH.rawValue,
    ]
}

extension KafkaAnswer {
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
