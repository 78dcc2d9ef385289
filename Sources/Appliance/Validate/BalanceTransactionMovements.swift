/// What reconciliation found in Stripe's statement and no webhook tells of: fees, adjustments,
/// reserves, transfers, conversions. The event is of our own making; `data.object` is Stripe's
/// balance transaction as its API gave it.
extension StripeEvent {
    /// - Parameter booked: `data.booked`, amount and currency that the ledger holds where Stripe
    ///   settled in another currency. Such an event books the conversion and nothing else.
    func balanceTransaction(booked: JSONValue?) throws(ValidationRefusal) -> Movements {
        let object = try StripeObject(object, is: "balance_transaction")
        _ = try object.id()
        let source = try object.reference("source")
        let transaction: BalanceTransaction
        do {
            transaction = try BalanceTransaction(json: object.json)
        } catch {
            guard case .field(let name) = error else { throw object.refusal(.missingObject, "id") }
            throw ValidationRefusal(
                name == "currency" ? .badCurrency : .badAmount, "balance_transaction.\(name)")
        }
        if let booked, case .failedPayment = transaction.meaning {
            return .some([try reversal(of: transaction, source, booked)])
        }
        if let booked { return .some(try exchange(transaction, source, booked)) }
        guard transaction.meaning != .unknown else { throw object.refusal(.unknownStatus, "type") }
        guard let charged = transaction.charged else { return .none(.nothingCharged) }
        return .some([
            own(
                ReconciledRecord.feeKey(transaction.id), of: transaction, source,
                taken: charged.taken, transaction.currency, against: charged.against)
        ])
    }

    /// A payment that the ledger holds has failed all the same: what Stripe took back is booked as
    /// where the event of the failure had told it, so that the two book it once.
    private func reversal(
        of transaction: BalanceTransaction, _ source: String?, _ booked: JSONValue
    ) throws(ValidationRefusal) -> PaymentEvent {
        guard let held = booked["amount"]?.int64, transaction.amount < .zero,
            -transaction.amount <= MinorUnits(held)
        else { throw ValidationRefusal(.badAmount, "booked.amount") }
        guard booked.text("currency").flatMap(Currency.init) == transaction.currency else {
            throw ValidationRefusal(.badCurrency, "booked.currency")
        }
        guard let source else { throw ValidationRefusal(.badID, "balance_transaction.source") }
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
