import AppendLog
package import Bridges
package import Vocabulary

/// Where the Kafka bridge copies to, and by which names.
package struct KafkaPlace: Sendable {
    package var configuration: KafkaConfiguration
    package var names: KafkaNames
    /// Of the topics that the bridge makes, and must find where they are made already.
    package var partitions: Int32

    package init(configuration: KafkaConfiguration, names: KafkaNames, partitions: Int32) {
        self.configuration = configuration
        self.names = names
        self.partitions = partitions
    }

    /// Bytes of key, value and headers of a record that fits, with room for the headers of a copy
    /// and for what a record batch puts around it.
    var recordBytesMax: Int { configuration.messageBytesMax - Self.envelopeBytes }

    private static let envelopeBytes = 1_024

    func partitions(of topic: TopicID) -> [KafkaPartition] {
        names.partitions(of: topic, count: partitions)
    }

    /// The group whose committed offsets say how far a log was copied, and the transactional id of
    /// who copies it. The group has no members.
    func group(of log: String) -> String { names.group("tillbox-bridge-\(log)") }

    /// Its offset of the first partition is the offset in the local log, whose topics have one.
    func positionPlace(of topic: TopicID) -> KafkaPartition {
        KafkaPartition(names.topic(topic), 0)
    }

    /// What must be there.
    var wantedTopics: [KafkaTopic] {
        names.topics(partitions: partitions, messageBytesMax: configuration.messageBytesMax)
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
