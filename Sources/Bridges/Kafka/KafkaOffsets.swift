public import AppendLog
import CRDKafka

/// Offsets at the broker: the group's, and the partitions' ends. All of it blocks, at most the
/// patience given.
extension KafkaConsumer {
    /// The group's offsets: the next to read.
    ///
    /// A partition without one is not in the result. That is not 0: the group may be new, or its
    /// offsets may have ended after a week without a commit.
    public func committed(
        _ partitions: [KafkaPartition], within patience: Duration
    ) throws(KafkaError) -> [KafkaPartition: Offset] {
        try requireOpen()
        let list = KafkaPartitionList(partitions)
        let answer = handle.code { client in
            list.lend { rd_kafka_committed(client, $0, patience.wholeMilliseconds) }
        }
        try check(answer, list, "read committed offsets")
        handle.context.didSucceed()
        return list.offsets
    }

    /// Writes the group's offsets: the next to read.
    ///
    /// - Throws: `.assignmentLost` where the place in the group is gone; `.timedOut`, after which
    ///   they may be written or not.
    public func commit(
        _ offsets: [KafkaPartition: Offset], within patience: Duration
    ) throws(KafkaError) {
        try requireOpen()
        let list = KafkaPartitionList(offsets)
        let outcome: (answer: KafkaAnswer?, failed: KafkaPartitionList.Entry?) = handle.lend {
            client in
            let queue = rd_kafka_queue_new(client)
            defer { rd_kafka_queue_destroy(queue) }
            let code = list.lend { rd_kafka_commit_queue(client, $0, queue, nil, nil) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return (KafkaAnswer(code), nil) }
            guard let event = rd_kafka_queue_poll(queue, patience.wholeMilliseconds) else {
                return (KafkaAnswer(RD_KAFKA_RESP_ERR__TIMED_OUT), nil)
            }
            defer { rd_kafka_event_destroy(event) }
            let entries = KafkaPartitionList.entries(
                in: rd_kafka_event_topic_partition_list(event))
            let failure = rd_kafka_event_error(event)
            return (
                failure == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaAnswer(failure),
                entries.first { $0.failure != nil }
            )
        }
        if let failed = outcome.failed, let failure = failed.failure {
            throw handle.error(
                failure, "commit offsets", topic: failed.partition.topic,
                partition: failed.partition.number)
        }
        if let answer = outcome.answer { throw handle.error(answer, "commit offsets") }
        handle.context.didSucceed()
    }

    /// Where a partition begins and ends for a reader of committed records: the oldest offset that
    /// is kept, and the one behind the last that is stable. They are equal where nothing is.
    public func ends(
        of partition: KafkaPartition, within patience: Duration
    ) throws(KafkaError) -> (first: Offset, stableEnd: Offset) {
        try requireOpen()
        let deadline = KafkaDeadline(patience)
        let first = try mark(RD_KAFKA_OFFSET_BEGINNING, of: partition, until: deadline)
        let end = try mark(RD_KAFKA_OFFSET_END, of: partition, until: deadline)
        handle.context.didSucceed()
        // Retention may have moved the beginning between the two answers.
        return (min(first, end), end)
    }

    /// The first record of a partition that is as late as that or later; nil where there is none.
    public func offset(
        of partition: KafkaPartition, at timestamp: Timestamp, within patience: Duration
    ) throws(KafkaError) -> Offset? {
        try requireOpen()
        // Negative times are the protocol's marks.
        let found = try offset(
            of: partition, at: max(0, timestamp.milliseconds), until: KafkaDeadline(patience),
            "look for a time")
        handle.context.didSucceed()
        return found
    }

    /// The protocol's ListOffsets takes the same marks for a time. librdkafka's own call for both
    /// ends (`rd_kafka_query_watermark_offsets`) waits for ever for a broker that hangs.
    private func mark(
        _ mark: Int32, of partition: KafkaPartition, until deadline: KafkaDeadline
    ) throws(KafkaError) -> Offset {
        let call = "ask for a partition's ends"
        guard let found = try offset(of: partition, at: Int64(mark), until: deadline, call) else {
            throw .timedOut(call: call, server: handle.bootstrap, trouble: nil)
        }
        return found
    }

    private func offset(
        of partition: KafkaPartition, at time: Int64, until deadline: KafkaDeadline,
        _ call: String
    ) throws(KafkaError) -> Offset? {
        let list = KafkaPartitionList([partition: time])
        let answer = handle.code { client in
            list.lend { list in
                rd_kafka_offsets_for_times(client, list, deadline.rest.wholeMilliseconds)
            }
        }
        try check(answer, list, call, partition)
        return list.offsets[partition]
    }

    /// How far this consumer is behind what it could read. Markers of transactions count, so that
    /// it is an upper bound until the partition's end has been seen.
    public func lag(
        of partition: KafkaPartition, within patience: Duration
    ) throws(KafkaError) -> Int64 {
        let ends = try ends(of: partition, within: patience)
        let position = position(of: partition) ?? ends.first
        return max(0, position.distance(to: ends.stableEnd))
    }
}
