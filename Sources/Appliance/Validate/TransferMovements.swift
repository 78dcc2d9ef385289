import Vocabulary

/// Money between Stripe accounts and what belongs to it: transfers, the payments that they are on
/// the other side, application fees, top-ups. Each belongs to the Stripe account of its event.
extension StripeEvent {
    /// Before API version 2017-04-06 payouts to a bank are transfers of such a type too.
    func transfer() throws(ValidationRefusal) -> Movements {
        let transfer = try StripeObject(object, is: "transfer")
        let type = transfer.json.text("type")
        if type == "bank_account" || type == "card" {
            return .some(try payoutMovements(of: transfer))
        }
        guard type == nil || type == "stripe_account" else {
            throw transfer.refusal(.unknownStatus, "type")
        }
        guard let destination = try transfer.reference("destination") else {
            throw transfer.refusal(.badID, "destination")
        }
        var made = movement(
            .transfer, of: try transfer.id(), amount: try transfer.amount("amount"),
            currency: try transfer.currency())
        made.balanceTransaction = try transfer.reference("balance_transaction")
        made.related = try transfer.reference("source_transaction")
        made.counterparty = destination
        guard try hasFailed(transfer) else { return .some([made]) }

        var failed = movement(
            .transferReversed, of: made.objectID, amount: made.amount, currency: made.currency)
        failed.related = made.objectID
        failed.counterparty = destination
        return .some([made, failed])
    }

    /// Each reversal is a movement of its own. The event lists all of them, however many came
    /// before.
    func transferReversals() throws(ValidationRefusal) -> Movements {
        let transfer = try StripeObject(object, is: "transfer")
        guard let destination = try transfer.reference("destination") else {
            throw transfer.refusal(.badID, "destination")
        }
        let currency = try transfer.currency()
        let id = try transfer.id()
        var reversals: [PaymentEvent] = []
        for json in try transfer.elements("reversals") {
            let listed = try StripeObject(json, is: "transfer_reversal")
            var reversal = movement(
                .transferReversed, of: try listed.id(), amount: try listed.amount("amount"),
                currency: currency)
            reversal.balanceTransaction = try listed.reference("balance_transaction")
            reversal.related = id
            reversal.counterparty = destination
            reversals.append(reversal)
        }
        try demandWhole(reversals, of: transfer, "reversals", told: "amount_reversed")
        return .some(reversals)
    }

    func applicationFee() throws(ValidationRefusal) -> Movements {
        let fee = try StripeObject(object, is: "application_fee")
        var earned = movement(
            .applicationFee, of: try fee.id(), amount: try fee.amount("amount"),
            currency: try fee.currency())
        earned.balanceTransaction = try fee.reference("balance_transaction")
        earned.related = try fee.reference("charge")
        earned.counterparty = try fee.reference("account")
        return .some([earned])
    }

    func applicationFeeRefunds() throws(ValidationRefusal) -> Movements {
        let fee = try StripeObject(object, is: "application_fee")
        let currency = try fee.currency()
        let id = try fee.id()
        var refunds: [PaymentEvent] = []
        for json in try fee.elements("refunds") {
            let listed = try StripeObject(json, is: "fee_refund")
            var refund = movement(
                .applicationFeeRefunded, of: try listed.id(), amount: try listed.amount("amount"),
                currency: currency)
            refund.balanceTransaction = try listed.reference("balance_transaction")
            refund.related = id
            refund.counterparty = try fee.reference("account")
            refunds.append(refund)
        }
        try demandWhole(refunds, of: fee, "refunds", told: "amount_refunded")
        return .some(refunds)
    }

    /// A list that leaves some of the told sum out cannot be booked: which part is missing, and
    /// under which id, nobody says.
    private func demandWhole(
        _ listed: [PaymentEvent], of object: StripeObject, _ key: StaticString,
        told: StaticString
    ) throws(ValidationRefusal) {
        let sum = listed.reduce(0) { $0 + $1.amount.rawValue }
        let isWhole = try object.optionalAmount(told).map { $0.rawValue <= sum } ?? true
        guard !listed.isEmpty, isWhole, !object.hasMore(key) else {
            throw object.refusal(.badList, key)
        }
    }

    /// A top-up that is taken back proves that it was made, as with payouts.
    func topup() throws(ValidationRefusal) -> Movements {
        let topup = try StripeObject(object, is: "topup")
        var made = movement(
            .topup, of: try topup.id(), amount: try topup.amount("amount"),
            currency: try topup.currency())
        made.outcome = topup.json.text("status")
        made.balanceTransaction = try topup.reference("balance_transaction")
        guard type == .topupReversed else { return .some([made]) }
        let reversed = movement(
            .topupReversed, of: made.objectID, amount: made.amount, currency: made.currency)
        return .some([made, reversed])
    }
}
