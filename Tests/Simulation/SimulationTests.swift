import AppendLog
import Foundation
import Testing

@Suite("Simulated disks")
struct SimulationTests {
    /// `make simulate SEED=n COUNT=m` sets these.
    static let seed = ProcessInfo.processInfo.environment["TILLBOX_SIMULATE_SEED"].flatMap(UInt64.init)
    static let count = ProcessInfo.processInfo.environment["TILLBOX_SIMULATE_COUNT"].flatMap(Int.init)
    static let seeds = (0..<UInt64(count ?? 24)).map { (seed ?? 1) &+ $0 }

    /// Runs one history and says how to run it again if it fails.
    @discardableResult
    static func run(_ seed: UInt64, _ options: Simulation.Options, _ what: String) -> Int? {
        do {
            return try Simulation.history(seed: seed, options: options)
        } catch {
            Issue.record("SEED=\(seed) \(what): \(error)")
            return nil
        }
    }

    @Test("nothing acknowledged is lost when the power fails, at any operation", arguments: seeds)
    func powerCuts(seed: UInt64) {
        guard let operationCount = Self.run(seed, Simulation.Options(), "without a cut") else { return }
        for operation in 1...operationCount {
            var options = Simulation.Options()
            options.powerCutAt = operation
            guard Self.run(seed, options, "cut at operation \(operation)") != nil else { return }
        }
        if Self.count != nil { print("SEED=\(seed): \(operationCount) power cuts, all well") }
    }
}
