/// The fraud patterns that the scenario knows, each as documented for the model's training data.
enum FraudPattern: String, CaseIterable, Sendable {
    /// 8–40 attempts of 100–500 minor units within 1–3 minutes; about 70 % fail.
    case cardTesting = "card_testing"
    /// A customer's card in other hands: new device, foreign country, 5–20 times the usual amount,
    /// 2–5 payments within an hour.
    case stolenCard = "stolen_card"
    /// A customer's account in other hands: new device and country, 1–2 payments of 2–4 times the
    /// usual amount.
    case accountTakeover = "account_takeover"
}

/// Who pays: a customer, or a guest known by the card alone, and the card.
struct SimulatedPayer: Hashable, Sendable {
    /// nil for a guest.
    var customer: ObjectSerial?
    var card: ObjectSerial
    /// Index into `TwinCatalogue.people`.
    var person: Int
    /// Index into `TwinCatalogue.brands`.
    var brand: Int
    /// Index into `TwinCatalogue.places`.
    var cardCountry: Int
    /// The address stands under `shipping` and not under `billing_details`.
    var shipsOnly: Bool
}

/// What the customer holds in hand; told to Stripe as `metadata`.
struct SimulatedDevice: Hashable, Sendable {
    var serial: ObjectSerial
    /// The shop knows a device id; else it passes on address and user agent.
    var hasIdentifier: Bool
}

/// One attempt to pay: a Charge and the PaymentIntent around it.
struct SimulatedCharge: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        case succeeded
        /// Index into `TwinCatalogue.declines`.
        case failed(decline: Int)
    }

    var charge: ObjectSerial
    var paymentIntent: ObjectSerial
    var balanceTransaction: ObjectSerial
    var payer: SimulatedPayer
    var device: SimulatedDevice
    /// Index into `TwinCatalogue.places`.
    var country: Int
    /// Index into the world's merchants.
    var merchant: Int
    /// Index into `TwinCatalogue.currencies`.
    var currency: Int
    /// Minor units, as are all amounts here.
    var amount: Int64
    /// What Stripe keeps of it.
    var fee: Int64
    /// Seconds since 1970.
    var created: Int64
    var outcome: Outcome
    var fraud: FraudPattern?

    var amountCaptured: Int64
    var amountRefunded: Int64 = 0
    var isDisputed = false
    var manualCapture: Bool
    /// At most two, oldest first.
    var firstRefund: SimulatedRefund?
    var secondRefund: SimulatedRefund?

    var hasSucceeded: Bool { outcome == .succeeded }
    var isCaptured: Bool { amountCaptured > 0 }
    /// What may still be refunded or disputed.
    var remaining: Int64 { isDisputed ? 0 : amountCaptured - amountRefunded }
}

/// Money on its way back to a card.
struct SimulatedRefund: Hashable, Sendable {
    enum Status: Hashable, Sendable { case pending, succeeded, failed }

    var refund: ObjectSerial
    var balanceTransaction: ObjectSerial
    var amount: Int64
    var created: Int64
    var status: Status
    /// The card network's reference has become known.
    var hasReference = false
}

/// A chargeback, or an inquiry, which moves no money.
struct SimulatedDispute: Hashable, Sendable {
    enum Status: Hashable, Sendable { case needsResponse, won, lost }

    var dispute: ObjectSerial
    var charge: SimulatedCharge
    var amount: Int64
    /// The dispute fee; zero for an inquiry.
    var fee: Int64
    var created: Int64
    var isInquiry: Bool
    /// Index into `TwinCatalogue.disputeReasons`.
    var reason: Int
    var status: Status = .needsResponse
    var withdrawal: ObjectSerial
    var withdrawnAt: Int64
    /// Set once the money came back.
    var reinstatement: ObjectSerial?
    var reinstatedAt: Int64 = 0
    /// Stripe gives the fee back with the money.
    var returnsFee: Bool
}

/// Money on its way from Stripe's balance to the merchant's bank.
struct SimulatedPayout: Hashable, Sendable {
    enum Status: Hashable, Sendable { case pending, paid, failed }

    var payout: ObjectSerial
    var balanceTransaction: ObjectSerial
    var failureTransaction: ObjectSerial
    var merchant: Int
    var currency: Int
    var amount: Int64
    var created: Int64
    var status: Status = .pending
    var isReconciled = false
}

/// Something that happened in the world, of the kind that Stripe sends an event about.
struct Occurrence: Sendable {
    enum Subject: Sendable {
        case charge(SimulatedCharge)
        case paymentIntent(SimulatedCharge)
        case refund(SimulatedRefund, of: SimulatedCharge)
        case dispute(SimulatedDispute)
        case payout(SimulatedPayout)
    }

    var type: StripeEventType
    var subject: Subject
    /// Index into the world's merchants: whose Connect account the event comes from.
    var merchant: Int
    /// The world's clock, seconds since 1970.
    var at: Int64
}

/// The event types the twin sends, by Stripe's names.
package enum StripeEventType: String, CaseIterable, Sendable {
    case chargeSucceeded = "charge.succeeded"
    case chargeFailed = "charge.failed"
    case chargeCaptured = "charge.captured"
    case chargeRefunded = "charge.refunded"
    case chargeRefundUpdated = "charge.refund.updated"
    case disputeCreated = "charge.dispute.created"
    case disputeFundsWithdrawn = "charge.dispute.funds_withdrawn"
    case disputeFundsReinstated = "charge.dispute.funds_reinstated"
    case disputeClosed = "charge.dispute.closed"
    case paymentIntentSucceeded = "payment_intent.succeeded"
    case paymentIntentFailed = "payment_intent.payment_failed"
    case refundCreated = "refund.created"
    case refundUpdated = "refund.updated"
    case refundFailed = "refund.failed"
    case payoutCreated = "payout.created"
    case payoutPaid = "payout.paid"
    case payoutFailed = "payout.failed"
    /// Of no consequence to the ledger; it stands for the many types that are.
    case payoutReconciled = "payout.reconciliation_completed"
}
