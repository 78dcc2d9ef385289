/// A batch as it lies in the log: whole, its checksum verified, its records not yet decoded.
///
/// The cheapest way to move records on: `bytes` are what any Kafka broker or client takes.
public struct StoredBatch: Hashable, Sendable {
    public let header: RecordBatchHeader
    /// Shares the bytes of the whole read.
    public let bytes: ArraySlice<UInt8>
    /// Where it was read, for error messages.
    let file: String
    let position: Int64

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
        if header.attributes.isControl { return [] }
        do {
            return try RecordBatch.records(in: bytes, from: offset)
        } catch {
            if case .unsupportedCompression(let codec) = error {
                throw .unsupportedCompression(codec, file: file, offset: header.baseOffset)
            }
            throw .corrupt(
                Corruption(
                    file: file, position: position, offset: header.baseOffset, kind: .batch(error)))
        }
    }
}

extension [StoredBatch] {
    /// The records of all of them from `offset` on.
    func records(from offset: Offset) throws(LogError) -> [StoredRecord] {
        guard let first else { return [] }
        var records = try first.records(from: offset)
        guard count > 1 else { return records }
        records.reserveCapacity(reduce(0) { $0 + $1.header.recordCount })
        for batch in dropFirst() { records += try batch.records() }
        return records
    }
}
