import Vocabulary

/// What Stripe keeps: its standard prices (stripe.com/pricing), in integers.
struct TwinFees: Sendable {
    /// Of a payment's amount, in hundredths of a percent: 290 is 2.9 %.
    var basisPoints: Int64 = 290
    /// Of each payment, in the currency's minor units.
    var fixed: Int64 = 30
    /// Of each dispute, in the currency's minor units.
    var dispute: Int64 = 1_500
    /// Whether a dispute that is won gives its fee back.
    var returnsDisputeFee = false
    /// Fixed fees of currencies where `fixed` does not hold.
    var fixedByCurrency: [Currency: Int64] = [:]
    /// Dispute fees of currencies where `dispute` does not hold.
    var disputeByCurrency: [Currency: Int64] = [:]

    /// The fee of a payment: the share, rounded half up, and the fixed part, then rounded up to
    /// what the currency can be settled in. Never more than the payment itself.
    func payment(_ amount: Int64, in currency: Currency) -> Int64 {
        let (high, low) = amount.multipliedFullWidth(by: basisPoints)
        let share = Int64(10_000).dividingFullWidth((high, low))
        let rounded = share.quotient + (share.remainder >= 5_000 ? 1 : 0)
        let fee = rounded + (fixedByCurrency[currency] ?? fixed)
        return min(amount, Self.roundedUp(fee, to: currency.chargeStep))
    }

    /// The fee of a bank debit: 0.8 %, five major units at most.
    func debit(_ amount: Int64, in currency: Currency) -> Int64 {
        var scale: Int64 = 5
        for _ in 0..<currency.displayExponent { scale *= 10 }
        let share = Self.roundedUp(amount * 8 / 1_000, to: currency.chargeStep)
        return min(share, scale)
    }

    /// The fee of a dispute.
    func dispute(in currency: Currency) -> Int64 {
        Self.roundedUp(disputeByCurrency[currency] ?? dispute, to: currency.chargeStep)
    }

    private static func roundedUp(_ amount: Int64, to step: Int64) -> Int64 {
        (amount + step - 1) / step * step
    }
}

extension Currency {
    /// Amounts are multiples of this many minor units: Stripe wants tens of a three-decimal
    /// currency and whole units of UGX and ISK, which it writes with two decimals that are zero
    /// (docs.stripe.com/currencies).
    var chargeStep: Int64 {
        if displayExponent == 3 { return 10 }
        return code == "ugx" || code == "isk" ? 100 : 1
    }
}
