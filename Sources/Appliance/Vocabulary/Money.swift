/// Money in the currency's smallest unit, as Stripe gives it. Never a floating-point number.
package struct MinorUnits: Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    package static let zero = MinorUnits(0)
    /// The largest sum that one movement may have. Nothing that is paid comes near it, and a
    /// balance holds some nine thousand of it, so that no single event can fill an account.
    package static let movementMax = MinorUnits(1_000_000_000_000_000)

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    package static prefix func - (value: Self) -> Self { MinorUnits(-value.rawValue) }

    /// The sum; it wraps around, since what is added has been checked or is only compared.
    package static func &+ (left: Self, right: Self) -> Self {
        MinorUnits(left.rawValue &+ right.rawValue)
    }
}

/// A currency by its lower-case ISO 4217 code, as Stripe writes it (`usd`).
package struct Currency: Hashable, Sendable {
    package let code: String

    /// - Returns: nil unless `code` is three lower-case ASCII letters.
    package init?(_ code: String) {
        let bytes = code.utf8
        guard bytes.count == 3, bytes.allSatisfy({ (0x61...0x7A).contains($0) }) else { return nil }
        self.code = code
    }

    /// How many decimal digits of the major unit one minor unit stands for, following Stripe
    /// (docs.stripe.com/currencies), not ISO 4217: UGX and ISK count two here.
    package var displayExponent: Int {
        if Self.zeroDecimal.contains(code) { return 0 }
        return Self.threeDecimal.contains(code) ? 3 : 2
    }

    private static let zeroDecimal: Set<String> = [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
        "xof", "xpf",
    ]
    private static let threeDecimal: Set<String> = ["bhd", "jod", "kwd", "omr", "tnd"]

    /// `amount` in major units with this currency's number of decimals: `-12.34`, `500`.
    package func display(_ amount: MinorUnits) -> String {
        let exponent = displayExponent
        guard exponent > 0 else { return String(amount.rawValue) }
        let digits = String(amount.rawValue.magnitude)
        let padded = String(repeating: "0", count: max(0, exponent + 1 - digits.count)) + digits
        let whole = padded.dropLast(exponent)
        return "\(amount.rawValue < 0 ? "-" : "")\(whole).\(padded.suffix(exponent))"
    }
}
