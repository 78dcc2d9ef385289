import Traffic
import Vocabulary

/// What Connect adds to a payment, as the platform orders it.
struct ConnectTerms: Hashable, Sendable {
    /// What the platform earns, in minor units.
    var applicationFee: Int64?
    /// The account that the payment is made for.
    var onBehalfOf: String?
    /// The account that gets the money.
    var destination: String?
    /// What it gets; nil for everything that is captured.
    var transferAmount: Int64?

    var isEmpty: Bool { self == ConnectTerms() }
}

/// What only few charges have, in a box of its own so that the others stay small.
struct ChargeTraces: Hashable, Sendable {
    /// To the account that gets the money.
    var transfer: Ref<TwinTransfer>?
    /// Of a seller's payment: the platform's transfer, `tr_…`.
    var sourceTransfer: String?
    /// The platform's `fee_…`, what it took, and what it has given back of it.
    var fee: String?
    var feeAmount: Int64 = 0
    var feeRefunded: Int64 = 0
    /// Why a bank debit failed, and what took its money back.
    var debitFailure: String?
    var failureTransaction: Ref<TwinTransaction>?
    /// The refund as which the release of an authorisation was told before API 2025-03-31.
    var release: Ref<TwinRefund>?
}

/// Money on its way from the platform to a connected account.
struct TwinTransfer: TwinObject {
    static let prefix = StripeIDs.Prefix.transfer
    static let name = "transfer"

    let created: Int64
    let amount: Int64
    let currency: Currency
    /// `acct_…`
    let destination: String
    var amountReversed: Int64 = 0
    /// The charge whose money it passes on.
    var source: Ref<TwinCharge>?
    /// The seller's payment, `py_…`; it is there before anybody hears of the transfer.
    var destinationPayment: String?
    /// What the platform takes out of the seller's payment, and the fee's id.
    var fee: String?
    var feeAmount: Int64 = 0
    var group: String?
    var description: String?
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
    var reversals: [Ref<TwinTransferReversal>] = []

    /// What may still be taken back.
    var reversible: Int64 { amount - amountReversed }
}

/// Money that comes back of a transfer.
struct TwinTransferReversal: TwinObject {
    static let prefix = StripeIDs.Prefix.transferReversal
    static let name = "transfer reversal"

    let created: Int64
    let amount: Int64
    let currency: Currency
    let transfer: Ref<TwinTransfer>
    /// The refund that took it back along with itself.
    var sourceRefund: Ref<TwinRefund>?
    /// The refund of the seller's payment, `pyr_…`.
    var destinationRefund: String?
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
}

/// What the platform earns with a seller's payment. It stands in the platform's books.
struct TwinApplicationFee: TwinObject {
    static let prefix = StripeIDs.Prefix.applicationFee
    static let name = "application fee"

    let created: Int64
    /// Made of the charge's serial, so that the charge can name it before it is there.
    let id: String
    let amount: Int64
    let currency: Currency
    /// Whose payment it is taken from, `acct_…`.
    let account: String
    /// That account's charge, `ch_…` or `py_…`.
    let charge: String
    /// The platform's charge that this payment comes from.
    var originating: Ref<TwinCharge>?
    var amountRefunded: Int64 = 0
    var transaction: Ref<TwinTransaction>?
    var refunds: [Ref<TwinFeeRefund>] = []
}

struct TwinFeeRefund: TwinObject {
    static let prefix = StripeIDs.Prefix.feeRefund
    static let name = "fee refund"

    let created: Int64
    let amount: Int64
    let currency: Currency
    let fee: Ref<TwinApplicationFee>
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
}

/// Money that the account's owner sends to Stripe.
struct TwinTopUp: TwinObject {
    static let prefix = StripeIDs.Prefix.topUp
    static let name = "topup"

    enum Status: String, Sendable {
        case pending, succeeded, failed, canceled, reversed
    }

    let created: Int64
    let amount: Int64
    let currency: Currency
    var status = Status.pending
    var description: String?
    var statementDescriptor: String?
    var group: String?
    var failureCode: String?
    var metadata: [FormField] = []
    var transaction: Ref<TwinTransaction>?
    var reversalTransaction: Ref<TwinTransaction>?
}

/// What the books of one account ask of those of another. Orders are carried out before the call
/// that made them is answered, and before time passes.
enum ConnectOrder: Sendable {
    /// The seller gets its payment of a transfer.
    case pay(Ref<TwinTransfer>)
    /// The seller gives back its part of a transfer.
    case takeBack(Ref<TwinTransferReversal>)
    /// The platform gets the fee of this charge.
    case earn(Ref<TwinCharge>)
    /// The platform gives back part of a fee; the seller has it already, in its refund.
    case refundFee(id: String, amount: Int64)
    /// The seller gets back part of a fee.
    case creditFee(Ref<TwinFeeRefund>)
}
