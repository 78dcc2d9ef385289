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
    static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }
}
