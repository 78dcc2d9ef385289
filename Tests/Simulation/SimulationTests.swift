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

    @Test(
        "a history is a function of its seed, operation by operation, faults and recovery included",
        arguments: UInt64(1)...8)
    func isDeterministic(seed: UInt64) throws {
        func history() throws -> ([DiskError.Operation], [String: [UInt8]]) {
            var options = Simulation.Options()
            options.powerCutAt = 60
            let simulation = Simulation(seed: seed, options: options)
            try simulation.open()
            try simulation.run(steps: 40)
            try simulation.recover()
            try simulation.run(steps: 20)
            return (simulation.disk.operations, simulation.disk.contents)
        }
        let (operations, contents) = try history()
        let (again, contentsAgain) = try history()
        #expect(operations == again)
        #expect(contents == contentsAgain)
        #expect(operations.count > 60)
        #expect(contents.count > 5)
    }

    @Test("the histories come to every state that they claim to cover, and open the log after each")
    func visitsEveryState() throws {
        let visits = Visits()
        var options = Simulation.Options(visits: visits)
        for seed in UInt64(1)...6 {
            let operationCount = try Simulation.history(seed: seed, options: options)
            for operation in stride(from: 10, through: operationCount, by: 9) {
                options.powerCutAt = operation
                try Simulation.history(seed: seed, options: options)
                options.powerCutAt = nil
                options.failures = [operation: EIO]
                try Simulation.history(seed: seed, options: options)
                options.failures = [:]
            }
        }
        for seed in UInt64(1)...20 { try Simulation.diskFullHistory(seed: seed, visits: visits) }
        // Retention has something to delete only in a long one.
        options.stepCount = 200
        for seed in UInt64(1)...12 { try Simulation.history(seed: seed, options: options) }
        for state in SimulationState.allCases {
            #expect(visits.visited.contains(state), "never came to \(state)")
            #expect(visits.reopened.contains(state), "never opened the log after \(state)")
        }
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
