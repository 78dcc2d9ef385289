import Vocabulary

/// What reconciliation found in Stripe's statement and no webhook tells of: fees, adjustments,
/// reserves, transfers, conversions. The event is of our own making; `data.object` is Stripe's
/// balance transaction as its API gave it.
extension StripeEvent {
    /// - Parameter booked: `data.booked`, amount and currency that the ledger holds where Stripe
    ///   settled in another currency. Such an event books the conversion and nothing else.
    /// - Parameter payment: `data.payment`, the charge that failed, where the source is another.
    func balanceTransaction(
        booked: JSONValue?, payment: String?
    ) throws(ValidationRefusal) -> Movements {
        let object = try StripeObject(object, is: "balance_transaction")
        let source = try object.reference("source")
        var transaction = try line(object)
        if let payment { transaction.payment = payment }
        if let booked, case .failedPayment = transaction.meaning {
            return .some([try reversal(of: transaction, payment ?? source, booked)])
        }
        if let booked { return .some(try exchange(transaction, source, booked)) }
        guard transaction.meaning != .unknown else { throw object.refusal(.unknownStatus, "type") }
        guard let charged = transaction.charged ?? transaction.formerlyCharged else {
            return .none(.nothingCharged)
        }
        return .some([
            own(
                ReconciledRecord.feeKey(transaction.id), of: transaction, source,
                taken: charged.taken, transaction.currency, against: charged.against)
        ])
    }

    private func line(
        _ object: StripeObject
    ) throws(ValidationRefusal) -> BalanceTransaction {
        _ = try object.id()
        do {
            return try BalanceTransaction(json: object.json)
        } catch {
            guard case .field(let name) = error else { throw object.refusal(.missingObject, "id") }
            throw ValidationRefusal(
                name == "currency" ? .badCurrency : .badAmount, "balance_transaction.\(name)")
        }
    }

    /// A line whose webhook never came, with its source in full: what the webhook would have said,
    /// so that the two book it once in either order.
    func settlement() throws(ValidationRefusal) -> Movements {
        let object = try StripeObject(object, is: "balance_transaction")
        let transaction = try line(object)
        guard let source = object["source"], let kind = source.text("object") else {
            throw object.refusal(.missingObject, "source")
        }
        func told(as type: HandledType) -> StripeEvent { StripeEvent(self, of: source, type: type) }
        switch kind {
        case "transfer": return try told(as: .transferCreated).transfer()
        case "transfer_reversal":
            return .some([try reversal(source, .transferReversed, "transfer", "destination")])
        case "application_fee": return try told(as: .applicationFeeCreated).applicationFee()
        case "fee_refund":
            return .some([try reversal(source, .applicationFeeRefunded, "fee", "account")])
        case "topup":
            let isReversal = transaction.type == BalanceTransactionType.topupReversal.rawValue
            return try told(as: isReversal ? .topupReversed : .topupSucceeded).topup()
        case "refund":
            let refund = try StripeObject(source, is: "refund")
            return .some(try told(as: .refundUpdated).refundMovements(of: refund, charge: nil))
        case "dispute":
            let dispute = try StripeObject(source, is: "dispute")
            return .some([try told(as: .disputeUpdated).funds(object.json, of: dispute)])
        case "charge":
            let charge = try StripeObject(source, is: "charge")
            return .some([try told(as: .disputeUpdated).funds(object.json, of: charge)])
        default: throw object.refusal(.unknownStatus, "source")
        }
    }

    /// A reversal that stands alone, without the list of its object's.
    ///
    /// - Parameters:
    ///   - owner: the member that holds the object which is reversed, in full.
    ///   - counterparty: the member of that one which names the other Stripe account.
    private func reversal(
        _ source: JSONValue, _ kind: PaymentKind, _ owner: StaticString,
        _ counterparty: StaticString
    ) throws(ValidationRefusal) -> PaymentEvent {
        let listed = try StripeObject(
            source, is: kind == .transferReversed ? "transfer_reversal" : "fee_refund")
        var event = movement(
            kind, of: try listed.id(), amount: try listed.amount("amount"),
            currency: try listed.currency())
        event.balanceTransaction = try listed.reference("balance_transaction")
        event.related = try listed.reference(owner)
        event.counterparty = source[owner]?.text(counterparty)
        guard event.counterparty != nil || kind != .transferReversed else {
            throw listed.refusal(.badID, owner)
        }
        return event
    }

    /// A payment that the ledger holds has failed all the same: what Stripe took back is booked as
    /// where the event of the failure had told it, so that the two book it once.
    private func reversal(
        of transaction: BalanceTransaction, _ payment: String?, _ booked: JSONValue
    ) throws(ValidationRefusal) -> PaymentEvent {
        guard let held = booked["amount"]?.int64, transaction.amount < .zero,
            -transaction.amount <= MinorUnits(held)
        else { throw ValidationRefusal(.badAmount, "booked.amount") }
        guard booked.text("currency").flatMap(Currency.init) == transaction.currency else {
            throw ValidationRefusal(.badCurrency, "booked.currency")
        }
        guard let source = payment else {
            throw ValidationRefusal(.badID, "balance_transaction.source")
        }
        var event = movement(
            .paymentReversed, of: source, keyID: ReconciledRecord.reversalID(of: transaction),
            amount: -transaction.amount, currency: transaction.currency)
        event.outcome = transaction.type
        event.balanceTransaction = transaction.id
        event.related = source
        return event
    }

    /// Two movements, each balanced in its own currency: what was paid leaves, what Stripe settled
    /// comes in.
    private func exchange(
        _ transaction: BalanceTransaction, _ source: String?, _ booked: JSONValue
    ) throws(ValidationRefusal) -> [PaymentEvent] {
        guard let amount = booked["amount"]?.int64, amount != 0, amount != .min,
            transaction.amount != .zero
        else { throw ValidationRefusal(.badAmount, "booked.amount") }
        guard let currency = booked.text("currency").flatMap(Currency.init),
            currency != transaction.currency
        else { throw ValidationRefusal(.badCurrency, "booked.currency") }
        return [
            own(
                ReconciledRecord.exchangeOutKey(transaction.id), of: transaction, source,
                taken: MinorUnits(amount), currency, against: .exchange),
            own(
                ReconciledRecord.exchangeInKey(transaction.id), of: transaction, source,
                taken: -transaction.amount, transaction.currency, against: .exchange),
        ]
    }

    /// - Parameter taken: what leaves `processor:stripe`; below zero, what comes in.
    private func own(
        _ key: String, of transaction: BalanceTransaction, _ source: String?, taken: MinorUnits,
        _ currency: Currency, against account: CounterAccount
    ) -> PaymentEvent {
        var event = movement(
            .fee, of: transaction.id, amount: MinorUnits(abs(taken.rawValue)), currency: currency)
        event.movement = MovementKey(key)
        event.fee = taken
        event.outcome = account.rawValue
        event.balanceTransaction = transaction.id
        event.related = source
        return event
    }
}

extension BalanceTransaction {
    /// What a record of version 0.1 books of a line that webhooks tell of since: the log keeps such
    /// records, and a replay books them again.
    fileprivate var formerlyCharged: (taken: MinorUnits, against: CounterAccount)? {
        let type = BalanceTransactionType(rawValue: type)
        // Of an adjustment that a dispute's event tells of nothing was ever booked so.
        guard type != .adjustment, case .told(_, _, let fee) = meaning, fee == .zero, net != .zero
        else { return nil }
        return type?.counterAccount.map { (-net, $0) }
    }
}
