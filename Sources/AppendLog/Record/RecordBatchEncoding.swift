extension RecordBatch {
    /// Appends one batch that holds `records`, with its checksum, to `buffer`.
    ///
    /// The records get the offsets from `baseOffset` on without gaps, and keep their timestamps, in
    /// whichever order these are. The bytes are written once, straight into `buffer`; reserve
    /// capacity there to append many batches without growing it.
    ///
    /// - Precondition: there is at least one record; no offset overflows; the batch is no longer
    ///   than `byteCountMax`; the producer's id is not negative.
    /// - Returns: the batch's header, as reading it would yield it.
    @discardableResult
    public static func encode(
        _ records: some Collection<Record>, baseOffset: Offset, producer: ProducerStamp? = nil,
        partitionLeaderEpoch: Int32 = 0, into buffer: inout [UInt8]
    ) -> RecordBatchHeader {
        // SAFETY: the pointer does not leave the closure.
        let header = records.withContiguousStorageIfAvailable {
            encode(
                contiguous: $0, baseOffset: baseOffset, producer: producer,
                partitionLeaderEpoch: partitionLeaderEpoch,
                byteCountMax: encodedByteCount($0), into: &buffer)
        }
        if let header { return header }
        return encode(
            Array(records), baseOffset: baseOffset, producer: producer,
            partitionLeaderEpoch: partitionLeaderEpoch, into: &buffer)
    }

    /// The same for who knows a bound of the batch's bytes already, which saves walking over the
    /// records for it.
    ///
    /// - Precondition: `byteCountMax` is at least `headerByteCount` and the sum of the records'
    ///   `encodedByteCountMax(of:)`.
    static func encode(
        _ records: [Record], baseOffset: Offset, producer: ProducerStamp?,
        partitionLeaderEpoch: Int32, byteCountMax: Int, into buffer: inout [UInt8]
    ) -> RecordBatchHeader {
        // SAFETY: the pointer does not leave the closure.
        records.withUnsafeBufferPointer {
            encode(
                contiguous: $0, baseOffset: baseOffset, producer: producer,
                partitionLeaderEpoch: partitionLeaderEpoch, byteCountMax: byteCountMax,
                into: &buffer)
        }
    }

    /// The exact length in bytes of the batch that `encode` would make of `records`.
    public static func encodedByteCount(_ records: some Collection<Record>) -> Int {
        guard let base = records.first?.timestamp else { return headerByteCount }
        var sum = headerByteCount
        for (delta, record) in records.enumerated() {
            sum += fieldsByteCount(of: record, offsetDelta: delta, baseTimestamp: base).withLength
        }
        return sum
    }

    /// How many bytes `record` adds to a batch at most, wherever it stands in it and whatever the
    /// other records' timestamps: the sum over the records plus `headerByteCount` bounds the batch.
    /// It is at most 17 bytes above the truth.
    public static func encodedByteCountMax(of record: Record) -> Int {
        // Ten bytes for the timestamp's delta, five each for the offset's and the record's length.
        5 + 1 + 10 + 5 + contentByteCount(of: record)
    }

    /// Gives the batch that begins at `position` of `buffer` another base offset.
    ///
    /// The checksum stays right, because the offset is outside it: a batch can be encoded before
    /// its place in the log is known.
    ///
    /// - Precondition: a batch that `encode` wrote begins there, and no offset of it overflows.
    public static func assign(
        baseOffset: Offset, toBatchAt position: Int = 0, in buffer: inout [UInt8]
    ) {
        precondition(
            position >= 0 && buffer.count - position >= headerByteCount,
            "no batch at \(position) of \(buffer.count) bytes")
        // SAFETY: the eight bytes are inside the buffer; the pointer does not leave the closure.
        buffer.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(
                of: baseOffset.rawValue.bigEndian,
                toByteOffset: position + Position.baseOffset, as: Int64.self)
        }
    }

    private static func encode(
        contiguous records: UnsafeBufferPointer<Record>, baseOffset: Offset,
        producer: ProducerStamp?, partitionLeaderEpoch: Int32, byteCountMax: Int,
        into buffer: inout [UInt8]
    ) -> RecordBatchHeader {
        precondition(!records.isEmpty, "a batch without records")
        precondition(
            baseOffset >= .zero && baseOffset.rawValue < Int64.max - Int64(records.count),
            "a batch of \(records.count) records at offset \(baseOffset)")
        precondition(
            (producer?.producerID ?? 0) >= 0,
            "producer id \(producer?.producerID ?? 0)")
        precondition(byteCountMax <= Self.byteCountMax, "a batch of \(byteCountMax) bytes")
        var header = RecordBatchHeader(
            baseOffset: baseOffset, byteCount: 0,
            partitionLeaderEpoch: partitionLeaderEpoch, magic: magic, crc: 0,
            attributes: RecordBatchAttributes(rawValue: 0),
            lastOffsetDelta: Int32(records.count - 1), baseTimestamp: records[0].timestamp,
            maxTimestamp: records[0].timestamp, producer: producer, recordCount: records.count)
        // SAFETY: the writer gets the bytes that are being added, checks before each record that it
        // fits, and says how many it has written; no pointer leaves the closure.
        buffer.append(addingCapacity: byteCountMax) { (added: inout OutputSpan<UInt8>) in
            added.withUnsafeMutableBufferPointer { bytes, initializedCount in
                let room = UnsafeMutableRawBufferPointer(
                    UnsafeMutableBufferPointer(rebasing: bytes[..<byteCountMax]))
                header.byteCount = write(records, behindHeadIn: room, &header)
                let batch = UnsafeMutableRawBufferPointer(rebasing: room[..<header.byteCount])
                writeHead(header, into: batch)
                header.crc = CRC32C.checksum(
                    UnsafeRawBufferPointer(rebasing: batch[Position.attributes...]))
                batch.storeBytes(
                    of: header.crc.bigEndian, toByteOffset: Position.crc, as: UInt32.self)
                initializedCount = header.byteCount
            }
        }
        return header
    }

    /// Everything but the checksum, which stands as 0.
    private static func writeHead(
        _ header: RecordBatchHeader, into batch: UnsafeMutableRawBufferPointer
    ) {
        var writer = RecordWriter(batch)
        writer.bigEndian(header.baseOffset.rawValue)
        writer.bigEndian(Int32(header.byteCount - prefixByteCount))
        writer.bigEndian(header.partitionLeaderEpoch)
        writer.bigEndian(header.magic)
        writer.bigEndian(header.crc)
        writer.bigEndian(header.attributes.rawValue)
        writer.bigEndian(header.lastOffsetDelta)
        writer.bigEndian(header.baseTimestamp.milliseconds)
        writer.bigEndian(header.maxTimestamp.milliseconds)
        writer.bigEndian(header.producer?.producerID ?? -1)
        writer.bigEndian(header.producer?.epoch ?? -1)
        writer.bigEndian(header.producer?.baseSequence ?? -1)
        writer.bigEndian(Int32(header.recordCount))
    }

    /// Writes the records where they belong, and notes the latest timestamp.
    ///
    /// - Returns: the batch's length.
    private static func write(
        _ records: UnsafeBufferPointer<Record>, behindHeadIn room: UnsafeMutableRawBufferPointer,
        _ header: inout RecordBatchHeader
    ) -> Int {
        var writer = RecordWriter(room)
        writer.skip(headerByteCount)
        for delta in records.indices {
            let timestamp = records[delta].timestamp
            if timestamp > header.maxTimestamp { header.maxTimestamp = timestamp }
            let byteCount = fieldsByteCount(
                of: records[delta], offsetDelta: delta, baseTimestamp: header.baseTimestamp)
            writer.makeSure(of: byteCount.withLength)
            writer.varint(byteCount.alone)
            writer.record(
                records[delta], byteCount: byteCount.alone, offsetDelta: delta,
                baseTimestamp: header.baseTimestamp)
        }
        return room.count - writer.left
    }

    /// The length of a record's fields, without and with the length that stands before them.
    @inline(__always)
    private static func fieldsByteCount(
        of record: Record, offsetDelta: Int, baseTimestamp: Timestamp
    ) -> (alone: Int, withLength: Int) {
        let alone =
            1 + Varint.byteCount(record.timestamp.delta(from: baseTimestamp))
            + Varint.byteCount(offsetDelta) + contentByteCount(of: record)
        return (alone, alone + Varint.byteCount(alone))
    }

    /// Key, value and headers with their lengths.
    @inline(__always)
    private static func contentByteCount(of record: Record) -> Int {
        switch record.content {
        case .placed(let fields): return Int(fields.contentByteCount)
        case .parts(let parts):
            var sum =
                byteCount(ofField: parts.key?.count) + byteCount(ofField: parts.value?.count)
                + Varint.byteCount(parts.headers.count)
            for header in parts.headers {
                sum += byteCount(ofField: header.name.utf8.count)
                sum += byteCount(ofField: header.value?.count)
            }
            return sum
        }
    }

    @inline(__always)
    private static func byteCount(ofField count: Int?) -> Int {
        guard let count else { return 1 }
        return Varint.byteCount(count) + count
    }
}

extension Timestamp {
    /// Wraps around, as Kafka's own arithmetic does, so that any two moments survive being stored.
    @inline(__always)
    func delta(from base: Timestamp) -> Int64 { milliseconds &- base.milliseconds }
}

/// Writes a batch's fields one after another into bytes that were counted beforehand.
private struct RecordWriter {
    private var next: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer

    init(_ bytes: UnsafeMutableRawBufferPointer) {
        // A batch has at least its 61 fixed bytes, so it has an address.
        guard let start = bytes.baseAddress else { preconditionFailure("a batch of no bytes") }
        next = start
        end = start + bytes.count
    }

    /// Bytes that were not written yet.
    var left: Int { end - next }

    mutating func skip(_ count: Int) {
        makeSure(of: count)
        next += count
    }

    /// Sizes are computed by the same rules as the fields are written, from values that nobody can
    /// change in between; this, and the check at a record's end, is where a mistake in those rules
    /// would show.
    @inline(__always)
    func makeSure(of count: Int) {
        precondition(count <= left, "\(count) bytes where \(left) were counted")
    }

    @inline(__always)
    mutating func bigEndian<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        // SAFETY: the bytes were counted; stores of plain integers may be unaligned.
        next.storeBytes(of: number.bigEndian, as: Number.self)
        next += MemoryLayout<Number>.size
    }

    @inline(__always)
    mutating func varint(_ value: Int) { varint(Int64(value)) }

    @inline(__always)
    mutating func varint(_ value: Int64) {
        var rest = Varint.zigzag(value)
        while rest >= 0x80 {
            bigEndian(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bigEndian(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func record(
        _ record: Record, byteCount: Int, offsetDelta: Int, baseTimestamp: Timestamp
    ) {
        let due = next + byteCount
        bigEndian(UInt8(0))
        varint(record.timestamp.delta(from: baseTimestamp))
        varint(offsetDelta)
        switch record.content {
        case .placed(let fields):
            // As it lies in the batch that it was read from.
            fields.content.withUnsafeBytes { copy($0) }
        case .parts(let parts):
            field(parts.key)
            field(parts.value)
            varint(parts.headers.count)
            for header in parts.headers {
                text(header.name)
                field(header.value)
            }
        }
        precondition(next == due, "a record's size is off by \(next - due) bytes")
    }

    @inline(__always)
    private mutating func field(_ bytes: ArraySlice<UInt8>?) {
        guard let bytes else { return varint(-1) }
        varint(bytes.count)
        bytes.withUnsafeBytes { copy($0) }
    }

    @inline(__always)
    private mutating func text(_ text: String) {
        varint(text.utf8.count)
        let copied: Void? = text.utf8.withContiguousStorageIfAvailable {
            copy(UnsafeRawBufferPointer($0))
        }
        // A string bridged from elsewhere has no bytes to point at.
        if copied == nil { for byte in text.utf8 { bigEndian(byte) } }
    }

    @inline(__always)
    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        // SAFETY: the bytes were counted, and a record does not lie in the buffer it is written to,
        // because that one is held exclusively.
        next.copyMemory(from: source, byteCount: bytes.count)
        next += bytes.count
    }
}
