import AppendLog
import LogSupport

extension Simulation {
    /// A whole history: until a fault or the end, then recovery, twice, and some more of the same.
    ///
    /// - Returns: how many operations the first part took.
    /// - Throws: a failure of the oracle, or of the log where it must not fail.
    @discardableResult
    static func history(seed: UInt64, options: Options) throws -> Int {
        let simulation = Simulation(seed: seed, options: options)
        do {
            try simulation.open()
        } catch let error as LogError {
            // A fault during the very first opening; there is nothing to lose yet.
            guard simulation.disk.isPowerOff || !options.failures.isEmpty else { throw error }
        }
        if !simulation.isOver { try simulation.run(steps: options.stepCount) }
        let operationCount = simulation.disk.operationCount
        try simulation.checkPoison()
        try simulation.recover()
        try simulation.run(steps: options.stepCount / 3)
        try simulation.recover()
        return operationCount
    }

    /// What comes after a power cut or a killed process: open again, perhaps with another cut in
    /// the middle, and ask the oracle; then again, which must change nothing.
    func recover() throws {
        stopProcess()
        var faults = SimulatedDisk.Faults()
        faults.syncDoesNothing = options.faults.syncDoesNothing
        faults.directorySyncDoesNothing = options.faults.directorySyncDoesNothing
        for _ in 0..<2 where generator.isOne(in: 3) {
            faults.powerCutAt = disk.operationCount + Int.random(in: 1...12, using: &generator)
            disk.faults = faults
            do {
                try open()
                // It opened before the cut came.
                if !disk.isPowerOff { break }
                visit(.cutWhileRecovering)
            } catch let error as LogError {
                visit(.cutWhileRecovering)
                guard disk.isPowerOff else {
                    throw SimulationFailure(what: "recovery failed: \(error)")
                }
            }
            stopProcess()
        }
        stopProcess()
        faults.powerCutAt = nil
        disk.faults = faults
        try openRecovered()
        try checkEverything()
        let contents = disk.contents
        log = nil
        disk.kill()
        try openRecovered()
        guard disk.contents == contents else {
            throw SimulationFailure(what: "recovering again changed \(changes(from: contents))")
        }
        try checkEverything()
    }

    /// Once poisoned, the log takes nothing more, and says why.
    private func checkPoison() throws {
        guard let log, case .poisoned = log.poison else { return }
        for name in Self.topics {
            let answer = Answers()
            guard let topic = openTopics[name] else { continue }
            topic.append([]) {
                answer.add(
                    .append(name, 0, $0.map { AppendOutcome(appended: $0, refusedCount: 0) }))
            }
            scheduler.run()
            switch answer.take().first {
            // Closed, if the failure came while the log was being closed.
            case .append(_, _, .failure(.poisoned)), .append(_, _, .failure(.closed)): continue
            default: throw SimulationFailure(what: "\(name) took an append after a failed sync")
            }
        }
    }

    /// A disk that fills up, and is emptied: the log goes on by itself.
    static func diskFullHistory(seed: UInt64, visits: Visits? = nil) throws {
        let simulation = Simulation(seed: seed, options: Options(visits: visits))
        try simulation.open()
        try simulation.run(steps: 15)
        let used = simulation.disk.contents.values.reduce(0) { $0 + $1.count }
        simulation.disk.faults.capacityBytes =
            used + Int.random(in: 0...6000, using: &simulation.generator)
        simulation.isReopening = false
        try simulation.run(steps: 60)
        guard !simulation.isOver else {
            throw SimulationFailure(
                what: "a full disk stopped the log: \(String(describing: simulation.log?.poison))")
        }
        simulation.disk.faults.capacityBytes = nil
        // Nothing is let off from here on: every append must succeed.
        try simulation.run(steps: 20)
        try simulation.checkEverything()
        try simulation.recover()
    }

    private func changes(from contents: [String: [UInt8]]) -> [String] {
        let now = disk.contents
        return Set(now.keys).union(contents.keys).filter { now[$0] != contents[$0] }.sorted()
    }

    private func openRecovered() throws {
        do {
            try open()
        } catch let error as LogError {
            throw SimulationFailure(what: "recovery failed: \(error)")
        }
    }

    /// Sometimes the machine dies, sometimes only the process.
    private func stopProcess() {
        log = nil
        scheduler = SteppedScheduler()
        _ = answers.take()
        if disk.isPowerOff || Bool.random(using: &generator) { disk.crash() } else { disk.kill() }
    }
}
