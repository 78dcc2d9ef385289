package import Vocabulary

/// What a bridge does next, and why: a pure machine above the I/O. It reads no clock and draws no
/// lots.
///
///     starting ──opened──▶ running ──┐
///        ▲ ▲ └──failed──┐     │      │ delivered: failures are forgotten
///        │ │            ▼     ▼ failed
///        │ └──due── backing off ──6th in a row──▶ circuit open: 3 to 6 s, … 15 to 30 s
///        │
///     resumed ◀── paused ◀── a person, from anywhere; survives a restart
///        └─────── stopped ◀── refused, from anywhere: somebody has to mend something first
package struct BridgeLife: Sendable {
    package enum State: Hashable, Sendable {
        case starting
        case running
        /// Waits for the next attempt at `until`, in milliseconds of the monotonic clock.
        case backingOff(until: Int64)
        /// The target has failed many times in a row. The same, at its slowest.
        case circuitOpen(until: Int64)
        /// For good: the sentence says what somebody has to do.
        case stopped(String)
        case paused(BridgePause)

        /// The word by which programs know it; never changes.
        package var word: String {
            switch self {
            case .starting: "starting"
            case .running: "running"
            case .backingOff: "backing_off"
            case .circuitOpen: "circuit_open"
            case .stopped: "stopped"
            case .paused: "paused"
            }
        }
    }

    /// What to do now.
    package enum Step: Hashable, Sendable {
        /// Connect and find the position.
        case open
        /// Take records over, or wait for some.
        case deliver
        case wait(until: Int64)
        /// Nothing, until somebody resumes it.
        case rest
    }

    package private(set) var state: State
    /// Attempts that failed since the last delivery.
    package private(set) var failureCount = 0
    /// The last sentence, kept when it goes on.
    package private(set) var lastError: String?
    /// Whether the call that is under way waits for the target, as `lastError` says.
    package private(set) var isWaiting = false

    package init(paused pause: BridgePause? = nil) {
        state = pause.map { .paused($0) } ?? .starting
    }

    package func step(at now: Int64) -> Step {
        switch state {
        case .starting: .open
        case .running: .deliver
        case .backingOff(let until), .circuitOpen(let until):
            until <= now ? .open : .wait(until: until)
        case .stopped, .paused: .rest
        }
    }

    /// The target is there, and the position known.
    package mutating func didOpen() {
        guard isTrying else { return }
        isWaiting = false
        state = .running
    }

    /// The target has taken records; an open circuit is closed by this alone.
    package mutating func didDeliver() { (failureCount, isWaiting) = (0, false) }

    /// The target does not answer, and the call that is under way goes on.
    package mutating func didWait(_ sentence: String) {
        guard isTrying else { return }
        lastError = Self.shortened(sentence)
        isWaiting = true
    }

    /// The target fails in a way that passes by itself.
    ///
    /// - Parameter luck: from 0 up to 1, spreads the attempts of many boxes.
    package mutating func didFail(_ sentence: String, at now: Int64, luck: Double) {
        guard isTrying else { return }
        isWaiting = false
        failureCount += 1
        lastError = Self.shortened(sentence)
        let bounds = RelayLimits.backOffMilliseconds
        let doublings = min(failureCount - 1, 20)
        let whole = min(bounds.lowerBound << doublings, bounds.upperBound)
        let wait = whole / 2 + Int64(Double(whole - whole / 2) * min(max(luck, 0), 1))
        state =
            failureCount < RelayLimits.failureCountMax
            ? .backingOff(until: now + wait) : .circuitOpen(until: now + wait)
    }

    /// The target refuses for a reason that no attempt changes.
    package mutating func didRefuse(_ sentence: String) {
        guard isTrying else { return }
        isWaiting = false
        lastError = Self.shortened(sentence)
        state = .stopped(lastError ?? sentence)
    }

    package mutating func pause(_ pause: BridgePause) {
        isWaiting = false
        state = .paused(pause)
    }

    /// Begins anew, whatever it was stopped or paused for; an attempt that waits is made now.
    package mutating func resume() {
        guard state != .running else { return }
        failureCount = 0
        state = .starting
    }

    /// A pause or a stop is not undone by what an attempt that was under way comes to, nor is that
    /// told.
    package var isTrying: Bool {
        switch state {
        case .starting, .running, .backingOff, .circuitOpen: true
        case .stopped, .paused: false
        }
    }

    private static func shortened(_ sentence: String) -> String {
        sentence.count <= RelayLimits.sentenceLengthMax
            ? sentence : sentence.prefix(RelayLimits.sentenceLengthMax) + "…"
    }
}

/// Who paused a bridge, and when.
package struct BridgePause: Hashable, Sendable {
    package var by: String
    package var at: Instant

    package init(by: String, at: Instant) {
        self.by = by
        self.at = at
    }
}
