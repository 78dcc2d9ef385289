import AppendLog
import Synchronization

/// What the histories together must have come to, or they show less than they claim
/// (docs/RELIABILITY.md lists the same).
enum SimulationState: String, CaseIterable, Sendable {
    /// A torn write was cut off the tail.
    case tornWriteCut
    /// A topic went on to its second segment.
    case rolled
    /// An append was refused for want of space.
    case diskFull
    /// A failed operation stopped the log.
    case poisoned
    /// Retention deleted a segment while an append to the same topic was waiting.
    case retentionDuringAppend
    /// A stage repeated itself, and the log refused what it had.
    case sourceRefused
    /// Several appends shared one batch, and so one sync.
    case groupShared
    /// The power failed while the log was being opened.
    case cutWhileRecovering
}

/// Notes what a set of histories came to, and of what the log was opened again afterwards.
final class Visits: Sendable {
    private struct State {
        var visited: Set<SimulationState> = []
        var reopened: Set<SimulationState> = []
    }
    private let state = Mutex(State())

    var visited: Set<SimulationState> { state.withLock { $0.visited } }
    var reopened: Set<SimulationState> { state.withLock { $0.reopened } }

    fileprivate func visit(_ some: SimulationState) {
        state.withLock { _ = $0.visited.insert(some) }
    }
    fileprivate func reopen(after some: Set<SimulationState>) {
        state.withLock { $0.reopened.formUnion(some) }
    }
}

extension Simulation {
    func visit(_ state: SimulationState) {
        guard let visits = options.visits else { return }
        visits.visit(state)
        sinceOpening.insert(state)
    }

    /// The log is open: after all that this history has come to since it was the last time.
    func noteOpening() {
        guard let visits = options.visits else { return }
        visits.reopen(after: sinceOpening)
        sinceOpening = []
        if log?.recovery.values.contains(where: { $0.truncatedBytes > 0 }) ?? false {
            visit(.tornWriteCut)
        }
    }

    func noteFailure(_ error: LogError) {
        switch error {
        case .diskFull: visit(.diskFull)
        case .poisoned: visit(.poisoned)
        default: break
        }
    }

    func noteAppend(_ outcome: AppendOutcome, to name: TopicName) {
        guard options.visits != nil, let topic = openTopics[name] else { return }
        if outcome.refusedCount > 0 { visit(.sourceRefused) }
        if topic.segments.count > 1 { visit(.rolled) }
        guard !outcome.appended.isEmpty, outcome.appended.lowerBound >= topic.start else { return }
        let batch = try? topic.readBatches(from: outcome.appended.lowerBound, byteCountMax: 1)
        let range = batch?.first.map { $0.header.baseOffset..<$0.header.nextOffset }
        if let range, range != outcome.appended { visit(.groupShared) }
    }
}
