/// One run as it is stored: a row of `reconciliations`.
struct RunRecord: Hashable, Sendable {
    enum Cause: String, Sendable {
        case schedule, request
    }

    /// How far a run has come.
    ///
    ///     queued ─▶ reading ─▶ settling ─▶ comparing ─▶ finished
    ///                  └───────────┴───────────┴──────▶ failed
    enum State: String, Sendable {
        case queued
        /// Pages through the statement, matches it, appends what is unbooked.
        case reading
        /// Waits until the ledger has booked that, and looks again at all that is open.
        case settling
        /// Looks for what Stripe lacks; compares balances and payouts.
        case comparing
        case finished, failed

        var isOver: Bool { self == .finished || self == .failed }
    }

    var id: Int64
    var cause: Cause
    var state: State
    /// Half-open, by the `created` of balance transactions.
    var from: Instant
    var to: Instant
    var startedAt: Instant
    var finishedAt: Instant?
    /// Whether the account is live; nil until Stripe has said so.
    var livemode: Bool?
    /// The last balance transaction of the last page that is done.
    var cursor: String?
    var pages: Int64
    var transactions: Int64
    var failure: String?
}

/// What a run found in one currency; a row of `run_currencies`. Amounts in minor units.
struct CurrencySummary: Hashable, Sendable {
    var currency: Currency
    /// Balance transactions read.
    var transactions: Int64 = 0
    /// Of these, how many the ledger agrees with.
    var matched: Int64 = 0
    var gross: Int64 = 0
    var fees: Int64 = 0
    var net: Int64 = 0
    /// Fees and Stripe's own movements that the run booked, and what they took.
    var booked: Int64 = 0
    var bookedAmount: Int64 = 0
    /// `processor:stripe` and Stripe's balance, both at the end of the run.
    var ledger: Int64 = 0
    var stripe: Int64 = 0
    /// How much of the difference the breaks of the run account for.
    var explained: Int64 = 0

    /// What nobody can account for; zero in a sound ledger.
    var unexplained: Int64 { ledger &- stripe &- explained }
}

/// An automatic payout, and what its balance transactions come to.
struct PayoutSummary: Hashable, Sendable {
    var payout: String
    var currency: Currency
    var amount: Int64
    var created: Instant
    var transactions: Int64
    var total: Int64
    var isExplained: Bool { amount == total }
}

/// How many breaks of a kind a run saw.
struct BreakCount: Hashable, Sendable {
    var kind: BreakKind
    var count: Int64
}

/// A run with its findings in short.
struct RunReport: Hashable, Sendable {
    var run: RunRecord
    var isDryRun = false
    var currencies: [CurrencySummary] = []
    /// Automatic payouts looked at.
    var payouts: Int64 = 0
    /// Those that their balance transactions do not explain, at most a hundred.
    var unexplainedPayouts: [PayoutSummary] = []
    var breaks: [BreakCount] = []

    /// Whether nothing is wrong. What is late, and what the run has booked itself, is not wrong.
    var isClean: Bool {
        run.state == .finished && unexplainedPayouts.isEmpty
            && breaks.allSatisfy { $0.kind == .late || $0.count == 0 }
            && currencies.allSatisfy { $0.unexplained == 0 }
    }
}

/// One sweep over Stripe's events; a row of `sweeps`.
struct SweepRecord: Hashable, Sendable {
    enum State: String, Sendable {
        case reading, finished, failed
    }

    var id: Int64
    var state: State
    var from: Instant
    var to: Instant
    var startedAt: Instant
    var finishedAt: Instant?
    /// Events read.
    var events: Int64 = 0
    /// Of these, how many had never arrived.
    var missed: Int64 = 0
    /// When the oldest of those was created.
    var oldestMissed: Instant?
    var failure: String?
}
