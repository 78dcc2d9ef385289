package import AppendLog
package import Bridges
package import Vocabulary

/// The topics of the cloud plane, and whether those at Kafka can be used.
package struct CloudTopics: Sendable {
    private let configuration: KafkaConfiguration
    private let wanted: [KafkaTopic]

    /// For who waits at a terminal: a broker that answers does so at once.
    package static let answerPatience = Duration.seconds(5)
    /// Long enough for a cluster that answers to make seven topics.
    private static let creationPatience = Duration.seconds(20)

    /// - Parameter partitions: of every topic.
    package init(_ configuration: KafkaConfiguration, names: KafkaNames, partitions: Int32) {
        self.configuration = configuration
        wanted = names.topics(
            partitions: partitions, messageBytesMax: configuration.messageBytesMax)
    }

    /// Creates what is missing, then checks all. Blocks.
    ///
    /// - Returns: the names of those that were created.
    /// - Throws: `KafkaError`; `KafkaTopicRefusal` for one that cannot be used, or changed.
    package func prepare() throws -> [String] {
        let (made, refusals) = try admin().prepare(
            wanted, within: Self.answerPatience, creatingWithin: Self.creationPatience)
        if let first = refusals.first { throw first }
        return made
    }

    /// - Throws: `CloudUnprepared` for what `cloud prepare` mends; `KafkaTopicRefusal` for what it
    ///   cannot; `KafkaError`.
    package func check(within patience: Duration) throws {
        try check(with: try admin(), within: patience)
    }

    /// For who checks again and again.
    func admin() throws(KafkaError) -> KafkaAdmin { try KafkaAdmin(configuration) }

    func check(with admin: KafkaAdmin, within patience: Duration) throws {
        let found = try admin.describe(wanted.map(\.name), within: patience)
        switch KafkaTopicCheck.refusals(wanted: wanted, found: found).first {
        case nil: return
        case .missing(let topic, _)?: throw CloudUnprepared(topic: topic)
        case let refusal?: throw refusal
        }
    }
}

/// A role finds that what it needs was never made.
package struct CloudUnprepared: Error, CustomStringConvertible {
    package var topic: String

    package init(topic: String) { self.topic = topic }

    package var description: String {
        "the Kafka topic \(topic) does not exist; run `tillbox cloud prepare` with the same "
            + "settings once"
    }
}

/// A topic is not there any more that a running role has used. In one form of words, whether its
/// producer, its consumer or the watch has found it.
package struct KafkaTopicGone: Error, CustomStringConvertible {
    package var topic: String

    package init(topic: String) { self.topic = topic }

    package var description: String {
        "the Kafka topic \(topic) was deleted, or made anew with fewer partitions, while it was "
            + "used; `tillbox cloud prepare` makes it again, empty, and what only it held comes "
            + "back by `tillbox reconcile sweep`, once the claims in Redis are deleted "
            + "(docs/CLOUD.md)"
    }
}

/// A topic ends before a running role's place in it, or begins behind that.
package struct KafkaPlaceGone: Error, CustomStringConvertible {
    package var partition: KafkaPartition
    package var offset: Offset?

    package var description: String {
        "\(KafkaError.offsetOutOfRange(partition, offset)): start the role anew, which goes on at "
            + "what it has stored; where the broker has lost records, docs/CLOUD.md has how they "
            + "come back"
    }
}

extension KafkaError {
    /// What it is to a role, whose topics were there at its start.
    var seenByRole: any Error {
        switch self {
        case .offsetOutOfRange(let partition, let offset):
            KafkaPlaceGone(partition: partition, offset: offset)
        case .topicMissing(let topic): KafkaTopicGone(topic: topic)
        case .partitionMissing(let partition): KafkaTopicGone(topic: partition.topic)
        default: self
        }
    }
}
