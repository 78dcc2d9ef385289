internal import Foundation

/// Time as the log sees it: the wall clock stamps, the monotonic clock measures.
public protocol LogClock: Sendable {
    /// The wall clock. It may jump.
    func now() -> Timestamp
    /// Milliseconds since some moment; it never goes back.
    func monotonicMilliseconds() -> Int64
}

/// The machine's clocks.
public struct SystemLogClock: LogClock {
    public init() {}

    public func now() -> Timestamp { Timestamp(milliseconds: Self.read(CLOCK_REALTIME)) }
    public func monotonicMilliseconds() -> Int64 { Self.read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // SAFETY: clock_gettime fills the struct it is handed and keeps no pointer to it.
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
