import Vocabulary

/// Sentences for dead letters: what a record told of money, and what stands in the ledger. They
/// name keys, amounts, currencies, accounts and events, and no free text.
extension LedgerInput {
    var telling: String {
        switch self {
        case .scored(let scored):
            let event = scored.event
            var text =
                "\(event.eventID) tells \(event.movement): \(event.kind.rawValue) of "
                + "\(event.amount.rawValue) \(event.currency.code), merchant \(event.merchant), "
                + "\(AccountName.processor(of: event.account))"
            if event.fee != .zero { text += ", fee \(event.fee.rawValue)" }
            return text
        case .review(let record):
            return "a review of \(record.movement): \(record.state.rawValue)"
        }
    }
}

extension Posting {
    /// - Parameter total: of a payment that has grown, all that is captured.
    func telling(total: MinorUnits?) -> String {
        let lines = entries.map { "\($0.account) \($0.amount.rawValue) \($0.currency.code)" }
            .joined(separator: ", ")
        var text = "\(kind.name) from \(eventID): \(lines)"
        if kind == .payment, let total, total != entries.first?.amount {
            text += ", grown to \(total.rawValue)"
        }
        return text
    }
}

extension WaitingMovement {
    var telling: String {
        "\(amount.rawValue) \(currency.code) from \(eventID), merchant \(merchant), "
            + "\(AccountName.processor(of: account))"
    }
}
