import AppendLog
import Foundation
import LogSupport
import Testing

@Suite("Simulated disks")
struct SimulationTests {
    /// `make simulate SEED=n COUNT=m` sets these.
    static let seed = ProcessInfo.processInfo.environment["TILLBOX_SIMULATE_SEED"].flatMap(
        UInt64.init)
    static let count = ProcessInfo.processInfo.environment["TILLBOX_SIMULATE_COUNT"].flatMap(
        Int.init)

    static func seeds(_ count: Int) -> [UInt64] {
        (0..<UInt64(Self.count ?? count)).map { (seed ?? 1) &+ $0 }
    }

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

    static func progress(_ seed: UInt64, _ what: String) {
        if count != nil { print("SEED=\(seed): \(what), all well") }
    }

    @Test(
        "nothing acknowledged is lost when the power fails, at any operation", arguments: seeds(16))
    func powerCuts(seed: UInt64) {
        guard let operationCount = Self.run(seed, Simulation.Options(), "without a cut") else {
            return
        }
        for operation in 1...operationCount {
            var options = Simulation.Options()
            options.powerCutAt = operation
            guard Self.run(seed, options, "cut at operation \(operation)") != nil else { return }
        }
        Self.progress(seed, "\(operationCount) power cuts")
    }

    @Test(
        "a failed operation poisons the log, and nothing acknowledged is lost", arguments: seeds(4))
    func failures(seed: UInt64) {
        var options = Simulation.Options()
        options.stepCount = 25
        guard let operationCount = Self.run(seed, options, "without a failure") else { return }
        for operation in 1...operationCount {
            for code in [EIO, ENOSPC] {
                options.failures = [operation: code]
                guard Self.run(seed, options, "error \(code) at operation \(operation)") != nil
                else {
                    return
                }
            }
        }
        Self.progress(seed, "\(operationCount * 2) failures")
    }

    @Test(
        "a full disk refuses appends, and the log goes on when there is space", arguments: seeds(60)
    )
    func diskFull(seed: UInt64) {
        do {
            try Simulation.diskFullHistory(seed: seed)
        } catch {
            Issue.record("SEED=\(seed) with a full disk: \(error)")
        }
        Self.progress(seed, "a full disk")
    }

    @Test("a history is a function of its seed")
    func isDeterministic() throws {
        func contents() throws -> [String: [UInt8]] {
            let simulation = Simulation(seed: 5)
            try simulation.open()
            try simulation.run(steps: 60)
            return simulation.disk.contents
        }
        let first = try contents()
        #expect(try contents() == first)
        #expect(first.count > 5)
    }

    // MARK: Does it bite?

    enum Lie: String, CaseIterable, Sendable {
        case syncDoesNothing, directorySyncDoesNothing, failedSyncIsRetried
    }

    @Test("the oracle notices a log that breaks the rules", arguments: Lie.allCases)
    func bites(lie: Lie) throws {
        var noticed = 0
        for seed in UInt64(1)...12 where noticed == 0 {
            for operation in stride(from: 20, through: 120, by: 4) {
                var options = Simulation.Options()
                switch lie {
                case .syncDoesNothing:
                    options.faults.syncDoesNothing = true
                    options.powerCutAt = operation
                case .directorySyncDoesNothing:
                    options.faults.directorySyncDoesNothing = true
                    options.powerCutAt = operation
                case .failedSyncIsRetried:
                    options.retriesSync = true
                    options.failures = [operation: EIO]
                }
                do {
                    try Simulation.history(seed: seed, options: options)
                } catch is SimulationFailure {
                    noticed += 1
                } catch is LogError {
                    noticed += 1
                }
            }
        }
        #expect(noticed > 0, "\(lie.rawValue) went unnoticed")
    }
}
