package import AppendLog

/// The header that names where a record was derived from: `topic/partition/offset`. An offset alone
/// names nothing where topics have several partitions, and a position that has expired is found
/// again by it.
package enum SourceHeader {
    package static let name = "source"

    package static func header(_ place: SourcePlace) -> RecordHeader {
        RecordHeader(
            name, "\(place.topic.rawValue)/\(place.partition)/\(place.offset.rawValue)")
    }

    /// - Returns: nil also where it names no place that a topic can have: it came over the network.
    package static func place(in record: Record) -> SourcePlace? {
        guard let parts = record.text(name)?.split(separator: "/"), parts.count == 3,
            let topic = TopicID(rawValue: String(parts[0])),
            let partition = Int32(parts[1]), partition >= 0,
            let offset = Int64(parts[2]).flatMap(Offset.init(named:))
        else { return nil }
        return SourcePlace(topic: topic, partition: partition, offset: offset)
    }
}
