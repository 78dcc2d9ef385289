package import Vocabulary

/// One run as it is stored: a row of `reconciliations`.
package struct RunRecord: Hashable, Sendable {
    package enum Cause: String, Sendable {
        case schedule, request
    }

    /// How far a run has come.
    ///
    ///     queued ─▶ reading ─▶ settling ─▶ comparing ─▶ finished
    ///                  └───────────┴───────────┴──────▶ failed
    package enum State: String, Sendable {
        case queued
        /// Pages through the statement, matches it, appends what is unbooked.
        case reading
        /// Waits until the ledger has booked that, and looks again at all that is open.
        case settling
        /// Looks for what Stripe lacks; compares balances and payouts.
        case comparing
        case finished, failed

        package var isOver: Bool { self == .finished || self == .failed }
    }

    package var id: Int64
    package var cause: Cause
    package var state: State
    /// Half-open, by the `created` of balance transactions.
    package var from: Instant
    package var to: Instant
    package var startedAt: Instant
    package var finishedAt: Instant?
    /// Whether the account is live; nil until Stripe has said so.
    var livemode: Bool?
    package var pages: Int64
    package var transactions: Int64
    package var failure: String?
    /// Until when missed events had been looked for when it ended; nil for never.
    package var sweptTo: Instant?
}

/// How far a run has read the statement of one Stripe account; a row of `run_accounts`.
package struct AccountReading: Hashable, Sendable {
    package var account: StripeAccount
    var isRead: Bool
    /// The last balance transaction of the last page that is done.
    var cursor: String?
    /// Why the account cannot be read.
    package var failure: String?
}

/// What a run found in one account and currency; a row of `run_balances`. Amounts in minor units.
package struct CurrencySummary: Hashable, Sendable {
    package var account = StripeAccount.own
    package var currency: Currency
    /// Balance transactions read.
    package var transactions: Int64 = 0
    /// Of these, how many the ledger agrees with.
    package var matched: Int64 = 0
    /// What these moved in either direction, and what those did that the ledger agrees with.
    var turnover: Int64 = 0
    var matchedTurnover: Int64 = 0
    package var gross: Int64 = 0
    package var fees: Int64 = 0
    package var net: Int64 = 0
    /// Fees and Stripe's own movements that the run booked, and what they took.
    package var booked: Int64 = 0
    package var bookedAmount: Int64 = 0
    /// `processor:stripe` and Stripe's balance, both at the end of the run.
    package var ledger: Int64 = 0
    package var stripe: Int64 = 0
    /// How much of the difference the breaks of the run account for.
    package var explained: Int64 = 0

    /// What nobody can account for; zero in a sound ledger.
    package var unexplained: Int64 { ledger &- stripe &- explained }

    /// How much of the statement the ledger agrees with, of its lines and of its money, from 0 to
    /// 1; nil where there is none.
    package var share: Double? { Self.share(matched, of: transactions) }
    package var shareOfTurnover: Double? { Self.share(matchedTurnover, of: turnover) }

    /// The share for a log line: `12 of 14, 8400 of 9100`.
    var explainedInWords: String {
        "\(matched) of \(transactions), \(matchedTurnover) of \(turnover)"
    }

    static func share(_ part: Int64, of whole: Int64) -> Double? {
        guard whole > 0 else { return nil }
        // Cut, not rounded: only all of it is the whole.
        return Double(Int64(Double(part) / Double(whole) * 10_000)) / 10_000
    }
}

/// An automatic payout, and what its balance transactions come to.
package struct PayoutSummary: Hashable, Sendable {
    package var payout: String
    package var currency: Currency
    package var amount: Int64
    package var created: Instant
    package var transactions: Int64
    package var total: Int64
    package var account = StripeAccount.own
    var isExplained: Bool { amount == total }
}

/// How many breaks of a kind a run saw.
package struct BreakCount: Hashable, Sendable {
    package var kind: BreakKind
    package var count: Int64
}

/// What a run saw on one side only and too young to be a break, in one currency.
package struct LateSum: Hashable, Sendable {
    package var currency: Currency
    package var count: Int64
    /// Moved in either direction, in minor units.
    package var amount: Int64
}

/// A run with its findings in short.
package struct RunReport: Hashable, Sendable {
    package var run: RunRecord
    package var isDryRun = false
    package var currencies: [CurrencySummary] = []
    /// Automatic payouts looked at.
    package var payouts: Int64 = 0
    /// Those that their balance transactions do not explain, at most a hundred.
    package var unexplainedPayouts: [PayoutSummary] = []
    package var breaks: [BreakCount] = []
    /// What is late, by currency.
    package var late: [LateSum] = []
    /// Stripe accounts that the run covers.
    package var accounts: Int64 = 1
    /// Those that cannot be read, at most a hundred.
    package var unreadAccounts: [AccountReading] = []

    /// How much of the lines of all statements the ledger agrees with; nil where there is none.
    package var share: Double? {
        CurrencySummary.share(
            currencies.reduce(0) { $0 + $1.matched },
            of: currencies.reduce(0) { $0 + $1.transactions })
    }

    /// Whether nothing is wrong. What is late, and what the run has booked itself, is not wrong.
    package var isClean: Bool {
        run.state == .finished && unexplainedPayouts.isEmpty && unreadAccounts.isEmpty
            && breaks.allSatisfy { $0.kind == .late || $0.count == 0 }
            && currencies.allSatisfy { $0.unexplained == 0 }
    }
}

/// One sweep over Stripe's events; a row of `sweeps`.
package struct SweepRecord: Hashable, Sendable {
    enum State: String, Sendable {
        case reading, finished, failed
    }

    package var id: Int64
    var state: State
    var from: Instant
    var to: Instant
    var startedAt: Instant
    var finishedAt: Instant?
    /// Connected accounts that could not be read.
    var unsweptAccounts: Int64 = 0
    /// Events read.
    var events: Int64 = 0
    /// Of these, how many had never arrived.
    var missed: Int64 = 0
    /// When the oldest of those was created.
    var oldestMissed: Instant?
    /// Those that could not be stored, oldest first, at most `RefusedEvent.namedCountMax`; only
    /// known to the sweep itself.
    var refused: [RefusedEvent] = []
    var refusedCount: Int64 = 0
    /// When the oldest of them was created, by account.
    var refusedSince: [StripeAccount: Instant] = [:]
    /// Why it failed; of one that finished, what could not be stored.
    var failure: String?

    /// Takes what a page held that could not be stored.
    mutating func note(_ events: [RefusedEvent]) {
        refusedCount += Int64(events.count)
        refused = (refused + events).sorted {
            ($0.created, $0.id.rawValue) < ($1.created, $1.id.rawValue)
        }
        refused.removeLast(max(0, refused.count - RefusedEvent.namedCountMax))
        for event in events {
            let known = refusedSince[event.account] ?? event.created
            refusedSince[event.account] = min(known, event.created)
        }
    }

    /// Until when an account's events are stored without a gap: the next sweep begins before that,
    /// so that what could not be stored is met again for as long as Stripe lists it.
    func swept(_ account: StripeAccount) -> Instant {
        min(to, refusedSince[account] ?? to)
    }
}
