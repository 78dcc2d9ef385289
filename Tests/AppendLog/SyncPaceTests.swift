import Testing

@testable import AppendLog

@Suite("Pace of syncs")
struct SyncPaceTests {
    private static var configuration: LogConfiguration {
        var configuration = LogConfiguration()
        configuration.syncIntervalMicroseconds = 2_000
        configuration.gatheringAppends = 8
        return configuration
    }

    /// Groups of `count` appends, one every `microseconds`, for a fiftieth of a second.
    ///
    /// - Returns: how long the next plain append waits that comes as much later.
    private func rest(_ count: Int, every microseconds: Int, isDerived: Bool = false) -> Duration {
        var pace = SyncPace(Self.configuration)
        var now = ContinuousClock.now
        for _ in 0..<20_000 / microseconds {
            pace.didTake(count, now: now)
            now += .microseconds(microseconds)
        }
        return pace.rest(isDerived: isDerived, now: now)
    }

    @Test(
        "a plain append does not wait up to some thousand a second",
        arguments: [5_000, 1_000, 500, 334])
    func alone(microseconds: Int) {
        #expect(rest(1, every: microseconds) == .zero)
    }

    @Test("a few that come together, now and then, do not wait either")
    func together() { #expect(rest(6, every: 10_000) == .zero) }

    @Test("under load appends gather until the interval is over")
    func load() {
        #expect(rest(1, every: 100) == .microseconds(1_900))
        #expect(rest(10, every: 1_000) == .microseconds(1_000))
        // Where groups are an interval apart already, nothing is left to wait for.
        #expect(rest(40, every: 2_000) == .zero)
    }

    @Test("what a stage derived keeps the interval always")
    func derived() {
        #expect(rest(1, every: 1_000, isDerived: true) == .microseconds(1_000))
        #expect(rest(1, every: 5_000, isDerived: true) == .zero)
    }

    @Test("without an interval nobody waits")
    func none() {
        var pace = SyncPace(LogConfiguration())
        for _ in 0..<100 { pace.didTake(100) }
        #expect(pace.rest(isDerived: true, now: .now) == .zero)
    }
}
