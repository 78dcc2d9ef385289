import AppendLog
import Appliance
import Reconcile
import Vocabulary

/// Whether the money is right, as far as that can be seen without reading everything.
struct MoneyCheck {
    /// When it was looked at, in milliseconds since 1970.
    var checkedAt: Int64
    /// What all accounts hold together, by currency: zero in a sound ledger.
    var trial: [Currency: Int64]
    /// The last run that has ended; nil before the first.
    var run: RunReport?
    var openReviewCount: Int
    /// There are more than were counted.
    var hasFurtherReviews: Bool
    /// When the payment took effect that has waited longest for a person.
    var oldestReview: Instant?

    /// Blocks.
    init(_ parts: LiveParts) throws(LedgerError) {
        let run = try parts.reconciler?.reports(before: nil, limit: LiveLimits.runCountMax)
            .first { $0.run.state.isOver }
        try self.init(parts.ledger, run: run, at: parts.clock.now().milliseconds)
    }

    /// Blocks.
    ///
    /// - Parameters:
    ///   - run: the last run of reconciliation that has ended; nil where there is none.
    ///   - now: milliseconds since 1970.
    init(_ ledger: any LedgerReading, run: RunReport?, at now: Int64) throws(LedgerError) {
        checkedAt = now
        self.run = run
        trial = [:]
        for balance in try ledger.balances() {
            trial[balance.currency, default: 0] &+= balance.balance.rawValue
        }
        let most = LiveLimits.reviewCountMax
        let reviews = try ledger.openReviews(after: TransactionID(0), limit: most + 1)
        openReviewCount = min(most, reviews.count)
        hasFurtherReviews = reviews.count > most
        oldestReview = reviews.map(\.effectiveAt).min()
    }

    var isZero: Bool { trial.values.allSatisfy { $0 == 0 } }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("checked_at", checkedAt)
        writer.member("is_zero", isZero)
        writer.key("trial_balance")
        writer.beginArray()
        for (currency, sum) in trial.sorted(by: { $0.key.code < $1.key.code }) {
            writer.beginObject()
            writer.member("currency", currency.code)
            writer.member("sum", sum)
            writer.endObject()
        }
        writer.endArray()
        writer.key("reconciliation")
        if let run { run.encodeShort(into: &writer) } else { writer.null() }
        writer.key("reviews")
        writer.beginObject()
        writer.member("open", Int64(openReviewCount))
        writer.member("is_more", hasFurtherReviews)
        writer.member("oldest_at", oldestReview?.seconds)
        writer.endObject()
        writer.endObject()
    }
}

/// When the money is looked at: every five seconds, and less often where that takes long.
struct MoneySchedule {
    /// Monotonic milliseconds.
    private var due: Int64

    init(from milliseconds: Int64) { due = milliseconds }

    func isDue(at milliseconds: Int64) -> Bool { milliseconds >= due }

    /// - Parameters:
    ///   - began: when the look began that is over at `ended`.
    mutating func didLook(from began: Int64, to ended: Int64) {
        let pause = Double(ended - began) / LiveLimits.moneyShareMax
        due = ended + max(LiveLimits.moneySeconds * 1_000, Int64(pause))
    }
}
