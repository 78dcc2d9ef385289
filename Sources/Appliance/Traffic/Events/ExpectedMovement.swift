package import Vocabulary

/// The truth about one movement, known because the world made it: what the ledger must book.
package struct ExpectedMovement: Hashable, Sendable {
    /// By the rules of contracts §3.
    package var key: MovementKey
    package var kind: PaymentKind
    package var amount: MinorUnits
    package var currency: Currency
    /// What Stripe charged for a dispute's transaction; negative when given back, else zero.
    package var fee: MinorUnits
    /// The Connect account, nil for the platform's own.
    package var account: String?
    /// Set on payments and failed payments that a fraudster made in a written scenario.
    var fraud: FraudPattern?

    package init(
        key: MovementKey, kind: PaymentKind, amount: MinorUnits, currency: Currency,
        fee: MinorUnits, account: String? = nil, fraud: FraudPattern? = nil
    ) {
        self.key = key
        self.kind = kind
        self.amount = amount
        self.currency = currency
        self.fee = fee
        self.account = account
        self.fraud = fraud
    }

    /// What it changes `processor:stripe` by (contracts §6); nil where it moves no money.
    package var processorChange: MinorUnits? {
        switch kind {
        case .payment, .refundFailed, .payoutFailed: amount
        case .refund, .payout: -amount
        case .disputeWithdrawn: MinorUnits(-amount.rawValue - fee.rawValue)
        case .disputeReinstated: MinorUnits(amount.rawValue - fee.rawValue)
        case .transferPayment, .transferReversed, .applicationFee, .topup, .payoutDebit: amount
        case .paymentReversed, .transfer, .applicationFeeRefunded, .topupReversed,
            .payoutDebitFailed:
            -amount
        case .paymentFailed, .disputeOpened, .disputeClosed, .fee, .refundNoted, .refundsTold,
            .releaseTold:
            nil
        }
    }
}

extension TrafficScenario {
    /// What the event about `occurrence` says of money, in the words of contracts §3. Inquiries
    /// open and close without a movement of money, but they are opened and closed.
    static func movements(
        of occurrence: Occurrence, ids: StripeIDs, merchants: [TrafficWorld.Merchant]
    ) -> [ExpectedMovement] {
        let account = merchants[occurrence.merchant].account.map { ids.string(.account, $0) }
        let ledger = MovementSpelling(ids: ids, account: account)
        switch occurrence.subject {
        case .charge(let charge): return ledger.movements(ofChargeEvent: occurrence.type, charge)
        case .paymentIntent(let charge): return [ledger.payment(charge)]
        case .refund(let refund, let charge): return [ledger.refund(refund, of: charge)]
        case .dispute(let dispute): return ledger.movements(of: occurrence.type, dispute)
        case .payout(let payout): return ledger.movements(of: occurrence.type, payout)
        }
    }
}

/// Spells movements' keys.
private struct MovementSpelling {
    let ids: StripeIDs
    let account: String?

    func movements(
        ofChargeEvent type: StripeEventType, _ charge: SimulatedCharge
    ) -> [ExpectedMovement] {
        switch type {
        case .chargeRefunded:
            // Only an old API version lists the refunds; a newer one sends them by themselves, so
            // the keys are the same.
            return [charge.firstRefund, charge.secondRefund].compactMap { $0 }.map {
                refund($0, of: charge)
            }
        case .chargeSucceeded where !charge.isCaptured: return []
        default: return [payment(charge)]
        }
    }

    func payment(_ charge: SimulatedCharge) -> ExpectedMovement {
        let succeeded = charge.hasSucceeded
        return movement(
            succeeded ? "charge" : "charge_failed", .charge, charge.charge,
            succeeded ? .payment : .paymentFailed,
            succeeded ? charge.amountCaptured : charge.amount, charge.currency,
            fraud: charge.fraud)
    }

    func refund(_ refund: SimulatedRefund, of charge: SimulatedCharge) -> ExpectedMovement {
        let failed = refund.status == .failed
        return movement(
            failed ? "refund_failed" : "refund", .refund, refund.refund,
            failed ? .refundFailed : .refund, refund.amount, charge.currency)
    }

    func movements(
        of type: StripeEventType, _ dispute: SimulatedDispute
    ) -> [ExpectedMovement] {
        let currency = dispute.charge.currency
        switch type {
        case .disputeCreated:
            return [
                movement(
                    "dispute_opened", .dispute, dispute.dispute, .disputeOpened, dispute.amount,
                    currency)
            ]
        case .disputeClosed:
            return [
                movement(
                    "dispute_closed", .dispute, dispute.dispute, .disputeClosed, dispute.amount,
                    currency)
            ]
        default:
            let withdrawn = movement(
                "dispute", .balanceTransaction, dispute.withdrawal, .disputeWithdrawn,
                dispute.amount, currency, fee: dispute.fee)
            guard let serial = dispute.reinstatement else { return [withdrawn] }
            let reinstated = movement(
                "dispute", .balanceTransaction, serial, .disputeReinstated, dispute.amount,
                currency, fee: dispute.returnsFee ? -dispute.fee : 0)
            return [withdrawn, reinstated]
        }
    }

    func movements(of type: StripeEventType, _ payout: SimulatedPayout) -> [ExpectedMovement] {
        switch type {
        case .payoutReconciled: []
        case .payoutFailed:
            [
                movement(
                    "payout_failed", .payout, payout.payout, .payoutFailed, payout.amount,
                    payout.currency)
            ]
        default:
            [
                movement(
                    "payout", .payout, payout.payout, .payout, payout.amount, payout.currency)
            ]
        }
    }

    private func movement(
        _ name: String, _ prefix: StripeIDs.Prefix, _ serial: ObjectSerial, _ kind: PaymentKind,
        _ amount: Int64, _ currency: Int, fee: Int64 = 0, fraud: FraudPattern? = nil
    ) -> ExpectedMovement {
        let code = String(describing: TwinCatalogue.currencies[currency].code)
        guard let currency = Currency(code) else {
            preconditionFailure("the catalogue holds a currency \(code)")
        }
        return ExpectedMovement(
            key: MovementKey("\(name):\(ids.string(prefix, serial))"), kind: kind,
            amount: MinorUnits(amount), currency: currency, fee: MinorUnits(fee),
            account: account, fraud: fraud)
    }
}

/// Every movement that some events tell of, each once: what a ledger that received them must hold.
package struct ScenarioTruth: Sendable {
    package private(set) var movements: [MovementKey: ExpectedMovement] = [:]
    private(set) var events = 0

    package init() {}

    package mutating func note(_ told: [ExpectedMovement]) {
        events += 1
        for movement in told {
            let known = movements.updateValue(movement, forKey: movement.key)
            precondition(
                known == nil || known == movement,
                "\(movement.key) was told twice and differently")
        }
    }
}
