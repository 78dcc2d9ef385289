package import AppendLog
package import Bridges
package import Vocabulary

/// How large a record may be at Kafka: what a client sends at most, and what each topic takes,
/// which somebody may have changed.
package struct KafkaSizes: Sendable {
    private let names: KafkaNames
    /// What is never sent, whatever a topic takes, in bytes.
    private let own: Int
    private let bounds: [String: Int]

    /// What the broker and a client count of a record beside its own bytes, and of each header.
    private static let envelopeBytes = 100
    private static let headerBytes = 8
    private static let answerPatience = Duration.seconds(5)

    /// Asks the topics. Blocks.
    package init(
        _ configuration: KafkaConfiguration, names: KafkaNames, topics: [TopicID]
    ) throws(KafkaError) {
        let found = try KafkaAdmin(configuration).describe(
            topics.map(names.topic), within: Self.answerPatience)
        self.init(
            names: names, own: configuration.messageBytesMax,
            bounds: found.mapValues(\.messageBytesMax))
    }

    init(names: KafkaNames, own: Int, bounds: [String: Int]) {
        self.names = names
        self.own = own
        self.bounds = bounds
    }

    /// Why a record is too large for a topic; nil where it fits. Where the topic's bound is the
    /// lower one, it counts what is left of a record once it is compressed: that is not known
    /// before.
    package func refusal(of record: Record, to topic: TopicID) -> String? {
        let name = names.topic(topic)
        let bytes =
            Self.envelopeBytes + (record.key?.count ?? 0) + (record.value?.count ?? 0)
            + record.headers.reduce(0) {
                $0 + Self.headerBytes + $1.name.utf8.count + ($1.value?.count ?? 0)
            }
        guard bytes > min(own, bounds[name] ?? own) else { return nil }
        return Self.sentence(of: name, own: own, bound: bounds[name])
            + (bytes > own ? "" : ", unless it is compressed to less")
    }

    /// - Parameter bound: the topic's; nil where nobody has said it.
    static func sentence(of topic: String, own: Int, bound: Int?) -> String {
        let bound = bound ?? own
        return "with its headers it is too large for the Kafka topic \(topic), where "
            + "\(min(bound, own)) bytes are allowed; "
            + (bound < own
                ? "set max.message.bytes=\(own) there and redrive it again"
                : "larger ones are never sent")
    }
}
