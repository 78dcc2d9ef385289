/// The id of a Stripe Event object (`evt_…`), the unit of admission.
package struct EventID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(_ rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }
}

/// One change of money, for ever unique in the ledger: `charge:ch_…`, `refund:re_…`.
package struct MovementKey: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(_ rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }
}

/// Whose money it is: a Connect account, or the configured default merchant.
package struct MerchantID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(_ rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }
}

/// Seconds since 1970-01-01T00:00:00Z, the resolution of Stripe's `created` fields.
package struct Instant: Hashable, Comparable, Sendable {
    package let seconds: Int64
    package init(seconds: Int64) { self.seconds = seconds }

    /// From 1970 to the end of 9999: what lies outside is no time that anybody means, and would
    /// overflow where a difference is taken.
    private static let nameable: ClosedRange<Int64> = 0...253_402_300_799

    /// The door for a moment that a request, a file or an argument names.
    package init?(named seconds: Int64) {
        guard Self.nameable.contains(seconds) else { return nil }
        self.seconds = seconds
    }

    package static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }
}
