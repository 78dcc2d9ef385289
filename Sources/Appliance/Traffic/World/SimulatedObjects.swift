/// The fraud patterns that the scenario knows, each as documented for the model's training data.
package enum FraudPattern: String, CaseIterable, Sendable {
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
package struct SimulatedPayer: Hashable, Sendable {
    /// nil for a guest.
    package var customer: ObjectSerial?
    package var card: ObjectSerial
    /// Index into `TwinCatalogue.people`.
    package var person: Int
    /// Index into `TwinCatalogue.brands`.
    package var brand: Int
    /// Index into `TwinCatalogue.places`.
    package var cardCountry: Int
    /// The address stands under `shipping` and not under `billing_details`.
    package var shipsOnly: Bool
}

/// What the customer holds in hand; told to Stripe as `metadata`.
package struct SimulatedDevice: Hashable, Sendable {
    package var serial: ObjectSerial
    /// The shop knows a device id; else it passes on address and user agent.
    package var hasIdentifier: Bool

    /// Its network address; never reused by another device of the world's first sixteen million.
    package var address: String {
        let serial = serial.rawValue
        return "10.\(serial >> 16 & 255).\(serial >> 8 & 255).\(serial & 255)"
    }
}

/// One attempt to pay: a Charge and the PaymentIntent around it.
package struct SimulatedCharge: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        case succeeded
        /// Index into `TwinCatalogue.declines`.
        case failed(decline: Int)
    }

    package var charge: ObjectSerial
    var paymentIntent: ObjectSerial
    var balanceTransaction: ObjectSerial
    package var payer: SimulatedPayer
    package var device: SimulatedDevice
    /// Index into `TwinCatalogue.places`.
    package var country: Int
    /// Index into the world's merchants.
    package var merchant: Int
    /// Index into `TwinCatalogue.currencies`.
    package var currency: Int
    /// Minor units, as are all amounts here.
    package var amount: Int64
    /// What Stripe keeps of it.
    var fee: Int64
    /// Seconds since 1970.
    var created: Int64
    package var outcome: Outcome
    package var fraud: FraudPattern?

    package var amountCaptured: Int64
    var amountRefunded: Int64 = 0
    var isDisputed = false
    package var manualCapture: Bool
    /// At most two, oldest first.
    var firstRefund: SimulatedRefund?
    var secondRefund: SimulatedRefund?

    package var hasSucceeded: Bool { outcome == .succeeded }
    var isCaptured: Bool { amountCaptured > 0 }
    /// What may still be refunded or disputed.
    var remaining: Int64 { isDisputed ? 0 : amountCaptured - amountRefunded }
}

/// Money on its way back to a card.
package struct SimulatedRefund: Hashable, Sendable {
    package enum Status: Hashable, Sendable { case pending, succeeded, failed }

    package var refund: ObjectSerial
    var balanceTransaction: ObjectSerial
    package var amount: Int64
    var created: Int64
    package var status: Status
    /// The card network's reference has become known.
    var hasReference = false
}

/// A chargeback, or an inquiry, which moves no money.
package struct SimulatedDispute: Hashable, Sendable {
    package enum Status: Hashable, Sendable { case needsResponse, won, lost }

    package var dispute: ObjectSerial
    package var charge: SimulatedCharge
    package var amount: Int64
    /// The dispute fee; zero for an inquiry.
    var fee: Int64
    var created: Int64
    package var isInquiry: Bool
    /// Index into `TwinCatalogue.disputeReasons`.
    package var reason: Int
    package var status: Status = .needsResponse
    var withdrawal: ObjectSerial
    var withdrawnAt: Int64
    /// Set once the money came back.
    var reinstatement: ObjectSerial?
    var reinstatedAt: Int64 = 0
    /// Stripe gives the fee back with the money.
    package var returnsFee: Bool
}

/// Money on its way from Stripe's balance to the merchant's bank.
package struct SimulatedPayout: Hashable, Sendable {
    enum Status: Hashable, Sendable { case pending, paid, failed }

    var payout: ObjectSerial
    var balanceTransaction: ObjectSerial
    var failureTransaction: ObjectSerial
    package var merchant: Int
    var currency: Int
    var amount: Int64
    var created: Int64
    var status: Status = .pending
    var isReconciled = false
}

/// Something that happened in the world, of the kind that Stripe sends an event about.
package struct Occurrence: Sendable {
    package enum Subject: Sendable {
        case charge(SimulatedCharge)
        case paymentIntent(SimulatedCharge)
        case refund(SimulatedRefund, of: SimulatedCharge)
        case dispute(SimulatedDispute)
        case payout(SimulatedPayout)
    }

    package var type: StripeEventType
    package var subject: Subject
    /// Index into the world's merchants: whose Connect account the event comes from.
    var merchant: Int
    /// The world's clock, seconds since 1970.
    package var at: Int64
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
