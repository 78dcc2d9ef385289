public import AppendLog

/// Reads single partitions from here to there, without being a member of a group: to find a
/// position again, to compare, to count. Blocking, from one thread at a time.
public final class KafkaReader {
    private let consumer: KafkaConsumer

    /// - Parameter group: a name that the broker allows to this client; nothing is written for it.
    public init(_ configuration: KafkaConfiguration, group: String) throws(KafkaError) {
        consumer = try KafkaConsumer(configuration, group: group)
    }

    /// The oldest offset that is kept and the one behind the last stable one.
    public func ends(
        of partition: KafkaPartition, within patience: Duration
    ) throws(KafkaError) -> (first: Offset, stableEnd: Offset) {
        try consumer.ends(of: partition, within: patience)
    }

    /// The group's offsets; what has none is not in the result.
    public func committed(
        _ partitions: [KafkaPartition], within patience: Duration
    ) throws(KafkaError) -> [KafkaPartition: Offset] {
        try consumer.committed(partitions, within: patience)
    }

    /// Reads the committed records of a partition, in batches.
    ///
    /// - Parameters:
    ///   - start: nil is the oldest that is kept.
    ///   - end: the first offset that is not read; nil is the last stable end, as it is now.
    ///   - body: takes a batch; false ends the reading.
    /// - Throws: `.timedOut` when `patience` is over before the end is reached,
    ///   `.offsetOutOfRange`, `.topicMissing`.
    public func read(
        _ partition: KafkaPartition, from start: Offset? = nil, to end: Offset? = nil,
        bytesMax: Int = 1 << 20, within patience: Duration, _ body: (KafkaBatch) -> Bool
    ) throws(KafkaError) {
        let deadline = KafkaDeadline(patience)
        let ends = try consumer.ends(of: partition, within: deadline.rest)
        let end = min(end ?? ends.stableEnd, ends.stableEnd)
        let start = start ?? ends.first
        guard start < end else {
            guard start >= ends.first, start <= ends.stableEnd else {
                throw .offsetOutOfRange(partition, start)
            }
            return
        }
        try consumer.assign([partition: .offset(start)])
        defer { try? consumer.unassign() }
        while !deadline.hasPassed {
            switch try consumer.next(bytesMax: bytesMax, within: deadline.rest) {
            case .records(var batch):
                let isLast = batch.next >= end
                batch.records.removeAll { $0.offset >= end }
                if !batch.records.isEmpty, !body(batch) { return }
                if isLast { return }
            case .endOfPartition(_, let offset) where offset >= end: return
            default: break
            }
        }
        throw .timedOut(call: "read \(partition) from \(start) to \(end)", trouble: nil)
    }

    /// The last committed records of a partition, in order: at most `count`, fewer where there are
    /// not so many.
    public func tail(
        of partition: KafkaPartition, count: Int, within patience: Duration
    ) throws(KafkaError) -> [StoredRecord] {
        let deadline = KafkaDeadline(patience)
        let ends = try consumer.ends(of: partition, within: deadline.rest)
        // Markers and aborted records have offsets too, so a window may hold too few.
        var window = Int64(count)
        while true {
            let start = max(ends.first, ends.stableEnd.advanced(by: -window))
            var found: [StoredRecord] = []
            try read(partition, from: start, to: ends.stableEnd, within: deadline.rest) { batch in
                found = Array((found + batch.records).suffix(count))
                return true
            }
            if found.count == count || start == ends.first { return found }
            window *= 2
        }
    }
}
