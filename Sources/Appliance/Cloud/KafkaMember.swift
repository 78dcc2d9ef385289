package import AppendLog
import Appliance
package import Bridges
package import Vocabulary

/// What a step is at Kafka.
package struct KafkaStep: Sendable {
    /// The step's own name, for people.
    package var name: String
    package var group: String
    package var inputs: [TopicID]
    /// Whoever is given its first partition leads: does what one of several instances must do.
    package var lead: TopicID
    /// How long it may be quiet before it is given an empty run, to look at what else is due.
    package var tick: Duration

    package init(
        name: String, group: String, inputs: [TopicID], lead: TopicID, tick: Duration
    ) {
        self.name = name
        self.group = group
        self.inputs = inputs
        self.lead = lead
        self.tick = tick
    }
}

/// Where the partitions that an instance was given begin.
package protocol KafkaPositions: Sendable {
    /// - Parameter committed: what the group has noted at Kafka, where it has.
    /// - Returns: the offset to read next; a partition that is left out begins at its beginning.
    /// - Throws: a failure to ask; the instance then gives its partitions back.
    func starts(
        of lanes: [SourceLane], committed: [SourceLane: Offset]
    ) throws -> [SourceLane: Offset]
}

/// One instance's place in a step's group: what it was given to read, and for each partition of it
/// a transactional producer.
///
///     joined ─▶ assigned: producers start (which ends what a predecessor left open, and fences
///        ▲          │     it), then the positions are read, then reading begins
///        │          ▼
///        └── revoked: producers end, then the partitions are let go
///
/// The id of a producer is made of the group and the partition: whoever is given a partition ends
/// its predecessor's open transaction at once, even one that was only paused. One producer for
/// each instance would leave readers waiting for the transaction's time-out after each crash.
package final class KafkaMember: @unchecked Sendable {
    // `@unchecked Sendable`: kept between two beginnings of a step, used by its own thread alone.
    let step: KafkaStep
    let names: KafkaNames
    private let configuration: KafkaConfiguration
    private let positions: any KafkaPositions
    let pulse: Pulse
    let stop = StopMoment()

    private var consumer: KafkaConsumer?
    private(set) var lanes: Set<SourceLane> = []
    private var producers: [SourceLane: KafkaTransactionalProducer] = [:]
    private var isPaused = false
    /// A run was given and is not finished: the consumer stands behind it, so that it comes again
    /// only when the partitions are given again.
    private var hasOpenRun = false
    /// Partitions of which the group has no offset: it is noted before the first run is given, so
    /// that whoever comes after a process that ended within that run is told where it began.
    private var unnoted: Set<SourceLane> = []
    /// The last row that each topic has; read when it is first asked for, by who leads.
    private var rows: [TopicID: Int64?] = [:]

    package init(
        _ step: KafkaStep, names: KafkaNames, configuration: KafkaConfiguration,
        positions: any KafkaPositions, pulse: Pulse
    ) {
        self.step = step
        self.names = names
        self.configuration = configuration
        self.positions = positions
        self.pulse = pulse
    }

    /// What a look at Kafka found.
    enum Look {
        case records(SourceLane, KafkaBatch)
        /// Partitions were given.
        case given
        /// Partitions were taken: what was read of them and is not committed is somebody else's.
        case taken
        case nothing
    }

    var leadLane: SourceLane { SourceLane(topic: step.lead, partition: 0) }
    var leads: Bool { lanes.contains(leadLane) }
    var hasJoined: Bool { consumer != nil }

    // MARK: Membership

    /// To be called before a step begins anew. With an unfinished run it leaves the group, since
    /// what comes next would pass that run over.
    func begin() {
        if hasOpenRun { leave() }
    }

    /// Looks for what comes next; joins the group first. Blocks for about `patience`; where
    /// partitions are given, until each has its producer and its position.
    ///
    /// - Throws: `KafkaError`, and what the positions throw.
    func look(bytesMax: Int, within patience: Duration) throws -> Look {
        pulse.beat()
        // It would knock for ever at a door that opens to a new one.
        if consumer?.isOutdated == true { leave() }
        let consumer = try joined()
        if isPaused {
            try consumer.resume(lanes.map(names.partition))
            isPaused = false
        }
        return try meet(try consumer.next(bytesMax: bytesMax, within: patience))
    }

    /// Keeps the place while the step waits for something else: asks for nothing, and is not taken
    /// for dead.
    ///
    /// - Returns: whether the place is still this instance's.
    func keepAlive() throws -> Bool {
        pulse.beat()
        guard let consumer else { return false }
        if !isPaused {
            try consumer.pause(lanes.map(names.partition))
            isPaused = true
        }
        switch try meet(try consumer.next(bytesMax: 1, within: .zero)) {
        case .nothing, .records: return true
        case .given, .taken: return false
        }
    }

    private func joined() throws -> KafkaConsumer {
        if let consumer { return consumer }
        let new = try KafkaConsumer(configuration, group: step.group)
        try new.subscribe(to: step.inputs.map(names.topic))
        consumer = new
        return new
    }

    private func meet(_ event: KafkaEvent) throws -> Look {
        switch event {
        case .records(let batch):
            guard let lane = names.lane(batch.partition) else { return .nothing }
            return try answering {
                if let first = batch.records.first { try note(first.offset, of: lane) }
                hasOpenRun = true
                return .records(lane, batch)
            }
        case .assigned(let partitions):
            return try answering {
                try take(partitions.compactMap(names.lane))
                return .given
            }
        case .revoked, .lost:
            let hadSome = !lanes.isEmpty
            drop()
            return try answering {
                try consumer?.unassign()
                return hadSome ? .taken : .nothing
            }
        case .endOfPartition, .nothing: return .nothing
        }
    }

    /// A change that cannot be answered now would be waited for: the place is given up instead.
    private func answering(_ body: () throws -> Look) throws -> Look {
        do {
            return try body()
        } catch {
            leave()
            throw error
        }
    }

    /// Producers first: a predecessor's transaction that is still open may hold offsets.
    private func take(_ given: [SourceLane]) throws {
        drop()
        guard let consumer else { return }
        for lane in given {
            pulse.beat()
            producers[lane] = try startedProducer(of: lane)
        }
        let committed = try committed(given)
        let starts = try positions.starts(of: given, committed: committed)
        unnoted = Set(given.filter { committed[$0] == nil })
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: given.map { lane in
                (names.partition(lane), starts[lane].map { .offset($0) } ?? .beginning)
            }))
        lanes = Set(given)
        pulse.set(hasPlace: !given.isEmpty)
        pulse.set(trouble: nil)
    }

    /// Tells the group where a partition's first run begins, unless it knows an offset of it.
    ///
    /// - Throws: `KafkaError`, `FlowFenced`; the group may know it then all the same.
    private func note(_ first: Offset, of lane: SourceLane) throws {
        guard unnoted.contains(lane), let producer = producers[lane], let consumer else { return }
        let none: [KafkaOutgoing] = []
        let outcome = producer.transact(
            none, offsets: [names.partition(lane): first], group: .member(consumer),
            within: patience)
        switch outcome {
        case .committed: unnoted.remove(lane)
        case .fenced: throw pushedAside()
        case .aborted(let error), .unfinished(let error), .recreate(let error),
            .refused(let error):
            throw error
        }
    }

    private func drop() {
        producers = [:]
        lanes = []
        unnoted = []
        rows = [:]
        isPaused = false
        hasOpenRun = false
        pulse.set(hasPlace: false)
    }

    private func committed(_ lanes: [SourceLane]) throws(KafkaError) -> [SourceLane: Offset] {
        guard let consumer else { return [:] }
        let found = try consumer.committed(
            lanes.map(names.partition), within: patience)
        var offsets: [SourceLane: Offset] = [:]
        for (partition, offset) in found {
            if let lane = names.lane(partition) { offsets[lane] = offset }
        }
        return offsets
    }

    /// Leaves the group; the next look joins it anew.
    func leave(within patience: Duration = .seconds(1)) {
        drop()
        consumer?.close(within: patience)
        consumer = nil
    }

    // MARK: Transactions

    /// How far a transaction has come.
    enum Written {
        case done
        /// Nothing of it is there: once more, after a wait.
        case again(KafkaError)
        /// Not known yet: the same call resumes it.
        case unsettled(KafkaError)
        /// The producer is over, and whether the last transaction is there, only its offsets tell.
        case unknown(KafkaError)
    }

    /// Writes records, and how far `lane` is done, in one transaction. Blocks: each question to
    /// Kafka for ``answerPatience`` at most, or for a second when the step is to stop. One more or
    /// two come before the transaction where the last one's end is unknown.
    ///
    /// - Parameters:
    ///   - next: the offset that is read next; nil for a transaction without offsets.
    ///   - last: how it stood after the call before.
    /// - Throws: `FlowFenced`; a `KafkaError` that no repetition mends.
    func write(
        _ records: [KafkaOutgoing], by lane: SourceLane, next: Offset?, after last: Written?
    ) throws -> Written {
        pulse.beat()
        guard let consumer, lanes.contains(lane) else { throw FlowFenced() }
        if case .unknown(let error) = last {
            guard let settled = try settled(lane, next: next) else { return .unknown(error) }
            if settled { return done(lane, next) }
        }
        guard let producer = producers[lane] else { throw pushedAside() }
        let outcome: KafkaTransactionOutcome
        if case .unsettled = last {
            outcome = producer.resume(within: patience)
        } else {
            let offsets = next.map { [names.partition(lane): $0] } ?? [:]
            outcome = producer.transact(
                records, offsets: offsets, group: .member(consumer), within: patience)
        }
        return try written(outcome, lane, next)
    }

    private func written(
        _ outcome: KafkaTransactionOutcome, _ lane: SourceLane, _ next: Offset?
    ) throws -> Written {
        switch outcome {
        case .committed: return done(lane, next)
        case .aborted(let error): return .again(error)
        case .unfinished(let error): return .unsettled(error)
        case .fenced, .recreate(.transactionExpired): throw pushedAside()
        case .recreate(let error):
            producers[lane] = nil
            return .unknown(error)
        case .refused(let error): throw error
        }
    }

    /// The run is finished with its offset; a transaction of rows alone finishes none.
    private func done(_ lane: SourceLane, _ next: Offset?) -> Written {
        guard next != nil else { return .done }
        hasOpenRun = false
        return .done
    }

    /// Whoever has the partition now does not know that this instance believes to have it.
    private func pushedAside() -> FlowFenced {
        leave()
        return FlowFenced()
    }

    /// Makes a producer in place of one that is over, and asks whether its last transaction stands.
    ///
    /// - Returns: nil while nobody answers.
    /// - Throws: `FlowFenced` where only beginning anew can tell.
    private func settled(_ lane: SourceLane, next: Offset?) throws -> Bool? {
        do throws(KafkaError) {
            if producers[lane] == nil { producers[lane] = try startedProducer(of: lane) }
            guard let next else {
                rows = [:]
                throw .assignmentLost(detail: "the rows have to be looked at again")
            }
            return try committed([lane])[lane].map { $0 >= next } ?? false
        } catch {
            if error.isRetryable { return nil }
            if error.isPermanent { throw error }
            // Rows that have to be looked at again cost nobody a place.
            throw producers[lane] == nil ? pushedAside() : FlowFenced()
        }
    }

    private func startedProducer(
        of lane: SourceLane
    ) throws(KafkaError) -> KafkaTransactionalProducer {
        let producer = try KafkaTransactionalProducer(
            configuration,
            transactionalID: KafkaTransactionalProducer.transactionalID(
                group: step.group, names.partition(lane)))
        try producer.start(within: patience)
        return producer
    }

    // MARK: Rows

    /// The highest row of the ledger that a topic has; nil while it has none. Blocks.
    func lastRow(in topic: TopicID) throws(KafkaError) -> Int64? {
        if let known = rows[topic] { return known }
        let last = try KafkaRows(configuration, names: names).last(
            in: topic, within: patience)
        rows[topic] = last
        return last
    }

    func note(rows written: [StageOutput]) {
        for output in written {
            guard case .row(let number) = output.source else { continue }
            rows[output.topic] = max(number, rows[output.topic].flatMap { $0 } ?? 0)
        }
    }

    /// How long one question to Kafka may go without an answer.
    static let answerPatience = Duration.seconds(3)
    /// The same once the step is to stop: several of them fit into the time that is left.
    private static let stoppingPatience = Duration.seconds(1)

    private var patience: Duration {
        stop.asked == nil ? Self.answerPatience : Self.stoppingPatience
    }
}
