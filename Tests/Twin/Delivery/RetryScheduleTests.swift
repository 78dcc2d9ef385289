import Testing

@testable import Twin
@testable import Vocabulary

@Suite("Retry schedule")
struct RetryScheduleTests {
    private static func waits(_ schedule: RetrySchedule, unit: Double = 0.5) -> [Int64] {
        var waits: [Int64] = []
        var elapsed: Int64 = 0
        while let wait = schedule.wait(
            afterAttempts: waits.count + 1, elapsed: elapsed, unit: unit)
        {
            waits.append(wait)
            elapsed += wait
        }
        return waits
    }

    @Test("in live mode goes on for most of three days, and not longer")
    func live() {
        for unit in [0, 0.5, 0.999] {
            let waits = Self.waits(.live, unit: unit)
            let hours = Double(waits.reduce(0, +)) / 3_600_000
            #expect(hours > 48 && hours <= 72, "\(hours) h at \(unit)")
            #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        }
    }

    @Test("in test mode is three attempts within a few hours")
    func test() {
        let waits = Self.waits(.test)
        #expect(waits.count == 2)
        #expect(waits.reduce(0, +) <= 6 * 3_600_000)
    }

    @Test("doubles from the first wait to the longest")
    func quick() {
        let waits = Self.waits(.quick)
        #expect(waits.prefix(7) == [200, 400, 800, 1_600, 3_200, 6_400, 10_000])
        #expect(waits.count == RetrySchedule.quick.attemptsMax - 1)
        #expect(waits.max() == 10_000)
    }

    @Test("the jitter stays within its share, both ways")
    func jitter() {
        #expect(RetrySchedule.quick.wait(afterAttempts: 1, elapsed: 0, unit: 0) == 160)
        let most = RetrySchedule.quick.wait(afterAttempts: 1, elapsed: 0, unit: 0.9999)
        #expect(most == 239)
    }
}
