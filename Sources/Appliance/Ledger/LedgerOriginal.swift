/// The ledger that another one is a copy of: says when it booked what the copy books, and whether
/// it is the same.
///
/// Asked inside the copy's transaction, so that nothing is stored there that the original does not
/// have. It may not be the copy's own connection.
package protocol LedgerOriginal: Sendable {
    /// Milliseconds since 1970; nil where the original has no transaction of that number.
    func stamp(ofTransaction id: Int64) throws(LedgerError) -> Int64?
    /// Alike for a change of a review.
    func stamp(ofReviewChange id: Int64) throws(LedgerError) -> Int64?
    /// - Throws: `.differsFromOriginal` where the original has another one there, or none.
    func confirm(_ transaction: PostedTransaction) throws(LedgerError)
    /// Alike for a change of a review.
    func confirm(_ change: ReviewChange) throws(LedgerError)
}
