extension RecordBatch {
    /// Decodes the records of the batch at the start of `bytes`; what follows the batch is ignored.
    ///
    /// Keys, values and header values are slices of `bytes` and share its storage. The checksum is
    /// not looked at: call `verify(_:)` once where the bytes come from a disk or a network. The
    /// records of a control batch are decoded like any others; skip such a batch by its header.
    ///
    /// - Parameters:
    ///   - bytes: a batch from its first byte on.
    ///   - start: records below it are passed over without being made.
    /// - Throws: as `header(in:)`; `.truncated` if the batch reaches beyond `bytes`;
    ///   `.unsupportedCompression`; `.malformed`.
    public static func records(
        in bytes: ArraySlice<UInt8>, from start: Offset = .zero
    ) throws(RecordBatchError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        try decode(bytes, from: start, into: &records)
        return records
    }

    /// The same, behind what `records` holds already.
    static func decode(
        _ bytes: ArraySlice<UInt8>, from start: Offset, into records: inout [StoredRecord]
    ) throws(RecordBatchError) {
        // SAFETY: the pointer does not leave the closure; the records share `bytes` itself.
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
            try reader.read(from: start, into: &records)
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

    mutating func read(
        from start: Offset, into records: inout [StoredRecord]
    ) throws(RecordBatchError) {
        // Bounded by the bytes themselves, see `RecordBatch.check`.
        if start <= header.baseOffset, records.isEmpty {
            records.reserveCapacity(header.recordCount)
        }
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
                let record = Record(try fields(), timestamp: timestamp)
                records.append(StoredRecord(offset: offset, record: record))
            }
            guard position == end else { throw .malformed(.recordLength, at: lengthPosition) }
            end = raw.count
        }
        guard position == end else { throw .malformed(.trailingBytes, at: position) }
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

    /// Key, value and headers, from the key's length to the record's end.
    @inline(__always)
    private mutating func fields() throws(RecordBatchError) -> PlacedFields {
        let start = position
        let key = try field(.keyLength)
        let value = try field(.valueLength)
        let count = try headerCount()
        let headersPosition = position
        for _ in 0..<count {
            try passHeaderName()
            _ = try field(.headerValueLength)
        }
        return PlacedFields(
            bytes: bytes, key: key, value: value,
            headersPosition: UInt32(truncatingIfNeeded: headersPosition),
            headerCount: UInt32(truncatingIfNeeded: count),
            contentPosition: UInt32(truncatingIfNeeded: start),
            contentByteCount: UInt32(truncatingIfNeeded: position - start))
    }

    @inline(__always)
    private mutating func headerCount() throws(RecordBatchError) -> Int64 {
        let start = position
        let count = try varint(.headerCount)
        // A header takes two bytes at least, so a count beyond that is a lie.
        guard count >= 0, count <= (end - position) / 2 else {
            throw .malformed(.headerCount, at: start)
        }
        return count
    }

    @inline(__always)
    private mutating func passHeaderName() throws(RecordBatchError) {
        let start = position
        guard let range = try fieldRange(.headerNameLength) else {
            throw .malformed(.headerNameLength, at: start)
        }
        // SAFETY: the range is inside the batch.
        let utf8 = UnsafeRawBufferPointer(rebasing: raw[range])
        if utf8.isASCII { return }
        guard String(validating: utf8, as: UTF8.self) != nil else {
            throw .malformed(.headerName, at: range.lowerBound)
        }
    }

    @inline(__always)
    private mutating func field(
        _ field: RecordBatchField
    ) throws(RecordBatchError) -> PlacedFields.Field {
        guard let range = try fieldRange(field) else {
            return PlacedFields.Field(position: 0, count: -1)
        }
        return PlacedFields.Field(
            position: UInt32(truncatingIfNeeded: range.lowerBound),
            count: Int32(truncatingIfNeeded: range.count))
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
        // Most numbers of a record take one byte, and the lengths of most values two.
        if end - position >= 2 {
            // SAFETY: `position` is not negative and `end` is inside the batch.
            let (low, high) = (raw[position], raw[position + 1])
            if low < 0x80 {
                position += 1
                return Varint.unzigzag(UInt64(low))
            }
            if high < 0x80 {
                position += 2
                return Varint.unzigzag(UInt64(low & 0x7F) | UInt64(high) << 7)
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
    /// Whether the bytes are text that needs no check. Nearly every name is ASCII, and short.
    @inline(__always)
    fileprivate var isASCII: Bool {
        var all: UInt64 = 0
        var index = 0
        while index + 8 <= count {
            // SAFETY: the eight bytes are there; loads of plain integers may be unaligned.
            all |= loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < count {
            all |= UInt64(self[index])
            index += 1
        }
        return all & 0x8080_8080_8080_8080 == 0
    }
}
