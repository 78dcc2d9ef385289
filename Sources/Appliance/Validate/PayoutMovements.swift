import Vocabulary

/// Payouts. The money leaves Stripe's balance when the payout is made, so whichever of its events
/// comes first books it. One that says it failed or was canceled also proves that it was made, and
/// so yields both movements, as with refunds.
extension StripeEvent {
    func payout() throws(ValidationRefusal) -> Movements {
        let payout = try StripeObject(object, is: "payout")
        guard payout["status"] != nil || isFailure else {
            throw payout.refusal(.unknownStatus, "status")
        }
        return .some(try payoutMovements(of: payout))
    }

    /// A payout, or a transfer to a bank, which it was before API version 2017-04-06. Below zero
    /// Stripe takes from the bank instead: what is owed to it, or an earlier payout's money back.
    func payoutMovements(of payout: StripeObject) throws(ValidationRefusal) -> [PaymentEvent] {
        let hasFailed = try hasFailed(payout)
        let amount = try payout.signedAmount("amount")
        let isDebit = amount < .zero
        let magnitude = MinorUnits(abs(amount.rawValue))
        let currency = try payout.currency()
        var made = movement(
            isDebit ? .payoutDebit : .payout, of: try payout.id(), amount: magnitude,
            currency: currency)
        made.outcome = payout.json.text("status")
        made.balanceTransaction = try payout.reference("balance_transaction")
        made.related = try payout.reference("original_payout")
        guard hasFailed else { return [made] }

        var failed = movement(
            isDebit ? .payoutDebitFailed : .payoutFailed, of: made.objectID, amount: magnitude,
            currency: currency)
        failed.outcome = payout.json.text("failure_code") ?? made.outcome
        failed.balanceTransaction = try payout.reference("failure_balance_transaction")
        return [made, failed]
    }

    /// Whether the event's own name says that the money came back.
    private var isFailure: Bool {
        switch type {
        case .payoutFailed, .payoutCanceled, .transferFailed, .transferCanceled: true
        default: false
        }
    }

    func hasFailed(_ payout: StripeObject) throws(ValidationRefusal) -> Bool {
        if isFailure { return true }
        guard let status = payout["status"] else { return false }
        if status.isString("failed") || status.isString("canceled") { return true }
        let isUnderWay =
            status.isString("pending") || status.isString("in_transit") || status.isString("paid")
        guard isUnderWay else { throw payout.refusal(.unknownStatus, "status") }
        return false
    }
}
