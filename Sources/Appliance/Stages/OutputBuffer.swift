import AppendLog
import Vocabulary

/// The outputs of one run, written into one piece of memory.
///
/// A derived record has a key, a value and two headers of its own. Each would be an allocation,
/// made on this thread and given back on the log's; as slices of one buffer they cost none. The
/// records share it, as those do that are read together.
struct OutputBuffer {
    private var writer: JSONWriter
    private var drafts: [Draft] = []

    /// An output whose bytes stand in the buffer, or one that is complete.
    private enum Draft {
        case derived(
            topic: TopicID, source: OutputSource, schema: RecordHeader, Pieces,
            timestamp: Timestamp)
        case complete(StageOutput)
    }

    /// Where the pieces of a record end, one behind the other.
    private struct Pieces {
        var start: Int
        var key = 0
        var eventID = 0
        var source = 0
        var value = 0
    }

    /// About how many bytes of key, headers and value a record has.
    private static let recordByteCount = 768

    /// - Parameter count: about how many outputs there will be.
    init(count: Int) {
        writer = JSONWriter(capacity: count * Self.recordByteCount)
        drafts.reserveCapacity(count)
    }

    /// An output that is made already, such as a dead letter.
    mutating func append(_ output: StageOutput) { drafts.append(.complete(output)) }

    /// A derived record: it keeps its source's key order, arrival time and the headers of contracts
    /// §2.
    mutating func derive(
        topic: TopicID, from source: PlacedRecord, eventID: EventID, schema: RecordHeader,
        key: String, _ value: some JSONRecord
    ) {
        let pieces = write(
            key: key, eventID: eventID, source: source.place.offset.rawValue, value)
        drafts.append(
            .derived(
                topic: topic, source: .record(source.place), schema: schema, pieces,
                timestamp: source.record.timestamp))
    }

    /// The record of a row of the ledger, whose number is its source.
    mutating func derive(
        topic: TopicID, row: Int64, eventID: EventID, schema: RecordHeader, key: String,
        timestamp: Timestamp, _ value: some JSONRecord
    ) {
        let pieces = write(key: key, eventID: eventID, source: row, value)
        drafts.append(
            .derived(
                topic: topic, source: .row(row), schema: schema, pieces, timestamp: timestamp))
    }

    private mutating func write(
        key: String, eventID: EventID, source: Int64, _ value: some JSONRecord
    ) -> Pieces {
        var pieces = Pieces(start: writer.bytes.count)
        writer.plain(key)
        pieces.key = writer.bytes.count
        writer.plain(eventID.rawValue)
        pieces.eventID = writer.bytes.count
        writer.beginDocument()
        writer.int(source)
        pieces.source = writer.bytes.count
        writer.beginDocument()
        value.encode(into: &writer)
        pieces.value = writer.bytes.count
        return pieces
    }

    /// The outputs in the order in which they were given.
    consuming func outputs() -> [StageOutput] {
        // Not before all of it is written: a slice would make the next write a copy.
        let bytes = writer.bytes
        var outputs: [StageOutput] = []
        outputs.reserveCapacity(drafts.count)
        for draft in drafts {
            switch draft {
            case .complete(let output): outputs.append(output)
            case .derived(let topic, let source, let schema, let pieces, let timestamp):
                let record = Record(
                    key: bytes[pieces.start..<pieces.key],
                    value: bytes[pieces.source..<pieces.value],
                    headers: [
                        RecordHeader("event-id", bytes[pieces.key..<pieces.eventID]),
                        schema,
                        RecordHeader(
                            SourcedRecord.headerName, bytes[pieces.eventID..<pieces.source]),
                    ],
                    timestamp: timestamp)
                outputs.append(StageOutput(topic: topic, source: source, record: record))
            }
        }
        return outputs
    }
}
