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
}

/// Reads little-endian numbers from bytes that may end anywhere.
struct ByteReader {
    private let content: ArraySlice<UInt8>
    private(set) var place: Int

    init(_ content: ArraySlice<UInt8>) {
        self.content = content
        place = content.startIndex
    }

    var isAtEnd: Bool { place == content.endIndex }

    func damaged() -> FeatureSnapshotError { .damaged(atByte: place) }

    mutating func bytes(_ count: Int) throws(FeatureSnapshotError) -> ArraySlice<UInt8> {
        guard count <= content.endIndex - place else { throw damaged() }
        defer { place += count }
        return content[place..<place + count]
    }

    mutating func byte() throws(FeatureSnapshotError) -> UInt8 {
        guard place < content.endIndex else { throw damaged() }
        defer { place += 1 }
        return content[place]
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
