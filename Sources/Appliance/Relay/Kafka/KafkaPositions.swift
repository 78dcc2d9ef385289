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

    /// Offsets at the end of a partition that are looked through for one that was copied, the last
    /// first, and as many as the last number says from then on: behind a copied one stand only
    /// letters in place of records that were too large.
    private static let windowCounts: [Int64] = [1, 64, 4_096]

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
            guard !isStopping() else { throw Self.stopped }
            var entry = Found(
                floors: KafkaFloors(partitions: place.partitions),
                committed: committed[place.positionPlace(of: topic)])
            for partition in place.partitions(of: topic) {
                entry.floors[partition.number] = try floor(
                    of: partition, topic, entry.committed, reader, isStopping)
            }
            found[topic] = entry
        }
        return found
    }

    /// The last offset of the local log that a partition has; nil where it has none.
    private func floor(
        of partition: KafkaPartition, _ topic: TopicID, _ committed: Offset?,
        _ reader: KafkaReader, _ isStopping: () -> Bool
    ) throws(RelayFailure) -> Offset? {
        let ends = try RelayFailure.of { () throws(KafkaError) in
            try reader.ends(of: partition, within: patience)
        }
        guard ends.stableEnd > .zero else { return nil }
        var (end, counts) = (ends.stableEnd, Self.windowCounts[...])
        while end > ends.first {
            guard !isStopping() else { throw Self.stopped }
            let start = max(ends.first, end.advanced(by: -(counts.first ?? 1)))
            if let copied = try lastCopied(from: start, to: end, partition, reader) {
                try check(copied.record, copied.offset, partition, topic)
                return copied.offset
            }
            end = start
            if counts.count > 1 { counts.removeFirst() }
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

    private static let stopped = RelayFailure.passing("stopped while it looked for its place")

    /// The last copied record of a window; nothing but this log's may stand behind it.
    private func lastCopied(
        from start: Offset, to end: Offset, _ partition: KafkaPartition, _ reader: KafkaReader
    ) throws(RelayFailure) -> (record: Record, offset: Offset)? {
        var copied: (record: Record, offset: Offset)?
        var foreign: RelayFailure?
        try RelayFailure.of { () throws(KafkaError) in
            try reader.read(partition, from: start, to: end, within: patience) { batch in
                for stored in batch.records {
                    if let refusal = refusal(of: stored, in: partition) {
                        foreign = refusal
                    } else if let source = CopyHeader.source(of: stored.record) {
                        (copied, foreign) = ((stored.record, source.offset), nil)
                    }
                }
                return true
            }
        }
        if let foreign { throw foreign }
        return copied
    }

    /// Why a record cannot be this log's.
    private func refusal(of stored: StoredRecord, in partition: KafkaPartition) -> RelayFailure? {
        guard let log = stored.record.text(CopyHeader.log) else {
            return .permanent(
                "the Kafka topic \(partition.topic) holds records that no bridge copied "
                    + "(\(partition) offset \(stored.offset)); choose another "
                    + "kafka.topic_prefix for this box")
        }
        guard log != source.log else { return nil }
        return .permanent(
            "the Kafka topic \(partition.topic) holds another log's records (log \(log), this one "
                + "is \(source.log)); choose another kafka.topic_prefix for this box")
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
