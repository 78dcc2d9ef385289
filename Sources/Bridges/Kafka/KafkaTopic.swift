/// A topic as it should be, or as it is.
public struct KafkaTopic: Hashable, Sendable {
    public var name: String
    public var partitions: Int32
    /// How long records are kept, in whole seconds; nil is for ever (`retention.ms=-1`).
    ///
    /// Retention looks at a record's own timestamp: a copy of an old record is deleted on arrival.
    public var retention: Duration?
    /// The largest batch that the topic takes (`max.message.bytes`).
    public var messageBytesMax: Int
    /// nil leaves it to the broker.
    public var replication: Int16?

    public init(
        _ name: String, partitions: Int32, retention: Duration? = nil,
        messageBytesMax: Int = 2 << 20, replication: Int16? = nil
    ) {
        self.name = name
        self.partitions = partitions
        self.retention = retention
        self.messageBytesMax = messageBytesMax
        self.replication = replication
    }
}

/// Why a topic cannot be used as it is.
public enum KafkaTopicRefusal: Error, Hashable, Sendable {
    case missing(String, partitions: Int32)
    /// Keys would move to other partitions, and their order would be lost.
    case otherPartitionCount(String, found: Int32, wanted: Int32)
    /// Topics have different counts: no setting is right for all of them.
    case unequalPartitionCounts(String, found: Int32, most: Int32)
    /// What is copied would be deleted on arrival.
    case shortRetention(String, found: Duration, needed: Duration?)
    case smallMessages(String, bytesMax: Int, needed: Int)
}

extension KafkaTopicRefusal: CustomStringConvertible {
    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .missing(let topic, let partitions):
            "the Kafka topic \(topic) does not exist; create it with \(partitions) partitions and "
                + "retention.ms=-1"
        case .otherPartitionCount(let topic, let found, let wanted):
            "the Kafka topic \(topic) has \(found) partitions and not \(wanted); another count "
                + "breaks the order of each key, so set kafka.partitions to what the topic has, or "
                + "use another kafka.topic_prefix"
        case .unequalPartitionCounts(let topic, let found, let most):
            "the Kafka topic \(topic) has \(found) partitions and most of the others have "
                + "\(most); all of them need one count, so delete \(topic) if it holds nothing "
                + "yet and have it made with \(most) (kafka.partitions: \(most)), or use another "
                + "kafka.topic_prefix"
        case .shortRetention(let topic, let found, let needed):
            "the Kafka topic \(topic) keeps records for \(Self.time(found)), "
                + (needed.map { "and the oldest to be kept is \(Self.time($0)) old" }
                    ?? "and it has to keep them for ever")
                + "; set retention.ms=-1"
        case .smallMessages(let topic, let bytesMax, let needed):
            "the Kafka topic \(topic) takes records of \(bytesMax) bytes, and \(needed) are "
                + "needed; set max.message.bytes=\(needed)"
        }
    }

    private static func time(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return seconds >= 172_800 ? "\(seconds / 86_400) days" : "\(seconds) seconds"
    }
}

/// Compares topics as they are with topics as they should be. Pure.
public enum KafkaTopicCheck {
    /// - Parameters:
    ///   - found: what `KafkaAdmin.describe` gave.
    ///   - oldestRecordAge: how old the oldest record is that will be written: a finite retention
    ///     has to be longer. nil refuses every finite retention that is shorter than wanted.
    /// - Returns: every refusal, in the order of `wanted`; none is fine.
    public static func refusals(
        wanted: [KafkaTopic], found: [String: KafkaTopic], oldestRecordAge: Duration? = nil
    ) -> [KafkaTopicRefusal] {
        let most = commonest(wanted, found)
        return wanted.flatMap { topic -> [KafkaTopicRefusal] in
            guard let existing = found[topic.name] else {
                return [.missing(topic.name, partitions: topic.partitions)]
            }
            return refusals(wanted: topic, found: existing, most, oldestRecordAge)
        }
    }

    /// The count of partitions that most topics have, where one count is wanted of all; of counts
    /// that equally many have, the one that is wanted, and of others the smaller one. nil where
    /// there is no topic.
    private static func commonest(_ wanted: [KafkaTopic], _ found: [String: KafkaTopic]) -> Int32? {
        let counts = wanted.compactMap { found[$0.name]?.partitions }
        let isWanted = Set(wanted.map(\.partitions))
        guard isWanted.count == 1 else { return nil }
        return Dictionary(grouping: counts) { $0 }.max { left, right in
            (left.value.count, isWanted.contains(left.key) ? 1 : 0, -left.key)
                < (right.value.count, isWanted.contains(right.key) ? 1 : 0, -right.key)
        }?.key
    }

    private static func refusals(
        wanted: KafkaTopic, found: KafkaTopic, _ most: Int32?, _ oldestRecordAge: Duration?
    ) -> [KafkaTopicRefusal] {
        var result: [KafkaTopicRefusal] = []
        if let most, found.partitions != most {
            result.append(
                .unequalPartitionCounts(wanted.name, found: found.partitions, most: most))
        } else if found.partitions != wanted.partitions {
            result.append(
                .otherPartitionCount(
                    wanted.name, found: found.partitions, wanted: wanted.partitions))
        }
        if let kept = found.retention {
            let needed = oldestRecordAge ?? wanted.retention
            if needed.map({ kept < $0 }) ?? true {
                result.append(.shortRetention(wanted.name, found: kept, needed: needed))
            }
        }
        if found.messageBytesMax < wanted.messageBytesMax {
            result.append(
                .smallMessages(
                    wanted.name, bytesMax: found.messageBytesMax, needed: wanted.messageBytesMax))
        }
        return result
    }
}
