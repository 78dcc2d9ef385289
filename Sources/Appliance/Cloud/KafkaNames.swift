import AppendLog
import Bridges
package import Vocabulary

/// What topics, groups and transactional ids are called at Kafka: our own names behind a prefix,
/// so that several installations can share a cluster.
package struct KafkaNames: Hashable, Sendable {
    package let prefix: String

    package init(prefix: String) { self.prefix = prefix }

    package func topic(_ id: TopicID) -> String { prefix + id.rawValue }

    /// The topic of a name; nil for those that are not ours.
    func id(of name: String) -> TopicID? {
        guard name.hasPrefix(prefix) else { return nil }
        return TopicID(rawValue: String(name.dropFirst(prefix.count)))
    }

    /// A step's consumer group.
    package func group(_ step: String) -> String { prefix + step }

    func partition(_ lane: SourceLane) -> KafkaPartition {
        KafkaPartition(topic(lane.topic), lane.partition)
    }

    func lane(_ partition: KafkaPartition) -> SourceLane? {
        id(of: partition.topic).map { SourceLane(topic: $0, partition: partition.number) }
    }
}
