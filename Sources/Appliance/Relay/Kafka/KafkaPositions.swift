import AppendLog
import Bridges
import Vocabulary

/// Finds out what the topics in Kafka hold of a log, and whether it is this log that they hold.
struct KafkaPositions {
    let place: KafkaPlace
    let source: RelaySource
    let patience: Duration

    /// What is known of one topic.
    struct Found {
        var floors: KafkaFloors
        /// The position that was committed with the last records; nil where none was, or it has
        /// expired (Kafka forgets it a week after the last commit).
        var committed: Offset?

        /// Whether a record that is too large for Kafka was told of already.
        func isTold(_ offset: Offset) -> Bool { committed.map { offset < $0 } ?? false }
    }

    /// Records at the end of a partition that are looked through for one that was copied: behind
    /// the last one stand only letters in place of records that were too large.
    private static let tailCounts = [1, 64, 4_096]

    func find(_ isStopping: () -> Bool) throws(RelayFailure) -> [TopicID: Found] {
        let group = place.group(of: source.log)
        let reader = try RelayFailure.of { () throws(KafkaError) in
            try KafkaReader(place.configuration, group: group)
        }
        let committed = try RelayFailure.of { () throws(KafkaError) in
            try reader.committed(
                TopicID.allCases.map { place.positionPlace(of: $0) }, within: patience)
        }
        var found: [TopicID: Found] = [:]
        for topic in TopicID.allCases {
            guard !isStopping() else { throw .passing("stopped while it looked for its place") }
            var entry = Found(
                floors: KafkaFloors(partitions: place.partitions),
                committed: committed[place.positionPlace(of: topic)])
            for partition in place.partitions(of: topic) {
                entry.floors[partition.number] = try floor(
                    of: partition, topic, entry.committed, reader)
            }
            found[topic] = entry
        }
        return found
    }

    /// The last offset of the local log that a partition has; nil where it has none.
    private func floor(
        of partition: KafkaPartition, _ topic: TopicID, _ committed: Offset?,
        _ reader: KafkaReader
    ) throws(RelayFailure) -> Offset? {
        let ends = try RelayFailure.of { () throws(KafkaError) in
            try reader.ends(of: partition, within: patience)
        }
        guard ends.stableEnd > .zero else { return nil }
        for count in Self.tailCounts {
            let tail = try RelayFailure.of { () throws(KafkaError) in
                try reader.tail(of: partition, count: count, within: patience)
            }
            if let floor = try lastCopied(in: tail, partition, topic) { return floor }
            guard tail.count == count else { break }
        }
        // Never anything, or nothing any more: then the position alone says what was there.
        guard ends.first > .zero else { return nil }
        guard let committed else {
            throw .permanent(
                "the Kafka partition \(partition) has removed everything that was copied to it, "
                    + "and the position in group \(place.group(of: source.log)) has expired: "
                    + "nothing says what is missing; begin with another kafka.topic_prefix")
        }
        return Offset(committed.rawValue - 1)
    }

    private func lastCopied(
        in tail: [StoredRecord], _ partition: KafkaPartition, _ topic: TopicID
    ) throws(RelayFailure) -> Offset? {
        for stored in tail.reversed() {
            let record = stored.record
            guard let log = record.text(CopyHeader.log) else {
                throw .permanent(
                    "the Kafka topic \(partition.topic) holds records that no bridge copied "
                        + "(\(partition) offset \(stored.offset)); choose another "
                        + "kafka.topic_prefix for this box")
            }
            guard log == source.log else {
                throw .permanent(
                    "the Kafka topic \(partition.topic) holds another log's records (log \(log), "
                        + "this one is \(source.log)); choose another kafka.topic_prefix for "
                        + "this box")
            }
            guard let copied = CopyHeader.source(of: record) else { continue }
            try check(record, copied.offset, partition, topic)
            return copied.offset
        }
        return nil
    }

    /// What lies in Kafka must be what this log has at that place.
    private func check(
        _ copy: Record, _ offset: Offset, _ partition: KafkaPartition, _ topic: TopicID
    ) throws(RelayFailure) {
        try source.check(offset.advanced(by: 1), of: topic, at: "kafka")
        guard let own = try source.record(topic, at: offset) else { return }
        guard own.key == copy.key, own.value == copy.value, own.timestamp == copy.timestamp else {
            throw .permanent(
                "the Kafka partition \(partition) has another record as \(topic.rawValue)/"
                    + "\(offset) than this log: the log was restored and has gone on "
                    + "differently; choose another kafka.topic_prefix, or restore the folder that "
                    + "was copied")
        }
    }
}

extension RelayFailure {
    /// What Kafka's answer means to a bridge.
    static func of<Value>(
        _ body: () throws(KafkaError) -> Value
    ) throws(RelayFailure) -> Value {
        do throws(KafkaError) {
            return try body()
        } catch {
            throw RelayFailure(error)
        }
    }
}
