/// Kafka's record batch, version 2 ("magic 2", KIP-98): the unit in which the log is written,
/// checked and read. docs/formats/log.md says the same at length, with what this log writes where.
///
/// ```
/// byte  size  batch (big-endian)        |  record (v = zigzag varint)
///    0     8  baseOffset                |  v  length of what follows
///    8     4  batchLength, from here on |  1  attributes, unused
///   12     4  partitionLeaderEpoch      |  v  timestampDelta, from baseTimestamp
///   16     1  magic = 2                 |  v  offsetDelta, from baseOffset
///   17     4  crc, CRC-32C of 21…end    |  v  keyLength, −1 = null, then the key
///   21     2  attributes                |  v  valueLength, −1 = null, then the value
///   23     4  lastOffsetDelta           |  v  headerCount, then for each header
///   27     8  baseTimestamp, ms         |     v  nameLength, then the name, UTF-8
///   35     8  maxTimestamp, ms          |     v  valueLength, −1 = null, then the value
///   43     8  producerID, −1 = none     |
///   51     2  producerEpoch             |
///   53     4  baseSequence              |
///   57     4  recordCount               |
///   61        the records               |
/// ```
///
/// Invariants, which hold for every batch this type accepts:
/// 1. baseOffset ≥ 0, and no offset of the batch overflows 64 bits.
/// 2. batchLength ≥ 49, so that the fixed part is there.
/// 3. 0 ≤ recordCount ≤ lastOffsetDelta + 1.
/// 4. The records' offset deltas rise strictly from at least 0 to at most lastOffsetDelta.
/// 5. The records fill the batch to its last byte, and so do each record's fields its length.
///
/// The header and the checksum are read without looking at the records, so that a scan of a segment
/// costs one pass over the bytes. No bytes whatsoever make any function here trap.
public enum RecordBatch {
    /// The fixed part of a batch: what `header(in:)` reads.
    public static let headerByteCount = 61
    /// The part before what batchLength counts.
    public static let prefixByteCount = 12
    /// The longest batch whose length fits into its field.
    public static let byteCountMax = Int(Int32.max) + prefixByteCount

    static let magic: Int8 = 2
    /// A record with every length 0 or null.
    static let recordByteCountMin = 7

    /// Where each field of the fixed part begins.
    enum Position {
        static let baseOffset = 0
        static let batchLength = 8
        static let partitionLeaderEpoch = 12
        static let magic = 16
        static let crc = 17
        static let attributes = 21
        static let lastOffsetDelta = 23
        static let baseTimestamp = 27
        static let maxTimestamp = 35
        static let producerID = 43
        static let producerEpoch = 51
        static let baseSequence = 53
        static let recordCount = 57
    }

    /// Whether `bytes` begin with nothing but zeros where a batch's fixed part would be: the rest
    /// of a preallocated segment rather than a damaged batch. True too for a shorter run of zeros,
    /// and for no bytes at all.
    public static func isUnwritten(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.prefix(headerByteCount).allSatisfy { $0 == 0 }
    }

    /// Reads and checks the fixed part of the batch at the start of `bytes`, nothing of its
    /// records.
    ///
    /// The first 61 bytes suffice: the batch itself may reach beyond `bytes`, which the caller sees
    /// by comparing `byteCount`. The checksum is not looked at.
    ///
    /// - Throws: `.truncated` below 61 bytes, `.unsupportedMagic`, `.malformed`. A compressed
    ///   batch is none of these: its header is as good as any.
    public static func header(
        in bytes: UnsafeRawBufferPointer
    ) throws(RecordBatchError) -> RecordBatchHeader {
        guard bytes.count >= headerByteCount else {
            throw .truncated(needed: headerByteCount, available: bytes.count)
        }
        let length = bytes.bigEndian(at: Position.batchLength, as: Int32.self)
        guard length >= Int32(headerByteCount - prefixByteCount) else {
            throw .malformed(.batchLength, at: Position.batchLength)
        }
        let magic = bytes.bigEndian(at: Position.magic, as: Int8.self)
        guard magic == Self.magic else { throw .unsupportedMagic(magic) }
        let header = RecordBatchHeader(
            baseOffset: Offset(bytes.bigEndian(at: Position.baseOffset, as: Int64.self)),
            byteCount: prefixByteCount + Int(length),
            partitionLeaderEpoch: bytes.bigEndian(
                at: Position.partitionLeaderEpoch, as: Int32.self),
            magic: magic,
            crc: bytes.bigEndian(at: Position.crc, as: UInt32.self),
            attributes: RecordBatchAttributes(
                rawValue: bytes.bigEndian(at: Position.attributes, as: UInt16.self)),
            lastOffsetDelta: bytes.bigEndian(at: Position.lastOffsetDelta, as: Int32.self),
            baseTimestamp: Timestamp(
                milliseconds: bytes.bigEndian(at: Position.baseTimestamp, as: Int64.self)),
            maxTimestamp: Timestamp(
                milliseconds: bytes.bigEndian(at: Position.maxTimestamp, as: Int64.self)),
            producer: try producer(in: bytes),
            recordCount: Int(bytes.bigEndian(at: Position.recordCount, as: Int32.self)))
        try check(header)
        return header
    }

    private static func producer(
        in bytes: UnsafeRawBufferPointer
    ) throws(RecordBatchError) -> ProducerStamp? {
        let id = bytes.bigEndian(at: Position.producerID, as: Int64.self)
        guard id != -1 else { return nil }
        guard id >= 0 else { throw .malformed(.producerID, at: Position.producerID) }
        return ProducerStamp(
            producerID: id,
            epoch: bytes.bigEndian(at: Position.producerEpoch, as: Int16.self),
            baseSequence: bytes.bigEndian(at: Position.baseSequence, as: Int32.self))
    }

    private static func check(_ header: RecordBatchHeader) throws(RecordBatchError) {
        guard header.baseOffset >= .zero else {
            throw .malformed(.baseOffset, at: Position.baseOffset)
        }
        let delta = Int64(header.lastOffsetDelta)
        // Strictly below the largest number, so that `nextOffset` exists as well.
        guard delta >= 0, header.baseOffset.rawValue < Int64.max - delta else {
            throw .malformed(.lastOffsetDelta, at: Position.lastOffsetDelta)
        }
        let payload = header.byteCount - headerByteCount
        // A count that the bytes cannot hold would make a reader reserve memory for nothing.
        let recordsMax =
            header.attributes.compression == .none ? payload / recordByteCountMin : Int.max
        guard header.recordCount >= 0, Int64(header.recordCount) <= delta + 1,
            header.recordCount <= recordsMax
        else { throw .malformed(.recordCount, at: Position.recordCount) }
    }

    /// Checks that the batch at the start of `bytes` is whole and as it was written.
    ///
    /// The base offset, the length and the leader epoch are outside the checksum, as Kafka has it,
    /// so that a broker may set them without reading the rest.
    ///
    /// - Returns: the batch's header.
    /// - Throws: as `header(in:)`; `.truncated` if the batch reaches beyond `bytes`;
    ///   `.checksumMismatch`.
    @discardableResult
    public static func verify(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RecordBatchError) -> RecordBatchHeader {
        let header = try header(in: bytes)
        guard header.byteCount <= bytes.count else {
            throw .truncated(needed: header.byteCount, available: bytes.count)
        }
        let computed = CRC32C.checksum(
            UnsafeRawBufferPointer(rebasing: bytes[Position.attributes..<header.byteCount]))
        guard computed == header.crc else {
            throw .checksumMismatch(stored: header.crc, computed: computed)
        }
        return header
    }

    /// `header(in:)` for bytes in an array.
    public static func header(
        in bytes: ArraySlice<UInt8>
    ) throws(RecordBatchError) -> RecordBatchHeader {
        // SAFETY: the pointer does not leave the closure.
        try bytes.withRawBytes { (raw) throws(RecordBatchError) in try header(in: raw) }
    }

    /// `verify(_:)` for bytes in an array.
    @discardableResult
    public static func verify(
        _ bytes: ArraySlice<UInt8>
    ) throws(RecordBatchError) -> RecordBatchHeader {
        // SAFETY: the pointer does not leave the closure.
        try bytes.withRawBytes { (raw) throws(RecordBatchError) in try verify(raw) }
    }
}

extension UnsafeRawBufferPointer {
    /// The integer whose most significant byte is at `position`.
    ///
    /// The caller has made sure that all of its bytes are there.
    @inline(__always)
    func bigEndian<Number: FixedWidthInteger & BitwiseCopyable>(
        at position: Int, as type: Number.Type
    ) -> Number {
        // SAFETY: loads of plain integers may be unaligned, and the bytes are there.
        Number(bigEndian: loadUnaligned(fromByteOffset: position, as: type))
    }
}

extension ArraySlice<UInt8> {
    /// `withUnsafeBytes` with the error's type kept, which the standard library's does not do yet.
    @inline(__always)
    func withRawBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: the pointer is good for as long as `body` runs.
        try withUnsafeBufferPointer { (buffer) throws(Failure) in
            try body(UnsafeRawBufferPointer(buffer))
        }
    }
}
