/// Payments by bank debit:
///
/// ```
/// pending ─▶ succeeded ─▶ failed (the bank sends the money back)
///    └─▶ failed
/// ```
///
/// The money is in the balance from the beginning, and becomes available days later.
extension TwinBooks {
    /// Sends a debit to the bank.
    mutating func beginDebit(_ ref: Ref<TwinCharge>, of bank: TwinBankAccount) {
        charges[ref].isPending = true
        take(charges[ref].amount, ref)
        tell(.chargePending, snapshot(ref))
        if let intent = charges[ref].intent {
            intents[intent].status = .processing
            tell(.intentProcessing, snapshot(intent))
        }
        if !bank.staysPending {
            agenda.add(.debitSettles(ref, failure: bank.failure), at: now + Self.bankSeconds)
        }
    }

    mutating func settleDebit(_ ref: Ref<TwinCharge>, failure: String?) {
        guard charges[ref].isPending else { return }
        if let failure { return failDebit(ref, failure) }
        charges[ref].isPending = false
        passOn(ref, captured: charges[ref].amountCaptured)
        tell(.chargeSucceeded, snapshot(ref))
        guard let intent = charges[ref].intent else { return }
        intents[intent].receive(charges[ref].amountCaptured)
        tell(.intentSucceeded, snapshot(intent))
    }

    /// The bank sends the money back, before the debit was called succeeded or after.
    mutating func failDebit(_ ref: Ref<TwinCharge>, _ failure: String) {
        let charge = charges[ref]
        guard charge.traces?.value.debitFailure == nil else { return }
        let line = charge.transaction.map { transactions[$0] }
        // What the platform has earned by now it keeps; before success it had earned nothing.
        let earned = line?.applicationFee ?? 0
        let returned = charge.isPending ? earned : 0
        let transaction = book(
            .paymentFailureRefund, -charge.amountCaptured,
            fee: earned - returned - (line?.fee ?? 0), charge.currency, from: .charge(ref))
        transactions[transaction].applicationFee = -returned
        settle(transaction)
        charges[ref].isPending = false
        trace(ref) {
            $0.debitFailure = failure
            $0.failureTransaction = transaction
        }
        tell(.chargeFailed, snapshot(ref))
        guard let intent = charge.intent else { return }
        intents[intent].status = .requiresPaymentMethod
        intents[intent].amountReceived = 0
        intents[intent].failedMethod = intents[intent].method
        intents[intent].method = nil
        tell(.intentFailed, snapshot(intent))
    }
}
