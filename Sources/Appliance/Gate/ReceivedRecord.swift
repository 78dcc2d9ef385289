package import AppendLog
package import Vocabulary

extension Record {
    /// A record of `webhook.received` (contracts §2), however its event came.
    ///
    /// - Parameters:
    ///   - endpoint: the webhook endpoint's name, or how the event came without one.
    ///   - receivedAt: when the body first reached us.
    ///   - timestamp: when it is admitted; `receivedAt` unless that was earlier.
    ///   - further: headers behind those that every such record has.
    package static func received(
        _ body: ArraySlice<UInt8>, id: EventID, endpoint: String, signature: String = "",
        receivedAt: Timestamp, timestamp: Timestamp? = nil, further: [RecordHeader] = []
    ) -> Record {
        let id = ArraySlice(id.rawValue.utf8)
        var headers = [
            RecordHeader("endpoint", endpoint),
            RecordHeader("received-at", String(receivedAt.milliseconds)),
            RecordHeader("signature", signature),
            RecordHeader("event-id", id),
            receivedSource,
            receivedSchema,
        ]
        if !further.isEmpty { headers += further }
        return Record(key: id, value: body, headers: headers, timestamp: timestamp ?? receivedAt)
    }

    private static let receivedSource = RecordHeader(SourcedRecord.headerName, "-1")
    private static let receivedSchema = RecordHeader("schema", "webhook.received/1")
}
