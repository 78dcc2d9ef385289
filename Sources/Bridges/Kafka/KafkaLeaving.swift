import CRDKafka

/// A consumer's end: says to the group that it goes, so that the others need not wait for its
/// session to end.
enum KafkaLeaving {
    /// Blocking, up to the deadline.
    ///
    /// - Returns: whether the group knows.
    static func run(_ handle: KafkaHandle, until deadline: KafkaDeadline) -> Bool {
        handle.lend { client in
            guard let queue = rd_kafka_queue_new(client) else { return false }
            defer { rd_kafka_queue_destroy(queue) }
            // An assignment that nobody has answered yet would keep the group's state waiting.
            _ = rd_kafka_assign(client, nil)
            guard KafkaAnswer(consuming: rd_kafka_consumer_close_queue(client, queue)) == nil else {
                return false
            }
            while rd_kafka_consumer_closed(client) == 0, !deadline.hasPassed {
                let patience = min(max(deadline.rest, .milliseconds(1)), .milliseconds(100))
                guard let event = rd_kafka_queue_poll(queue, patience.wholeMilliseconds) else {
                    continue
                }
                if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE {
                    _ = rd_kafka_assign(client, nil)
                }
                rd_kafka_event_destroy(event)
            }
            return rd_kafka_consumer_closed(client) != 0
        }
    }
}
