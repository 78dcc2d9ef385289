package import Vocabulary

/// What decisions cost in one currency, in its smallest unit.
///
/// | the payment was | approve | manual_review | block |
/// | --- | --- | --- | --- |
/// | fraud | amount + dispute fee | review | 0 |
/// | honest | 0 | review | margin of the amount |
///
/// A person who looks is taken to decide rightly, and a blocked honest payment to be lost. The
/// training code counts the same (`model/evaluation.py`).
package struct DecisionCosts: Hashable, Sendable {
    /// What a disputed payment costs beside its amount.
    package let disputeFee: Int64
    /// What a person's look costs.
    package let review: Int64
    /// What a sale would have earned, in hundredths of a percent of its amount, 0 to 10,000.
    package let marginBasisPoints: Int64

    package static let feeMax: Int64 = 1_000_000_000

    /// - Returns: nil unless both fees are 0…`feeMax` and the margin is 0…10,000.
    package init?(disputeFee: Int64, review: Int64, marginBasisPoints: Int64) {
        guard (0...Self.feeMax).contains(disputeFee), (0...Self.feeMax).contains(review),
            (0...10_000).contains(marginBasisPoints)
        else { return nil }
        self.disputeFee = disputeFee
        self.review = review
        self.marginBasisPoints = marginBasisPoints
    }

    /// The margin of an amount that is not negative, half a unit rounded up.
    package func margin(of amount: Int64) -> Int64 {
        Int64((Int128(amount) * Int128(marginBasisPoints) + 5_000) / 10_000)
    }
}

extension DecisionCosts {
    /// One currency's fees as an argument names them: `usd:1500:200:300`, which is dispute fee,
    /// review and margin in basis points.
    package static func parse(_ argument: String) -> (currency: Currency, costs: DecisionCosts)? {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.dropFirst().compactMap { Int64($0) }
        guard parts.count == 4, numbers.count == 3, let currency = Currency(String(parts[0])),
            let costs = DecisionCosts(
                disputeFee: numbers[0], review: numbers[1], marginBasisPoints: numbers[2])
        else { return nil }
        return (currency, costs)
    }
}
