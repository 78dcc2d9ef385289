/// What a movement is, in the words of contracts §2.
enum PaymentKind: String, CaseIterable, Sendable {
    case payment
    case paymentFailed = "payment_failed"
    case refund
    case refundFailed = "refund_failed"
    case disputeWithdrawn = "dispute_withdrawn"
    case disputeReinstated = "dispute_reinstated"
    case disputeOpened = "dispute_opened"
    case disputeClosed = "dispute_closed"
    case payout
    case payoutFailed = "payout_failed"
    case fee
    /// A payment that had succeeded is taken back: a bank debit fails days later.
    case paymentReversed = "payment_reversed"
    /// A payout below zero: Stripe takes what is owed to it from the bank.
    case payoutDebit = "payout_debit"
    case payoutDebitFailed = "payout_debit_failed"
    /// Between two Stripe accounts, as the sending one sees it.
    case transfer
    case transferReversed = "transfer_reversed"
    /// The same as the receiving account sees it: a payment that no customer makes.
    case transferPayment = "transfer_payment"
    case applicationFee = "application_fee"
    case applicationFeeRefunded = "application_fee_refunded"
    case topup
    case topupReversed = "topup_reversed"
    /// A refund that names no balance transaction: it moved nothing, or does not say yet what.
    case refundNoted = "refund_noted"
    /// How much of a charge is refunded in all, told without saying by which refunds.
    case refundsTold = "refunds_told"
    /// How much of what is told as refunded of a charge was never captured.
    case releaseTold = "release_told"

    /// Whether it books nothing by itself but says something of a charge's refunds.
    var isNote: Bool {
        switch self {
        case .refundNoted, .refundsTold, .releaseTold: true
        default: false
        }
    }
}

/// The canonical form of one movement, computed from one Stripe event alone.
///
/// This is the value of a `payment.validated` record. Its properties stand in the order in which
/// they are written there.
struct PaymentEvent: Hashable, Sendable {
    var eventID: EventID
    var kind: PaymentKind
    /// The Stripe object the movement is about: `ch_…`, `re_…`, `dp_…`, `po_…`, `txn_…`.
    var objectID: String
    var movement: MovementKey
    /// Never negative; the kind says which way the money moved.
    var amount: MinorUnits
    var currency: Currency
    /// The event's `created`.
    var created: Instant
    var livemode: Bool
    /// The Connect account the event came from, if any.
    var account: String?
    /// `account`, else the configured default.
    var merchant: MerchantID
    /// `cus_…`
    var customer: String?
    /// The card's fingerprint.
    var card: String?
    /// ISO 3166 alpha-2 of the card's issuer.
    var cardCountry: String?
    /// ISO 3166 alpha-2 of the billing, else the shipping address.
    var country: String?
    /// `metadata.device_id`, else a digest of address and user agent (contracts §4).
    var device: String?
    /// The network's or the object's own word for how it ended: `authorized`, `card_declined`, `lost`.
    var outcome: String?
    /// `txn_…`
    var balanceTransaction: String?
    /// The object this one hangs on: a refund's or a dispute's charge.
    var related: String?
    /// What Stripe charged for the movement itself, from a dispute's balance transaction.
    /// Signed: negative when Stripe gives a fee back. Zero where the event names none.
    var fee: MinorUnits
    /// The Stripe account on the other side of a transfer, `acct_…`.
    var counterparty: String?
}
