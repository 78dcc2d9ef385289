import Vocabulary

/// A row of `waiting`, as both databases have it.
enum WaitingRow {
    static let columns =
        "key, kind, charge, account, merchant, currency, amount, event_id, since, said, state"

    static let isOpen = "state = \(WaitingMovement.State.waits.rawValue)"

    /// A row of ``columns``.
    static func row(_ statement: any LedgerQuery) throws -> WaitingMovement {
        let key = statement.text(0)
        guard let kind = WaitingMovement.Kind(rawValue: statement.text(1)),
            let currency = Currency(statement.text(5)),
            let said = NotedRefund(weight: statement.integer(9)),
            let state = WaitingMovement.State(rawValue: statement.integer(10))
        else { throw LedgerError.corrupt(code: 0, detail: "waiting \(key)") }
        let account = statement.text(3)
        return WaitingMovement(
            key: MovementKey(key), kind: kind, charge: statement.text(2),
            account: account.isEmpty ? nil : account, merchant: MerchantID(statement.text(4)),
            currency: currency, amount: MinorUnits(statement.integer(6)),
            eventID: EventID(statement.text(7)), since: Instant(seconds: statement.integer(8)),
            said: said, state: state)
    }
}
