/// How far a producer has got in a topic.
struct ProducerState: Hashable, Sendable {
    /// The source of its last record there; nil if only a foreign writer used its id.
    var lastSource: Offset?
    /// The stamp of its next batch.
    var next: ProducerStamp

    init(id: Int64) { next = ProducerStamp(producerID: id, epoch: 0, baseSequence: 0) }

    init(lastSource: Offset?, next: ProducerStamp) {
        self.lastSource = lastSource
        self.next = next
    }

    /// The state after a batch that bears `stamp`, whose last record came from `source`.
    func advanced(stamp: ProducerStamp, recordCount: Int, source: Offset?) -> ProducerState {
        let next = stamp.baseSequence >= 0 ? stamp.advanced(by: recordCount) : stamp
        return ProducerState(lastSource: source ?? lastSource, next: next)
    }
}

extension Record {
    /// The source offset in the record's header; nil if there is none that can be read.
    var source: Offset? {
        guard let digits = header(SourcedRecord.headerName),
            let value = Int64(String(decoding: digits, as: UTF8.self)), value >= 0
        else { return nil }
        return Offset(value)
    }
}

extension SourcedRecord {
    /// The record as it is stored: with its source offset in a header, once.
    var stored: Record {
        // Most producers have put it there already; then nothing need be copied.
        let count = record.headers.count { $0.name == Self.headerName }
        if count == 1, record.source == source { return record }
        var record = record
        record.headers.removeAll { $0.name == Self.headerName }
        record.headers.append(RecordHeader(Self.headerName, String(source.rawValue)))
        return record
    }
}
