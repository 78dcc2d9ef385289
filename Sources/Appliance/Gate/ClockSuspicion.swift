import AppendLog
import Synchronization
import Vocabulary

/// Whether the clock of this machine may be wrong: signatures that match a secret and fail by their
/// time alone say so, until one of the right time comes or a while has passed.
package final class ClockSuspicion: Sendable {
    private let clock: any LogClock
    private let sign = Mutex<Sign?>(nil)
    /// Spares the lock for every good delivery.
    private let isSuspected = Atomic<Bool>(false)
    /// When a signature last bore this machine's own time, in monotonic milliseconds.
    private let confirmedAt = Atomic<Int64>(ClockSuspicion.never)

    private static let never = Int64.min

    private struct Sign {
        /// How far the clock would be ahead; negative where it would be behind.
        var aheadSeconds: Int64
        var seenAtMilliseconds: Int64
    }

    init(clock: any LogClock) { self.clock = clock }

    /// Notes a signature that failed by its time.
    func note(_ refusal: SignatureRefusal) {
        let ahead: Int64
        switch refusal {
        case .tooOld(let seconds): ahead = seconds
        case .tooNew(let seconds): ahead = -seconds
        case .missing, .malformed, .noMatch: return
        }
        let now = clock.monotonicMilliseconds()
        confirmedAt.store(Self.never, ordering: .relaxed)
        sign.withLock { $0 = Sign(aheadSeconds: ahead, seenAtMilliseconds: now) }
        isSuspected.store(true, ordering: .relaxed)
    }

    /// Whether a signature of the last day says that this machine's clock is Stripe's.
    package var isConfirmed: Bool {
        let at = confirmedAt.load(ordering: .relaxed)
        return at != Self.never
            && clock.monotonicMilliseconds() - at <= GateLimits.clockConfirmedSeconds * 1000
    }

    /// Notes a signature of the right time.
    func noteGood(signedAt: Instant, arrived: Instant) {
        // Tolerance may be set so wide that it says nothing of the clock.
        if abs(arrived.seconds - signedAt.seconds) <= SignatureVerifier.toleranceSecondsDefault {
            confirmedAt.store(clock.monotonicMilliseconds(), ordering: .relaxed)
        }
        guard isSuspected.load(ordering: .relaxed) else { return }
        sign.withLock { $0 = nil }
        isSuspected.store(false, ordering: .relaxed)
    }

    /// One sentence while the clock is suspected.
    package var warning: String? {
        let sign = sign.withLock { $0 }
        guard let sign,
            clock.monotonicMilliseconds() - sign.seenAtMilliseconds
                <= GateLimits.clockSuspicionSeconds * 1000
        else { return nil }
        return Self.sentence(aheadSeconds: sign.aheadSeconds)
    }

    static func sentence(aheadSeconds: Int64) -> String {
        let direction = aheadSeconds > 0 ? "fast" : "slow"
        return "signatures match but their time does not: this machine's clock may be "
            + "\(aheadSeconds.magnitude) s \(direction); compare it with a time server"
    }
}
