import AppendLog

/// Why a record went to `dead.letter`: the headers of contracts §2.
struct DeadLetter: Hashable, Sendable {
    var topic: String
    /// Offset in `topic`; nil for a request that never became a record.
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
        if let eventID { headers.append(RecordHeader("event-id", eventID)) }
        return Record(key: key, value: value, headers: headers, timestamp: timestamp)
    }
}
