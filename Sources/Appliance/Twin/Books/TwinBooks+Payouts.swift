import Vocabulary

/// Payouts: money on its way to the merchant's bank.
///
/// ```
/// pending ─▶ in_transit ─▶ paid ─▶ failed
///    └─▶ canceled   └─▶ failed
/// ```
extension TwinBooks {
    /// From a payout's making to its arrival.
    static let payoutDays: Int64 = 2

    /// Pays out everything that is available, one payout a currency.
    mutating func payOutAutomatically() {
        _ = balance.release(now: now)
        for currency in balance.currencies {
            guard let part = balance.takeAvailable(currency) else { continue }
            let ref = addPayout(part.sum, currency, isAutomatic: true)
            let own = bookPayout(ref)
            let members = part.members + [own]
            payouts[ref].members = members
            for member in members { transactions[member].payout = ref }
            tell(.payoutCreated, snapshot(ref))
        }
    }

    /// Pays out part of what is available; the caller has checked that there is as much.
    mutating func payOut(
        _ amount: Int64, _ currency: Currency, change: (inout TwinPayout) -> Void
    ) -> Ref<TwinPayout> {
        let ref = addPayout(amount, currency, isAutomatic: false)
        change(&payouts[ref])
        settle(bookPayout(ref))
        tell(.payoutCreated, snapshot(ref))
        return ref
    }

    /// Stripe takes what is missing from the merchant's bank: a payout below zero.
    mutating func debitBank(_ amount: Int64, _ currency: Currency) -> Ref<TwinPayout> {
        let ref = addPayout(-amount, currency, isAutomatic: false)
        payouts[ref].description = "STRIPE PAYOUT"
        settle(bookPayout(ref))
        tell(.payoutCreated, snapshot(ref))
        return ref
    }

    /// Brings back a payout that the bank has taken.
    mutating func reversePayout(
        _ original: Ref<TwinPayout>, metadata: [FormField]
    ) -> Ref<TwinPayout> {
        let ref = addPayout(
            -payouts[original].amount, payouts[original].currency, isAutomatic: false)
        payouts[ref].original = original
        payouts[ref].metadata = metadata
        payouts[original].reversedBy = ref
        settle(bookPayout(ref))
        tell(.payoutCreated, snapshot(ref))
        tell(.payoutUpdated, snapshot(original)) { $0.member("reversed_by", nil as String?) }
        return ref
    }

    private mutating func addPayout(
        _ amount: Int64, _ currency: Currency, isAutomatic: Bool
    ) -> Ref<TwinPayout> {
        let day = TwinBalance.daySeconds
        let ref = payouts.append(
            TwinPayout(
                created: now, amount: amount, currency: currency, isAutomatic: isAutomatic,
                arrival: (now / day + Self.payoutDays) * day,
                description: isAutomatic ? "STRIPE PAYOUT" : nil))
        agenda.add(.payoutLeaves(ref), at: now + day / 4)
        agenda.add(.payoutArrives(ref), at: payouts[ref].arrival)
        return ref
    }

    private mutating func bookPayout(_ ref: Ref<TwinPayout>) -> Ref<TwinTransaction> {
        let payout = payouts[ref]
        let transaction = book(.payout, -payout.amount, payout.currency, from: .payout(ref))
        payouts[ref].transaction = transaction
        return transaction
    }

    /// The bank has the order.
    mutating func sendPayout(_ ref: Ref<TwinPayout>) {
        guard payouts[ref].status == .pending else { return }
        payouts[ref].status = .inTransit
        tell(.payoutUpdated, snapshot(ref)) { $0.member("status", "pending") }
        if payouts[ref].isAutomatic { tell(.payoutReconciled, snapshot(ref)) }
    }

    mutating func payPayout(_ ref: Ref<TwinPayout>) {
        let before = payouts[ref].status
        guard before == .pending || before == .inTransit else { return }
        payouts[ref].status = .paid
        tell(.payoutPaid, snapshot(ref)) { $0.member("status", before.rawValue) }
    }

    /// The bank sends the money back. That can happen to a payout that was called paid.
    mutating func failPayout(_ ref: Ref<TwinPayout>, code: String = "account_closed") {
        guard let before = takeBack(ref, as: .failed, .payoutFailure) else { return }
        payouts[ref].failureCode = code
        tell(.payoutFailed, snapshot(ref)) { $0.member("status", before.rawValue) }
    }

    /// Only before the bank has the order.
    mutating func cancelPayout(_ ref: Ref<TwinPayout>) {
        guard payouts[ref].status == .pending,
            let before = takeBack(ref, as: .canceled, .payoutCancel)
        else { return }
        tell(.payoutCanceled, snapshot(ref)) { $0.member("status", before.rawValue) }
    }

    private mutating func takeBack(
        _ ref: Ref<TwinPayout>, as status: TwinPayout.Status, _ kind: TwinTransaction.Kind
    ) -> TwinPayout.Status? {
        let payout = payouts[ref]
        guard payout.status != .failed, payout.status != .canceled else { return nil }
        payouts[ref].status = status
        let transaction = book(kind, payout.amount, payout.currency, from: .payout(ref))
        settle(transaction)
        payouts[ref].failureTransaction = transaction
        return payout.status
    }
}
