import Appliance
import Vocabulary

/// The lines that Stripe wrote since a period's end, beside what the ledger holds of them: what
/// they add to the difference between ledger and Stripe, by currency. Pure.
///
///     asked for:      newest line ──▶ balance ──▶ statement
///     Stripe writes:        a   b        c     d
///
/// The balance holds `a` and `b`, and neither `c` nor `d`, but only the order of the four is known:
/// they are unsure. Stripe's balance is the sum of its lines, so it ends behind one of them.
struct TailOfStatement: Sendable {
    private var difference: [Currency: Int64] = [:]
    /// Newest first, as they are read.
    private var unsure: [(currency: Currency, net: Int64)] = []
    /// The newest line that the balance is sure to hold, until it was met.
    private var newest: String?
    private var isSure = false
    private var seen: Set<Int64> = []
    /// All that was moved in either direction: while it fits, so does every sum of some of it.
    private var turnover: [Currency: Int64] = [:]

    /// - Parameter newest: the newest line before Stripe was asked for its balance; nil where the
    ///   period's end was the newest of all.
    init(newest: String?) { self.newest = newest }

    /// Lines come as Stripe lists them, the newest first.
    ///
    /// - Throws: `.malformed` where a sum of them is none of money.
    mutating func add(_ line: BalanceTransaction) throws(StripeError) {
        try move(line.net.rawValue, line.currency)
        if line.id == newest { isSure = true }
        if isSure {
            difference[line.currency, default: 0] -= line.net.rawValue
        } else {
            unsure.append((line.currency, line.net.rawValue))
        }
    }

    /// - Parameter amount: what the ledger holds of it, without what the period has settled. Lines
    ///   of several pages may name it; it counts once.
    mutating func add(_ movement: LedgerMovement, _ amount: Int64) throws(StripeError) {
        guard seen.insert(movement.transaction).inserted else { return }
        try move(amount, movement.currency)
        difference[movement.currency, default: 0] += amount
    }

    private mutating func move(_ amount: Int64, _ currency: Currency) throws(StripeError) {
        try turnover[currency, default: 0].add(Int64(clamping: amount.magnitude))
    }

    /// What the lines up to where the balance ends add to the difference.
    ///
    /// - Parameter isWhole: whether that, in all currencies together, leaves nothing unexplained.
    /// - Returns: the first that does, else what all lines add.
    func parts(where isWhole: ([Currency: Int64]) -> Bool) -> [Currency: Int64] {
        var parts = difference
        if isWhole(parts) { return parts }
        for line in unsure.reversed() {
            parts[line.currency, default: 0] -= line.net
            if isWhole(parts) { return parts }
        }
        return parts
    }
}
