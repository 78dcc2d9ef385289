public import AppendLog
import CRDKafka

/// What became of a record that was handed to a producer.
public enum KafkaDelivery: Sendable {
    /// Acknowledged by all replicas in sync.
    case written(KafkaPartition, Offset)
    /// Certainly not in the log: it may be given up, or sent again without making a second one.
    case notWritten(KafkaError)
    /// Sent, and no answer came: it may be in the log. Sent again it may be there twice, given up
    /// it may be there all the same.
    case perhapsWritten(KafkaError)
}

/// Somebody waits for this record's fate. librdkafka carries it beside the record.
final class KafkaCompletion: Sendable {
    private let done: @Sendable (KafkaDelivery) -> Void

    init(_ done: @escaping @Sendable (KafkaDelivery) -> Void) { self.done = done }

    func call(_ delivered: KafkaDelivered, bootstrap: String, trouble: KafkaAnswer?) {
        guard let answer = delivered.failure else {
            return done(.written(delivered.partition, delivered.offset))
        }
        let error = KafkaError(
            answer,
            KafkaErrorContext(
                call: "produce", bootstrap: bootstrap, topic: delivered.partition.topic,
                partition: delivered.partition.number, trouble: trouble))
        done(delivered.isPossiblyWritten ? .perhapsWritten(error) : .notWritten(error))
    }
}

/// A delivery report, read out of librdkafka's message.
struct KafkaDelivered {
    /// nil: it is written.
    var failure: KafkaAnswer?
    var isPossiblyWritten: Bool
    /// Number −1 where none was chosen yet.
    var partition: KafkaPartition
    var offset: Offset
    var completion: KafkaCompletion?

    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        // SAFETY: the message belongs to the event that the caller holds; what is kept is copied.
        let report = message.pointee
        failure = report.err == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaAnswer(report.err)
        isPossiblyWritten = rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
        partition = KafkaPartition(
            String(cString: rd_kafka_topic_name(report.rkt)), report.partition)
        offset = Offset(report.offset)
        // SAFETY: producing retained it, and each record is reported once.
        completion = report._private.map {
            Unmanaged<KafkaCompletion>.fromOpaque($0).takeRetainedValue()
        }
    }
}
