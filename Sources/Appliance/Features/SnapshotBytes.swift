internal import AppendLog

/// Why a feature snapshot cannot be used. None of them loses anything: the state is rebuilt by
/// reading `payment.validated` from its beginning.
enum FeatureSnapshotError: Error, Hashable, Sendable {
    /// The first four bytes are not `TBFS`.
    case notASnapshot
    /// Written by a version of the format that this code does not read.
    case unknownVersion(UInt16)
    /// Shorter than it says, a checksum that does not match, or a value that cannot be.
    case damaged(atByte: Int)
}

/// Writes a state as it was at one moment, a piece of some 64 KiB at a time, so that saving it
/// takes no second copy of it. What the sink throws ends it.
package typealias StateEncoding =
    @Sendable (_ sink: ([UInt8]) throws -> Void) throws -> Void

/// Appends little-endian numbers to bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ number: some FixedWidthInteger) {
        var rest = number
        for _ in 0..<(number.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    mutating func append(_ number: Double) { append(number.bitPattern) }
    mutating func append(_ number: Float) { append(number.bitPattern) }

    /// Begins anew in the same memory.
    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}

/// Where a snapshot is read from: so many bytes, of which any part can be asked for.
struct SnapshotSource {
    let byteCount: Int
    /// The bytes from a place on, so many; fewer where there are no more.
    let read: (_ place: Int, _ count: Int) throws -> [UInt8]

    init(byteCount: Int, read: @escaping (_ place: Int, _ count: Int) throws -> [UInt8]) {
        self.byteCount = byteCount
        self.read = read
    }

    /// What lies in memory.
    init(_ bytes: [UInt8]) {
        self.init(byteCount: bytes.count) { place, count in
            Array(bytes[min(place, bytes.count)...].prefix(count))
        }
    }

    /// The CRC-32C of the bytes before `end`.
    func checksum(upTo end: Int) throws(FeatureSnapshotError) -> UInt32 {
        var checksum: UInt32 = 0
        var place = 0
        while place < end {
            let piece = try piece(at: place, upTo: end)
            checksum = CRC32C.checksum(piece[...], continuing: checksum)
            place += piece.count
        }
        return checksum
    }

    /// At most `pieceByteCount` bytes from `place`, at least one.
    fileprivate func piece(
        at place: Int, upTo end: Int
    ) throws(FeatureSnapshotError) -> [UInt8] {
        let piece = try? read(place, min(Self.pieceByteCount, end - place))
        guard let piece, !piece.isEmpty else { throw .damaged(atByte: place) }
        return piece
    }

    static let pieceByteCount = 64 * 1_024
}

/// Reads little-endian numbers from bytes that may end anywhere, a piece at a time.
struct ByteReader {
    private let source: SnapshotSource
    /// Where the bytes end for this reader.
    private let end: Int
    private var piece: [UInt8] = []
    /// Where `piece` begins in the source.
    private var base: Int
    /// What of `piece` has been read.
    private var done = 0

    /// Of the bytes from `start` to `end`.
    init(_ source: SnapshotSource, from start: Int, to end: Int) {
        self.source = source
        self.end = end
        base = start
    }

    var isAtEnd: Bool { place == end }

    private var place: Int { base + done }

    func damaged() -> FeatureSnapshotError { .damaged(atByte: place) }

    /// - Parameter count: fewer than a piece has.
    mutating func bytes(_ count: Int) throws(FeatureSnapshotError) -> ArraySlice<UInt8> {
        guard count <= end - place else { throw damaged() }
        while count > piece.count - done {
            // What is left of the last piece goes before the next.
            let next = try source.piece(at: base + piece.count, upTo: end)
            (piece, base, done) = (Array(piece[done...]) + next, place, 0)
        }
        defer { done += count }
        return piece[done..<done + count]
    }

    mutating func byte() throws(FeatureSnapshotError) -> UInt8 {
        let one = try bytes(1)
        return one[one.startIndex]
    }

    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(FeatureSnapshotError) -> Number {
        var number: Number = 0
        var shift: Number = 0
        for byte in try bytes(Number.bitWidth / 8) {
            number |= Number(truncatingIfNeeded: byte) << shift
            shift += 8
        }
        return number
    }

    mutating func double() throws(FeatureSnapshotError) -> Double {
        Double(bitPattern: try number())
    }

    mutating func float() throws(FeatureSnapshotError) -> Float {
        Float(bitPattern: try number())
    }
}
