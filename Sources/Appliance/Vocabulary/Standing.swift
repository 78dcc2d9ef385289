/// How much weight a scoring has: the better informed one stands, and of two equally informed ones
/// the stricter. A total order, so the standing that wins is a maximum, whatever arrives first and
/// however often.
///
/// The one definition of it: whoever computes features compares by `Informedness` alone, the ledger
/// by all of it.
package struct Standing: Hashable, Comparable, Sendable {
    /// What is stored: a base, then from the highest digit on whether there is a score, how much
    /// the event says (`Informedness.rank`), and how strict the verdict is (1…3). 0 is no standing.
    package let rawValue: Int64

    /// Of what is not scored at all.
    package static let none = Standing(rawValue: 0)

    /// Above everything that releases before schema 5 of the ledger stored.
    private static let base: Int64 = 128
    private static let scoredRank: Int64 = 16
    /// The lowest digit holds the strictness.
    package static let strictnessCount: Int64 = 4
    /// The strictness of `approve`: the money is the merchant's.
    package static let mild: Int64 = 1

    private init(rawValue: Int64) { self.rawValue = rawValue }

    package init(_ scored: ScoredPayment) {
        let rank = Int64(scored.event.informedness.rank)
        let evidence = (scored.score == nil ? 0 : Self.scoredRank) + rank
        let strictness: Int64 =
            switch scored.verdict {
            case .approve: Self.mild
            // A payment that nobody scored is never taken for a clean one.
            case .manualReview, .notScored: 2
            case .block: 3
            }
        rawValue = Self.base + evidence * Self.strictnessCount + strictness
    }

    /// As it was stored. Earlier releases did not say whether the event was about a charge; theirs
    /// count as if it had been, so that of two that know the same the stricter still stands.
    package init(stored: Int64) {
        guard stored > 0, stored < Self.base else {
            self.init(rawValue: stored)
            return
        }
        let evidence = stored / Self.strictnessCount
        let known = evidence % Self.scoredRank
        let rank = evidence - known + known * 2 + 1
        self.init(
            rawValue: Self.base + rank * Self.strictnessCount + stored % Self.strictnessCount)
    }

    /// Whether this scoring alone leaves the money to the merchant.
    package var isMild: Bool { rawValue % Self.strictnessCount == Self.mild }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
