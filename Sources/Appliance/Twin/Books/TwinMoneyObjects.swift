import Traffic
import Vocabulary

struct TwinRefund: TwinObject {
    static let prefix = StripeIDs.Prefix.refund
    static let otherPrefix: StripeIDs.Prefix? = .paymentRefund
    static let name = "refund"

    enum Status: String, Sendable {
        case pending, succeeded, failed, canceled
    }

    let created: Int64
    let amount: Int64
    let currency: Currency
    let charge: Ref<TwinCharge>
    var status: Status
    var reason: String?
    var failureReason: String?
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
    var failureTransaction: Ref<TwinTransaction>?
    /// The card network's reference has become known.
    var hasReference = false
    /// It tells of an authorisation's release and moves no money; only before API 2025-03-31.
    var isRelease = false
    /// Of a payment, not of a charge: `pyr_…`.
    var isOfPayment = false
    /// What it took back of the charge's transfer.
    var reversal: Ref<TwinTransferReversal>?
    /// Of a seller's payment: the platform's `trr_…`.
    var sourceReversal: String?
}

struct TwinDispute: TwinObject {
    static let prefix = StripeIDs.Prefix.dispute
    static let name = "dispute"

    enum Status: String, Sendable {
        case warningNeedsResponse = "warning_needs_response"
        case warningUnderReview = "warning_under_review"
        case warningClosed = "warning_closed"
        case needsResponse = "needs_response"
        case underReview = "under_review"
        case won, lost

        /// An inquiry: the bank only asks.
        var isWarning: Bool {
            switch self {
            case .warningNeedsResponse, .warningUnderReview, .warningClosed: true
            default: false
            }
        }

        var isClosed: Bool { self == .won || self == .lost || self == .warningClosed }
    }

    let created: Int64
    let amount: Int64
    let currency: Currency
    let charge: Ref<TwinCharge>
    let reason: String
    var status: Status
    var dueBy: Int64
    var transactions: [Ref<TwinTransaction>] = []
    var evidence: [FormField] = []
    var submissionCount: Int64 = 0
    var metadata: [FormField] = []

    /// What is asked about stays refundable until the money has been taken.
    var isChargeRefundable: Bool { status.isWarning && !status.isClosed }

    /// What card networks call the reason (docs.stripe.com/disputes/reason-codes).
    var networkReasonCode: String {
        switch reason {
        case "fraudulent": "10.4"
        case "duplicate": "12.6.1"
        case "product_not_received": "13.1"
        case "product_unacceptable": "13.3"
        case "subscription_canceled": "13.2"
        case "credit_not_processed": "13.7"
        default: "10.5"
        }
    }

    static let reasons: Set<String> = [
        "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated",
        "debit_not_authorized", "duplicate", "fraudulent", "general", "incorrect_account_details",
        "insufficient_funds", "noncompliant", "product_not_received", "product_unacceptable",
        "subscription_canceled", "unrecognized",
    ]
}

/// A change of the balance: a row of what reconciliation reads.
struct TwinTransaction: TwinObject {
    static let prefix = StripeIDs.Prefix.balanceTransaction
    static let name = "balance transaction"

    /// Stripe's `type`.
    enum Kind: String, Sendable, CaseIterable {
        case charge, payment, refund, adjustment, payout, transfer, topup, advance
        case refundFailure = "refund_failure"
        case paymentRefund = "payment_refund"
        case paymentFailureRefund = "payment_failure_refund"
        case paymentReversal = "payment_reversal"
        case payoutCancel = "payout_cancel"
        case payoutFailure = "payout_failure"
        case stripeFee = "stripe_fee"
        case stripeFxFee = "stripe_fx_fee"
        case taxFee = "tax_fee"
        case applicationFee = "application_fee"
        case applicationFeeRefund = "application_fee_refund"
        case reserveTransaction = "reserve_transaction"
        case reservedFunds = "reserved_funds"
        case transferRefund = "transfer_refund"
        case topupReversal = "topup_reversal"
        case contribution
        case paymentNetworkReserveHold = "payment_network_reserve_hold"
        case paymentNetworkReserveRelease = "payment_network_reserve_release"
        /// Only planted: a type that Stripe does not have yet.
        case unheardOf = "unheard_of"
    }

    /// What it comes from.
    enum Source: Hashable, Sendable {
        case charge(Ref<TwinCharge>)
        case refund(Ref<TwinRefund>)
        case dispute(Ref<TwinDispute>)
        case payout(Ref<TwinPayout>)
        case transfer(Ref<TwinTransfer>)
        case reversal(Ref<TwinTransferReversal>)
        case applicationFee(Ref<TwinApplicationFee>)
        case feeRefund(Ref<TwinFeeRefund>)
        case topUp(Ref<TwinTopUp>)
        /// An object of another account, by its place in `foreignSources`.
        case foreign(Int32)
        /// A planted one, of a charge that nobody ever made.
        case unknownCharge(UInt32)
        case none
    }

    let created: Int64
    /// When the money may be paid out.
    let availableOn: Int64
    var amount: Int64
    var fee: Int64
    var currency: Currency
    let kind: Kind
    let source: Source
    /// It gives back what a dispute took.
    var isReversal = false
    /// The part of the fee that the platform takes.
    var applicationFee: Int64 = 0
    /// The automatic payout that it is part of.
    var payout: Ref<TwinPayout>?
    /// A planted break: Stripe does not know it any more.
    var isHidden = false

    var net: Int64 { amount - fee }

    /// Stripe's grouping of types for reports (docs.stripe.com/reports/reporting-categories).
    var reportingCategory: String {
        switch kind {
        case .payment: "charge"
        case .topupReversal: "topup_reversal"
        case .paymentRefund: "refund"
        case .paymentFailureRefund, .paymentReversal: "charge_failure"
        case .refundFailure: "refund_failure"
        case .adjustment:
            switch source {
            case .dispute: isReversal ? "dispute_reversal" : "dispute"
            case .foreign: "fee"
            default: "other_adjustment"
            }
        case .payoutCancel, .payoutFailure: "payout_reversal"
        case .stripeFee, .stripeFxFee: "fee"
        case .taxFee: "tax"
        case .applicationFee: "platform_earning"
        case .applicationFeeRefund: "platform_earning_refund"
        case .reserveTransaction, .reservedFunds: "risk_reserved_funds"
        case .transferRefund: "transfer_reversal"
        case .paymentNetworkReserveHold, .paymentNetworkReserveRelease: "network_reserve"
        default: kind.rawValue
        }
    }
}

struct TwinPayout: TwinObject {
    static let prefix = StripeIDs.Prefix.payout
    static let name = "payout"

    enum Status: String, Sendable {
        case pending
        case inTransit = "in_transit"
        case paid, failed, canceled
    }

    let created: Int64
    let amount: Int64
    let currency: Currency
    let isAutomatic: Bool
    let arrival: Int64
    var status = Status.pending
    var description: String?
    var statementDescriptor: String?
    var failureCode: String?
    var isInstant = false
    /// The payout that this one takes back, and the one that takes it back.
    var original: Ref<TwinPayout>?
    var reversedBy: Ref<TwinPayout>?
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
    var failureTransaction: Ref<TwinTransaction>?
    /// Of an automatic payout: what it pays out, and itself, in the order of their creation.
    var members: [Ref<TwinTransaction>] = []
}
