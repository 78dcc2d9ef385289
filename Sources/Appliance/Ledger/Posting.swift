package import Vocabulary

/// One account of the ledger, by its full name: `processor:stripe`, `merchant:{m}:payable`.
///
/// An account holds each currency apart; a balance belongs to a name and a currency.
package struct AccountName: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    /// The platform's own; see ``processor(of:)``.
    static let processor = AccountName("processor:stripe")
    /// What Stripe leaves to a platform of its sellers' payments.
    static let applicationFees = AccountName("income:application_fees")

    /// What Stripe holds for one Stripe account.
    ///
    /// - Parameter account: of Connect; nil is the platform's own.
    package static func processor(of account: String?) -> Self {
        account.map { AccountName("processor:stripe:\($0)") } ?? processor
    }

    static func fees(of account: String?) -> Self { owned("fees:stripe", account) }

    /// What Stripe has sent to a bank account, or taken from it.
    package static func bank(_ currency: Currency, of account: String?) -> Self {
        owned("bank:\(currency.code)", account)
    }

    /// What stands between two Stripe accounts: in sum zero once both sides are booked. It bears
    /// the name of the one that receives.
    static func transfers(to account: String?) -> Self {
        account.map { AccountName("connect:\($0):transfers") } ?? AccountName("transfers:stripe")
    }

    /// What stands against the processor's account where Stripe moved money by itself.
    static func counter(
        _ counter: CounterAccount, _ currency: Currency, of account: String?
    ) -> Self {
        switch counter {
        case .fees: fees(of: account)
        case .adjustments: owned("adjustments:stripe", account)
        case .reserves: owned("reserves:stripe", account)
        case .transfers: owned("transfers:stripe", account)
        case .applicationFees: applicationFees
        case .exchange: owned("exchange:stripe", account)
        case .bank: bank(currency, of: account)
        case .bankCharges: owned("charges:bank", account)
        }
    }

    private static func owned(_ name: String, _ account: String?) -> Self {
        AccountName(account.map { "\(name):\($0)" } ?? name)
    }

    /// Whether the balance is one that Stripe keeps too.
    var isProcessor: Bool { rawValue.hasPrefix("processor:") }
    /// Whether it is what Stripe charges.
    var isFees: Bool { rawValue.hasPrefix("fees:") }

    static func disputed(_ merchant: MerchantID) -> Self {
        AccountName("merchant:\(merchant.rawValue):disputed")
    }
    /// The `m` of `merchant:{m}:…`, else nil.
    var merchant: MerchantID? {
        let parts = rawValue.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "merchant" ? MerchantID(String(parts[1])) : nil
    }

    static func funds(of merchant: MerchantID, in place: FundsPlace) -> Self {
        // Every payment makes one: in room that is made once.
        var name = ""
        name.reserveCapacity(32 + merchant.rawValue.utf8.count)
        name += "merchant:"
        name += merchant.rawValue
        name += place.accountSuffix
        return AccountName(name)
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
package struct Entry: Hashable, Sendable {
    package var account: AccountName
    package var currency: Currency
    package var amount: MinorUnits

    init(_ account: AccountName, _ currency: Currency, _ amount: MinorUnits) {
        self.account = account
        self.currency = currency
        self.amount = amount
    }
}

/// What a transaction of the ledger is.
///
/// The first group are Stripe's own movements, under the movement key of their event. From
/// `captureGrown` on the ledger makes them out of what it knows; their keys begin with the kind's
/// own name. The codes are stored: never reuse one.
package enum PostingKind: Int, CaseIterable, Sendable {
    case payment = 1
    case refund = 2
    case refundFailed = 3
    case disputeWithdrawn = 4
    case disputeReinstated = 5
    case payout = 6
    case payoutFailed = 7
    case fee = 8
    case paymentReversed = 9
    case payoutDebit = 10
    case payoutDebitFailed = 11
    case transfer = 12
    case transferReversed = 13
    case transferPayment = 14
    case applicationFee = 15
    case applicationFeeRefunded = 16
    case topup = 17
    case topupReversed = 18
    /// What a later telling of a payment has captured more than those before it.
    case captureGrown = 19

    case reviewApproved = 20
    case reviewDeclined = 21
    case held = 22
    case released = 23
    case refundSettled = 24
    case refundUnsettled = 25
    /// A booked refund turns out to be the release of an authorisation, and is taken back.
    case refundReleased = 26
    /// Another one was the release after all.
    case refundRestored = 27

    /// The word that `ledger.posted` and the `kinds` table carry.
    package var name: String {
        switch self {
        case .payment: "payment"
        case .refund: "refund"
        case .refundFailed: "refund_failed"
        case .disputeWithdrawn: "dispute_withdrawn"
        case .disputeReinstated: "dispute_reinstated"
        case .payout: "payout"
        case .payoutFailed: "payout_failed"
        case .fee: "fee"
        case .paymentReversed: "payment_reversed"
        case .payoutDebit: "payout_debit"
        case .payoutDebitFailed: "payout_debit_failed"
        case .transfer: "transfer"
        case .transferReversed: "transfer_reversed"
        case .transferPayment: "transfer_payment"
        case .applicationFee: "application_fee"
        case .applicationFeeRefunded: "application_fee_refunded"
        case .topup: "topup"
        case .topupReversed: "topup_reversed"
        case .captureGrown: "capture_grown"
        case .reviewApproved: "review_approved"
        case .reviewDeclined: "review_declined"
        case .held: "held"
        case .released: "released"
        case .refundSettled: "refund_settled"
        case .refundUnsettled: "refund_unsettled"
        case .refundReleased: "refund_released"
        case .refundRestored: "refund_restored"
        }
    }

    /// Whether the ledger itself makes this movement out of what it knows, under a key that begins
    /// with the kind's own name.
    var isInternal: Bool { rawValue >= PostingKind.captureGrown.rawValue }
}

/// A transaction that the rules want booked: its entries sum to zero in each currency, stand
/// grouped by currency, and none is zero.
package struct Posting: Hashable, Sendable {
    package var movement: MovementKey
    /// The event that caused it; of a person's decision, the payment's own event.
    package var eventID: EventID
    package var kind: PostingKind
    package var effectiveAt: Instant
    package var entries: [Entry]
}

/// The place of a transaction in the ledger: 1, 2, 3 … without a gap.
package struct TransactionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(_ rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A transaction as it stands in the ledger; the value of a `ledger.posted` record.
package struct PostedTransaction: Hashable, Sendable {
    package var id: TransactionID
    package var posting: Posting
    /// Milliseconds since 1970 by the clock that was handed in. Not part of the hash.
    package var postedAtMilliseconds: Int64
    /// SHA-256, 32 bytes (docs/formats/ledger.md).
    package var hash: [UInt8]
}
