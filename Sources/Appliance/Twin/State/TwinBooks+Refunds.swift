/// Refunds: money on its way back to a card.
extension TwinBooks {
    /// How long the bank of a test card takes to report, in seconds.
    static let bankSeconds: Int64 = 5

    /// Gives back `amount` of a charge.
    ///
    /// - Parameter status: as which it begins, if not as its card says.
    mutating func refund(
        _ charge: Ref<TwinCharge>, amount: Int64, reason: String?, metadata: [FormField],
        status: TwinRefund.Status?
    ) -> Ref<TwinRefund> {
        let behaviour = methods[charges[charge].method].card.behaviour
        let isPending = (status ?? (behaviour == .refundPends ? .pending : .succeeded)) == .pending
        let before = charges[charge]
        let ref = refunds.append(
            TwinRefund(
                created: now, amount: amount, currency: before.currency, charge: charge,
                status: isPending ? .pending : .succeeded, reason: reason, metadata: metadata))
        let transaction = book(.refund, -amount, before.currency, from: .refund(ref))
        settle(transaction)
        refunds[ref].transaction = transaction
        charges[charge].refunds.append(ref)
        charges[charge].amountRefunded += amount
        tell(.refundCreated, snapshot(ref))
        let isWhole = charges[charge].isRefunded
        tell(.chargeRefunded, snapshot(charge)) {
            $0.member("amount_refunded", before.amountRefunded)
            if isWhole { $0.member("refunded", false) }
        }
        if status == nil {
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
        guard refund.status == .pending || refund.status == .succeeded else { return nil }
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
