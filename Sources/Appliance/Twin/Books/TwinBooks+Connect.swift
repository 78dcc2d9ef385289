import Traffic
import Vocabulary

/// Transfers and application fees: money that goes from one account's books to another's. Each side
/// books its own part, and what the other has to do is an order.
extension TwinBooks {
    /// Whether these are a seller's books, not the platform's.
    var isConnected: Bool { account != nil }

    // MARK: A payment's own part

    /// What the platform takes out of a charge of these books when this much of it is captured.
    func earned(with ref: Ref<TwinCharge>, capturing amount: Int64) -> Int64 {
        guard isConnected, let fee = charges[ref].terms?.value.applicationFee else { return 0 }
        return min(fee, amount)
    }

    /// Passes on what was captured: to the seller, or of a seller's charge to the platform.
    mutating func passOn(_ ref: Ref<TwinCharge>, captured amount: Int64) {
        guard let terms = charges[ref].terms?.value else { return }
        let fee = min(terms.applicationFee ?? 0, amount)
        if fee > 0 {
            let id = ids.string(.applicationFee, ObjectSerial(UInt64(ref.index) + 1))
            trace(ref) {
                $0.fee = id
                $0.feeAmount = fee
            }
        }
        if isConnected {
            if fee > 0 { orders.append(.earn(ref)) }
            return
        }
        guard let destination = terms.destination else { return }
        let group = charges[ref].details.value.transferGroup ?? "group_" + chargeGroup(ref)
        let transfer = transfer(
            TwinTransfer(
                created: now, amount: min(terms.transferAmount ?? amount, amount),
                currency: charges[ref].currency, destination: destination, source: ref,
                fee: fee > 0 ? charges[ref].traces?.value.fee : nil, feeAmount: fee, group: group))
        trace(ref) { $0.transfer = transfer }
    }

    /// Stripe names a charge's own group after its payment intent, else after itself.
    func chargeGroup(_ ref: Ref<TwinCharge>) -> String {
        charges[ref].intent.map { id($0) } ?? id(ref)
    }

    mutating func trace(_ ref: Ref<TwinCharge>, _ change: (inout ChargeTraces) -> Void) {
        var traces = charges[ref].traces?.value ?? ChargeTraces()
        change(&traces)
        charges[ref].traces = Shared(traces)
    }

    // MARK: The platform's side

    /// Sends money to a seller; the caller has checked that there is as much.
    mutating func transfer(_ transfer: TwinTransfer) -> Ref<TwinTransfer> {
        let ref = transfers.append(transfer)
        let source = transfer.source.flatMap { charges[$0].transaction }
        let transaction = book(
            .transfer, -transfer.amount, transfer.currency, from: .transfer(ref),
            availableOn: source.map { max(now, transactions[$0].availableOn) })
        settle(transaction)
        transfers[ref].transaction = transaction
        orders.append(.pay(ref))
        return ref
    }

    /// Takes part of a transfer back.
    mutating func reverse(
        _ transfer: Ref<TwinTransfer>, amount: Int64, for refund: Ref<TwinRefund>? = nil,
        metadata: [FormField] = []
    ) -> Ref<TwinTransferReversal> {
        let ref = reversals.append(
            TwinTransferReversal(
                created: now, amount: amount, currency: transfers[transfer].currency,
                transfer: transfer, sourceRefund: refund, metadata: metadata))
        let transaction = book(
            .transferRefund, amount, transfers[transfer].currency, from: .reversal(ref))
        settle(transaction)
        reversals[ref].transaction = transaction
        transfers[transfer].reversals.append(ref)
        transfers[transfer].amountReversed += amount
        if let refund { refunds[refund].reversal = ref }
        orders.append(.takeBack(ref))
        return ref
    }

    /// The platform's own part of a seller's payment.
    mutating func earn(_ fee: TwinApplicationFee, availableOn: Int64) {
        let ref = applicationFees.append(fee)
        placeOfFee[fee.id] = ref
        let transaction = book(
            .applicationFee, fee.amount, fee.currency, from: .applicationFee(ref),
            availableOn: max(now, availableOn))
        settle(transaction)
        applicationFees[ref].transaction = transaction
        tell(.applicationFeeCreated, snapshot(ref))
    }

    /// Gives back part of a fee.
    ///
    /// - Parameter isCredited: the seller has it already.
    mutating func refundFee(
        _ fee: Ref<TwinApplicationFee>, amount: Int64, isCredited: Bool,
        metadata: [FormField] = []
    ) -> Ref<TwinFeeRefund>? {
        let left = applicationFees[fee].amount - applicationFees[fee].amountRefunded
        let before = applicationFees[fee].amountRefunded
        guard amount > 0, amount <= left else { return nil }
        let ref = feeRefunds.append(
            TwinFeeRefund(
                created: now, amount: amount, currency: applicationFees[fee].currency, fee: fee,
                metadata: metadata))
        let transaction = book(
            .applicationFeeRefund, -amount, applicationFees[fee].currency, from: .feeRefund(ref))
        settle(transaction)
        feeRefunds[ref].transaction = transaction
        applicationFees[fee].refunds.append(ref)
        applicationFees[fee].amountRefunded += amount
        if !isCredited { orders.append(.creditFee(ref)) }
        tell(.applicationFeeRefunded, snapshot(fee)) { $0.member("amount_refunded", before) }
        return ref
    }

    // MARK: The seller's side

    /// The seller's payment of a transfer.
    ///
    /// - Parameter availableOn: when the platform's own part of it is available.
    mutating func receive(
        _ transfer: TwinTransfer, id transferID: String, availableOn: Int64
    ) -> Ref<TwinCharge> {
        var details = PaymentDetails()
        details.transferGroup = transfer.group
        var charge = TwinCharge(
            created: now, amount: transfer.amount, currency: transfer.currency, method: nil,
            billing: Shared(BillingDetails()), details: Shared(details))
        charge.isPayment = true
        charge.isCaptured = true
        charge.amountCaptured = transfer.amount
        let ref = addCharge(charge)
        let fee = min(transfer.feeAmount, transfer.amount)
        let transaction = book(
            .payment, transfer.amount, fee: fee, transfer.currency, from: .charge(ref),
            availableOn: max(now, availableOn))
        transactions[transaction].applicationFee = fee
        settle(transaction)
        charges[ref].transaction = transaction
        trace(ref) {
            $0.sourceTransfer = transferID
            $0.fee = transfer.fee
            $0.feeAmount = fee
        }
        tell(.paymentCreated, snapshot(ref))
        return ref
    }

    /// The seller's payment goes back where it came from.
    ///
    /// - Parameter reversal: the platform's `trr_…`.
    mutating func giveBack(
        _ ref: Ref<TwinCharge>, amount: Int64, for reversal: String
    ) -> Ref<TwinRefund> {
        refund(
            RefundOrder(
                charge: ref, amount: amount, status: .succeeded, sourceReversal: reversal))
    }

    /// The platform gave back part of its fee.
    ///
    /// - Parameter charge: of these books, that the fee was taken from.
    mutating func credit(
        _ amount: Int64, _ currency: Currency, feeRefund: String, of charge: String
    ) {
        foreignSources.append(feeRefund)
        settle(
            book(
                .adjustment, amount, currency, from: .foreign(Int32(foreignSources.count - 1))))
        if let ref: Ref<TwinCharge> = ref(charge, count: charges.count) {
            trace(ref) { $0.feeRefunded += amount }
        }
    }

    /// The share of `whole` that `part` of `total` is, rounded half up.
    static func share(of whole: Int64, for part: Int64, outOf total: Int64) -> Int64 {
        guard total > 0 else { return 0 }
        let product = whole.multipliedFullWidth(by: part)
        let (quotient, remainder) = total.dividingFullWidth(product)
        return quotient + (remainder >= total - remainder ? 1 : 0)
    }
}
