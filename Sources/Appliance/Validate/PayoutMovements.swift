/// Payouts. The money leaves Stripe's balance when the payout is made, so whichever of its events
/// comes first books it. One that says it failed or was canceled also proves that it was made, and
/// so yields both movements, as with refunds.
extension StripeEvent {
    func payout() throws(ValidationRefusal) -> Movements {
        let payout = try StripeObject(object, is: "payout")
        let hasFailed = try hasFailed(payout)
        var made = movement(
            .payout, of: try payout.id(), amount: try payout.amount("amount"),
            currency: try payout.currency())
        made.outcome = payout.json.text("status")
        made.balanceTransaction = try payout.reference("balance_transaction")
        guard hasFailed else { return .some([made]) }

        var failed = movement(
            .payoutFailed, of: made.objectID, amount: made.amount, currency: made.currency)
        failed.outcome = payout.json.text("failure_code") ?? made.outcome
        failed.balanceTransaction = try payout.reference("failure_balance_transaction")
        return .some([made, failed])
    }

    private func hasFailed(_ payout: StripeObject) throws(ValidationRefusal) -> Bool {
        if type == .payoutFailed || type == .payoutCanceled { return true }
        guard let status = payout["status"] else { throw payout.refusal(.unknownStatus, "status") }
        if status.isString("failed") || status.isString("canceled") { return true }
        let isUnderWay =
            status.isString("pending") || status.isString("in_transit") || status.isString("paid")
        guard isUnderWay else { throw payout.refusal(.unknownStatus, "status") }
        return false
    }
}
