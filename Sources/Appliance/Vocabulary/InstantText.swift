import Foundation

extension Instant {
    /// `2025-03-01T12:00:00Z`
    package var rfc3339: String { Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601) }
}
