import Foundation
import Testing

@testable import AppendLog

@Suite("The machine's clock")
struct ClockTests {
    private static func time(_ seconds: Int, _ nanoseconds: Int = 0) -> timespec {
        timespec(tv_sec: seconds, tv_nsec: nanoseconds)
    }

    private static let beyond: [(Int, Int64)] = [
        (Int.min, 0), (-1, 0), (253_402_300_800, 253_402_300_799_999),
        (9_223_372_036_854_776, 253_402_300_799_999), (Int.max, 253_402_300_799_999),
    ]

    @Test("what no calendar shows is taken for the nearer end, and said", arguments: beyond)
    func outside(seconds: Int, milliseconds: Int64) {
        let time = Self.time(seconds, 999_999_999)
        #expect(SystemLogClock.milliseconds(time) == milliseconds)
        #expect(SystemLogClock.outOfRange(time) == Int64(seconds))
    }

    @Test("every other time is what it is")
    func inside() {
        #expect(SystemLogClock.milliseconds(Self.time(0, 999_999)) == 0)
        #expect(
            SystemLogClock.milliseconds(Self.time(1_795_645_860, 7_000_000)) == 1_795_645_860_007)
        #expect(SystemLogClock.outOfRange(Self.time(0)) == nil)
        #expect(SystemLogClock.outOfRange(Self.time(253_402_300_799)) == nil)
        #expect(SystemLogClock.secondsOutOfRange() == nil)
    }
}
