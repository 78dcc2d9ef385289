import Vocabulary

/// Disputes: when they open and close, and the money that Stripe takes and gives back meanwhile.
extension StripeEvent {
    /// Opened or closed: no money, but the features and the reports count them. An inquiry is one
    /// of them by its `outcome`, `warning_…`. Whatever the event and the status are called, money
    /// has moved where a balance transaction is listed.
    func dispute() throws(ValidationRefusal) -> Movements {
        let dispute = try StripeObject(object, is: "dispute")
        var movements: [PaymentEvent] = []
        switch type {
        case .disputeCreated: movements.append(try stage(.disputeOpened, of: dispute))
        case .disputeClosed: movements.append(try stage(.disputeClosed, of: dispute))
        default: break
        }
        movements += try funds(of: dispute)
        guard movements.isEmpty else { return .some(movements) }
        if type == .disputeUpdated { return .none(.nothingMoved) }
        if dispute.json.text("status")?.hasPrefix("warning_") == true { return .none(.inquiry) }
        throw dispute.refusal(.missingBalanceTransaction, "balance_transactions")
    }

    private func stage(
        _ kind: PaymentKind, of dispute: StripeObject
    ) throws(ValidationRefusal) -> PaymentEvent {
        var stage = movement(
            kind, of: try dispute.id(), amount: try dispute.amount("amount"),
            currency: try dispute.currency())
        try describe(&stage, dispute)
        return stage
    }

    /// One movement for each balance transaction the dispute lists. Every event lists all of them,
    /// so whichever comes books what is known by then, and each under its own key.
    private func funds(of dispute: StripeObject) throws(ValidationRefusal) -> [PaymentEvent] {
        var movements: [PaymentEvent] = []
        for transaction in try dispute.elements("balance_transactions") {
            movements.append(try funds(transaction, of: dispute))
        }
        guard movements.isEmpty, let transaction = dispute.json.given("balance_transaction") else {
            return movements
        }
        // Events that need tell of no money may name a transaction by its id alone.
        let isAboutFunds = type == .disputeFundsWithdrawn || type == .disputeFundsReinstated
        guard isAboutFunds || transaction.kind == .object else { return [] }
        return [try funds(transaction, of: dispute)]
    }

    /// The transaction's sign decides which way the money went; where only a fee moved, the fee's.
    /// An id alone is refused, for it does not say how much moved: the statement does, and
    /// reconciliation books it from there.
    ///
    /// - Parameter dispute: or the charge, which statements name from before disputes had ids.
    func funds(
        _ json: JSONValue, of dispute: StripeObject
    ) throws(ValidationRefusal) -> PaymentEvent {
        guard json.kind == .object else {
            throw dispute.refusal(.missingBalanceTransaction, "balance_transactions")
        }
        let transaction = try StripeObject(json, is: "balance_transaction")
        let amount = try transaction.signedAmount("amount")
        let fee = transaction["fee"] == nil ? .zero : try transaction.signedAmount("fee")
        let isWithdrawal = amount == .zero ? fee >= .zero : amount < .zero
        let id = try transaction.id()
        var funds = movement(
            isWithdrawal ? .disputeWithdrawn : .disputeReinstated, of: try dispute.id(), keyID: id,
            amount: MinorUnits(abs(amount.rawValue)), currency: try transaction.currency())
        funds.fee = fee
        funds.balanceTransaction = id
        try describe(&funds, dispute)
        return funds
    }

    private func describe(
        _ movement: inout PaymentEvent, _ dispute: StripeObject
    ) throws(ValidationRefusal) {
        movement.outcome = dispute.json.text("status")
        if dispute["object"]?.isString("charge") == true {
            (movement.related, movement.outcome) = (try dispute.id(), nil)
            return movement.describePayer(dispute)
        }
        movement.related = try dispute.reference("charge", else: "payment_intent")
        if let charge = try dispute.expanded("charge", as: "charge") {
            movement.describePayer(charge)
        }
    }
}
