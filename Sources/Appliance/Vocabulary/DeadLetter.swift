package import AppendLog

/// Why a record went to `dead.letter`: the headers of contracts §2.
package struct DeadLetter: Hashable, Sendable {
    package var topic: String
    package var partition: Int32
    /// Offset in that partition of `topic`; nil for a request that never became a record.
    package var offset: Offset?
    package var stage: String
    /// Stable code, as `dead-letter list` groups it.
    package var reason: String
    /// What exactly was wrong, for a person.
    package var detail: String

    package init(
        topic: String, partition: Int32 = 0, offset: Offset? = nil, stage: String, reason: String,
        detail: String
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.stage = stage
        self.reason = reason
        self.detail = detail
    }

    /// The record to append: the failed one's key and value untouched.
    package func record(
        key: ArraySlice<UInt8>?, value: ArraySlice<UInt8>?, eventID: String?, timestamp: Timestamp
    ) -> Record {
        var headers = [
            RecordHeader("topic", topic),
            RecordHeader("offset", offset.map { String($0.rawValue) } ?? "-1"),
            RecordHeader("stage", stage),
            RecordHeader("reason", reason),
            RecordHeader("detail", detail),
            RecordHeader(
                SourcedRecord.headerName, offset.map { String($0.rawValue) } ?? "-1"),
            RecordHeader("schema", "dead.letter/1"),
        ]
        if partition != 0 { headers.append(RecordHeader("partition", String(partition))) }
        if let eventID { headers.append(RecordHeader("event-id", eventID)) }
        return Record(key: key, value: value, headers: headers, timestamp: timestamp)
    }

    /// The record to append for one that was stored. One that had been redriven hands on the name
    /// of the dead letter that it came from.
    ///
    /// - Parameter eventID: nil takes it from the failed record's own header.
    package func record(of failed: Record, eventID: String? = nil) -> Record {
        var letter = record(
            key: failed.key, value: failed.value,
            eventID: eventID ?? failed.text("event-id"), timestamp: failed.timestamp)
        if let origin = failed.header(RedriveHeader.from) {
            letter.headers.append(RecordHeader(RedriveHeader.from, origin))
        }
        return letter
    }
}

extension DeadLetter {
    /// Of the record at `place`.
    package init(of place: SourcePlace, stage: String, reason: String, detail: String) {
        self.init(
            topic: place.topic.rawValue, partition: place.partition, offset: place.offset,
            stage: stage, reason: reason, detail: detail)
    }
}

/// Headers that a redriven record and its traces carry.
package enum RedriveHeader {
    /// `dead.letter/<offset>`: the dead letter that a record came back from; where the topic has
    /// several partitions, `dead.letter/<partition>/<offset>` behind the first.
    package static let from = "redriven-from"
    /// On an order in `dead.letter` alone: the topic that the record is to go back to.
    package static let to = "redrive-to"

    private static let prefix = "dead.letter/"

    /// The value of ``from``.
    package static func origin(_ letter: SourcePlace) -> String { prefix + letter.letterName }

    /// The place in a record's ``from``; nil where it came straight from Stripe or a person.
    package static func letter(of record: Record) -> SourcePlace? {
        guard let text = record.text(from), text.hasPrefix(prefix) else { return nil }
        return SourcePlace(letterName: text.dropFirst(prefix.count))
    }
}

extension Record {
    /// A header's value as text; what is not UTF-8 is repaired.
    package func text(_ name: String) -> String? {
        header(name).map { String(decoding: $0, as: UTF8.self) }
    }
}
