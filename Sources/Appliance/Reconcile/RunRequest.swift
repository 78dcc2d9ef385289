/// Why a run or a sweep cannot be asked for.
package enum ReconcileRefusal: Error, Hashable, Sendable {
    case noAPIKey
    /// The period ends before it begins, or in the future.
    case badPeriod
    /// As many as may wait are waiting.
    case busy
    case unknownRun
    case stripeSilent

    package var message: String {
        switch self {
        case .noAPIKey:
            "there is no key for Stripe's API; set stripe.api_key or stripe.api_key_file, which "
                + "a daemon reads when it starts, and a command of the profile cloud each time"
        case .badPeriod: "the period must begin before it ends, and not end in the future"
        case .busy: "too many runs wait already; ask again when one has ended"
        case .stripeSilent:
            "Stripe does not answer, so that nothing can be compared; check stripe.api_base and "
                + "the network, and ask again"
        case .unknownRun: "there is no such run; `tillbox reconcile list` names all of them"
        }
    }
}

/// What the reconciler is told by the configuration.
package struct ReconcilerSettings: Sendable {
    package var schedule = ReconcileSchedule()
    package var limits = ReconciliationLimits()
    package var sweep = SweepLimits()
    /// Seconds after which the charge of an intent is asked for; 0 for never.
    package var chargeWaitSeconds: Int64 = 30

    package init() {}
}
