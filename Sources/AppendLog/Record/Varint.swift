/// Kafka's variable-length integers: zigzag, then groups of seven bits, the lowest group first,
/// with the top bit set on every byte but the last (the encoding of Protocol Buffers' `sint32`,
/// `sint64`).
///
/// ```
/// 0 → 00    −1 → 01    1 → 02    −64 → 7F    64 → 80 01    at most 10 bytes for 64 bits
/// ```
enum Varint {
    /// Maps small magnitudes of both signs to small unsigned numbers.
    static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }

    static func unzigzag(_ bits: UInt64) -> Int64 {
        Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1)
    }

    /// 1…10.
    static func byteCount(_ value: Int64) -> Int {
        (70 - (zigzag(value) | 1).leadingZeroBitCount) / 7
    }

    static func byteCount(_ value: Int) -> Int { byteCount(Int64(value)) }
}
