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
///
/// They lie in one object that copies share until one of them is changed. A payment is copied a
/// dozen times on its way, and each copy would count a reference for each of its ten texts.
package struct PaymentEvent: Sendable {
    private var box: Box

    package var eventID: EventID {
        get { box.fields.eventID }
        set { write { $0.eventID = newValue } }
    }
    package var kind: PaymentKind {
        get { box.fields.kind }
        set { write { $0.kind = newValue } }
    }
    /// The Stripe object the movement is about: `ch_…`, `re_…`, `dp_…`, `po_…`, `txn_…`.
    package var objectID: String {
        get { box.fields.objectID }
        set { write { $0.objectID = newValue } }
    }
    package var movement: MovementKey {
        get { box.fields.movement }
        set { write { $0.movement = newValue } }
    }
    /// Never negative; the kind says which way the money moved.
    package var amount: MinorUnits {
        get { box.fields.amount }
        set { write { $0.amount = newValue } }
    }
    package var currency: Currency {
        get { box.fields.currency }
        set { write { $0.currency = newValue } }
    }
    /// The event's `created`.
    package var created: Instant {
        get { box.fields.created }
        set { write { $0.created = newValue } }
    }
    package var livemode: Bool {
        get { box.fields.livemode }
        set { write { $0.livemode = newValue } }
    }
    /// The Connect account the event came from, if any.
    package var account: String? {
        get { box.fields.account }
        set { write { $0.account = newValue } }
    }
    /// `account`, else the configured default.
    package var merchant: MerchantID {
        get { box.fields.merchant }
        set { write { $0.merchant = newValue } }
    }
    /// `cus_…`
    package var customer: String? {
        get { box.fields.customer }
        set { write { $0.customer = newValue } }
    }
    /// The card's fingerprint.
    package var card: String? {
        get { box.fields.card }
        set { write { $0.card = newValue } }
    }
    /// ISO 3166 alpha-2 of the card's issuer.
    package var cardCountry: String? {
        get { box.fields.cardCountry }
        set { write { $0.cardCountry = newValue } }
    }
    /// ISO 3166 alpha-2 of the billing, else the shipping address.
    package var country: String? {
        get { box.fields.country }
        set { write { $0.country = newValue } }
    }
    /// `metadata.device_id`, else a digest of address and user agent (contracts §4).
    package var device: String? {
        get { box.fields.device }
        set { write { $0.device = newValue } }
    }
    /// The network's or the object's own word for how it ended: `authorized`, `card_declined`,
    /// `lost`.
    package var outcome: String? {
        get { box.fields.outcome }
        set { write { $0.outcome = newValue } }
    }
    /// `txn_…`
    package var balanceTransaction: String? {
        get { box.fields.balanceTransaction }
        set { write { $0.balanceTransaction = newValue } }
    }
    /// The object this one hangs on: a refund's or a dispute's charge.
    package var related: String? {
        get { box.fields.related }
        set { write { $0.related = newValue } }
    }
    /// What Stripe charged for the movement itself, from a dispute's balance transaction.
    /// Signed: negative when Stripe gives a fee back. Zero where the event names none.
    package var fee: MinorUnits {
        get { box.fields.fee }
        set { write { $0.fee = newValue } }
    }
    /// The Stripe account on the other side of a transfer, `acct_…`.
    package var counterparty: String? {
        get { box.fields.counterparty }
        set { write { $0.counterparty = newValue } }
    }

    package init(
        eventID: EventID, kind: PaymentKind, objectID: String, movement: MovementKey,
        amount: MinorUnits, currency: Currency, created: Instant, livemode: Bool,
        account: String? = nil, merchant: MerchantID, customer: String? = nil, card: String? = nil,
        cardCountry: String? = nil, country: String? = nil, device: String? = nil,
        outcome: String? = nil, balanceTransaction: String? = nil, related: String? = nil,
        fee: MinorUnits, counterparty: String? = nil
    ) {
        box = Box(
            Fields(
                eventID: eventID, kind: kind, objectID: objectID, movement: movement,
                amount: amount, currency: currency, created: created, livemode: livemode,
                account: account, merchant: merchant, customer: customer, card: card,
                cardCountry: cardCountry, country: country, device: device, outcome: outcome,
                balanceTransaction: balanceTransaction, related: related, fee: fee,
                counterparty: counterparty))
    }

    private mutating func write(_ change: (inout Fields) -> Void) {
        if !isKnownUniquelyReferenced(&box) { box = Box(box.fields) }
        change(&box.fields)
    }

    private struct Fields: Hashable, Sendable {
        var eventID: EventID
        var kind: PaymentKind
        var objectID: String
        var movement: MovementKey
        var amount: MinorUnits
        var currency: Currency
        var created: Instant
        var livemode: Bool
        var account: String?
        var merchant: MerchantID
        var customer: String?
        var card: String?
        var cardCountry: String?
        var country: String?
        var device: String?
        var outcome: String?
        var balanceTransaction: String?
        var related: String?
        var fee: MinorUnits
        var counterparty: String?
    }

    private final class Box: @unchecked Sendable {
        // `@unchecked Sendable`: written only while a single value has it, in `write`.
        var fields: Fields

        init(_ fields: Fields) { self.fields = fields }
    }
}

extension PaymentEvent: Hashable {
    package static func == (left: Self, right: Self) -> Bool {
        left.box === right.box || left.box.fields == right.box.fields
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(box.fields) }
}
