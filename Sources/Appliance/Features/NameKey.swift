internal import Bridges

/// A name (customer, card, merchant, device, movement) in 48 bytes without a pointer, so that a
/// million of them cost no allocation and no reference counting.
///
/// Two names are equal exactly when their keys are, but for names longer than 47 bytes, which are
/// known by their length and SHA-256. Byte 47 is the name's length, or 0xFF for a digest.
struct NameKey: Hashable, Sendable {
    private var words: Words

    /// 48 bytes, the first one lowest in the first word.
    private struct Words: Hashable, Sendable {
        var w0: UInt64 = 0
        var w1: UInt64 = 0
        var w2: UInt64 = 0
        var w3: UInt64 = 0
        var w4: UInt64 = 0
        var w5: UInt64 = 0

        init() {}

        init(reading bytes: Span<UInt8>) {
            w0 = Self.word(bytes, at: 0)
            w1 = Self.word(bytes, at: 8)
            w2 = Self.word(bytes, at: 16)
            w3 = Self.word(bytes, at: 24)
            w4 = Self.word(bytes, at: 32)
            w5 = Self.word(bytes, at: 40)
        }

        init(reading bytes: ArraySlice<UInt8>) { self.init(reading: bytes.span) }

        private static func word(_ bytes: Span<UInt8>, at start: Int) -> UInt64 {
            let end = min(start + 8, bytes.count)
            var word: UInt64 = 0
            var place = end - 1
            while place >= start {
                word = word << 8 | UInt64(bytes[place])
                place -= 1
            }
            return word
        }
    }

    private static let exactBytesMax = 47
    private static let digestTag: UInt64 = 0xFF

    /// The key of the empty name, which stands for "not known".
    static let none = NameKey()

    private init() { words = Words() }

    init(_ name: String) {
        let utf8 = name.utf8
        if utf8.count <= Self.exactBytesMax {
            words = Words(reading: utf8.span)
            words.w5 |= UInt64(utf8.count) << 56
        } else {
            words = Words(reading: SHA256.digest(Array(utf8)[...]).span)
            words.w4 = UInt64(utf8.count)
            words.w5 = Self.digestTag << 56
        }
    }

    var isNone: Bool { self == .none }

    /// Eight of the key's bytes.
    func word(_ place: Int) -> UInt64 {
        switch place {
        case 0: words.w0
        case 1: words.w1
        case 2: words.w2
        case 3: words.w3
        case 4: words.w4
        default: words.w5
        }
    }

    // MARK: Snapshot

    /// A length byte and the name, or 0xFF, the digest's 32 bytes and the name's length.
    func encode(into writer: inout ByteWriter) {
        let tag = words.w5 >> 56
        writer.append(UInt8(tag))
        let count = tag == Self.digestTag ? 40 : Int(tag)
        for place in 0..<count { writer.append(byte(at: place)) }
    }

    private func byte(at place: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: word(place >> 3) >> UInt64((place & 7) * 8))
    }

    init(from reader: inout ByteReader) throws(FeatureSnapshotError) {
        let tag = UInt64(try reader.byte())
        guard tag <= Self.exactBytesMax || tag == Self.digestTag else { throw reader.damaged() }
        words = Words(reading: try reader.bytes(tag == Self.digestTag ? 40 : Int(tag)))
        words.w5 |= tag << 56
    }
}

/// A hash of names under secrets of its own, drawn anew for every table in every process.
///
/// Products of 128 bits folded to 64, as wyhash does it (Wang Yi, 2019): four multiplications a
/// name, where Swift's `Hasher` took a tenth of the engine's time. Who does not know the secrets
/// cannot tell which names collide; 32 bits of it are stored and never shown to anybody.
struct NameHash: Sendable {
    private let secrets: InlineArray<8, UInt64>

    init() {
        var generator = SystemRandomNumberGenerator()
        // Odd, so that none of them is zero.
        secrets = InlineArray { _ in generator.next() | 1 }
    }

    func callAsFunction(_ key: NameKey) -> UInt32 {
        let first = fold(key.word(0) ^ secrets[0], key.word(1) ^ secrets[1])
        let second = fold(key.word(2) ^ secrets[2], key.word(3) ^ secrets[3])
        let third = fold(key.word(4) ^ secrets[4], key.word(5) ^ secrets[5])
        return UInt32(
            truncatingIfNeeded: fold(
                first ^ second ^ secrets[6], second &+ third ^ secrets[7]))
    }

    private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
