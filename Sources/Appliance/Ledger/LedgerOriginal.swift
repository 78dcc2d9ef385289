/// When was booked, for the first time, what a ledger books once more. Asked inside its
/// transaction; it may not be the ledger's own connection.
package protocol LedgerStamps: Sendable {
    /// Milliseconds since 1970; nil for a transaction of which nothing is known.
    func stamp(ofTransaction id: Int64) throws(LedgerError) -> Int64?
    /// Alike for a change of a review.
    func stamp(ofReviewChange id: Int64) throws(LedgerError) -> Int64?
}

/// The ledger that another one is a copy of: says when it booked what the copy books, and whether
/// it is the same, so that nothing is stored there that the original does not have.
package protocol LedgerOriginal: LedgerStamps {
    /// - Throws: `.differsFromOriginal` where the original has another one there, or none.
    func confirm(_ transaction: PostedTransaction) throws(LedgerError)
    /// Alike for a change of a review.
    func confirm(_ change: ReviewChange) throws(LedgerError)
}
