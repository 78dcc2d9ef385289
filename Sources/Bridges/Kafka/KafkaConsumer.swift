public import AppendLog
import CRDKafka

/// What a consumer meets.
public enum KafkaEvent: Sendable {
    case records(KafkaBatch)
    /// These partitions are this member's, and all that are. Answer with `assign`, which says where
    /// each one begins.
    case assigned([KafkaPartition])
    /// These go to somebody else. End the open transaction, and answer with `unassign`.
    case revoked([KafkaPartition])
    /// Somebody else has these already: nothing can be committed for them any more. Abort, and
    /// answer with `unassign`.
    case lost([KafkaPartition])
    /// Everything that is committed has been read; this is where the next record will be, or behind
    /// it.
    case endOfPartition(KafkaPartition, Offset)
    /// Nothing came in time.
    case nothing
}

/// Reads committed records: as a member of a group (`subscribe`), or partitions chosen by hand
/// (`assign` alone), without being a member of anything.
///
/// It writes no offsets by itself: `enable.auto.commit` and `enable.auto.offset.store` are off, and
/// an offset that is not there is an error (`auto.offset.reset=error`). A group's change waits
/// until it is answered: `next` tells of it again and again, and gives no records meanwhile. To be
/// used from one thread at a time; all methods that take a patience block.
public final class KafkaConsumer: @unchecked Sendable {
    // `@unchecked Sendable`: it may be handed to another thread, but only one uses it at a time.
    let handle: KafkaHandle
    private let fetched: KafkaFetched
    /// What this consumer reads, and where each partition goes on.
    private var positions: [KafkaPartition: Offset] = [:]
    private var paused: Set<KafkaPartition> = []
    /// Taken away while they were paused: librdkafka goes on to pause them when they are given
    /// again, which nobody would ever end.
    private var pausedBefore: Set<KafkaPartition> = []
    /// The group's change that the caller has been told of and has not answered.
    private var unanswered: KafkaRebalance?
    private var isClosed = false
    public let group: String

    /// - Parameter group: whose offsets `committed` and `commit` are about; also without members.
    /// - Throws: `.configuration`.
    public convenience init(
        _ configuration: KafkaConfiguration, group: String
    ) throws(KafkaError) {
        try self.init(configuration, group: group, seesUncommitted: false)
    }

    /// - Parameter seesUncommitted: open transactions are no bound to it, for asking where a
    ///   partition really ends.
    init(
        _ configuration: KafkaConfiguration, group: String, seesUncommitted: Bool
    ) throws(KafkaError) {
        self.group = group
        handle = try KafkaHandle(
            configuration, .consumer(group: group, seesUncommitted: seesUncommitted))
        fetched = KafkaFetched(handle)
    }

    /// Leaves the group, on a thread that ends the client behind it; see `KafkaClients`.
    deinit {
        fetched.end()
        guard !isClosed else { return }
        let handle = handle
        KafkaClients.end { _ = KafkaLeaving.run(handle, until: KafkaDeadline(.seconds(1))) }
    }

    /// Whether it trusts no broker, and would if it were made anew; see `KafkaProducer.isOutdated`.
    public var isOutdated: Bool { handle.isOutdated }

    /// Becomes a member of the group, whose partitions of these topics are shared out by range.
    /// Does not block; the assignment comes by `next`.
    public func subscribe(to topics: [String]) throws(KafkaError) {
        try requireOpen()
        let list = KafkaPartitionList(topics: topics)
        let answer = handle.code { client in list.lend { rd_kafka_subscribe(client, $0) } }
        if let answer { throw handle.error(answer, "subscribe", topic: topics.first) }
    }

    /// Reads these partitions, each from where it says, and no others: the answer to `.assigned`,
    /// and without a group the choice of what to read.
    public func assign(_ starts: [KafkaPartition: KafkaStart]) throws(KafkaError) {
        try requireOpen()
        endFormerPauses()
        let list = KafkaPartitionList(starts.mapValues(Self.mark))
        let answer = handle.code { client in list.lend { rd_kafka_assign(client, $0) } }
        if let answer { throw handle.error(answer, "assign") }
        didAnswer()
        for (partition, start) in starts {
            if case .offset(let offset) = start { positions[partition] = offset }
        }
    }

    /// Reads nothing any more: the answer to `.revoked` and `.lost`.
    public func unassign() throws(KafkaError) {
        try requireOpen()
        let answer = handle.code { rd_kafka_assign($0, nil) }
        if let answer { throw handle.error(answer, "unassign") }
        didAnswer()
    }

    /// The next thing that happens, at the latest after `patience`. Blocking.
    ///
    /// To be called more often than `pollInterval`, also while everything is paused: a member that
    /// does not ask is taken for dead.
    ///
    /// - Parameter bytesMax: how much a batch holds at most, but at least one record.
    /// - Throws: `.offsetOutOfRange`, `.topicMissing`, `.notAuthorized`, `.assignmentLost`,
    ///   `.fatal`, `.closed`; others pass (`isRetryable`), after which this is called again.
    public func next(bytesMax: Int, within patience: Duration) throws(KafkaError) -> KafkaEvent {
        try requireOpen()
        if let event = groupChange() { return event }
        if fetched.isEmpty(without: paused) {
            fetched.fetch(bytesMax: bytesMax, within: patience)
            if let event = groupChange() { return event }
        }
        switch fetched.take(bytesMax: bytesMax, without: paused) {
        case nil: return .nothing
        case .records(let batch):
            handle.context.didSucceed()
            positions[batch.partition] = batch.next
            return .records(batch)
        case .end(let partition, let offset):
            handle.context.didSucceed()
            positions[partition] = offset
            return .endOfPartition(partition, offset)
        case .failure(let failure):
            throw error(failure)
        }
    }

    /// Goes on to fetch nothing of these partitions; `next` still has to be called.
    public func pause(_ partitions: [KafkaPartition]) throws(KafkaError) {
        try requireOpen()
        let list = KafkaPartitionList(partitions)
        let answer = handle.code { client in list.lend { rd_kafka_pause_partitions(client, $0) } }
        try check(answer, list, "pause")
        paused.formUnion(partitions)
    }

    public func resume(_ partitions: [KafkaPartition]) throws(KafkaError) {
        try requireOpen()
        let list = KafkaPartitionList(partitions)
        let answer = handle.code { client in list.lend { rd_kafka_resume_partitions(client, $0) } }
        try check(answer, list, "resume")
        paused.subtract(partitions)
    }

    /// Reads assigned partitions again from here. Blocking.
    public func seek(
        _ offsets: [KafkaPartition: Offset], within patience: Duration
    ) throws(KafkaError) {
        try requireOpen()
        let list = KafkaPartitionList(offsets)
        let answer = handle.answer { client in
            list.lend { rd_kafka_seek_partitions(client, $0, patience.wholeMilliseconds) }
        }
        try check(answer, list, "seek")
        fetched.drop { offsets[$0] != nil }
        positions.merge(offsets) { $1 }
    }

    /// Where this consumer goes on in a partition that it reads, behind markers of transactions
    /// too; nil before the first record, unless it was assigned an offset.
    public func position(of partition: KafkaPartition) -> Offset? {
        guard let own = positions[partition] else { return nil }
        return fetched.holds(partition) ? own : max(own, librdkafkaPosition(of: partition) ?? own)
    }

    private func librdkafkaPosition(of partition: KafkaPartition) -> Offset? {
        let list = KafkaPartitionList([partition])
        let answer = handle.code { client in list.lend { rd_kafka_position(client, $0) } }
        return answer == nil ? list.offsets[partition] : nil
    }

    /// Leaves the group and ends. Blocking, at most `patience`; what is open with the group then
    /// is left to the session's time-out. Whatever else is called afterwards throws `.closed`.
    ///
    /// - Returns: whether the group knows.
    @discardableResult
    public func close(within patience: Duration) -> Bool {
        guard !isClosed else { return true }
        isClosed = true
        return leave(within: patience)
    }

    /// The value that librdkafka runs with; nil for secrets and for names that it does not know.
    public func effective(_ property: String) -> String? { handle.effective(property) }
}

extension KafkaConsumer {
    private func groupChange() -> KafkaEvent? {
        if let change = handle.context.takeRebalance() {
            unanswered = change
            // What was fetched before belongs to partitions that begin anew, here or elsewhere.
            forget()
        }
        guard let change = unanswered else { return nil }
        if change.isAssignment { return .assigned(change.partitions.sorted()) }
        let partitions = change.partitions.sorted()
        // What was only asked back may be lost by now: the group does not wait for ever.
        let isLost = change.isLost || handle.lend { rd_kafka_assignment_lost($0) } != 0
        return isLost ? .lost(partitions) : .revoked(partitions)
    }

    private func didAnswer() {
        unanswered = nil
        forget()
    }

    private func forget() {
        fetched.drop { _ in true }
        positions = [:]
        pausedBefore.formUnion(paused)
        paused = []
    }

    /// To be called before they are assigned: resumed behind that, a partition would go on where
    /// it was paused (librdkafka #1802) and not where it is told to.
    private func endFormerPauses() {
        // Also what is paused and assigned anew without having been taken away.
        let all = pausedBefore.union(paused)
        guard !all.isEmpty else { return }
        let list = KafkaPartitionList(Array(all))
        // What librdkafka does not know any more cannot be paused either.
        _ = handle.code { client in list.lend { rd_kafka_resume_partitions(client, $0) } }
        pausedBefore = []
    }

    func requireOpen() throws(KafkaError) {
        if isClosed { throw .closed }
    }

    private func leave(within patience: Duration) -> Bool {
        fetched.end()
        return KafkaLeaving.run(handle, until: KafkaDeadline(patience))
    }

    private static func mark(_ start: KafkaStart) -> Int64 {
        switch start {
        case .offset(let offset): offset.rawValue
        case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .end: Int64(RD_KAFKA_OFFSET_END)
        }
    }

    private func error(_ failure: KafkaFetched.Failure) -> KafkaError {
        let partition = failure.partition
        if failure.answer.code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET.rawValue, let partition {
            return .offsetOutOfRange(partition, failure.offset)
        }
        return handle.error(
            failure.answer, "read", topic: partition?.topic, partition: partition?.number)
    }

    /// Throws what a whole call or the first of its partitions met.
    func check(
        _ answer: KafkaAnswer?, _ list: KafkaPartitionList, _ call: String,
        _ partition: KafkaPartition? = nil
    ) throws(KafkaError) {
        if let failed = list.failed, let failure = failed.failure {
            throw handle.error(
                failure, call, topic: failed.partition.topic, partition: failed.partition.number)
        }
        guard let answer else { return }
        throw handle.error(
            answer, call, topic: partition?.topic, partition: partition?.number)
    }
}
