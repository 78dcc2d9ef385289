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

    /// From 1970 to the end of 9999.
    static let seconds: ClosedRange<Int64> = 0...253_402_300_799

    /// A clock outside of 1970 to 9999 is taken for the nearer end, so that nobody who reckons with
    /// a time can leave the range of numbers.
    public func now() -> Timestamp {
        Timestamp(milliseconds: Self.milliseconds(Self.read(CLOCK_REALTIME)))
    }

    public func monotonicMilliseconds() -> Int64 { Self.milliseconds(Self.read(CLOCK_MONOTONIC)) }

    /// What the machine says, in seconds since 1970; nil while it is a time from 1970 to 9999.
    public static func secondsOutOfRange() -> Int64? { outOfRange(read(CLOCK_REALTIME)) }

    static func outOfRange(_ time: timespec) -> Int64? {
        seconds.contains(Int64(time.tv_sec)) ? nil : Int64(time.tv_sec)
    }

    static func milliseconds(_ time: timespec) -> Int64 {
        let whole = Int64(time.tv_sec)
        if whole < seconds.lowerBound { return seconds.lowerBound * 1000 }
        if whole > seconds.upperBound { return seconds.upperBound * 1000 + 999 }
        return whole * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        // SAFETY: clock_gettime fills the struct it is handed and keeps no pointer to it.
        clock_gettime(clock, &time)
        return time
    }
}
