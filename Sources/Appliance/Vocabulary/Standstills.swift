import Synchronization

/// What the daemon waits for that passes by itself, and what it could not read: it is ready all the
/// while, and an operator is to know.
package final class Standstills: Sendable {
    private struct State {
        /// By stage and what it waits for.
        var waiting: [String: (since: ContinuousClock.Instant, reason: String)] = [:]
        /// When a delivery last found no room.
        var full: ContinuousClock.Instant?
        /// The last failure to read or store that no waiting mends.
        var broken: (at: ContinuousClock.Instant, reason: String)?
        /// What other servers last failed with, until they do their work again.
        var outside: (at: ContinuousClock.Instant, reason: String)?
        /// The last delivery that was too large for where it is stored.
        var tooLarge: (at: ContinuousClock.Instant, reason: String)?
    }

    /// Seconds for which a full disk is told of after the last delivery that met it.
    private static let fullSeconds: Int64 = 60

    /// Seconds for which a server's failure is told of after the last delivery that met it: nobody
    /// may come when it is over.
    private static let outsideSeconds: Int64 = 15

    /// The same of a delivery that was too large: Stripe's retries are hours apart.
    private static let tooLargeSeconds: Int64 = 3_600

    private let state = Mutex(State())
    /// Whether there is anything to take back: each delivery asks.
    private let isOutsideFailing = Atomic(false)

    package init() {}

    package func begins(_ stage: String, waitingFor what: String, _ reason: String) {
        state.withLock { state in
            let name = "\(stage) waits for \(what)"
            state.waiting[name, default: (.now, reason)].reason = reason
        }
    }

    package func ends(_ stage: String, waitingFor what: String) {
        state.withLock { _ = $0.waiting.removeValue(forKey: "\(stage) waits for \(what)") }
    }

    /// A delivery was sent away; Stripe sends it again, so that this tells itself while it lasts.
    package func foundNoRoom() { state.withLock { $0.full = .now } }

    /// Whether a step waits: for room, mostly, and until somebody makes some.
    package var isWaiting: Bool { state.withLock { !$0.waiting.isEmpty } }

    package func broke(_ reason: String) { state.withLock { $0.broken = (.now, reason) } }

    /// Another server did not take a delivery, which comes again.
    package func outsideFails(_ reason: String) {
        state.withLock { $0.outside = (.now, reason) }
        isOutsideFailing.store(true, ordering: .releasing)
    }

    /// A delivery is too large for where it is to be stored, which takes all others.
    package func foundTooLarge(_ reason: String) {
        state.withLock { $0.tooLarge = (.now, reason) }
    }

    /// A delivery was stored: whatever did not answer does again.
    package func outsideAnswers() {
        guard isOutsideFailing.load(ordering: .relaxed),
            isOutsideFailing.exchange(false, ordering: .acquiringAndReleasing)
        else { return }
        state.withLock { $0.outside = nil }
    }

    /// What other servers failed with of late, and nothing was stored since.
    package var outside: String? {
        guard let outside = state.withLock({ $0.outside }),
            ContinuousClock.now - outside.at < .seconds(Self.outsideSeconds)
        else { return nil }
        return outside.reason
    }

    /// Sentences for `/readyz`, one for each.
    package var warnings: [String] {
        let (waiting, full, broken, tooLarge) = state.withLock {
            ($0.waiting, $0.full, $0.broken, $0.tooLarge)
        }
        func seconds(since start: ContinuousClock.Instant) -> Int64 {
            (ContinuousClock.now - start).components.seconds
        }
        var sentences = waiting.sorted { $0.key < $1.key }.map { name, wait in
            "\(name) since \(seconds(since: wait.since)) s, and nothing is lost meanwhile: "
                + wait.reason
        }
        if let full, seconds(since: full) < Self.fullSeconds {
            sentences.append(
                "\(seconds(since: full)) s ago a delivery was answered with 503, as there is no "
                    + "space left; free some")
        }
        if let outside {
            sentences.append("of late a delivery was answered with 503: \(outside)")
        }
        if let tooLarge, seconds(since: tooLarge.at) < Self.tooLargeSeconds {
            sentences.append(
                "\(seconds(since: tooLarge.at)) s ago a delivery was answered with 503, and will "
                    + "be until there is room for it: \(tooLarge.reason)")
        }
        if let broken {
            sentences.append(
                "\(seconds(since: broken.at)) s ago a delivery could not be stored, or what is "
                    + "stored not be read: \(broken.reason); run `tillbox log verify`")
        }
        return sentences
    }
}
