import AppendLog
import Synchronization

@testable import Appliance
@testable import Vocabulary

/// Vectors by movement, filled by somebody else: looked up, they may be missing or come late.
final class MemoryVectors: Sendable {
    struct Entry: Sendable {
        var rank: UInt8
        var vector: FeatureVector
    }

    private struct State {
        var vectors: [MovementKey: Entry] = [:]
        /// The best informed event that was looked for in vain.
        var waiting: [MovementKey: PaymentEvent] = [:]
        var movements: [EventID: MovementKey] = [:]
        var missCount = 0
        var lateCount = 0
    }

    private let state = Mutex(State())

    /// How often a vector was missing, and how often one came late for an event that waited.
    var counts: (missing: Int, late: Int) { state.withLock { ($0.missCount, $0.lateCount) } }

    /// Never replaced by a vector of a less informed event.
    func store(_ entry: Entry, of movement: MovementKey) {
        state.withLock { state in
            if let known = state.vectors[movement], known.rank > entry.rank { return }
            state.vectors[movement] = entry
        }
    }

    /// The vector for an event: one of at least its own rank, or what is to come is better.
    func vector(for event: PaymentEvent) -> FeatureVector? {
        state.withLock { state in
            guard let entry = state.vectors[event.movement], entry.rank >= event.informedness.rank
            else { return nil }
            return entry.vector
        }
    }

    func wait(_ event: PaymentEvent) {
        state.withLock { state in
            state.movements[event.eventID] = event.movement
            if let known = state.waiting[event.movement], known.informedness > event.informedness {
                return
            }
            state.waiting[event.movement] = event
        }
    }

    func countMiss() { state.withLock { $0.missCount += 1 } }

    /// The event that waits for what a record tells of, if its vector is there. It goes on waiting:
    /// who asks may die before anything is made of it.
    func awaited(by record: FeaturesRecord) -> (event: PaymentEvent, vector: FeatureVector)? {
        state.withLock { state in
            guard let movement = state.movements[record.eventID],
                let event = state.waiting[movement], let entry = state.vectors[movement],
                entry.rank >= event.informedness.rank
            else { return nil }
            state.lateCount += 1
            return (event, entry.vector)
        }
    }
}

/// One instance's way to the vectors.
struct MemoryFeatures: FeatureSource {
    static let computesVectors = false

    let vectors: MemoryVectors
    let schedule: Schedule
    let task: Int

    func readings(for events: [PaymentEvent]) async throws -> [FeatureAnswer] {
        var answers: [FeatureAnswer] = []
        for event in events {
            answers.append(event.kind == .payment ? try await reading(for: event) : .unscored)
        }
        return answers
    }

    private func reading(for event: PaymentEvent) async throws -> FeatureAnswer {
        try await schedule.pass(task, "score: look up")
        if let vector = vectors.vector(for: event) {
            return .judge(.fresh(vector), isRescore: false)
        }
        try await schedule.pass(task, "score: missed")
        vectors.wait(event)
        try await schedule.pass(task, "score: waits")
        if let vector = vectors.vector(for: event) {
            return .judge(.fresh(vector), isRescore: false)
        }
        vectors.countMiss()
        return .judge(.missing, isRescore: false)
    }

    func awaited(by records: [FeaturesRecord]) async throws -> [AwaitedPayment?] {
        var awaited: [AwaitedPayment?] = []
        for record in records {
            try await schedule.pass(task, "score: late vector")
            awaited.append(
                vectors.awaited(by: record).map {
                    AwaitedPayment(event: $0.event, reading: .fresh($0.vector))
                })
        }
        return awaited
    }

    /// Payments go on waiting here: an answer that comes twice is scored twice alike.
    func finished() {}

    func state() -> StateEncoding? { nil }
}
