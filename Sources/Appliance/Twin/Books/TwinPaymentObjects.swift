import Traffic
import Vocabulary

/// A value that many objects share and that never changes: an object that has another value gets
/// another box. So a million payments alike cost a pointer each.
final class Shared<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

struct TwinAddress: Hashable, Sendable {
    var city: String?
    var country: String?
    var line1: String?
    var line2: String?
    var postalCode: String?
    var state: String?
}

/// `billing_details`.
struct BillingDetails: Hashable, Sendable {
    var address = TwinAddress()
    var email: String?
    var name: String?
    var phone: String?
}

/// `shipping`.
struct ShippingDetails: Hashable, Sendable {
    var address = TwinAddress()
    var name: String?
    var phone: String?
    var carrier: String?
    var trackingNumber: String?
}

struct TwinCustomer: TwinObject {
    static let prefix = StripeIDs.Prefix.customer
    static let name = "customer"

    let created: Int64
    var address: TwinAddress?
    var description: String?
    var email: String?
    var name: String?
    var phone: String?
    var shipping: ShippingDetails?
    var metadata: [FormField] = []
    var defaultMethod: Ref<TwinPaymentMethod>?
    var methods: [Ref<TwinPaymentMethod>] = []
    /// Also the charges and payment intents made for it, for lists.
    var charges: [Ref<TwinCharge>] = []
    var intents: [Ref<TwinPaymentIntent>] = []
    var isDeleted = false
}

/// A card. What it does is what the test card does that it is one of.
struct TwinPaymentMethod: TwinObject {
    static let prefix = StripeIDs.Prefix.paymentMethod
    static let name = "payment_method"

    let created: Int64
    let card: TestCard
    /// The account to debit. Its card is a stand-in that does nothing but succeed.
    var bank: TwinBankAccount?
    /// Where a scenario made up a card of its own.
    var fingerprint: String?
    var expiryMonth: Int64 = 8
    var expiryYear: Int64
    var billing: Shared<BillingDetails>
    var customer: Ref<TwinCustomer>?
    /// A method that was detached cannot be used again.
    var isDetached = false
    /// It has paid without belonging to a customer, which it may do once.
    var isSpent = false
    var metadata: [FormField] = []
}

/// What a merchant tells about a payment, in the payment intent and copied into its charge.
struct PaymentDetails: Hashable, Sendable {
    var description: String?
    var metadata: [FormField] = []
    var receiptEmail: String?
    var shipping: ShippingDetails?
    var statementDescriptor: String?
    var statementDescriptorSuffix: String?
    var transferGroup: String?
}

struct TwinPaymentIntent: TwinObject {
    static let prefix = StripeIDs.Prefix.paymentIntent
    static let name = "payment_intent"

    enum Status: String, Sendable {
        case requiresPaymentMethod = "requires_payment_method"
        case requiresConfirmation = "requires_confirmation"
        case requiresAction = "requires_action"
        case requiresCapture = "requires_capture"
        /// A bank debit is on its way.
        case processing
        case succeeded
        case canceled
    }

    enum CaptureMethod: String, Sendable {
        case automatic
        /// Stripe's default since 2024-04-10: the balance transaction comes a moment later.
        case automaticAsync = "automatic_async"
        case manual
    }

    let created: Int64
    var amount: Int64
    var amountCapturable: Int64 = 0
    var amountReceived: Int64 = 0
    var currency: Currency
    var status = Status.requiresPaymentMethod
    var captureMethod = CaptureMethod.automaticAsync
    var confirmsManually = false
    var customer: Ref<TwinCustomer>?
    var method: Ref<TwinPaymentMethod>?
    var latestCharge: Ref<TwinCharge>?
    /// Attempts before the latest, oldest first.
    var earlierCharges: [Ref<TwinCharge>] = []
    var details: Shared<PaymentDetails>
    /// Why the last attempt failed, and with what.
    var failure: DeclineCode?
    var failedMethod: Ref<TwinPaymentMethod>?
    var canceledAt: Int64?
    var cancellationReason: String?
    var setupFutureUsage: String?
    var returnURL: String?
    var usesAutomaticMethods = false
    var allowsRedirects = true
    /// Whether it was said how it may be paid, by types or by `automatic_payment_methods`.
    var namesMethods = false
    var terms: Shared<ConnectTerms>?
    /// The card network lets it be captured in several parts, or for more than was authorised.
    var allowsMulticapture = false
    var allowsOvercapture = false
    /// The scenario's word on what the card does: only in-process calls and `twin[…]` set it.
    var declineOrder: DeclineCode?

    /// What may be captured at once: a fifth more where overcapture is available.
    var capturableMax: Int64 {
        allowsOvercapture ? amountCapturable + amount / 5 : amountCapturable
    }
}

struct TwinCharge: TwinObject {
    static let prefix = StripeIDs.Prefix.charge
    static let otherPrefix: StripeIDs.Prefix? = .payment
    static let name = "charge"

    let created: Int64
    let amount: Int64
    /// May exceed the amount: overcapture.
    var amountCaptured: Int64 = 0
    var amountRefunded: Int64 = 0
    let currency: Currency
    var failure: DeclineCode?
    var isCaptured = false
    /// A bank debit or a seller's payment: `py_…`.
    var isPayment = false
    /// A bank debit that the bank has not answered.
    var isPending = false
    /// What is left of the authorisation was given up.
    var isReleased = false
    var isAuthenticated = false
    var intent: Ref<TwinPaymentIntent>?
    var customer: Ref<TwinCustomer>?
    /// Nil for a seller's payment, which no customer makes.
    var method: Ref<TwinPaymentMethod>?
    var billing: Shared<BillingDetails>
    var details: Shared<PaymentDetails>
    var transaction: Ref<TwinTransaction>?
    var dispute: Ref<TwinDispute>?
    var refunds: [Ref<TwinRefund>] = []
    var terms: Shared<ConnectTerms>?
    var traces: Shared<ChargeTraces>?

    /// What may still be refunded.
    var refundable: Int64 { isCaptured && !hasFailed ? amountCaptured - amountRefunded : 0 }
    var isRefunded: Bool { isCaptured && amountRefunded == amountCaptured }
    var hasFailed: Bool { failure != nil || traces?.value.debitFailure != nil }
    /// What was authorised and never taken.
    var amountReleased: Int64 { isReleased ? max(0, amount - amountCaptured) : 0 }
}
