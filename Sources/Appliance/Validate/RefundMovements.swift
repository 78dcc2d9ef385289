/// Refunds: from events of their own, and from the list inside a refunded charge.
///
/// An event that says a refund failed proves that it was made first. So it yields both movements,
/// `refund:{re}` and `refund_failed:{re}`, and the balance comes out the same whether or not the
/// event that announced the refund ever arrives.
extension StripeEvent {
    func refund() throws(ValidationRefusal) -> Movements {
        let refund = try StripeObject(object, is: "refund")
        let charge = try refund.expanded("charge", as: "charge")
        let movements = try movements(of: refund, charge: charge)
        return movements.isEmpty ? .none(.refundRequiresAction) : .some(movements)
    }

    /// API versions from 2022-11-15 on do not list the refunds, and nothing else in the event names
    /// them; it books nothing then, and `refund.created` does.
    func refundsInCharge() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        guard let refunds = try charge.list("refunds") else { return .none(.refundsNotListed) }
        var booked: [PaymentEvent] = []
        var isEmpty = true
        for json in refunds {
            isEmpty = false
            booked += try movements(of: StripeObject(json, is: "refund"), charge: charge)
        }
        guard booked.isEmpty else { return .some(booked) }
        return .none(isEmpty ? .refundsNotListed : .refundRequiresAction)
    }

    private func movements(
        of refund: StripeObject, charge: StripeObject?
    ) throws(ValidationRefusal) -> [PaymentEvent] {
        let stage = try stage(of: refund)
        guard stage != .notMade else { return [] }
        var made = movement(
            .refund, of: try refund.id(), amount: try refund.amount("amount"),
            currency: try refund.currency())
        made.outcome = refund.json.text("status")
        made.balanceTransaction = try refund.reference("balance_transaction")
        made.related = try refund.reference("charge", else: "payment_intent")
        if let charge { made.related = try charge.id() }
        made.describePayer(charge ?? refund)
        guard stage == .failed else { return [made] }

        var failed = movement(
            .refundFailed, of: made.objectID, amount: made.amount, currency: made.currency)
        failed.outcome = refund.json.text("failure_reason") ?? made.outcome
        failed.balanceTransaction = try refund.reference("failure_balance_transaction")
        failed.related = made.related
        failed.describePayer(charge ?? refund)
        return [made, failed]
    }

    private enum RefundStage {
        case notMade, made, failed
    }

    private func stage(of refund: StripeObject) throws(ValidationRefusal) -> RefundStage {
        if type == .refundFailed { return .failed }
        // Refunds from before statuses existed have none; they were made.
        guard let status = refund["status"] else { return .made }
        if status.isString("succeeded") || status.isString("pending") { return .made }
        if status.isString("failed") || status.isString("canceled") { return .failed }
        if status.isString("requires_action") { return .notMade }
        throw refund.refusal(.unknownStatus, "status")
    }
}
