package import AppendLog
import Foundation

extension Instant {
    /// `2025-03-01T12:00:00Z`
    package var rfc3339: String { Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601) }
}

extension Timestamp {
    /// `2025-03-01T12:00:00.123Z`, to the millisecond: as a fraction of a second in binary it would
    /// lie below it in every other case, and be cut.
    package var rfc3339: String {
        let part = ((milliseconds % 1000) + 1000) % 1000
        let whole = Instant(seconds: (milliseconds - part) / 1000).rfc3339
        let digits = String(part)
        return whole.dropLast() + "." + String(repeating: "0", count: 3 - digits.count) + digits
            + "Z"
    }
}
