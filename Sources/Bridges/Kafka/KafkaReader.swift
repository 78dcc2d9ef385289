public import AppendLog
import CRDKafka

/// Reads single partitions from here to there, without being a member of a group: to find a
/// position again, to compare, to count. Blocking, from one thread at a time.
///
/// What passes by itself is waited out: every method goes on until its patience is over, and then
/// throws what stood in the way last.
public final class KafkaReader {
    private let consumer: KafkaConsumer
    private let configuration: KafkaConfiguration

    /// - Parameter group: a name that the broker allows to this client; nothing is written for it.
    public init(_ configuration: KafkaConfiguration, group: String) throws(KafkaError) {
        consumer = try KafkaConsumer(configuration, group: group)
        self.configuration = configuration
    }

    /// Whether it trusts no broker, and would if it were made anew; see `KafkaProducer.isOutdated`.
    public var isOutdated: Bool { consumer.isOutdated }

    /// The oldest offset that is kept and the one behind the last stable one.
    public func ends(
        of partition: KafkaPartition, within patience: Duration
    ) throws(KafkaError) -> (first: Offset, stableEnd: Offset) {
        try repeating(until: KafkaDeadline(patience)) { rest throws(KafkaError) in
            try consumer.ends(of: partition, within: rest)
        }
    }

    /// The first record of a partition that is as late as that or later; nil where there is none.
    public func offset(
        of partition: KafkaPartition, at timestamp: Timestamp, within patience: Duration
    ) throws(KafkaError) -> Offset? {
        try repeating(until: KafkaDeadline(patience)) { rest throws(KafkaError) in
            try consumer.offset(of: partition, at: timestamp, within: rest)
        }
    }

    /// The group's offsets; what has none is not in the result.
    public func committed(
        _ partitions: [KafkaPartition], within patience: Duration
    ) throws(KafkaError) -> [KafkaPartition: Offset] {
        try repeating(until: KafkaDeadline(patience)) { rest throws(KafkaError) in
            try consumer.committed(partitions, within: rest)
        }
    }

    /// Waits until nothing that stands in these partitions now is still open: a reading behind this
    /// call sees all that was committed before it.
    ///
    /// Without it an open transaction hides what others have committed behind its first record.
    /// The broker ends such a one when its time is over.
    ///
    /// - Throws: `.timedOut` that names the transactions, where they outlast `patience`.
    public func settle(
        _ partitions: [KafkaPartition], within patience: Duration
    ) throws(KafkaError) {
        let deadline = KafkaDeadline(patience)
        let onlooker = try KafkaConsumer(
            configuration, group: consumer.group, seesUncommitted: true)
        for partition in partitions {
            let end = try repeating(until: deadline) { rest throws(KafkaError) in
                try onlooker.ends(of: partition, within: rest).stableEnd
            }
            try waitUntilStable(partition, to: end, until: deadline)
        }
    }

    private func waitUntilStable(
        _ partition: KafkaPartition, to end: Offset, until deadline: KafkaDeadline
    ) throws(KafkaError) {
        var isOpen = false
        var trouble: String?
        while true {
            do throws(KafkaError) {
                if try ends(of: partition, within: deadline.rest).stableEnd >= end { return }
                isOpen = true
            } catch {
                // The last look has hardly any time: not its answer is what was waited for.
                guard isOpen, deadline.hasPassed, case .timedOut(_, _, let words) = error else {
                    throw error
                }
                trouble = words
            }
            guard !deadline.hasPassed else {
                throw .timedOut(
                    call: "wait for open transactions in \(partition)",
                    server: configuration.bootstrap, trouble: trouble)
            }
            KafkaDeadline.pause(Self.pause)
        }
    }

    /// Reads the committed records of a partition, in batches.
    ///
    /// - Parameters:
    ///   - start: nil is the oldest that is kept.
    ///   - end: the first offset that is not read; nil is the last stable end, as it is now.
    ///   - body: takes a batch; false ends the reading.
    /// - Throws: `.timedOut`, or the reason for it, when `patience` is over before the end is
    ///   reached; `.offsetOutOfRange`, `.topicMissing`.
    public func read(
        _ partition: KafkaPartition, from start: Offset? = nil, to end: Offset? = nil,
        bytesMax: Int = 1 << 20, within patience: Duration, _ body: (KafkaBatch) -> Bool
    ) throws(KafkaError) {
        let deadline = KafkaDeadline(patience)
        let ends = try ends(of: partition, within: deadline.rest)
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
        var trouble: KafkaError?
        while !deadline.hasPassed {
            do throws(KafkaError) {
                let event = try consumer.next(bytesMax: bytesMax, within: deadline.rest)
                trouble = nil
                if Self.isOver(event, end: end, body) { return }
            } catch {
                guard error.isRetryable else { throw error }
                trouble = error
                KafkaDeadline.pause(min(deadline.rest, Self.pause))
            }
        }
        throw trouble
            ?? consumer.handle.error(
                KafkaAnswer(RD_KAFKA_RESP_ERR__TIMED_OUT),
                "read \(partition) from \(start) to \(end)")
    }

    /// Hands a batch over, up to the end.
    private static func isOver(
        _ event: KafkaEvent, end: Offset, _ body: (KafkaBatch) -> Bool
    ) -> Bool {
        switch event {
        case .records(var batch):
            let isLast = batch.next >= end
            batch.records.removeAll { $0.offset >= end }
            return !batch.records.isEmpty && !body(batch) || isLast
        case .endOfPartition(_, let offset): return offset >= end
        case .assigned, .revoked, .lost, .nothing: return false
        }
    }

    /// After an error that came at once and would come at once again.
    private static let pause = Duration.milliseconds(20)

    private func repeating<Value>(
        until deadline: KafkaDeadline, _ call: (Duration) throws(KafkaError) -> Value
    ) throws(KafkaError) -> Value {
        while true {
            do throws(KafkaError) {
                return try call(deadline.rest)
            } catch {
                guard error.isRetryable, !deadline.hasPassed else { throw error }
                KafkaDeadline.pause(min(deadline.rest, Self.pause))
            }
        }
    }

    /// The last committed records of a partition, in order: at most `count`, fewer where there are
    /// not so many.
    public func tail(
        of partition: KafkaPartition, count: Int, within patience: Duration
    ) throws(KafkaError) -> [StoredRecord] {
        let deadline = KafkaDeadline(patience)
        let ends = try ends(of: partition, within: deadline.rest)
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
