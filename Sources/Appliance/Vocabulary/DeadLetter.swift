import AppendLog

/// Why a record went to `dead.letter`: the headers of contracts §2.
struct DeadLetter: Hashable, Sendable {
    var topic: String
    var partition: Int32 = 0
    /// Offset in that partition of `topic`; nil for a request that never became a record.
    var offset: Offset?
    var stage: String
    /// Stable code, as `dead-letter list` groups it.
    var reason: String
    /// What exactly was wrong, for a person.
    var detail: String

    /// The record to append: the failed one's key and value untouched.
    func record(
        key: ArraySlice<UInt8>?, value: ArraySlice<UInt8>?, eventID: String?, timestamp: Timestamp
    ) -> Record {
        var headers = [
            RecordHeader("topic", topic),
            RecordHeader("offset", offset.map { String($0.rawValue) } ?? "-1"),
            RecordHeader("stage", stage),
            RecordHeader("reason", reason),
            RecordHeader("detail", detail),
            RecordHeader("source-offset", offset.map { String($0.rawValue) } ?? "-1"),
            RecordHeader("schema", "dead.letter/1"),
        ]
        if partition != 0 { headers.append(RecordHeader("partition", String(partition))) }
        if let eventID { headers.append(RecordHeader("event-id", eventID)) }
        return Record(key: key, value: value, headers: headers, timestamp: timestamp)
    }

    /// The record to append for one that was stored. One that had been redriven hands on the name of
    /// the dead letter that it came from.
    ///
    /// - Parameter eventID: nil takes it from the failed record's own header.
    func record(of failed: Record, eventID: String? = nil) -> Record {
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
    init(of place: SourcePlace, stage: String, reason: String, detail: String) {
        self.init(
            topic: place.topic.rawValue, partition: place.partition, offset: place.offset,
            stage: stage, reason: reason, detail: detail)
    }
}

/// Headers that a redriven record and its traces carry.
enum RedriveHeader {
    /// `dead.letter/<offset>`: the dead letter that a record came back from.
    static let from = "redriven-from"
    /// On an order in `dead.letter` alone: the topic that the record is to go back to.
    static let to = "redrive-to"

    private static let prefix = "dead.letter/"

    /// The value of ``from``.
    static func origin(_ letter: Offset) -> String { prefix + String(letter.rawValue) }

    /// The offset in a record's ``from``; nil where it came straight from Stripe or a person.
    static func letter(of record: Record) -> Offset? {
        guard let text = record.text(from), text.hasPrefix(prefix) else { return nil }
        return Int64(text.dropFirst(prefix.count)).map { Offset($0) }
    }
}

extension Record {
    /// A header's value as text; what is not UTF-8 is repaired.
    func text(_ name: String) -> String? {
        header(name).map { String(decoding: $0, as: UTF8.self) }
    }
}
