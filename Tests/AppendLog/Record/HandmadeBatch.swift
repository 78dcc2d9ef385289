@testable import AppendLog

/// A batch put together byte by byte from docs/formats/log.md, without the encoder's help, so that
/// it can say things the encoder never would.
struct HandmadeBatch {
    var baseOffset: Int64 = 0
    /// nil for the true one.
    var batchLength: Int32?
    var magic: Int8 = 2
    var attributes: UInt16 = 0
    var lastOffsetDelta: Int32 = 0
    var baseTimestamp: Int64 = 0
    var maxTimestamp: Int64 = 0
    var producerID: Int64 = -1
    var producerEpoch: Int16 = -1
    var baseSequence: Int32 = -1
    var recordCount: Int32 = 0
    var records: [UInt8] = []

    /// With a right checksum, whatever the fields say.
    var bytes: [UInt8] {
        var tail: [UInt8] = []
        tail.append(bigEndian: attributes)
        tail.append(bigEndian: lastOffsetDelta)
        tail.append(bigEndian: baseTimestamp)
        tail.append(bigEndian: maxTimestamp)
        tail.append(bigEndian: producerID)
        tail.append(bigEndian: producerEpoch)
        tail.append(bigEndian: baseSequence)
        tail.append(bigEndian: recordCount)
        tail += records
        var bytes: [UInt8] = []
        bytes.append(bigEndian: baseOffset)
        bytes.append(bigEndian: batchLength ?? Int32(tail.count + 9))
        bytes.append(bigEndian: Int32(0))
        bytes.append(bigEndian: magic)
        bytes.append(bigEndian: CRC32C.checksum(tail[...]))
        return bytes + tail
    }

    /// Makes the checksum right again after the bytes were tampered with.
    static func sign(_ bytes: inout [UInt8]) {
        guard bytes.count >= 61 else { return }
        var crc: [UInt8] = []
        crc.append(bigEndian: CRC32C.checksum(bytes[21...]))
        bytes.replaceSubrange(17..<21, with: crc)
    }

    /// A zigzag varint, the slow way.
    static func varint(_ value: Int64) -> [UInt8] {
        var rest = UInt64(bitPattern: value) << 1
        if value < 0 { rest = ~rest }
        var bytes: [UInt8] = []
        while rest > 127 {
            bytes.append(UInt8(rest % 128) + 128)
            rest /= 128
        }
        return bytes + [UInt8(rest)]
    }

    /// A record whose fields are `fields`, with its true length before them.
    static func record(_ fields: [UInt8]...) -> [UInt8] {
        let all: [UInt8] = [0] + Array(fields.joined())
        return varint(Int64(all.count)) + all
    }

    /// A record without key, value and headers.
    static func bare(offsetDelta: Int64, timestampDelta: Int64 = 0) -> [UInt8] {
        record(varint(timestampDelta), varint(offsetDelta), [1], [1], [0])
    }
}

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }
}
