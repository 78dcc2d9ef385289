import Vocabulary

/// What a transaction of the ledger moves in one currency, as lists, days and reports sum it.
///
/// An amount *moved* is what left the accounts that paid. Beside the processor and its fees the
/// accounts of a transaction stand on one side as a rule, and what they come to is what moved.
/// Where both sides stand there, as of money that goes from a merchant's account for held payments
/// to the one for payable ones, it is the greater of the debits and the credits: each is the same
/// money once. `LedgerSums` has the same in SQL.
struct MovedSum: Hashable {
    var currency: Currency
    /// Minor units that moved beside the processor and its fees, in either direction; 0 where those
    /// alone had a part in it, as of a fee.
    var moved: Int64
    /// What the processor took, below zero where it gave back; nil where no fee is booked.
    var fee: Int64?
}

extension LedgerPosted {
    /// Each currency once, however many entries it has; by code.
    var movedSums: [MovedSum] {
        Dictionary(grouping: entries, by: \.currency).sorted { $0.key.code < $1.key.code }
            .map { currency, lines in
                let amounts = lines.filter {
                    !$0.account.hasPrefix("processor:") && !$0.account.hasPrefix("fees:")
                }.map(\.amount.rawValue)
                let debits = amounts.filter { $0 > 0 }.reduce(0, &+)
                let credits = amounts.filter { $0 < 0 }.reduce(0, &-)
                let fees = lines.filter { $0.account.hasPrefix("fees:") }
                return MovedSum(
                    currency: currency, moved: max(debits, credits),
                    fee: fees.isEmpty ? nil : fees.reduce(0) { $0 &+ $1.amount.rawValue })
            }
    }
}
