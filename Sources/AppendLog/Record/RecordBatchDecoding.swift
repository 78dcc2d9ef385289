extension RecordBatch {
    /// Decodes the records of the batch at the start of `bytes`; what follows the batch is ignored.
    ///
    /// Keys, values and header values are slices of `bytes` and share its storage. The checksum is
    /// not looked at: call `verify(_:)` once where the bytes come from a disk or a network. The
    /// records of a control batch are decoded like any others; skip such a batch by its header.
    ///
    /// - Parameter start: records below it are passed over without being made.
    /// - Throws: as `header(in:)`; `.truncated` if the batch reaches beyond `bytes`;
    ///   `.unsupportedCompression`; `.malformed`.
    public static func records(
        in bytes: ArraySlice<UInt8>, from start: Offset = .zero
    ) throws(RecordBatchError) -> [StoredRecord] {
        // SAFETY: the pointer does not leave the closure; the slices come from `bytes` itself.
        try bytes.withRawBytes { (raw) throws(RecordBatchError) in
            let header = try header(in: raw)
            guard header.byteCount <= raw.count else {
                throw .truncated(needed: header.byteCount, available: raw.count)
            }
            guard header.attributes.compression == .none else {
                throw .unsupportedCompression(header.attributes.compression)
            }
            var reader = RecordReader(
                raw: UnsafeRawBufferPointer(rebasing: raw[..<header.byteCount]), bytes: bytes,
                header: header)
            return try reader.records(from: start)
        }
    }
}

/// Walks over the records of one batch, whose header has been checked against its bytes.
///
/// Every number that comes from the bytes is held against what is left of the record (or of the
/// batch) before it is used, so a lie ends in `.malformed` at its own position.
private struct RecordReader {
    /// Exactly the batch.
    private let raw: UnsafeRawBufferPointer
    /// The batch and perhaps more; the same storage as `raw`.
    private let bytes: ArraySlice<UInt8>
    private let header: RecordBatchHeader
    private var position = RecordBatch.headerByteCount
    /// Where the record being read ends; between records, where the batch does.
    private var end: Int

    init(raw: UnsafeRawBufferPointer, bytes: ArraySlice<UInt8>, header: RecordBatchHeader) {
        self.raw = raw
        self.bytes = bytes
        self.header = header
        end = raw.count
    }

    mutating func records(from start: Offset) throws(RecordBatchError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        // Bounded by the bytes themselves, see `RecordBatch.check`.
        if start <= header.baseOffset { records.reserveCapacity(header.recordCount) }
        var offsetDelta: Int64 = -1
        for _ in 0..<header.recordCount {
            let lengthPosition = position
            let length = try varint(.recordLength)
            guard length >= Int64(RecordBatch.recordByteCountMin - 1), length <= end - position
            else { throw .malformed(.recordLength, at: lengthPosition) }
            end = position + Int(length)
            position += 1  // The record's attributes mean nothing yet.
            let timestamp = timestamp(delta: try varint(.timestampDelta))
            offsetDelta = try self.offsetDelta(after: offsetDelta)
            let offset = header.baseOffset.advanced(by: offsetDelta)
            if offset < start {
                position = end
            } else {
                let record = Record(
                    key: try field(.keyLength), value: try field(.valueLength),
                    headers: try headers(), timestamp: timestamp)
                records.append(StoredRecord(offset: offset, record: consume record))
            }
            guard position == end else { throw .malformed(.recordLength, at: lengthPosition) }
            end = raw.count
        }
        guard position == end else { throw .malformed(.trailingBytes, at: position) }
        return records
    }

    @inline(__always)
    private func timestamp(delta: Int64) -> Timestamp {
        switch header.attributes.timestampType {
        case .create: Timestamp(milliseconds: header.baseTimestamp.milliseconds &+ delta)
        case .logAppend: header.maxTimestamp
        }
    }

    @inline(__always)
    private mutating func offsetDelta(after previous: Int64) throws(RecordBatchError) -> Int64 {
        let start = position
        let delta = try varint(.offsetDelta)
        guard delta > previous, delta <= Int64(header.lastOffsetDelta) else {
            throw .malformed(.offsetDelta, at: start)
        }
        return delta
    }

    private mutating func headers() throws(RecordBatchError) -> [RecordHeader] {
        let start = position
        let count = try varint(.headerCount)
        if count == 0 { return [] }
        // A header takes two bytes at least, so a count beyond that is a lie.
        guard count > 0, count <= (end - position) / 2 else {
            throw .malformed(.headerCount, at: start)
        }
        var headers: [RecordHeader] = []
        headers.reserveCapacity(Int(count))
        for _ in 0..<count {
            headers.append(RecordHeader(try headerName(), try field(.headerValueLength)))
        }
        return headers
    }

    private mutating func headerName() throws(RecordBatchError) -> String {
        let start = position
        guard let range = try fieldRange(.headerNameLength) else {
            throw .malformed(.headerNameLength, at: start)
        }
        let utf8 = UnsafeRawBufferPointer(rebasing: raw[range])
        // SAFETY: the range is inside the batch; the string copies the bytes.
        if utf8.isASCII { return String(decoding: utf8, as: UTF8.self) }
        guard let name = String(validating: utf8, as: UTF8.self) else {
            throw .malformed(.headerName, at: range.lowerBound)
        }
        return name
    }

    @inline(__always)
    private mutating func field(
        _ field: RecordBatchField
    ) throws(RecordBatchError) -> ArraySlice<UInt8>? {
        guard let range = try fieldRange(field) else { return nil }
        let base = bytes.startIndex
        return bytes[base + range.lowerBound..<base + range.upperBound]
    }

    /// Where the bytes behind a length lie; nil for the length −1.
    @inline(__always)
    private mutating func fieldRange(
        _ field: RecordBatchField
    ) throws(RecordBatchError) -> Range<Int>? {
        let start = position
        let length = try varint(field)
        if length == -1 { return nil }
        guard length >= 0, length <= end - position else { throw .malformed(field, at: start) }
        let range = position..<position + Int(length)
        position = range.upperBound
        return range
    }

    @inline(__always)
    private mutating func varint(_ field: RecordBatchField) throws(RecordBatchError) -> Int64 {
        // Most numbers of a record are below 64 and take one byte.
        if position < end {
            // SAFETY: `position` is not negative and `end` is inside the batch.
            let byte = raw[position]
            if byte < 0x80 {
                position += 1
                return Varint.unzigzag(UInt64(byte))
            }
        }
        return try longVarint(field)
    }

    private mutating func longVarint(_ field: RecordBatchField) throws(RecordBatchError) -> Int64 {
        var bits: UInt64 = 0
        var shift: UInt64 = 0
        for index in position..<min(position + 10, end) {
            // SAFETY: as above.
            let byte = raw[index]
            // The tenth byte has room for the 64th bit alone.
            if shift == 63 && byte > 1 { break }
            bits |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 {
                position = index + 1
                return Varint.unzigzag(bits)
            }
            shift += 7
        }
        throw .malformed(field, at: position)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are text that needs no check. Nearly every name is ASCII, and making a
    /// short one this way takes about a quarter of the time of `String(validating:as:)`.
    fileprivate var isASCII: Bool {
        var all: UInt8 = 0
        for byte in self { all |= byte }
        return all < 0x80
    }
}
