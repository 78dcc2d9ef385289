import AppendLog
package import Bridges
package import Vocabulary

/// Where the Kafka bridge copies to, and by which names.
package struct KafkaPlace: Sendable {
    package var configuration: KafkaConfiguration
    /// In front of the name of every topic, group and transactional id.
    package var topicPrefix: String
    /// Of the topics that the bridge makes, and must find where they are made already.
    package var partitions: Int32
    /// Behind the name of the group: tests forget a position by it.
    var groupSuffix = ""

    package init(configuration: KafkaConfiguration, topicPrefix: String, partitions: Int32) {
        self.configuration = configuration
        self.topicPrefix = topicPrefix
        self.partitions = partitions
    }

    /// Bytes of key, value and headers of a record that fits, with room for the headers of a copy
    /// and for what a record batch puts around it.
    var recordBytesMax: Int { configuration.messageBytesMax - Self.envelopeBytes }

    private static let envelopeBytes = 1_024

    package func name(of topic: TopicID) -> String { topicPrefix + topic.rawValue }

    func partitions(of topic: TopicID) -> [KafkaPartition] {
        (0..<partitions).map { KafkaPartition(name(of: topic), $0) }
    }

    /// The group whose committed offsets say how far a log was copied. It has no members.
    func group(of log: String) -> String { "\(topicPrefix)tillbox-bridge-\(log)\(groupSuffix)" }

    /// Its offset of the first partition is the offset in the local log, whose topics have one.
    func positionPlace(of topic: TopicID) -> KafkaPartition { KafkaPartition(name(of: topic), 0) }

    /// What must be there. Time retention counts from a record's own time, which the bridge keeps,
    /// so that a short one would delete old records as they arrive: for ever is what is made.
    var wantedTopics: [KafkaTopic] {
        TopicID.allCases.map { topic in
            KafkaTopic(
                name(of: topic), partitions: partitions, retention: nil,
                messageBytesMax: configuration.messageBytesMax)
        }
    }
}

/// What a copied record carries beside its own headers.
enum CopyHeader {
    /// The id of the log that it was copied from.
    static let log = "tillbox-log"
    /// Its offset there.
    static let offset = "tillbox-offset"
    /// Of a letter in place of a record that is too large: that record's place.
    static let instead = "tillbox-instead"

    static func headers(log: String, offset: Offset) -> [RecordHeader] {
        [RecordHeader(self.log, log), RecordHeader(self.offset, String(offset.rawValue))]
    }

    static func instead(of place: SourcePlace) -> RecordHeader {
        RecordHeader(instead, "\(place.topic.rawValue)/\(place.offset.rawValue)")
    }

    /// The place of the record that this one is a letter for; nil where it is none.
    static func placeInstead(in record: Record) -> SourcePlace? {
        guard let parts = record.text(instead)?.split(separator: "/"), parts.count == 2,
            let topic = TopicID(rawValue: String(parts[0])),
            let offset = Int64(parts[1]).flatMap(Offset.init(named:))
        else { return nil }
        return SourcePlace(topic: topic, offset: offset)
    }

    /// nil where the record was not copied by a bridge.
    static func source(of record: Record) -> (log: String, offset: Offset)? {
        guard let log = record.text(log), let offset = record.text(offset),
            let number = Int64(offset).flatMap(Offset.init(named:))
        else { return nil }
        return (log, number)
    }
}

extension RelayFailure {
    init(_ error: KafkaError) {
        switch error.remedy {
        case .stop: self = .permanent("\(error)")
        default: self = .passing("\(error)")
        }
    }
}
