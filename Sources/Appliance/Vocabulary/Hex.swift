extension String {
    /// The bytes as lower-case hex digits.
    @inlinable
    package init(hex bytes: some Collection<UInt8>) {
        self.init(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            // SAFETY: two digits are written for each byte, which is the capacity asked for.
            var place = 0
            for byte in bytes {
                buffer[place] = Self.hexDigit(byte >> 4)
                buffer[place + 1] = Self.hexDigit(byte & 15)
                place += 2
            }
            return place
        }
    }

    /// All 16 lower-case hex digits, so that two digests stand one below the other.
    package init(hex number: UInt64) {
        let digits = String(number, radix: 16)
        self = String(repeating: "0", count: 16 - digits.count) + digits
    }

    @usableFromInline
    static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
