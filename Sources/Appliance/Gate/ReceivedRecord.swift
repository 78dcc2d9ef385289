import AppendLog

extension Record {
    /// A record of `webhook.received` (contracts §2), however its event came.
    ///
    /// - Parameters:
    ///   - endpoint: the webhook endpoint's name, or how the event came without one.
    ///   - receivedAt: when the body first reached us.
    ///   - timestamp: when it is admitted; `receivedAt` unless that was earlier.
    ///   - further: headers behind those that every such record has.
    static func received(
        _ body: ArraySlice<UInt8>, id: EventID, endpoint: String, signature: String = "",
        receivedAt: Timestamp, timestamp: Timestamp? = nil, further: [RecordHeader] = []
    ) -> Record {
        Record(
            key: ArraySlice(id.rawValue.utf8), value: body,
            headers: [
                RecordHeader("endpoint", endpoint),
                RecordHeader("received-at", String(receivedAt.milliseconds)),
                RecordHeader("signature", signature),
                RecordHeader("event-id", id.rawValue),
                RecordHeader(SourcedRecord.headerName, "-1"),
                RecordHeader("schema", "webhook.received/1"),
            ] + further,
            timestamp: timestamp ?? receivedAt)
    }
}
