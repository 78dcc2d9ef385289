import CRDKafka

// What goes wrong with Kafka, for people: each error is one sentence of ours that says what is
// wrong, where, and what to do where somebody has to do something. What librdkafka said of it
// stands at the end, because it names single brokers and addresses, which help whoever looks for
// the cause.

extension KafkaError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .configuration, .certificate, .authentication, .notAuthorized, .topicMissing,
            .partitionMissing, .messageTooLarge, .offsetOutOfRange, .state:
            lasting
        case .unreachable, .timedOut, .queueFull, .producersHang: passing
        case .assignmentLost, .fenced, .transactionExpired, .fatal, .broker, .closed: anew
        }
    }

    /// Of what somebody has to mend.
    private var lasting: String {
        switch self {
        case .configuration(let property, let detail):
            "the Kafka setting \(property) is not accepted: \(detail)"
        case .certificate(let server, let detail):
            "the Kafka broker's certificate is not trusted; check kafka.ca_file and the names in "
                + "kafka.bootstrap, and whether the certificate has expired"
                + "\(Self.place(of: server)): \(detail)"
        case .authentication(let server, let detail):
            "the Kafka broker refuses these credentials; check kafka.username and "
                + "kafka.password_file\(Self.place(of: server)): \(detail)"
        case .notAuthorized(let resource, let server, let detail):
            "the Kafka broker does not let this account use \(resource.words)"
                + "\(Self.place(of: server)): \(detail)"
        case .topicMissing(let topic):
            "the Kafka topic \(topic) does not exist, or somebody has deleted it; create it with "
                + "the right number of partitions, it is never made by itself"
        case .partitionMissing(let partition):
            "the Kafka topic \(partition.topic) has no partition \(partition.number): somebody "
                + "has deleted it, or made it with fewer partitions; create it with as many as it "
                + "had"
        case .messageTooLarge(let topic, let bytesMax):
            "a record is too large for "
                + (topic.isEmpty ? "its Kafka topic" : "the Kafka topic \(topic)")
                + (bytesMax.map { ", \($0) bytes are allowed" } ?? "; raise its max.message.bytes")
        case .offsetOutOfRange(let partition, let offset):
            "the Kafka partition \(partition) does not hold offset "
                + "\(offset.map { "\($0)" } ?? "asked for") any more, or not yet; nothing is "
                + "passed over, so find the position again"
        case .state(let detail): "a Kafka call at the wrong time: \(detail)"
        default: ""
        }
    }

    /// Of what may be over by itself.
    private var passing: String {
        switch self {
        case .unreachable(let bootstrap, let detail):
            "no Kafka broker answers at \(bootstrap); check that it runs, and kafka.bootstrap: "
                + detail
        case .timedOut(let call, let server, let trouble):
            "Kafka did not answer in time\(Self.place("\(call), at \(server)")); it may be "
                + "restarting, or have too much to do" + (trouble.map { ": \($0)" } ?? "")
        case .queueFull:
            "the Kafka producer's queue is full: the broker takes less than there is to write"
        case .producersHang(let count):
            "a Kafka broker hangs, and \(count) producers have not come back from it; another one "
                + "is made when one of them has"
        default: ""
        }
    }

    /// Of what is over, and begun anew.
    private var anew: String {
        switch self {
        case .assignmentLost(let detail):
            "the place in the Kafka consumer group is gone, as when instances come and go; it is "
                + "joined again: \(detail)"
        case .fenced(let detail):
            "another Kafka producer has taken over this transactional id, as when a partition "
                + "moves to another instance; where none has begun, two processes run with the "
                + "same settings: \(detail)"
        case .transactionExpired(let detail):
            "a Kafka transaction has taken longer than the broker lets it, and is done again: "
                + detail
        case .fatal(let answer):
            "the Kafka client has failed for good, and another one is made"
                + "\(Self.place(answer.place)): \(answer)"
        case .broker(let answer): "\(answer.meaning)\(Self.place(answer.place)): \(answer)"
        case .closed: "the Kafka client is closed"
        default: ""
        }
    }

    private static func place(_ words: String) -> String { words.isEmpty ? "" : " (\(words))" }

    private static func place(of server: String) -> String {
        place(server.isEmpty ? "" : "at \(server)")
    }
}

extension KafkaResource {
    /// With what to grant, by the names that Kafka has for it.
    fileprivate var words: String {
        switch self {
        case .topic(let name):
            "\(name.map { "the topic \($0)" } ?? "a topic"); grant it Read, Write and Describe "
                + "there, and DescribeConfigs"
        case .group: "its consumer group; grant it Read on that"
        case .transactionalID: "its transactional ids; grant it Write and Describe on these"
        case .cluster: "the cluster; grant it IdempotentWrite, and Create where it makes topics"
        }
    }
}

extension KafkaAnswer: CustomStringConvertible {
    public var description: String { "\(text) (\(name), \(code))" }

    /// What an answer that is no error of its own here means, and what to do; by the protocol's
    /// codes (https://kafka.apache.org/protocol#protocol_error_codes).
    var meaning: String {
        switch rd_kafka_resp_err_t(rawValue: code) {
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
            "a Kafka partition has no leader now, as while brokers restart; it is tried again"
        case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
            "Kafka's coordinator for the group or the transaction is not available now, as while "
                + "brokers restart; it is tried again; where it lasts, look at the topics "
                + "__consumer_offsets and __transaction_state"
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
            "too few replicas of a Kafka partition are in sync (min.insync.replicas); start the "
                + "brokers that are missing, and it goes on by itself"
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
            "the Kafka broker does not know such a request; it has to be newer"
        case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
            RD_KAFKA_RESP_ERR_INVALID_CONFIG, RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
            "Kafka does not make a topic like this; mend what the broker names, or create it by "
                + "hand"
        case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
            RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
            RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
            RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
            "the Kafka broker's notes of this producer are not as they should be; what was under "
                + "way is done again"
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
            "a Kafka broker cannot use its disk; look at that broker"
        case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
            "Kafka throttles this account; it is tried again, and a larger quota helps"
        case RD_KAFKA_RESP_ERR__INCONSISTENT:
            "Kafka has not taken all records, so that none of them counts; they are written again"
        default:
            "Kafka answered with an error that is not foreseen here; the broker's log may say more"
        }
    }
}
