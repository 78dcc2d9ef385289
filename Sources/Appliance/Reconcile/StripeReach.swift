package import AppendLog
package import Logging
import Synchronization
import Vocabulary

/// Whether Stripe answers. A client asks again for as long as half a minute before it gives up; who
/// waits for it learns here, at the first attempt that failed, what it waits for.
package final class StripeReach: Sendable {
    private struct Silence {
        var since: Timestamp
        /// Of the first attempt that failed: the sentence stays the same while the silence lasts,
        /// so that who was told of it is not told that it is over, and of another.
        var reason: String
    }

    private let base: String
    private let clock: any LogClock
    private let logger: Logger
    /// nil while it answers.
    private let silence = Mutex<Silence?>(nil)

    /// - Parameters:
    ///   - base: where Stripe is asked, for the sentences.
    ///   - clock: the machine's; Stripe's own time is what cannot be asked for then.
    package init(base: String, clock: any LogClock, logger: Logger) {
        self.base = base
        self.clock = clock
        self.logger = logger
    }

    /// What an operator should look at; nil while Stripe answers.
    package var warning: String? {
        silence.withLock { silence in
            silence.map {
                let since = Instant(seconds: $0.since.milliseconds / 1000).rfc3339
                return "Stripe does not answer at \(base) since \(since) (\($0.reason)): nothing "
                    + "is reconciled and no missed event is fetched; check the network and "
                    + "stripe.api_base"
            }
        }
    }

    /// An answer has come. Only the first after a silence is worth a line.
    func hasAnswered() {
        let wasSilent = silence.withLock { silence in
            defer { silence = nil }
            return silence != nil
        }
        if wasSilent { logger.info("Stripe answers again", metadata: ["stripe_api": "\(base)"]) }
    }

    /// An attempt has brought nothing.
    ///
    /// - Parameter reason: in a few words.
    func hasFailed(_ reason: String) {
        let isNew = silence.withLock { silence in
            guard silence == nil else { return false }
            silence = Silence(since: clock.now(), reason: reason)
            return true
        }
        guard isNew else { return }
        logger.warning(
            "Stripe does not answer, and is asked again; check the network and stripe.api_base",
            metadata: ["stripe_api": "\(base)", "reason": "\(reason)"])
    }
}
