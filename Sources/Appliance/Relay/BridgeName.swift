/// The bridges that this program knows. A name never changes: it stands in settings, in the local
/// log's consumer groups and in file names.
package enum BridgeName: String, CaseIterable, Sendable {
    case kafka, redis, postgres

    /// The consumer group of the local log that says how far the bridge has come; retention waits
    /// for it.
    package var group: String { "bridge-\(rawValue)" }
}

extension BridgeName: Comparable {
    package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}

/// Bounds of every bridge.
package enum RelayLimits {
    /// Bytes that are read of one topic at once; what is in flight is at most this for each topic.
    static let runByteCount = 1 << 20
    /// Milliseconds between two looks at what only somebody else can say, such as how far the
    /// ledger has booked.
    static let lookMilliseconds: Int64 = 50
    /// Milliseconds between two notes of the position in the local log.
    static let noteMilliseconds: Int64 = 1_000
    /// Milliseconds of one call from which on it is told that the target is waited for.
    static let silenceMilliseconds: Int64 = 4_000
    /// The first wait behind a failure, and the longest, in milliseconds.
    static let backOffMilliseconds: ClosedRange<Int64> = 200...30_000
    /// Failures in a row from which on the circuit is open.
    static let failureCountMax = 6
    /// Characters of an error that are told.
    static let sentenceLengthMax = 600
}
