import AppendLog
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Figures over time")
struct LiveHistoryTests {
    @Test("a share of what was recorded since is within a percent of the exact one")
    func quantilesSince() {
        var values = LatencyHistogram()
        for value in 1...1_000 { values.record(UInt64(value) * 1_000) }
        let earlier = values
        #expect(values.value(atShare: 0.5, since: earlier) == 0)
        for value in 1...100 { values.record(UInt64(value)) }
        for (share, exact) in [(0.5, 50.0), (0.99, 99), (1, 100), (0, 1)] {
            let value = Double(values.value(atShare: share, since: earlier))
            #expect(abs(value - exact) <= max(1, exact * 0.01), "\(share): \(value)")
        }
    }

    @Test("latencies are those of the last minute, and buckets hold ten seconds each")
    func buckets() {
        let counters = Counters()
        var history = LiveHistory(counters, at: 0)
        counters.endToEnd.record(microseconds: 50_000, count: 100)
        counters.add(.booked, 100)
        for second in 1...9 { _ = history.look(counters, at: Int64(second) * 1_000, wall: 0) }
        #expect(history.buckets.isEmpty)
        let isClosed = history.look(counters, at: 10_000, wall: 1_700_000_010_999)
        #expect(isClosed)
        #expect(history.buckets.map(\.booked) == [100])
        #expect(history.buckets.first?.endedAt == 1_700_000_010)
        #expect((49_000...51_000).contains(history.toLedger.p50))
        // A minute without any: the old ones are no longer of the last minute.
        for second in 11...80 { _ = history.look(counters, at: Int64(second) * 1_000, wall: 0) }
        #expect(history.toLedger == LiveHistory.Latency())
        #expect(history.buckets.map(\.booked) == [100, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test("an hour is kept")
    func hour() {
        let counters = Counters()
        var history = LiveHistory(counters, at: 0)
        for bucket in 1...(LiveLimits.bucketCount + 5) {
            counters.add(.booked, bucket)
            _ = history.look(counters, at: Int64(bucket) * 10_000, wall: 0)
        }
        #expect(history.buckets.count == LiveLimits.bucketCount)
        #expect(history.buckets.first?.booked == 6)
    }

    @Test("a rate is taken over the last seconds, and never below zero")
    func rates() {
        var window = RateWindow()
        func rates(_ counts: [Int64], at milliseconds: Int64) -> [Double] {
            window.rates(counts, at: milliseconds)
        }
        #expect(rates([100, 5], at: 0) == [0, 0])
        #expect(rates([110, 5], at: 2_000) == [5, 0])
        for second in 3...20 { _ = rates([110, 5], at: Int64(second) * 1_000) }
        #expect(rates([110, 1], at: 21_000) == [0, 0])
        // 25 within the last 4.5 seconds.
        #expect(rates([135, 1], at: 21_500) == [5.6, 0])
    }

    @Test("a look that takes long is made less often")
    func schedule() {
        var schedule = MoneySchedule(from: 100)
        #expect(schedule.isDue(at: 100))
        schedule.didLook(from: 100, to: 110)
        #expect(!schedule.isDue(at: 5_109))
        #expect(schedule.isDue(at: 5_110))
        schedule.didLook(from: 5_110, to: 6_110)
        #expect(!schedule.isDue(at: 26_109))
        #expect(schedule.isDue(at: 26_110))
    }
}
