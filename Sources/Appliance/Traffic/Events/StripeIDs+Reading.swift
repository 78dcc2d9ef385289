import AppendLog

extension StripeIDs {
    /// The serial that `id` was made of; nil where this seed never made that id.
    ///
    /// `write` scrambles serials by a bijection, so no table of ids is needed to find an object.
    package func serial(of id: String, _ prefix: Prefix) -> ObjectSerial? {
        let digits = id.utf8.suffix(Self.digitCount)
        guard digits.count == Self.digitCount else { return nil }
        var number: UInt64 = 0
        for digit in digits.reversed() {
            guard let value = Self.value(of: digit) else { return nil }
            let (product, overflows) = number.multipliedReportingOverflow(by: 62)
            let (sum, exceeds) = product.addingReportingOverflow(value)
            guard !overflows, !exceeds else { return nil }
            number = sum
        }
        let serial = ObjectSerial(SeededGenerator.unscramble(number) ^ key)
        return string(prefix, serial) == id ? serial : nil
    }

    private static func value(of digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt64(digit - UInt8(ascii: "A")) + 10
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt64(digit - UInt8(ascii: "a")) + 36
        default: nil
        }
    }
}

extension SeededGenerator {
    /// Undoes `scramble`: its shifts and multiplications from the last to the first, with the
    /// multipliers' inverses modulo 2⁶⁴.
    static func unscramble(_ value: UInt64) -> UInt64 {
        var mixed = value ^ (value >> 31) ^ (value >> 62)
        mixed = mixed &* 0x3196_42B2_D24D_8EC3
        mixed ^= (mixed >> 27) ^ (mixed >> 54)
        mixed = mixed &* 0x96DE_1B17_3F11_9089
        return mixed ^ (mixed >> 30) ^ (mixed >> 60)
    }
}
