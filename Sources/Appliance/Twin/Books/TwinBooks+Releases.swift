import Vocabulary

/// What is left of an authorisation when it is canceled, expires or is captured in part.
///
/// Since API 2025-03-31 nothing is refunded then; before, Stripe told the release as a refund
/// without a balance transaction
/// (docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-\
/// cancellation-flow). The books hold both tellings.
extension TwinBooks {
    /// How long a card's authorisation lasts, in seconds.
    static let authorisationSeconds: Int64 = 7 * TwinBalance.daySeconds

    /// Gives up what has not been captured.
    mutating func release(_ ref: Ref<TwinCharge>, reason: String? = nil) {
        charges[ref].isReleased = true
        let amount = charges[ref].amountReleased
        guard amount > 0, charges[ref].traces?.value.release == nil else { return }
        var refund = TwinRefund(
            created: now, amount: amount, currency: charges[ref].currency, charge: ref,
            status: .succeeded, reason: reason)
        refund.isRelease = true
        let release = refunds.append(refund)
        trace(ref) { $0.release = release }
    }

    /// As versions before 2025-03-31 tell it.
    mutating func tellRelease(of ref: Ref<TwinCharge>) {
        let charge = charges[ref]
        guard charge.amountReleased > 0 else { return }
        tell(.chargeRefunded, snapshot(ref), isOfRelease: true) {
            $0.member("amount_refunded", charge.amountRefunded)
            if !charge.isCaptured { $0.member("refunded", false) }
        }
    }

    /// Nobody captured it in time.
    mutating func expire(_ ref: Ref<TwinCharge>) {
        let charge = charges[ref]
        guard !charge.isReleased, charge.failure == nil else { return }
        // A payment that was captured in parts keeps them.
        if charge.isCaptured {
            guard let intent = charge.intent, intents[intent].status == .requiresCapture else {
                return
            }
            return cancel(intent, reason: nil)
        }
        release(ref, reason: "expired_uncaptured_charge")
        tell(.chargeExpired, snapshot(ref))
        tellRelease(of: ref)
        guard let intent = charge.intent, intents[intent].status == .requiresCapture else { return }
        intents[intent].status = .canceled
        intents[intent].amountCapturable = 0
        intents[intent].canceledAt = now
        intents[intent].cancellationReason = TwinPaymentIntent.expired
        tell(.intentCanceled, snapshot(intent))
    }
}

extension TwinPaymentIntent {
    /// `cancellation_reason` where an authorisation expired; `automatic` before API 2025-03-31.
    static let expired = "expired"
}
