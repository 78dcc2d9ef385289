import Traffic
import Vocabulary

/// The truth about what a twin tells: which movements a ledger must book that hears of it.
///
/// The rules are those of contracts §3, but the amounts are those of the balance transactions in
/// the twin's books: what its events say of them is what is to be proved.
extension Twin {
    /// - Returns: nothing for an event that the twin does not keep any more.
    func movements(of event: TwinEvent) -> [ExpectedMovement] {
        read(event.account) { books in
            guard let serial = books.ids.serial(of: event.id, .event), serial.rawValue > 0,
                let record = books.events[Int(serial.rawValue) - 1]
            else { return [] }
            return books.movements(of: record)
        } ?? []
    }
}

extension TwinBooks {
    fileprivate func movements(of record: TwinEventRecord) -> [ExpectedMovement] {
        switch (record.type, record.snapshot) {
        case (.chargeSucceeded, .charge(let ref, let then)): then.isCaptured ? [payment(ref)] : []
        case (.chargeCaptured, .charge(let ref, _)): [payment(ref)]
        case (.chargeFailed, .charge(let ref, _)): [failure(of: ref)]
        case (.intentSucceeded, .paymentIntent(_, let then)):
            then.latestCharge.map { [payment($0)] } ?? []
        case (.intentFailed, .paymentIntent(_, let then)):
            then.latestCharge.map { [failure(of: $0)] } ?? []
        case (.refundCreated, .refund(let ref, let then)),
            (.refundUpdated, .refund(let ref, let then)),
            (.refundFailed, .refund(let ref, let then)),
            (.chargeRefundUpdated, .refund(let ref, let then)):
            movements(of: ref, then)
        case (.disputeCreated, .dispute(let ref, _, _)): [stage(.disputeOpened, of: ref)]
        case (.disputeClosed, .dispute(let ref, _, _)): [stage(.disputeClosed, of: ref)]
        case (.disputeFundsWithdrawn, .dispute(_, let then, _)),
            (.disputeFundsReinstated, .dispute(_, let then, _)):
            then.transactions.map(funds)
        case (.payoutCreated, .payout(let ref, let then)),
            (.payoutUpdated, .payout(let ref, let then)),
            (.payoutPaid, .payout(let ref, let then)),
            (.payoutFailed, .payout(let ref, let then)),
            (.payoutCanceled, .payout(let ref, let then)):
            movements(of: ref, then)
        default: []
        }
    }

    private func payment(_ ref: Ref<TwinCharge>) -> ExpectedMovement {
        movement("charge", .payment, of: id(ref), charges[ref].transaction)
    }

    private func failure(of ref: Ref<TwinCharge>) -> ExpectedMovement {
        let charge = charges[ref]
        return movement(
            "charge_failed", .paymentFailed, of: id(ref), amount: charge.amount, charge.currency)
    }

    /// One that was sent back was also made.
    private func movements(of ref: Ref<TwinRefund>, _ then: TwinRefund) -> [ExpectedMovement] {
        let made = movement("refund", .refund, of: id(ref), then.transaction)
        guard then.status == .failed || then.status == .canceled else { return [made] }
        return [
            made, movement("refund_failed", .refundFailed, of: id(ref), then.failureTransaction),
        ]
    }

    private func movements(of ref: Ref<TwinPayout>, _ then: TwinPayout) -> [ExpectedMovement] {
        let made = movement("payout", .payout, of: id(ref), then.transaction)
        guard then.status == .failed || then.status == .canceled else { return [made] }
        return [
            made, movement("payout_failed", .payoutFailed, of: id(ref), then.failureTransaction),
        ]
    }

    private func stage(_ kind: PaymentKind, of ref: Ref<TwinDispute>) -> ExpectedMovement {
        let dispute = disputes[ref]
        return movement(
            kind.rawValue, kind, of: id(ref), amount: dispute.amount, dispute.currency)
    }

    private func funds(_ ref: Ref<TwinTransaction>) -> ExpectedMovement {
        movement(
            "dispute", transactions[ref].isReversal ? .disputeReinstated : .disputeWithdrawn,
            of: id(ref), ref, tellsFee: true)
    }

    private func movement(
        _ name: String, _ kind: PaymentKind, of id: String, _ ref: Ref<TwinTransaction>?,
        tellsFee: Bool = false
    ) -> ExpectedMovement {
        guard let ref else { preconditionFailure("\(id) was told before it was booked") }
        let transaction = transactions[ref]
        return movement(
            name, kind, of: id, amount: abs(transaction.amount), transaction.currency,
            fee: tellsFee ? transaction.fee : 0)
    }

    private func movement(
        _ name: String, _ kind: PaymentKind, of id: String, amount: Int64, _ currency: Currency,
        fee: Int64 = 0
    ) -> ExpectedMovement {
        ExpectedMovement(
            key: MovementKey("\(name):\(id)"), kind: kind, amount: MinorUnits(amount),
            currency: currency, fee: MinorUnits(fee), account: account)
    }
}
