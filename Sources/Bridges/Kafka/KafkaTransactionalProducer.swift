public import AppendLog
import CRDKafka

/// Whose offsets a transaction writes.
public enum KafkaGroup {
    /// A member's: its generation goes with the offsets, so that a broker refuses those of a member
    /// that has lost its place (KIP-447).
    case member(KafkaConsumer)
    /// A group that nobody is a member of: a mere name for offsets. They end after a week without
    /// a commit (`offsets.retention.minutes`).
    case withoutMembers(String)
}

/// How a transaction ended.
public enum KafkaTransactionOutcome: Sendable {
    /// The records and the offsets are there for readers of committed records.
    case committed
    /// Nothing of it is there. Read again from the committed offsets and try again.
    case aborted(KafkaError)
    /// Nothing of it is there, and the same again would be refused again: a record that is too
    /// large, a topic that is missing, an authorization; or `.state`, where it was not even begun.
    case refused(KafkaError)
    /// The time was over before an answer came, so that nobody knows yet: call `resume`.
    case unfinished(KafkaError)
    /// The producer is over: by an error, because its last transaction was answered late or took
    /// longer than its time, or because it does not come back from a call to a broker that hangs.
    /// Make a new one with the same id, which ends what is open, and read the committed offsets:
    /// they tell whether the last transaction is there.
    case recreate(KafkaError)
    /// A newer producer has the same id: leave the partition to it.
    case fenced(KafkaError)
}

/// Writes records and the offsets of what they were made from in one transaction.
///
/// One for each input partition, with an id made of it: starting it ends the transaction that a
/// predecessor left open and fences that predecessor, even one that was only paused. Every method
/// but `produce` and `begin` blocks, for a second longer than its patience at most. To be used from
/// one thread at a time.
public final class KafkaTransactionalProducer: @unchecked Sendable {
    // `@unchecked Sendable`: it may be handed to another thread, but only one uses it at a time;
    // librdkafka answers `_PREV_IN_PROGRESS` to a second one.
    private let sending: KafkaSending
    private let calls: KafkaCallThread
    private var transaction = KafkaTransaction()
    /// How old the broker lets a transaction become, and since when the last one is open.
    private let transactionTimeout: Duration
    private var begunAt = ContinuousClock.now
    public let transactionalID: String

    /// `GROUP-TOPIC-PARTITION`: the same for everyone who deals with that partition for the group.
    public static func transactionalID(group: String, _ partition: KafkaPartition) -> String {
        "\(group)-\(partition.topic)-\(partition.number)"
    }

    /// - Throws: `.configuration`; `.producersHang`, so that a broker which hangs again and again
    ///   does not fill the process with producers.
    public convenience init(
        _ configuration: KafkaConfiguration, transactionalID: String
    ) throws(KafkaError) {
        try self.init(configuration, transactionalID: transactionalID, .shared)
    }

    init(
        _ configuration: KafkaConfiguration, transactionalID: String, _ abandoned: KafkaAbandoned
    ) throws(KafkaError) {
        try abandoned.requireRoom()
        calls = KafkaCallThread(abandoned)
        self.transactionalID = transactionalID
        transactionTimeout = configuration.transactionTimeout
        sending = try KafkaSending(configuration, .transactionalProducer(id: transactionalID))
    }

    /// Gets the producer's number from the broker, ends a predecessor's transaction and fences the
    /// predecessor. Blocking; once, before anything else, and again after a `.timedOut`.
    ///
    /// - Throws: `.timedOut`, `.unreachable`, `.notAuthorized`, `.fatal`.
    public func start(within patience: Duration) throws(KafkaError) {
        let deadline = KafkaDeadline(patience)
        guard transaction.allows(.start) else { return }
        let step = repeating(.start, until: deadline) { client, milliseconds in
            rd_kafka_init_transactions(client, milliseconds)
        }
        switch step {
        case .proceed: return
        case .callAgain(let answer), .abort(let answer), .refused(let answer), .over(let answer):
            throw error(answer, .start)
        }
    }

    /// One whole transaction: begins, writes, adds the offsets and commits, and repeats what may be
    /// repeated until `patience` is over. Blocking; an abort has a second of its own behind that.
    ///
    /// A transaction that was broken before is aborted first. While a commit has no answer yet, or
    /// while one is open that `begin` has begun, nothing is begun and nothing touched: `.refused`
    /// with `.state`. Not `.unfinished`, since a `resume` would then tell of the other one.
    ///
    /// - Parameters:
    ///   - offsets: the next to read, of what the records were made from.
    ///   - group: whose offsets they are.
    public func transact(
        _ records: some Collection<KafkaOutgoing>, offsets: [KafkaPartition: Offset],
        group: KafkaGroup, within patience: Duration
    ) -> KafkaTransactionOutcome {
        let deadline = KafkaDeadline(patience)
        if let unsettled = settleLast(until: deadline) { return unsettled }
        let outcome = attempt(records, offsets, group, until: deadline)
        // A record that the broker has refused, in the transaction before, has left a gap in the
        // numbers that the broker compares. librdkafka learns of it by this answer, and has begun
        // a new series with the abort.
        guard case .aborted(.broker(let answer)) = outcome, !deadline.hasPassed,
            answer.code == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER.rawValue
        else { return outcome }
        return attempt(records, offsets, group, until: deadline)
    }

    private func attempt(
        _ records: some Collection<KafkaOutgoing>, _ offsets: [KafkaPartition: Offset],
        _ group: KafkaGroup, until deadline: KafkaDeadline
    ) -> KafkaTransactionOutcome {
        do throws(KafkaError) {
            try begin()
            for record in records { try write(record, until: deadline) }
            try send(offsets, group: group, until: deadline)
            try commit(until: deadline)
            return .committed
        } catch {
            return outcome(error, until: deadline)
        }
    }

    /// Goes on with a commit or an abort that had no answer yet. Blocking. Where there is none,
    /// nothing is touched: `.refused` with `.state`.
    public func resume(within patience: Duration) -> KafkaTransactionOutcome {
        let deadline = KafkaDeadline(patience)
        switch transaction.phase {
        case .committing:
            do throws(KafkaError) {
                try commit(until: deadline)
                return .committed
            } catch {
                return outcome(error, until: deadline)
            }
        case .broken(let cause), .aborting(let cause), .over(let cause):
            return outcome(error(cause, .commit), until: deadline)
        case .fresh, .idle, .open:
            return .refused(.state(detail: "there is nothing to resume"))
        }
    }

    // MARK: The single steps

    /// - Throws: `.state` while another transaction has not ended, `.fatal`, `.fenced`.
    public func begin() throws(KafkaError) {
        try require(.begin)
        let answer = sending.handle.answer { rd_kafka_begin_transaction($0) }
        _ = sending.handle.context.takeDeliveryFailure()
        begunAt = .now
        try settle(.begin, transaction.did(.begin, answer))
    }

    /// Queues a record; its bytes are copied. Does not block.
    ///
    /// - Throws: `.queueFull`, after which the same call is right again; else the transaction can
    ///   only be aborted.
    public func produce(_ outgoing: KafkaOutgoing) throws(KafkaError) {
        try require(.produce)
        guard var answer = sending.queue(outgoing, completion: nil) else { return }
        let error = sending.error(answer, for: outgoing)
        answer.isRetriable = error == .queueFull
        if case .fatal = error { answer.isFatal = true }
        _ = transaction.did(.produce, answer, isOverTime: isOverTime)
        throw error
    }

    /// Adds the offsets of what was read: the next to read. Blocking.
    ///
    /// - Throws: what requires an abort; `.fatal` where librdkafka does not come back from it (see
    ///   `KafkaCallThread`); `.transactionExpired`, `.fenced`.
    public func sendOffsets(
        _ offsets: [KafkaPartition: Offset], group: KafkaGroup, within patience: Duration
    ) throws(KafkaError) {
        try send(offsets, group: group, until: KafkaDeadline(patience))
    }

    /// Makes everything since `begin` visible at once. Blocking.
    ///
    /// - Throws: `.timedOut` and `.unreachable`: the outcome is not known, and only this call
    ///   again can tell it; what requires an abort; `.fenced`, `.transactionExpired`, `.fatal`.
    public func commit(within patience: Duration) throws(KafkaError) {
        try commit(until: KafkaDeadline(patience))
    }

    /// Takes everything since `begin` back. Blocking.
    ///
    /// - Throws: `.timedOut` and `.unreachable`: call it again; `.fenced`, `.transactionExpired`,
    ///   `.fatal`.
    public func abort(within patience: Duration) throws(KafkaError) {
        try abort(until: KafkaDeadline(patience))
    }

    /// Records that are not acknowledged yet.
    public var queuedCount: Int { sending.queuedCount }

    /// The value that librdkafka runs with; nil for secrets and for names that it does not know.
    public func effective(_ property: String) -> String? { sending.handle.effective(property) }
}

extension KafkaTransactionalProducer {
    /// Writes a record, and waits for room while the queue is full.
    private func write(
        _ outgoing: KafkaOutgoing, until deadline: KafkaDeadline
    ) throws(KafkaError) {
        while true {
            do throws(KafkaError) {
                return try produce(outgoing)
            } catch {
                guard error == .queueFull, !deadline.hasPassed else { throw error }
                _ = sending.flush(within: min(deadline.rest, .milliseconds(100)))
            }
        }
    }

    private func send(
        _ offsets: [KafkaPartition: Offset], group: KafkaGroup, until deadline: KafkaDeadline
    ) throws(KafkaError) {
        guard !offsets.isEmpty else { return }
        try require(.offsets)
        let list = KafkaPartitionList(offsets)
        let metadata = try KafkaGroupMetadata(group)
        let step = repeating(.offsets, until: deadline) { client, milliseconds in
            list.lend { list in
                metadata.lend { metadata in
                    rd_kafka_send_offsets_to_transaction(client, list, metadata, milliseconds)
                }
            }
        }
        try settle(.offsets, step)
    }

    private func commit(until deadline: KafkaDeadline) throws(KafkaError) {
        try require(.commit)
        let step = repeating(.commit, until: deadline) { client, milliseconds in
            rd_kafka_commit_transaction(client, milliseconds)
        }
        try settle(.commit, step)
    }

    private func abort(until deadline: KafkaDeadline) throws(KafkaError) {
        try require(.abort)
        let step = repeating(.abort, until: deadline) { client, milliseconds in
            rd_kafka_abort_transaction(client, milliseconds)
        }
        try settle(.abort, step)
    }

    /// Makes a call, again and again while that is what its answers ask for, until the deadline.
    private func repeating(
        _ call: KafkaTransaction.Call, until deadline: KafkaDeadline,
        _ body: @escaping (OpaquePointer, Int32) -> OpaquePointer?
    ) -> KafkaTransaction.Step {
        while true {
            let patience = max(deadline.rest, .milliseconds(1))
            let begun = ContinuousClock.now
            let outcome = calls.run(sending.handle, within: patience) {
                body($0, patience.wholeMilliseconds)
            }
            guard case .returned(let answer) = outcome else {
                // What it would still write is of no use to anybody, and takes room.
                sending.handle.lend(KafkaHandle.giveUpRecords)
                return transaction.didNotReturn(from: call)
            }
            let step = transaction.did(call, answer, isOverTime: isOverTime)
            if case .proceed = step { sending.handle.context.didSucceed() }
            guard case .callAgain = step, !deadline.hasPassed else { return step }
            // An answer that comes at once, such as "no coordinator yet", would come at once again.
            if begun.duration(to: .now) < .milliseconds(10) {
                KafkaDeadline.pause(min(deadline.rest, .milliseconds(20)))
            }
        }
    }

    /// Whether the broker may have ended the transaction by itself. It counts from a later moment.
    private var isOverTime: Bool { begunAt.duration(to: .now) >= transactionTimeout }

    private func require(_ call: KafkaTransaction.Call) throws(KafkaError) {
        if transaction.allows(call) { return }
        if case .over(let answer) = transaction.phase { throw error(answer, call) }
        if case .broken(let answer) = transaction.phase { throw error(answer, call) }
        throw .state(detail: "\(call.rawValue) in \(transaction.phase)")
    }

    private func settle(
        _ call: KafkaTransaction.Call, _ step: KafkaTransaction.Step
    ) throws(KafkaError) {
        switch step {
        case .proceed: return
        case .callAgain(let answer), .abort(let answer), .refused(let answer), .over(let answer):
            throw error(answer, call)
        }
    }

    /// What an answer means. A call that finds records unwritten says only how many, or does not
    /// say which: the first of them says why, and where it was to go.
    private func error(
        _ answer: KafkaAnswer, _ call: KafkaTransaction.Call
    ) -> KafkaError {
        if answer.requiresAbort {
            // Their fates are told on a thread of librdkafka's, soon, since they are given up.
            _ = sending.flush(within: .milliseconds(500))
            if let failure = sending.handle.context.takeDeliveryFailure() {
                let error = sending.handle.error(
                    failure.answer, "produce", topic: failure.place.topic,
                    partition: failure.place.number)
                if error.isPermanent { return error }
            }
        }
        let error = sending.handle.error(answer, call.rawValue)
        if transaction.isExpired, case .fenced(let detail) = error {
            return .transactionExpired(detail: detail)
        }
        return error
    }

    /// Ends what the transaction before has left.
    ///
    /// - Returns: why no other one can be begun.
    private func settleLast(until deadline: KafkaDeadline) -> KafkaTransactionOutcome? {
        switch transaction.phase {
        case .committing:
            return .refused(.state(detail: "the last commit has no answer yet; resume it"))
        case .open:
            return .refused(.state(detail: "another transaction is open; commit or abort it"))
        case .fresh: return .refused(.state(detail: "the producer has not been started"))
        case .over(let cause): return ended(error(cause, .begin))
        case .broken(let cause), .aborting(let cause):
            do throws(KafkaError) {
                try abort(until: deadline)
                return nil
            } catch {
                if case .over = transaction.phase { return ended(error) }
                return .unfinished(self.error(cause, .abort))
            }
        case .idle: return nil
        }
    }

    /// How the transaction ends, now that `error` has stopped it: aborts what can be aborted.
    private func outcome(
        _ error: KafkaError, until deadline: KafkaDeadline
    ) -> KafkaTransactionOutcome {
        if case .open = transaction.phase {
            transaction.giveUp(
                because: KafkaAnswer(RD_KAFKA_RESP_ERR__TIMED_OUT, text: error.description))
        }
        switch transaction.phase {
        case .broken, .aborting:
            do throws(KafkaError) {
                // What was waited for has cost the deadline: an abort gets a second of its own.
                try abort(until: deadline.atLeast(.seconds(1)))
            } catch {
                if case .over = transaction.phase { return ended(error) }
                return .unfinished(error)
            }
            return error.isPermanent ? .refused(error) : .aborted(error)
        case .committing: return .unfinished(error)
        case .over: return ended(error)
        case .fresh, .idle, .open: return error.isPermanent ? .refused(error) : .aborted(error)
        }
    }

    private func ended(_ error: KafkaError) -> KafkaTransactionOutcome {
        if case .fenced = error { return .fenced(error) }
        return .recreate(error)
    }
}

/// A group's metadata as librdkafka wants it: owned here, lent for a call.
private final class KafkaGroupMetadata {
    private let pointer: OpaquePointer

    init(_ group: KafkaGroup) throws(KafkaError) {
        let made: OpaquePointer?
        switch group {
        case .member(let consumer):
            made = consumer.handle.lend { rd_kafka_consumer_group_metadata($0) }
        case .withoutMembers(let name):
            made = rd_kafka_consumer_group_metadata_new(name)
        }
        guard let made else { throw .state(detail: "the consumer is in no group") }
        pointer = made
    }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

    func lend<Result>(_ body: (OpaquePointer) -> Result) -> Result { body(pointer) }
}
