package import AppendLog
package import Appliance
package import Bridges
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// The ledger's own positions: what it has booked is what it has read, whatever Kafka believes.
///
/// What lies between is offered again for its refusals alone: their dead letters and Kafka's offset
/// are one transaction behind the ledger's commit, so that a crash between the two loses none: the
/// group has an offset before its first run is given. Kafka's offset is never believed where it is
/// ahead; where it has expired, the ledger's own is all there is.
package struct LedgerPositions<Books: LedgerProgress>: KafkaPositions {
    private let ledger: Books
    private let isOwn: @Sendable () throws -> Void

    /// - Parameter isOwn: throws where the ledger is booked from other topics: its positions are
    ///   none in these.
    package init(_ ledger: Books, isOwn: @escaping @Sendable () throws -> Void) {
        self.ledger = ledger
        self.isOwn = isOwn
    }

    package func starts(
        of lanes: [SourceLane], committed: [SourceLane: Offset]
    ) throws -> [SourceLane: Offset] {
        try isOwn()
        var starts: [SourceLane: Offset] = [:]
        for lane in lanes {
            let stored = try ledger.position(
                topic: lane.topic.rawValue, partition: lane.partition)
            guard let stored else { continue }
            starts[lane] = min(committed[lane] ?? Offset(stored), Offset(stored))
        }
        return starts
    }
}

/// The group's offsets, which its own transactions have written.
///
/// They expire when nobody has written any for a week (`offsets.retention.minutes`), and beginning
/// at the beginning would tell everything a second time. So where there is none, and the step has
/// written anything, the position is found again by the outputs: each names its source.
package final class GroupPositions: KafkaPositions {
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    private let group: String
    /// The topics that the step writes to.
    private let outputs: [TopicID]
    private let pulse: Pulse
    private let searchPatience: Duration
    /// A search that has not come to its end.
    private let search = Mutex(PositionSearch())

    /// - Parameters:
    ///   - pulse: beats while outputs are searched, which takes as long as they are many.
    ///   - searchPatience: how long one call searches at most. Far shorter than the group waits for
    ///     its member (`pollInterval`); the next call goes on where this one was.
    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, group: String, outputs: [TopicID],
        pulse: Pulse, searchPatience: Duration = .seconds(120)
    ) {
        self.configuration = configuration
        self.names = names
        self.group = group
        self.outputs = outputs
        self.pulse = pulse
        self.searchPatience = searchPatience
    }

    package func starts(
        of lanes: [SourceLane], committed: [SourceLane: Offset]
    ) throws -> [SourceLane: Offset] {
        guard lanes.contains(where: { committed[$0] == nil }) else { return committed }
        var starts = try found()
        starts.merge(committed) { $1 }
        return starts
    }

    /// Behind the last source of all outputs, partition by partition. Reads every output: it is
    /// for once in a long while.
    private func found() throws(KafkaError) -> [SourceLane: Offset] {
        let giveUpAt = ContinuousClock.now + searchPatience
        let reader = try KafkaReader(configuration, group: group)
        let topics = try KafkaAdmin(configuration).describe(
            outputs.map(names.topic), within: KafkaMember.answerPatience)
        // In one order always, so that what was read is not looked at again and again.
        for topic in topics.values.sorted(by: { $0.name < $1.name }) {
            for number in 0..<topic.partitions {
                try read(KafkaPartition(topic.name, number), reader, until: giveUpAt)
            }
        }
        return search.withLock { search in
            defer { search = PositionSearch() }
            return search.starts
        }
    }

    /// Reads a partition to its end, in steps between which the pulse beats whatever comes.
    ///
    /// - Throws: a failure that passes, also where the time is over, or the role is to stop.
    private func read(
        _ partition: KafkaPartition, _ reader: KafkaReader, until giveUpAt: ContinuousClock.Instant
    ) throws(KafkaError) {
        while true {
            pulse.beat()
            do throws(KafkaError) {
                let ends = try reader.ends(of: partition, within: Self.stepPatience)
                let start = search.withLock {
                    $0.start(of: partition, from: ends.first, to: ends.stableEnd)
                }
                var isInterrupted = false
                try reader.read(partition, from: start, within: Self.stepPatience) { batch in
                    pulse.beat()
                    search.withLock { $0.add(batch) }
                    isInterrupted = Task.isShuttingDownGracefully || .now >= giveUpAt
                    return !isInterrupted
                }
                guard isInterrupted else { return }
            } catch {
                guard error.isRetryable, .now < giveUpAt, !Task.isShuttingDownGracefully else {
                    throw error
                }
                continue
            }
            throw .timedOut(
                call: "find the position of \(group) in \(partition)",
                server: configuration.bootstrap, trouble: nil)
        }
    }

    /// How long one step of a search may go without a batch: a wish to stop is seen behind it.
    private static let stepPatience = Duration.seconds(5)
}
