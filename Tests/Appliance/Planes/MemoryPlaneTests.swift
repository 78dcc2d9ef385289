import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// That the middle is the same code in both planes: whatever happens to the instances over the
/// memory plane, its ledger has the same content as the embedded one's.
@Suite("The memory plane")
struct MemoryPlaneTests {
    /// Histories of each scenario; more by TILLBOX_SIMULATE_COUNT.
    private static let historyCount =
        ProcessInfo.processInfo.environment["TILLBOX_SIMULATE_COUNT"].flatMap { UInt64($0) } ?? 12

    @Test(
        "books what the embedded plane books, however its instances come, go and die",
        arguments: UInt64(1)...5)
    func sameContent(scenarioSeed: UInt64) async throws {
        let scenario = try await PlaneScenario(seed: scenarioSeed)
        #expect(scenario.expected.movements.count > 20)
        for seed in 0..<Self.historyCount {
            let name: Comment = "scenario \(scenarioSeed), history \(seed)"
            var run = PlaneRun(scenario, seed: scenarioSeed &* 1_000 &+ seed)
            let report = await run.run()
            #expect(report.failures == [], name)
            #expect(report.breaches == [], name)
            #expect(report.lost == 0, name)
            #expect(report.content.differences(from: scenario.expected) == [], name)
        }
    }

    @Test("with one partition and no disturbance it is a plane like any other")
    func onePartition() async throws {
        let scenario = try await PlaneScenario(seed: 99)
        var run = PlaneRun(scenario, seed: 99, partitionCount: 1)
        let report = await run.run()
        #expect(report.content.differences(from: scenario.expected) == [])
    }

    @Test("its histories reach every place to die, every miss and every takeover")
    func coverage() async throws {
        let scenario = try await PlaneScenario(seed: 3)
        var deaths: [String: Int] = [:]
        var (fenced, missing, late) = (0, 0, 0)
        for seed in 0..<UInt64(30) {
            var run = PlaneRun(scenario, seed: 50_000 + seed)
            let report = await run.run()
            deaths.merge(report.deaths, uniquingKeysWith: +)
            fenced += report.fencedCount
            missing += report.missCount
            late += report.lateCount
        }
        for step in ["validate", "score", "ledger"] {
            for place in ["read", "took", "before the transaction", "behind the transaction"] {
                #expect(deaths["\(step): \(place)", default: 0] > 0, "\(step): \(place)")
            }
        }
        for place in [
            "gate: claim", "gate: claimed", "gate: appended", "score: look up", "score: missed",
            "score: waits", "score: late vector", "features: stored",
        ] {
            #expect(deaths[place, default: 0] > 0, "\(place)")
        }
        #expect(fenced > 0)
        #expect(missing > 0)
        #expect(late > 0)
    }

    @Test("one seed gives one history")
    func repeatable() async throws {
        let scenario = try await PlaneScenario(seed: 4)
        for seed in UInt64(4)..<8 {
            var histories: Set<[String: Int]> = []
            for _ in 0..<4 {
                var run = PlaneRun(scenario, seed: seed)
                let report = await run.run()
                var counts = report.deaths
                counts["steps"] = report.stepCount
                histories.insert(counts)
            }
            #expect(histories.count == 1, "seed \(seed)")
        }
    }
}
