/// A batch as it lies in the log: whole, its checksum verified, its records not yet decoded.
///
/// The cheapest way to move records on: `bytes` are what any Kafka broker or client takes.
public struct StoredBatch: Hashable, Sendable {
    public let header: RecordBatchHeader
    /// Shares the bytes of the whole read.
    public let bytes: ArraySlice<UInt8>
    /// Where it was read.
    let file: String
    package let position: Int64

    init(header: RecordBatchHeader, bytes: ArraySlice<UInt8>, file: String, position: Int64) {
        self.header = header
        self.bytes = bytes
        self.file = file
        self.position = position
    }

    /// Its records from `offset` on; none of a control batch, which holds Kafka's own markers.
    ///
    /// - Throws: `.unsupportedCompression`, `.corrupt`.
    public func records(from offset: Offset = .zero) throws(LogError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        try decode(from: offset, into: &records)
        return records
    }

    fileprivate func verify() throws(LogError) {
        do { try RecordBatch.verify(bytes) } catch { throw corrupt(error) }
    }

    private func corrupt(_ error: RecordBatchError) -> LogError {
        .corrupt(
            Corruption(
                file: file, position: position, offset: header.baseOffset, kind: .batch(error)))
    }

    fileprivate func decode(
        from offset: Offset, into records: inout [StoredRecord]
    ) throws(LogError) {
        if header.attributes.isControl { return }
        do {
            try RecordBatch.decode(bytes, from: offset, into: &records)
        } catch {
            if case .unsupportedCompression(let codec) = error {
                throw .unsupportedCompression(codec, file: file, offset: header.baseOffset)
            }
            throw corrupt(error)
        }
    }
}

extension StoredBatch {
    /// No batch has more, whatever a header says that nobody has verified.
    fileprivate var recordCountMax: Int {
        min(header.recordCount, header.byteCount / RecordBatch.recordByteCountMin)
    }
}

extension [StoredBatch] {
    /// The records of all of them from `offset` on.
    ///
    /// - Parameter verifies: whether their checksums are still to be computed: each right before
    ///   its batch is decoded, while the processor's cache holds it.
    func records(
        from offset: Offset, verifies: Bool = false
    ) throws(LogError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        // One batch is left to make room for what is asked of it, which may be its last record.
        if count > 1 { records.reserveCapacity(reduce(0) { $0 + $1.recordCountMax }) }
        for batch in self {
            if verifies { try batch.verify() }
            try batch.decode(from: offset, into: &records)
        }
        return records
    }
}

/// Batches as a read found them, whose checksums nobody has computed yet.
struct UnverifiedBatches: Sendable {
    private let batches: [StoredBatch]

    init(_ batches: [StoredBatch] = []) { self.batches = batches }

    func verified() throws(LogError) -> [StoredBatch] {
        for batch in batches { try batch.verify() }
        return batches
    }

    /// Their records from `offset` on.
    func verifiedRecords(from offset: Offset) throws(LogError) -> [StoredRecord] {
        try batches.records(from: offset, verifies: true)
    }
}
