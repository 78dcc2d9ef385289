/// The id of a Stripe Event object (`evt_…`), the unit of admission.
struct EventID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }
    var description: String { rawValue }
}

/// One change of money, for ever unique in the ledger: `charge:ch_…`, `refund:re_…`.
struct MovementKey: Hashable, Sendable, CustomStringConvertible {
    let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }
    var description: String { rawValue }
}

/// Whose money it is: a Connect account, or the configured default merchant.
struct MerchantID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }
    var description: String { rawValue }
}

/// Seconds since 1970-01-01T00:00:00Z, the resolution of Stripe's `created` fields.
struct Instant: Hashable, Comparable, Sendable {
    let seconds: Int64
    init(seconds: Int64) { self.seconds = seconds }

    /// From 1970 to the end of 9999: what lies outside is no time that anybody means, and would
    /// overflow where a difference is taken.
    private static let nameable: ClosedRange<Int64> = 0...253_402_300_799

    /// The door for a moment that a request, a file or an argument names.
    init?(named seconds: Int64) {
        guard Self.nameable.contains(seconds) else { return nil }
        self.seconds = seconds
    }

    static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }
}
