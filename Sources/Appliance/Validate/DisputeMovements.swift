/// Disputes: when they open and close, and the money that Stripe takes and gives back meanwhile.
extension StripeEvent {
    /// Opened or closed: no money, but the features and the reports count them. An inquiry is one
    /// of them by its `outcome`, `warning_…`.
    func disputeStage(_ kind: PaymentKind) throws(ValidationRefusal) -> Movements {
        let dispute = try StripeObject(object, is: "dispute")
        var stage = movement(
            kind, of: try dispute.id(), amount: try dispute.amount("amount"),
            currency: try dispute.currency())
        try describe(&stage, dispute)
        return .some([stage])
    }

    /// One movement for each balance transaction the dispute lists. Both kinds of event list all
    /// of them, so whichever comes books what is known by then, and each under its own key.
    func disputeFunds() throws(ValidationRefusal) -> Movements {
        let dispute = try StripeObject(object, is: "dispute")
        if dispute.json.text("status")?.hasPrefix("warning_") == true { return .none(.inquiry) }
        var movements: [PaymentEvent] = []
        if let transactions = try dispute.list("balance_transactions") {
            for transaction in transactions {
                movements.append(try funds(transaction, of: dispute))
            }
        }
        if movements.isEmpty, let transaction = dispute["balance_transaction"] {
            movements.append(try funds(transaction, of: dispute))
        }
        guard !movements.isEmpty else {
            throw dispute.refusal(.missingBalanceTransaction, "balance_transactions")
        }
        return .some(movements)
    }

    /// The transaction's sign decides which way the money went; where only a fee moved, the fee's.
    /// An id alone is refused, for it does not say how much moved.
    private func funds(
        _ json: JSONValue, of dispute: StripeObject
    ) throws(ValidationRefusal) -> PaymentEvent {
        guard json.kind == .object else {
            throw dispute.refusal(.missingBalanceTransaction, "balance_transactions")
        }
        let transaction = try StripeObject(json, is: "balance_transaction")
        guard let amount = transaction["amount"]?.int64, amount > Int64.min else {
            throw transaction.refusal(.badAmount, "amount")
        }
        let fee = try fee(of: transaction)
        let isWithdrawal = amount == 0 ? fee >= .zero : amount < 0
        let id = try transaction.id()
        var funds = movement(
            isWithdrawal ? .disputeWithdrawn : .disputeReinstated, of: try dispute.id(), keyID: id,
            amount: MinorUnits(abs(amount)), currency: try transaction.currency())
        funds.fee = fee
        funds.balanceTransaction = id
        try describe(&funds, dispute)
        return funds
    }

    private func fee(of transaction: StripeObject) throws(ValidationRefusal) -> MinorUnits {
        guard let value = transaction["fee"] else { return .zero }
        // The smallest Int64 has no opposite, which booking a fee that is given back needs.
        guard let fee = value.int64, fee > Int64.min else {
            throw transaction.refusal(.badAmount, "fee")
        }
        return MinorUnits(fee)
    }

    private func describe(
        _ movement: inout PaymentEvent, _ dispute: StripeObject
    ) throws(ValidationRefusal) {
        movement.outcome = dispute.json.text("status")
        movement.related = try dispute.reference("charge", else: "payment_intent")
        if let charge = try dispute.expanded("charge", as: "charge") {
            movement.describePayer(charge)
        }
    }
}
