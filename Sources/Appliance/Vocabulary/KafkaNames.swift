package import Bridges

/// What topics, groups and transactional ids are called at Kafka: our own names behind a prefix,
/// so that several installations can share a cluster.
package struct KafkaNames: Hashable, Sendable {
    package var prefix: String

    package init(prefix: String) { self.prefix = prefix }

    package func topic(_ id: TopicID) -> String { prefix + id.rawValue }

    /// The consumer group of a step, or of whoever else reads.
    package func group(_ step: String) -> String { prefix + step }

    package func partition(_ lane: SourceLane) -> KafkaPartition {
        KafkaPartition(topic(lane.topic), lane.partition)
    }

    /// The partitions of a topic that has `count` of them.
    package func partitions(of id: TopicID, count: Int32) -> [KafkaPartition] {
        (0..<count).map { KafkaPartition(topic(id), $0) }
    }

    /// What a partition is to us; nil for those of other topics.
    package func lane(_ partition: KafkaPartition) -> SourceLane? {
        guard partition.topic.hasPrefix(prefix) else { return nil }
        return TopicID(rawValue: String(partition.topic.dropFirst(prefix.count)))
            .map { SourceLane(topic: $0, partition: partition.number) }
    }

    /// Every topic as it should be. Records are the only copy of what happened, and time retention
    /// counts from a record's own time, so that old records would be deleted as they arrive: they
    /// are kept for ever.
    ///
    /// - Parameters:
    ///   - partitions: of every topic.
    ///   - messageBytesMax: bytes of the largest batch that a topic has to take.
    package func topics(partitions: Int32, messageBytesMax: Int) -> [KafkaTopic] {
        TopicID.allCases.map {
            KafkaTopic(topic($0), partitions: partitions, messageBytesMax: messageBytesMax)
        }
    }
}
