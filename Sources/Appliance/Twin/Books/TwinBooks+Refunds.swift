import Vocabulary

/// What a refund is to be.
struct RefundOrder: Sendable {
    var charge: Ref<TwinCharge>
    var amount: Int64
    var reason: String?
    var metadata: [FormField] = []
    /// As which it begins, if not as its card says.
    var status: TwinRefund.Status?
    /// Takes back its share of the charge's transfer.
    var reversesTransfer = false
    /// Gives back its share of the platform's fee.
    var refundsFee = false
    /// Of a seller's payment: the platform's `trr_…` that it belongs to.
    var sourceReversal: String?
}

/// Refunds: money on its way back to a card.
extension TwinBooks {
    /// How long the bank of a test card takes to report, in seconds.
    static let bankSeconds: Int64 = 5

    /// Gives back part of a charge; the caller has checked that there is as much left.
    mutating func refund(_ order: RefundOrder) -> Ref<TwinRefund> {
        let charge = order.charge
        let behaviour = behaviour(of: charge)
        let status = order.status ?? (behaviour == .refundPends ? .pending : .succeeded)
        let before = charges[charge]
        var refund = TwinRefund(
            created: now, amount: order.amount, currency: before.currency, charge: charge,
            status: status, reason: order.reason, metadata: order.metadata)
        refund.isOfPayment = before.isPayment
        refund.sourceReversal = order.sourceReversal
        let ref = refunds.append(refund)
        bookRefund(ref, order)
        charges[charge].refunds.append(ref)
        charges[charge].amountRefunded += order.amount
        tell(.refundCreated, snapshot(ref))
        let isWhole = charges[charge].isRefunded
        tell(.chargeRefunded, snapshot(charge)) {
            $0.member("amount_refunded", before.amountRefunded)
            if isWhole { $0.member("refunded", false) }
        }
        if order.status == nil {
            switch behaviour {
            case .refundPends:
                agenda.add(.refundSettles(ref, fails: false), at: now + Self.bankSeconds)
            case .refundFails:
                agenda.add(.refundSettles(ref, fails: true), at: now + Self.bankSeconds)
            default: break
            }
        }
        return ref
    }

    private mutating func bookRefund(_ ref: Ref<TwinRefund>, _ order: RefundOrder) {
        let charge = charges[order.charge]
        let traces = charge.traces?.value
        var returned: Int64 = 0
        if order.refundsFee, let traces, let fee = traces.fee {
            let share = Self.share(
                of: traces.feeAmount, for: order.amount, outOf: charge.amountCaptured)
            returned = min(share, traces.feeAmount - traces.feeRefunded)
            trace(order.charge) { $0.feeRefunded += returned }
            if isConnected {
                orders.append(.refundFee(id: fee, amount: returned))
            } else if let fee = placeOfFee[fee] {
                _ = refundFee(fee, amount: returned, isCredited: false)
            }
        }
        // The seller's refund costs it less by what the platform gives back.
        let credited = isConnected ? returned : 0
        let transaction = book(
            charge.isPayment ? .paymentRefund : .refund, -order.amount, fee: -credited,
            charge.currency, from: .refund(ref))
        transactions[transaction].applicationFee = -credited
        settle(transaction)
        refunds[ref].transaction = transaction
        guard order.reversesTransfer, let transfer = traces?.transfer else { return }
        let share = Self.share(
            of: transfers[transfer].amount, for: order.amount, outOf: charge.amountCaptured)
        let amount = min(share, transfers[transfer].reversible)
        if amount > 0 { _ = reverse(transfer, amount: amount, for: ref) }
    }

    /// The card network's reference is known: the money is on the customer's statement.
    mutating func succeedRefund(_ ref: Ref<TwinRefund>) {
        let before = refunds[ref].status
        guard before == .pending || (before == .succeeded && !refunds[ref].hasReference) else {
            return
        }
        refunds[ref].status = .succeeded
        refunds[ref].hasReference = true
        tellUpdate(of: ref) {
            if before == .pending {
                $0.member("status", before.rawValue)
            } else {
                $0.key("destination_details")
                $0.beginObject()
                $0.key("card")
                $0.beginObject()
                $0.member("reference_status", "pending")
                $0.endObject()
                $0.endObject()
            }
        }
    }

    /// The bank sends the money back.
    mutating func failRefund(_ ref: Ref<TwinRefund>, reason: String = "expired_or_canceled_card") {
        guard let before = takeBack(ref, as: .failed) else { return }
        refunds[ref].failureReason = reason
        tell(.refundFailed, snapshot(ref))
        tellUpdate(of: ref) { $0.member("status", before.rawValue) }
    }

    /// Only one that is still pending can be canceled.
    mutating func cancelRefund(_ ref: Ref<TwinRefund>) {
        guard let before = takeBack(ref, as: .canceled) else { return }
        tellUpdate(of: ref) { $0.member("status", before.rawValue) }
    }

    private mutating func takeBack(
        _ ref: Ref<TwinRefund>, as status: TwinRefund.Status
    ) -> TwinRefund.Status? {
        let refund = refunds[ref]
        guard refund.status == .pending || refund.status == .succeeded, !refund.isRelease else {
            return nil
        }
        refunds[ref].status = status
        let transaction = book(
            .refundFailure, refund.amount, refund.currency, from: .refund(ref))
        settle(transaction)
        refunds[ref].failureTransaction = transaction
        charges[refund.charge].amountRefunded -= refund.amount
        return refund.status
    }

    private mutating func tellUpdate(
        of ref: Ref<TwinRefund>, previous: @escaping (inout JSONWriter) -> Void
    ) {
        tell(.refundUpdated, snapshot(ref), previous: previous)
        tell(.chargeRefundUpdated, snapshot(ref), previous: previous)
    }
}
