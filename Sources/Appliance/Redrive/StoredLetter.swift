package import AppendLog
package import Vocabulary

/// A dead letter as it lies in `dead.letter`.
package struct StoredLetter: Sendable {
    package let place: SourcePlace
    package private(set) var record: Record
    let stage: String
    package let reason: String
    let detail: String
    /// The topic of the record that failed; `webhook` for a delivery that never became one.
    let topic: String
    /// Its offset and partition there.
    let source: Offset?
    let sourcePartition: Int32
    /// The dead letter that this record had been redriven from, when it failed again.
    let origin: SourcePlace?

    package var offset: Offset { place.offset }
    var eventID: String? { record.text("event-id") }
    package var value: ArraySlice<UInt8> { record.value ?? [] }

    /// The same letter with the value that somebody has given it.
    func edited(_ edit: RedriveEdit) -> Self {
        var letter = self
        letter.record.value = edit.value[...]
        return letter
    }

    /// - Returns: nil for a redrive order, which lies in the same topic.
    package init?(_ stored: StoredRecord, partition: Int32 = 0) {
        guard stored.record.header(RedriveHeader.to) == nil else { return nil }
        place = .letter(stored.offset, partition: partition)
        record = stored.record
        stage = stored.record.text("stage") ?? ""
        reason = stored.record.text("reason") ?? ""
        detail = stored.record.text("detail") ?? ""
        topic = stored.record.text("topic") ?? ""
        source = stored.record.text("offset").flatMap { Int64($0) }.flatMap {
            $0 >= 0 ? Offset($0) : nil
        }
        sourcePartition = stored.record.text("partition").flatMap { Int32($0) } ?? 0
        origin = RedriveHeader.letter(of: stored.record)
    }
}

/// That a dead letter goes back: a record of `dead.letter` itself, so that asking and having asked
/// are one durable step.
///
/// | part | content |
/// | --- | --- |
/// | key, value | the failed record's; at Kafka, where its record stands beside it, no value |
/// | headers | the failed record's own, where that is still kept; then those below |
/// | `redriven-from` | `dead.letter/<offset>`, or `dead.letter/<partition>/<offset>` |
/// | `redrive-to` | the topic it goes back to; `webhook`: the gate's admission has it already |
/// | `stage` | `redrive` |
/// | `redrive-outcome` | of `webhook` only: `admitted` or `duplicate` |
/// | `edited-by`, … | where the value was edited: see ``RedriveEdit`` |
///
/// `RedriveStage` turns each order into one record of its topic. In the embedded log that is a step
/// of its own, and the order's offset is the record's source; at Kafka both are one transaction.
struct RedriveOrder: Sendable {
    let place: SourcePlace
    let letter: SourcePlace
    let target: String
    let at: Timestamp
    /// Of a delivery: what the admission said.
    let outcome: String?

    /// Where deliveries go that never became a record.
    static let gate = "webhook"
    private static let outcomeHeader = "redrive-outcome"

    /// - Returns: nil for a dead letter.
    init?(_ stored: StoredRecord, partition: Int32 = 0) {
        guard let target = stored.record.text(RedriveHeader.to),
            let letter = RedriveHeader.letter(of: stored.record)
        else { return nil }
        place = .letter(stored.offset, partition: partition)
        self.letter = letter
        self.target = target
        at = stored.record.timestamp
        outcome = stored.record.text(Self.outcomeHeader)
    }

    /// The order for a letter whose record goes back to `target`.
    ///
    /// - Parameters:
    ///   - original: the record that failed, if the log still has it.
    ///   - edit: what goes back in place of the letter's value.
    static func record(
        for letter: StoredLetter, original: Record?, to target: TopicID, at: Timestamp,
        edit: RedriveEdit? = nil
    ) -> Record {
        let own = [
            RedriveHeader.from, RedriveHeader.to, SourcedRecord.headerName, SourceHeader.name,
            "stage", "schema",
        ]
        var headers = (original?.headers ?? []).filter { !own.contains($0.name) }
        if original == nil, let eventID = letter.eventID {
            headers.append(RecordHeader("event-id", eventID))
        }
        headers += trace(of: letter, to: target.rawValue)
        if let edit { headers = edited(headers, by: edit, of: letter) }
        return Record(
            key: letter.record.key, value: edit.map { $0.value[...] } ?? letter.record.value,
            headers: headers, timestamp: at)
    }

    /// Neither Stripe's signature nor the endpoint says anything of bytes that never came in there.
    private static func edited(
        _ headers: [RecordHeader], by edit: RedriveEdit, of letter: StoredLetter
    ) -> [RecordHeader] {
        let stale = RedriveEdit.headerNames + ["signature"]
        return headers.filter { !stale.contains($0.name) }.map { header in
            header.name == "endpoint" ? RecordHeader("endpoint", RedriveStage.name) : header
        } + edit.headers(of: letter)
    }

    /// The mark of a delivery that went through the admission.
    static func mark(
        of letter: StoredLetter, outcome: String, at: Timestamp, edit: RedriveEdit? = nil
    ) -> Record {
        Record(
            key: letter.record.key, value: nil,
            headers: trace(of: letter, to: gate) + [RecordHeader(outcomeHeader, outcome)]
                + (edit?.headers(of: letter) ?? []),
            timestamp: at)
    }

    private static func trace(of letter: StoredLetter, to target: String) -> [RecordHeader] {
        [
            RecordHeader("stage", RedriveStage.name),
            RecordHeader(SourcedRecord.headerName, "-1"),
            RecordHeader("schema", "dead.letter.order/1"),
            RecordHeader(RedriveHeader.from, RedriveHeader.origin(letter.place)),
            RecordHeader(RedriveHeader.to, target),
        ]
    }
}
