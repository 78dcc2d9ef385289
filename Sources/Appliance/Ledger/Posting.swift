/// One account of the ledger, by its full name: `processor:stripe`, `merchant:{m}:payable`.
///
/// An account holds each currency apart; a balance belongs to a name and a currency.
struct AccountName: Hashable, Sendable, CustomStringConvertible {
    let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }
    var description: String { rawValue }

    static let processor = AccountName("processor:stripe")
    static let fees = AccountName("fees:stripe")

    /// What stands against `processor:stripe` where Stripe moved money by itself.
    static func counter(_ account: CounterAccount, _ currency: Currency) -> Self {
        switch account {
        case .fees: fees
        case .adjustments: AccountName("adjustments:stripe")
        case .reserves: AccountName("reserves:stripe")
        case .transfers: AccountName("transfers:stripe")
        case .applicationFees: AccountName("fees:application")
        case .exchange: AccountName("exchange:stripe")
        case .bank: bank(currency)
        }
    }

    static func bank(_ currency: Currency) -> Self { AccountName("bank:\(currency.code)") }
    static func disputed(_ merchant: MerchantID) -> Self {
        AccountName("merchant:\(merchant.rawValue):disputed")
    }
    static func funds(of merchant: MerchantID, in place: FundsPlace) -> Self {
        // Joined and not interpolated: every payment makes one.
        AccountName("merchant:" + merchant.rawValue + place.accountSuffix)
    }
}

/// Where a payment's money stands between the processor and the merchant.
enum FundsPlace: Int, Sendable {
    case payable = 0
    case held = 1
    case refundDue = 2

    fileprivate var accountSuffix: String {
        switch self {
        case .payable: ":payable"
        case .held: ":held"
        case .refundDue: ":refund_due"
        }
    }
}

/// One line of a posting: a debit when positive, a credit when negative; never zero.
struct Entry: Hashable, Sendable {
    var account: AccountName
    var currency: Currency
    var amount: MinorUnits

    init(_ account: AccountName, _ currency: Currency, _ amount: MinorUnits) {
        self.account = account
        self.currency = currency
        self.amount = amount
    }
}

/// What a transaction of the ledger is.
///
/// The first group are Stripe's own movements, under the movement key of their event. The second
/// are moves that the ledger makes between a merchant's accounts; their keys begin with the kind's
/// own name. The codes are stored: never reuse one.
enum PostingKind: Int, CaseIterable, Sendable {
    case payment = 1
    case refund = 2
    case refundFailed = 3
    case disputeWithdrawn = 4
    case disputeReinstated = 5
    case payout = 6
    case payoutFailed = 7
    case fee = 8

    case reviewApproved = 20
    case reviewDeclined = 21
    case held = 22
    case released = 23
    case refundSettled = 24
    case refundUnsettled = 25

    /// The word that `ledger.posted` and the `kinds` table carry.
    var name: String {
        switch self {
        case .payment: "payment"
        case .refund: "refund"
        case .refundFailed: "refund_failed"
        case .disputeWithdrawn: "dispute_withdrawn"
        case .disputeReinstated: "dispute_reinstated"
        case .payout: "payout"
        case .payoutFailed: "payout_failed"
        case .fee: "fee"
        case .reviewApproved: "review_approved"
        case .reviewDeclined: "review_declined"
        case .held: "held"
        case .released: "released"
        case .refundSettled: "refund_settled"
        case .refundUnsettled: "refund_unsettled"
        }
    }

    /// Whether the ledger itself makes this movement out of what it knows, between a merchant's
    /// own accounts.
    var isInternal: Bool { rawValue >= PostingKind.reviewApproved.rawValue }
}

/// A transaction that the rules want booked: its entries sum to zero in each currency, stand
/// grouped by currency, and none is zero.
struct Posting: Hashable, Sendable {
    var movement: MovementKey
    /// The event that caused it; of a person's decision, the payment's own event.
    var eventID: EventID
    var kind: PostingKind
    var effectiveAt: Instant
    var entries: [Entry]
}

/// The place of a transaction in the ledger: 1, 2, 3 … without a gap.
struct TransactionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let rawValue: Int64
    init(_ rawValue: Int64) { self.rawValue = rawValue }
    var description: String { String(rawValue) }
    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A transaction as it stands in the ledger; the value of a `ledger.posted` record.
struct PostedTransaction: Hashable, Sendable {
    var id: TransactionID
    var posting: Posting
    /// Milliseconds since 1970 by the clock that was handed in. Not part of the hash.
    var postedAtMilliseconds: Int64
    /// SHA-256, 32 bytes (docs/formats/ledger.md).
    var hash: [UInt8]
}
