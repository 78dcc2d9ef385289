import Vocabulary

/// What a transaction of the ledger moves in one currency, as days are summed.
struct MovedSum: Hashable {
    var currency: Currency
    /// Minor units that moved beside the processor and its fees, in either direction.
    var moved: Int64
    /// What the processor took, below zero where it gave back; nil where no fee is booked.
    var fee: Int64?
}

extension LedgerPosted {
    /// Each currency once, however many entries it has; by code.
    var movedSums: [MovedSum] {
        Dictionary(grouping: entries, by: \.currency).sorted { $0.key.code < $1.key.code }
            .map { currency, lines in
                let moved = lines.filter {
                    !$0.account.hasPrefix("processor:") && !$0.account.hasPrefix("fees:")
                }.reduce(0) { $0 &+ $1.amount.rawValue }
                let fees = lines.filter { $0.account.hasPrefix("fees:") }
                return MovedSum(
                    currency: currency, moved: Int64(clamping: moved.magnitude),
                    fee: fees.isEmpty ? nil : fees.reduce(0) { $0 &+ $1.amount.rawValue })
            }
    }
}
