/// What is known of a refund that moved no money, as far as anybody has told: the `outcome` of a
/// `refund_noted` or `refunds_told`.
package enum NotedRefund: String, Sendable {
    /// Told, and nobody says by which balance transaction. It waits.
    case told
    /// It ended before it moved anything.
    case failed
    /// It gave up an authorisation, or a part of one, that was never captured.
    case released
}
