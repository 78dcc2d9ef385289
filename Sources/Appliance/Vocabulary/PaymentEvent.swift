/// What a movement is, in the words of contracts §2.
package enum PaymentKind: String, CaseIterable, Sendable {
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
    package var isNote: Bool {
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
package struct PaymentEvent: Hashable, Sendable {
    package var eventID: EventID
    package var kind: PaymentKind
    /// The Stripe object the movement is about: `ch_…`, `re_…`, `dp_…`, `po_…`, `txn_…`.
    package var objectID: String
    package var movement: MovementKey
    /// Never negative; the kind says which way the money moved.
    package var amount: MinorUnits
    package var currency: Currency
    /// The event's `created`.
    package var created: Instant
    package var livemode: Bool
    /// The Connect account the event came from, if any.
    package var account: String?
    /// `account`, else the configured default.
    package var merchant: MerchantID
    /// `cus_…`
    package var customer: String?
    /// The card's fingerprint.
    package var card: String?
    /// ISO 3166 alpha-2 of the card's issuer.
    package var cardCountry: String?
    /// ISO 3166 alpha-2 of the billing, else the shipping address.
    package var country: String?
    /// `metadata.device_id`, else a digest of address and user agent (contracts §4).
    package var device: String?
    /// The network's or the object's own word for how it ended: `authorized`, `card_declined`,
    /// `lost`.
    package var outcome: String?
    /// `txn_…`
    package var balanceTransaction: String?
    /// The object this one hangs on: a refund's or a dispute's charge.
    package var related: String?
    /// What Stripe charged for the movement itself, from a dispute's balance transaction.
    /// Signed: negative when Stripe gives a fee back. Zero where the event names none.
    package var fee: MinorUnits
    /// The Stripe account on the other side of a transfer, `acct_…`.
    package var counterparty: String?

    package init(
        eventID: EventID, kind: PaymentKind, objectID: String, movement: MovementKey,
        amount: MinorUnits, currency: Currency, created: Instant, livemode: Bool,
        account: String? = nil, merchant: MerchantID, customer: String? = nil, card: String? = nil,
        cardCountry: String? = nil, country: String? = nil, device: String? = nil,
        outcome: String? = nil, balanceTransaction: String? = nil, related: String? = nil,
        fee: MinorUnits, counterparty: String? = nil
    ) {
        self.eventID = eventID
        self.kind = kind
        self.objectID = objectID
        self.movement = movement
        self.amount = amount
        self.currency = currency
        self.created = created
        self.livemode = livemode
        self.account = account
        self.merchant = merchant
        self.customer = customer
        self.card = card
        self.cardCountry = cardCountry
        self.country = country
        self.device = device
        self.outcome = outcome
        self.balanceTransaction = balanceTransaction
        self.related = related
        self.fee = fee
        self.counterparty = counterparty
    }
}
