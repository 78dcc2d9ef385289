package import Vocabulary

/// Which lines of the statement a payout paid out, as Stripe lists them
/// (docs.stripe.com/api/balance_transactions/list, `payout`).
package struct PayoutMembers: Sendable {
    private let client: StripeClient

    package init(client: StripeClient) { self.client = client }

    /// The ids of a payout's balance transactions, its own included; none where it is not an
    /// automatic one. What a payout is made of never changes.
    package func ids(
        of payout: String, account: StripeAccount
    ) async throws -> [String] {
        var place = StripePlace(in: "/v1/balance_transactions")
        var ids: [String] = []
        while place.hasMore {
            let page = try await client.reading(account).page(
                place.path, [("payout", payout)], after: place.cursor
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
            try place.move(behind: page.items.last?.id, hasMore: page.hasMore)
            ids += page.items.map(\.id)
        }
        return ids
    }
}
