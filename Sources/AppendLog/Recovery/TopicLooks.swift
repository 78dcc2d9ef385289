/// Which sealed segments of a topic were looked at, and which version of its file each was then: a
/// start looks again only at what has changed since. A box of five years has ten thousand.
///
/// The file `looks` in the topic's folder, numbers big endian:
///
/// ```
/// 0         8     "tb-looks"
/// 8         4     version of this format, 1
/// 12        4     the stamp of the log and the topic
/// 16        4     n, segments
/// 20        40 n  base offset, next segment's base offset, inode, bytes, time of change (8 each)
/// 20 + 40n  4     CRC-32C of all before
/// ```
///
/// It only saves reads: where it is missing, damaged, older, or of another folder, the segments
/// that it does not know are read. So it is not synced.
struct TopicLooks: Hashable, Sendable {
    /// One segment, as it was when somebody looked.
    struct Look: Hashable, Sendable {
        /// The offset at which the next segment began.
        var end: Offset
        var version: FileVersion
    }

    private(set) var segments: [Offset: Look] = [:]
    /// Whether the topic's file says the same.
    var isStored = false

    init() {}

    subscript(base: Offset) -> Look? { segments[base] }

    mutating func add(_ look: Look, of base: Offset) {
        segments[base] = look
        isStored = false
    }

    /// Takes in what somebody has seen of some segments, and forgets those before `start`.
    mutating func merge(_ other: TopicLooks, keepingFrom start: Offset) {
        for (base, look) in other.segments where segments[base] != look { add(look, of: base) }
        segments = segments.filter { $0.key >= start }
    }

    // MARK: The file

    private static let mark = Array("tb-looks".utf8)
    private static let format: UInt32 = 1
    private static let headByteCount = 20
    private static let lookByteCount = 40
    private static let crcByteCount = 4

    func encoded(stamp: Int32) -> [UInt8] {
        var bytes = Self.mark
        bytes.reserveCapacity(
            Self.headByteCount + segments.count * Self.lookByteCount + Self.crcByteCount)
        for number in [Self.format, UInt32(bitPattern: stamp), UInt32(segments.count)] {
            Self.append(number, to: &bytes)
        }
        for (base, look) in segments.sorted(by: { $0.key < $1.key }) {
            for number in [
                base.rawValue, look.end.rawValue, Int64(bitPattern: look.version.inode),
                look.version.byteCount, look.version.changed,
            ] { Self.append(number, to: &bytes) }
        }
        Self.append(CRC32C.checksum(bytes[...]), to: &bytes)
        return bytes
    }

    /// - Returns: nil unless the bytes are such a file of the topic with that stamp, to the last.
    init?(decoding bytes: [UInt8], stamp: Int32) {
        guard bytes.count >= Self.headByteCount + Self.crcByteCount,
            bytes.starts(with: Self.mark), Self.number(at: 8, in: bytes) == Self.format,
            Self.number(at: 12, in: bytes) == UInt32(bitPattern: stamp)
        else { return nil }
        let count = Int(Self.number(at: 16, in: bytes) as UInt32)
        let end = bytes.count - Self.crcByteCount
        guard end == Self.headByteCount + count * Self.lookByteCount,
            Self.number(at: end, in: bytes) == CRC32C.checksum(bytes[..<end])
        else { return nil }
        segments.reserveCapacity(count)
        for start in stride(from: Self.headByteCount, to: end, by: Self.lookByteCount) {
            let numbers = (0..<5).map { Self.number(at: start + $0 * 8, in: bytes) as Int64 }
            segments[Offset(numbers[0])] = Look(
                end: Offset(numbers[1]),
                version: FileVersion(
                    inode: UInt64(bitPattern: numbers[2]), byteCount: numbers[3],
                    changed: numbers[4]))
        }
        isStored = true
    }

    private static func append<Number: FixedWidthInteger>(
        _ number: Number, to bytes: inout [UInt8]
    ) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    private static func number<Number: FixedWidthInteger>(
        at position: Int, in bytes: [UInt8]
    ) -> Number {
        bytes[position..<position + Number.bitWidth / 8]
            .reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}

/// What `Log.openReadOnly` has seen of a log's sealed segments, for who opens it next.
public struct LogLooks: Sendable {
    var topics: [TopicName: TopicLooks] = [:]
}

extension Disk {
    /// What a topic's folder says; nothing where it has no such file, or not a whole one.
    func looks(in folder: String, stamp: Int32) -> TopicLooks {
        guard let file = try? open(folder + "/" + SegmentName.looks, .read),
            let size = try? file.size(), size <= Limits.looksBytesMax,
            let bytes = try? file.read(at: 0, count: Int(size))
        else { return TopicLooks() }
        return TopicLooks(decoding: bytes, stamp: stamp) ?? TopicLooks()
    }

    func write(_ looks: TopicLooks, in folder: String, stamp: Int32) throws(DiskError) {
        let path = folder + "/" + SegmentName.looks
        let temporary = path + SegmentName.temporarySuffix
        try open(temporary, .create).writeAll(looks.encoded(stamp: stamp), at: 0)
        try rename(temporary, to: path)
    }
}
