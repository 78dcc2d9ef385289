/// What a ledger keeps of charges beside its chain, and changes in place. No hash covers it; two
/// ledgers that have booked the same inputs keep the same.
package enum KeptTable: String, CaseIterable, Sendable {
    case paymentStates = "payment_states"
    case waitingDecisions = "waiting_decisions"
    case captures, refunds, waiting, releases

    /// The columns of a row; the first `keyCount` of them are its key.
    private var columns: [String] {
        switch self {
        case .paymentStates:
            ["transaction_id", "standing", "place", "decision", "decided_at", "moves"]
        case .waitingDecisions: ["movement", "decision", "decided_at"]
        case .captures: ["transaction_id", "total", "reversed"]
        case .refunds: ["charge", "transaction_id"]
        case .waiting:
            [
                "key", "kind", "charge", "account", "merchant", "currency", "amount", "event_id",
                "since", "said", "state",
            ]
        case .releases: ["charge", "currency", "amount", "refund", "moves"]
        }
    }

    private var keyCount: Int { self == .refunds ? 2 : 1 }

    /// Its rows as texts, in the order of their keys.
    fileprivate var query: String {
        let text = columns.map { "CAST(\($0) AS TEXT)" }.joined(separator: " || ' ' || ")
        let key = columns.prefix(keyCount).joined(separator: ", ")
        return "SELECT \(text) FROM \(rawValue) ORDER BY \(key)"
    }
}

extension LedgerSQL {
    package func rows(
        of table: KeptTable, _ take: (String) -> Void
    ) throws(LedgerError) {
        try reading { database in
            let rows = try database.query(walking: table.query)
            defer { rows.reset() }
            while try rows.step() { take(rows.text(0)) }
        }
    }
}
