import Vocabulary

/// Payments of which only the intent has arrived: its charge knows the card, and without it nobody
/// can judge the payment. Pure: it is told the time.
///
///     intent ─▶ waits ─▶ due ─▶ asked for ─▶ due again, later each time ─▶ left to the sweep
///                 └────────── its charge arrives: forgotten ──────────┘
struct AwaitedCharges {
    /// One payment.
    struct Wait: Hashable, Sendable {
        var account: StripeAccount
        /// Stripe's time of the event: that of the charge's event is near.
        var created: Instant
        /// By a clock that is never set, in milliseconds.
        var dueAt: Int64
        var attempts = 0
    }

    /// Payments that wait at most; what is more is left to the sweep.
    static let countMax = 10_000
    /// Charges that are remembered, since as a rule they come before their intent.
    static let seenMax = 65_536
    /// How often a charge is asked for; each wait is twice the one before.
    static let attemptsMax = 5

    private(set) var waits: [MovementKey: Wait] = [:]
    private var seen: Set<Int> = []
    /// The same in the order in which they came, as a ring.
    private var ring: [Int] = []
    private var place = 0

    /// Seconds after which the last attempt has been made.
    static func lifeSeconds(wait: Int64) -> Int64 { wait << Int64(attemptsMax) }

    /// Takes what was validated.
    ///
    /// - Parameter dueAt: when its charge is asked for if it has not come.
    mutating func take(_ event: PaymentEvent, dueAt: Int64) {
        guard event.kind == .payment else { return }
        // An intent knows neither; a charge by card the one, by any other method the other.
        if event.card?.isEmpty == false || event.balanceTransaction?.isEmpty == false {
            waits[event.movement] = nil
            remember(event.movement)
        } else if waits[event.movement] == nil, waits.count < Self.countMax,
            !seen.contains(event.movement.hashValue)
        {
            waits[event.movement] = Wait(
                account: event.account.map(StripeAccount.init) ?? .own, created: event.created,
                dueAt: dueAt)
        }
    }

    /// Only the hash is kept: should two be equal, the sweep fetches what is not fetched here.
    private mutating func remember(_ movement: MovementKey) {
        let hash = movement.hashValue
        guard seen.insert(hash).inserted else { return }
        if ring.count < Self.seenMax {
            ring.append(hash)
        } else {
            seen.remove(ring[place])
            ring[place] = hash
            place = (place + 1) % Self.seenMax
        }
    }

    /// When the next one is due; nil while none waits.
    var nextDue: Int64? { waits.values.lazy.map(\.dueAt).min() }

    /// A stretch of one account's time in which charges are asked for together.
    struct Window: Hashable, Sendable {
        var account: StripeAccount
        var from: Instant
        var to: Instant
        var movements: [MovementKey]
    }

    /// Seconds around an event within which that of its charge lies.
    static let aroundSeconds: Int64 = 120
    /// Longest stretch that is asked for at once, in seconds.
    static let windowSecondsMax: Int64 = 600

    /// What is due, as few stretches of time as cover it.
    func due(at now: Int64) -> [Window] {
        let due = waits.filter { $0.value.dueAt <= now }
            .sorted { ($0.value.account, $0.value.created) < ($1.value.account, $1.value.created) }
        var windows: [Window] = []
        for (movement, wait) in due {
            let from = Instant(seconds: wait.created.seconds - Self.aroundSeconds)
            let to = Instant(seconds: wait.created.seconds + Self.aroundSeconds)
            if let last = windows.last, last.account == wait.account,
                to.seconds - last.from.seconds <= Self.windowSecondsMax
            {
                windows[windows.count - 1].to = to
                windows[windows.count - 1].movements.append(movement)
            } else {
                windows.append(
                    Window(account: wait.account, from: from, to: to, movements: [movement]))
            }
        }
        return windows
    }

    /// Notes that a stretch was asked for.
    ///
    /// - Parameters:
    ///   - listed: the charges that Stripe has told of; they are on their way through the log.
    ///   - now: and `waitMilliseconds` is the first wait.
    mutating func asked(
        _ window: Window, listed: Set<MovementKey>, now: Int64, waitMilliseconds: Int64
    ) {
        for movement in window.movements {
            guard var wait = waits[movement] else { continue }
            wait.attempts += 1
            wait.dueAt = now + waitMilliseconds << Int64(wait.attempts)
            let isOver = listed.contains(movement) || wait.attempts >= Self.attemptsMax
            waits[movement] = isOver ? nil : wait
        }
    }
}
