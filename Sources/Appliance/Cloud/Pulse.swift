import Synchronization

/// How a part of a role is, as those see it who look from outside: whether it still turns, and what
/// is in its way.
package final class Pulse: Sendable {
    private struct State {
        var lastBeat = ContinuousClock.now
        var trouble: (sentence: String, at: ContinuousClock.Instant)?
        var hasPlace = false
    }

    /// Longest silence of a part that turns: each of its waits ends before, or beats meanwhile.
    static let silenceSecondsMax = 60
    /// Longer than from one attempt to the next.
    static let troubleSecondsMax = 15

    package let name: String
    private let state = Mutex(State())

    package init(_ name: String) { self.name = name }

    /// It has come round once more.
    func beat() { state.withLock { $0.lastBeat = .now } }

    /// What is in the way; nil once it is not any more.
    func set(trouble: String?) {
        state.withLock { state in state.trouble = trouble.map { ($0, .now) } }
    }

    func set(hasPlace: Bool) { state.withLock { $0.hasPlace = hasPlace } }

    /// What is in its way now. Each attempt that fails says so again, so that what was said some
    /// time ago has passed, though nothing has come since.
    package var trouble: String? {
        state.withLock { state in
            guard let trouble = state.trouble,
                .now - trouble.at < .seconds(Self.troubleSecondsMax)
            else { return nil }
            return trouble.sentence
        }
    }

    /// Whether it was given something to read; an instance too many never is.
    package var hasPlace: Bool { state.withLock { $0.hasPlace } }

    /// Whether it still turns. A process whose parts do not is to be ended and started again.
    package func isAlive(at now: ContinuousClock.Instant = .now) -> Bool {
        now - state.withLock { $0.lastBeat } < .seconds(Self.silenceSecondsMax)
    }
}
