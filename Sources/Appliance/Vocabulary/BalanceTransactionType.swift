/// What a balance transaction's `type` means to the books (docs.stripe.com/reports/
/// balance-transaction-types). Every type that Stripe documents is named here: one that is not is
/// a reconciliation break, never passed over.
package enum BalanceTransactionType: String, CaseIterable, Sendable {
    case charge, payment
    case refund
    case paymentRefund = "payment_refund"
    case refundFailure = "refund_failure"
    case paymentFailureRefund = "payment_failure_refund"
    case paymentReversal = "payment_reversal"
    case adjustment
    case payout
    case payoutCancel = "payout_cancel"
    case payoutFailure = "payout_failure"
    case stripeFee = "stripe_fee"
    case stripeFXFee = "stripe_fx_fee"
    case taxFee = "tax_fee"
    case feeCreditFunding = "fee_credit_funding"
    case applicationFee = "application_fee"
    case applicationFeeRefund = "application_fee_refund"
    case reserveTransaction = "reserve_transaction"
    case reservedFunds = "reserved_funds"
    case reserveHold = "reserve_hold"
    case reserveRelease = "reserve_release"
    case paymentNetworkReserveHold = "payment_network_reserve_hold"
    case paymentNetworkReserveRelease = "payment_network_reserve_release"
    case payoutMinimumBalanceHold = "payout_minimum_balance_hold"
    case payoutMinimumBalanceRelease = "payout_minimum_balance_release"
    case topup
    case topupReversal = "topup_reversal"
    case transfer
    case transferCancel = "transfer_cancel"
    case transferFailure = "transfer_failure"
    case transferRefund = "transfer_refund"
    case connectCollectionTransfer = "connect_collection_transfer"
    case contribution
    case taxFund = "tax_fund"
    case advance
    case advanceFunding = "advance_funding"
    case anticipationRepayment = "anticipation_repayment"
    case climateOrderPurchase = "climate_order_purchase"
    case climateOrderRefund = "climate_order_refund"
    case inboundTransfer = "inbound_transfer"
    case inboundTransferReversal = "inbound_transfer_reversal"
    case issuingAuthorizationHold = "issuing_authorization_hold"
    case issuingAuthorizationRelease = "issuing_authorization_release"
    case issuingDispute = "issuing_dispute"
    case issuingTransaction = "issuing_transaction"
    case obligationOutbound = "obligation_outbound"
    case obligationReversalInbound = "obligation_reversal_inbound"
    case paymentUnreconciled = "payment_unreconciled"
    case stripeBalancePaymentDebit = "stripe_balance_payment_debit"
    case stripeBalancePaymentDebitReversal = "stripe_balance_payment_debit_reversal"

    /// Which account stands against `processor:stripe` where Stripe moved the money by itself, so
    /// that no webhook of contracts §3 tells of it; nil for the types that such webhooks do tell
    /// of, and for those that Tillbox has no account for.
    package var counterAccount: CounterAccount? {
        switch self {
        case .stripeFee, .stripeFXFee, .taxFee, .feeCreditFunding: .fees
        case .adjustment: .adjustments
        case .applicationFee, .applicationFeeRefund: .applicationFees
        case .reserveTransaction, .reservedFunds, .reserveHold, .reserveRelease,
            .paymentNetworkReserveHold, .paymentNetworkReserveRelease,
            .payoutMinimumBalanceHold, .payoutMinimumBalanceRelease:
            .reserves
        case .topup, .topupReversal: .bank
        case .transfer, .transferCancel, .transferFailure, .transferRefund,
            .connectCollectionTransfer:
            .transfers
        case .contribution, .climateOrderPurchase, .climateOrderRefund, .taxFund: .adjustments
        case .charge, .payment, .refund, .paymentRefund, .refundFailure, .paymentFailureRefund,
            .paymentReversal, .payout, .payoutCancel, .payoutFailure, .advance, .advanceFunding,
            .anticipationRepayment, .inboundTransfer, .inboundTransferReversal,
            .issuingAuthorizationHold, .issuingAuthorizationRelease, .issuingDispute,
            .issuingTransaction, .obligationOutbound, .obligationReversalInbound,
            .paymentUnreconciled, .stripeBalancePaymentDebit, .stripeBalancePaymentDebitReversal:
            nil
        }
    }
}

/// What stands against `processor:stripe` in a movement of kind `fee`. It is the `outcome` of such
/// a `PaymentEvent`; any other outcome means `fees`.
package enum CounterAccount: String, CaseIterable, Sendable {
    case fees, adjustments, reserves, transfers, bank
    case applicationFees = "application_fees"
    /// The other half of a conversion: one movement in each currency.
    case exchange
    /// What a bank kept of money on its way. It stands against `bank:{currency}`, not against
    /// `processor:stripe`: Stripe has sent all of it.
    case bankCharges = "bank_charges"
}

/// What reconciliation puts into `webhook.received`, and Validate reads there.
package enum ReconciledRecord {
    /// The event's type. Stripe has none that begins so.
    package static let eventType = "tillbox.balance_transaction"

    /// The id of the event that books what a balance transaction charged or moved by itself.
    package static func eventID(of balanceTransaction: String) -> EventID {
        EventID("evt_tillbox_\(balanceTransaction)")
    }

    /// The id of the event that books a balance transaction's conversion.
    package static func exchangeEventID(of balanceTransaction: String) -> EventID {
        EventID("evt_tillbox_fx_\(balanceTransaction)")
    }

    /// The type of the event that books a line's source as its webhook would have.
    package static let settlementType = "tillbox.settlement"

    /// The id of that event.
    package static func moveEventID(of balanceTransaction: String) -> EventID {
        EventID("evt_tillbox_move_\(balanceTransaction)")
    }

    /// The type of the event which says that a told refund moved nothing: the statement has passed
    /// its time and does not show it.
    package static let releasedType = "tillbox.released"

    /// The id of that event.
    ///
    /// - Parameter object: the refund, or the charge whose refunds were told only in sum.
    package static func releasedEventID(of object: String) -> EventID {
        EventID("evt_tillbox_released_\(object)")
    }

    /// The type of the event which says that a bank booked another amount than Stripe sent.
    package static let bankType = "tillbox.bank_difference"

    /// The id of that event.
    ///
    /// - Parameters:
    ///   - movement: what Stripe sent, as `payout:po_…`; its colon becomes a line.
    ///   - number: 1 for the first of a movement; a bank that corrects itself brings further ones.
    package static func bankEventID(of movement: MovementKey, number: Int64 = 1) -> EventID {
        let place = number > 1 ? "\(number)_" : ""
        return EventID("evt_tillbox_bank_\(place)\(movement.rawValue.replacing(":", with: "_"))")
    }

    /// The movement that it becomes.
    package static func bankKey(of movement: String, number: Int64 = 1) -> String {
        "bank_charge:\(movement)" + (number > 1 ? ":\(number)" : "")
    }

    /// Whether a type or an event's id is of our own making, which nobody else may use.
    package static func isReserved(type: String) -> Bool { type.hasPrefix("tillbox.") }
    package static func isReserved(id: EventID) -> Bool { id.rawValue.hasPrefix("evt_tillbox_") }

    /// The id of the event that takes back a payment which the ledger holds.
    package static func reversalEventID(of balanceTransaction: String) -> EventID {
        EventID("evt_tillbox_back_\(balanceTransaction)")
    }

    /// The movement that it becomes: of a failure as a whole, the same as its event tells. A
    /// reversal may be one of several in part, so that its own balance transaction names it.
    package static func reversalKey(of statement: BalanceTransaction) -> String {
        "charge_reversed:\(reversalID(of: statement))"
    }

    package static func reversalID(of statement: BalanceTransaction) -> String {
        guard statement.type == BalanceTransactionType.paymentFailureRefund.rawValue,
            case .failedPayment(let payment?, _) = statement.meaning
        else { return statement.id }
        return String(payment.dropFirst("charge:".count))
    }

    /// The movement that the event of a failure tells, from the payment's own key, `charge:…`.
    package static func reversalKey(ofPayment key: String) -> String {
        "charge_reversed:" + key.dropFirst("charge:".count)
    }

    /// The movement that version 0.1 made of it: a refund that nobody asked for.
    package static func formerReversalKey(_ balanceTransaction: String) -> String {
        "refund:\(balanceTransaction)"
    }

    /// The movement that a balance transaction's fee, or its whole net, is booked as.
    package static func feeKey(_ balanceTransaction: String) -> String {
        "fee:\(balanceTransaction)"
    }
    /// The movement that takes the converted money out of the currency it was paid in.
    package static func exchangeOutKey(_ balanceTransaction: String) -> String {
        "fx_out:\(balanceTransaction)"
    }
    /// The movement that puts it into the currency it is settled in.
    package static func exchangeInKey(_ balanceTransaction: String) -> String {
        "fx_in:\(balanceTransaction)"
    }
}
