/// Whose balance at Stripe it is: that of the API key's own account, or of one connected to it.
///
/// Each has a statement, events and an account of the ledger of its own (contracts §3).
package struct StripeAccount: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// `acct_…`; empty for the key's own account, which is how it is stored.
    package let rawValue: String

    /// The account that the API key belongs to.
    package static let own = StripeAccount("")

    package init(_ rawValue: String) { self.rawValue = rawValue }

    /// nil for the key's own account: what the header `Stripe-Account` and the member `account` of
    /// an event hold.
    package var id: String? { rawValue.isEmpty ? nil : rawValue }

    package var description: String { rawValue.isEmpty ? "the account of the API key" : rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
