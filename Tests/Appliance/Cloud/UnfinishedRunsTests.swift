import AppendLog
import Testing

@testable import Appliance
@testable import Cloud
@testable import Vocabulary

@Suite("Runs that were given and not finished")
struct UnfinishedRunsTests {
    private let lane = SourceLane(topic: .paymentScored, partition: 1)

    private func start(
        _ runs: inout UnfinishedRuns, at start: Int64?, committed: Int64? = nil
    ) -> Offset? {
        runs.starts(
            start.map { [lane: Offset($0)] } ?? [:], of: [lane],
            committed: committed.map { [lane: Offset($0)] } ?? [:])[lane]
    }

    @Test("come again while the group has noted nothing, from the first of them on")
    func again() {
        var runs = UnfinishedRuns()
        #expect(start(&runs, at: 9) == Offset(9))
        runs.begin(of: lane, at: Offset(4))
        runs.begin(of: lane, at: Offset(7))
        #expect(start(&runs, at: 9) == Offset(4))
        #expect(start(&runs, at: 2) == Offset(2))
        // The beginning is no later than a run.
        #expect(start(&runs, at: nil) == nil)
        runs.finish(lane)
        #expect(start(&runs, at: 9) == Offset(9))
    }

    @Test("are forgotten once the group has noted an offset, even if that expires")
    func forgotten() {
        var runs = UnfinishedRuns()
        runs.begin(of: lane, at: Offset(4))
        #expect(start(&runs, at: 8, committed: 8) == Offset(8))
        #expect(start(&runs, at: 9_000) == Offset(9_000))
    }

    @Test("of partitions that somebody else was given stay")
    func elsewhere() {
        var runs = UnfinishedRuns()
        runs.begin(of: lane, at: Offset(4))
        let other = SourceLane(topic: .paymentScored, partition: 2)
        #expect(runs.starts([:], of: [other], committed: [:]) == [:])
        #expect(start(&runs, at: 9) == Offset(4))
    }
}
