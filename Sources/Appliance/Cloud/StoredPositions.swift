package import AppendLog
package import Appliance
package import Bridges
package import Vocabulary

/// The ledger's own positions: what it has booked is what it has read, whatever Kafka believes.
///
/// What lies between is offered again for its refusals alone: their dead letters and Kafka's offset
/// are one transaction behind the ledger's commit, so that a crash between the two loses none.
/// Kafka's offset is never believed where it is ahead, or where there is none.
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
package struct GroupPositions: KafkaPositions {
    private let configuration: KafkaConfiguration
    private let names: KafkaNames
    private let group: String
    /// The topics that the step writes to.
    private let outputs: [TopicID]

    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, group: String, outputs: [TopicID]
    ) {
        self.configuration = configuration
        self.names = names
        self.group = group
        self.outputs = outputs
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
        let reader = try KafkaReader(configuration, group: group)
        let topics = try KafkaAdmin(configuration).describe(
            outputs.map(names.topic), within: KafkaMember.answerPatience)
        var starts: [SourceLane: Offset] = [:]
        for topic in topics.values {
            for number in 0..<topic.partitions {
                let partition = KafkaPartition(topic.name, number)
                try reader.read(partition, within: Self.readPatience) { batch in
                    for stored in batch.records {
                        guard let place = SourceHeader.place(in: stored.record) else { continue }
                        let next = place.next.offset
                        starts[place.lane] = max(next, starts[place.lane] ?? next)
                    }
                    return true
                }
            }
        }
        return starts
    }

    private static let readPatience = Duration.seconds(600)
}
