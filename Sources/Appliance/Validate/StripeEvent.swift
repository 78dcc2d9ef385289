import Vocabulary

/// One event of a handled type: its envelope, checked, and the object it tells of.
struct StripeEvent {
    /// The event types that move money or feed features.
    enum HandledType: String, CaseIterable, Sendable {
        case chargeSucceeded = "charge.succeeded"
        case chargeCaptured = "charge.captured"
        case chargeFailed = "charge.failed"
        case chargeRefunded = "charge.refunded"
        case paymentIntentSucceeded = "payment_intent.succeeded"
        case paymentIntentFailed = "payment_intent.payment_failed"
        case refundCreated = "refund.created"
        case refundUpdated = "refund.updated"
        case chargeRefundUpdated = "charge.refund.updated"
        case refundFailed = "refund.failed"
        case chargeExpired = "charge.expired"
        case paymentCreated = "payment.created"
        case disputeCreated = "charge.dispute.created"
        case disputeUpdated = "charge.dispute.updated"
        case disputeClosed = "charge.dispute.closed"
        case disputeFundsWithdrawn = "charge.dispute.funds_withdrawn"
        case disputeFundsReinstated = "charge.dispute.funds_reinstated"
        case payoutCreated = "payout.created"
        case payoutUpdated = "payout.updated"
        case payoutPaid = "payout.paid"
        case payoutFailed = "payout.failed"
        case payoutCanceled = "payout.canceled"
        case transferCreated = "transfer.created"
        case transferUpdated = "transfer.updated"
        case transferPaid = "transfer.paid"
        case transferFailed = "transfer.failed"
        case transferCanceled = "transfer.canceled"
        case transferReversed = "transfer.reversed"
        case applicationFeeCreated = "application_fee.created"
        case applicationFeeRefunded = "application_fee.refunded"
        case topupSucceeded = "topup.succeeded"
        case topupReversed = "topup.reversed"
        case balanceTransaction = "tillbox.balance_transaction"
        case settlement = "tillbox.settlement"
        case released = "tillbox.released"
        case bankDifference = "tillbox.bank_difference"
    }

    /// The movements of an event that has some, or why it has none.
    enum Movements {
        case none(IgnoredReason)
        case some([PaymentEvent])
    }

    let id: EventID
    let type: HandledType
    let created: Instant
    let livemode: Bool
    /// The version in whose shape the object is written; nil where the event does not say.
    let apiVersion: String?
    let account: String?
    let merchant: MerchantID
    /// `data.object`, of whatever type it is.
    let object: JSONValue
    /// `data.booked`, which only events of our own making have.
    private let booked: JSONValue?
    /// `data.payment`, which such events have where the object does not name it.
    private let payment: String?

    /// The same event as if it told of another object.
    init(_ event: StripeEvent, of object: JSONValue, type: HandledType) {
        id = event.id
        self.type = type
        created = event.created
        livemode = event.livemode
        apiVersion = event.apiVersion
        account = event.account
        merchant = event.merchant
        self.object = object
        booked = nil
        payment = nil
    }

    init(
        _ root: JSONValue, id: EventID, type: HandledType, apiVersion: String?,
        defaultMerchant: MerchantID
    ) throws(ValidationRefusal) {
        guard let created = root["created"]?.int64.flatMap(Instant.init(named:)) else {
            throw ValidationRefusal(.badCreated, "created")
        }
        guard let livemode = root["livemode"]?.bool else {
            throw ValidationRefusal(.badLivemode, "livemode")
        }
        guard let object = root["data"]?["object"], object.kind == .object else {
            throw ValidationRefusal(.missingObject, "data.object")
        }
        self.id = id
        self.type = type
        self.created = created
        self.livemode = livemode
        self.object = object
        self.apiVersion = apiVersion
        booked = root["data"]?.present("booked")
        payment = root["data"]?.text("payment")
        account = try Self.account(of: root)
        merchant = account.map(MerchantID.init) ?? defaultMerchant
    }

    /// The Stripe account that the event belongs to: `account`, or where that is missing the last
    /// part of `context`, which leads to it (`org_…/acct_…`, docs.stripe.com/context). Nil is the
    /// platform itself.
    private static func account(of root: JSONValue) throws(ValidationRefusal) -> String? {
        if let value = root.given("account") {
            guard let account = value.string, account.isStripeID else {
                throw ValidationRefusal(.badAccount, "account")
            }
            return account
        }
        guard let context = root.given("context") else { return nil }
        let parts = context.string?.split(separator: "/", omittingEmptySubsequences: false)
            .map(String.init)
        guard let parts, let account = parts.last, account.hasPrefix("acct_"),
            parts.allSatisfy(\.isStripeID)
        else { throw ValidationRefusal(.badAccount, "context") }
        return account
    }

    /// Whether the release of an authorisation is told as a refund of its charge, as it was before
    /// API version 2025-03-31.
    var tellsReleasesAsRefunds: Bool { (apiVersion ?? "") < "2025-03-31" }

    func movements() throws(ValidationRefusal) -> Movements {
        switch type {
        case .chargeSucceeded, .chargeCaptured: try paymentOfCharge()
        case .chargeFailed: try failureOfCharge()
        case .paymentIntentSucceeded: try paymentOfIntent()
        case .paymentIntentFailed: try failureOfIntent()
        case .chargeRefunded: try refundsInCharge()
        case .refundCreated, .refundUpdated, .chargeRefundUpdated, .refundFailed: try refund()
        case .chargeExpired: try expiry()
        case .paymentCreated: try createdPayment()
        case .disputeCreated, .disputeUpdated, .disputeClosed, .disputeFundsWithdrawn,
            .disputeFundsReinstated:
            try dispute()
        case .payoutCreated, .payoutUpdated, .payoutPaid, .payoutFailed, .payoutCanceled:
            try payout()
        case .transferCreated, .transferUpdated, .transferPaid, .transferFailed,
            .transferCanceled:
            try transfer()
        case .transferReversed: try transferReversals()
        case .applicationFeeCreated: try applicationFee()
        case .applicationFeeRefunded: try applicationFeeRefunds()
        case .topupSucceeded, .topupReversed: try topup()
        case .balanceTransaction: try balanceTransaction(booked: booked, payment: payment)
        case .settlement: try settlement()
        case .released: try release()
        case .bankDifference: try bankDifference()
        }
    }

    /// A movement of this event that so far says only what moved.
    ///
    /// - Parameter keyID: the id that makes the movement's key; the object's own by default.
    func movement(
        _ kind: PaymentKind, of objectID: String, keyID: String? = nil, amount: MinorUnits,
        currency: Currency
    ) -> PaymentEvent {
        PaymentEvent(
            eventID: id, kind: kind, objectID: objectID,
            movement: MovementKey(kind.movementPrefix + (keyID ?? objectID)), amount: amount,
            currency: currency, created: created, livemode: livemode, account: account,
            merchant: merchant, customer: nil, card: nil, cardCountry: nil, country: nil,
            device: nil, outcome: nil, balanceTransaction: nil, related: nil, fee: .zero,
            counterparty: nil)
    }
}

extension PaymentKind {
    /// What stands before the id in a movement's key (contracts §3).
    fileprivate var movementPrefix: String {
        switch self {
        case .payment, .transferPayment: "charge:"
        case .paymentReversed: "charge_reversed:"
        case .paymentFailed: "charge_failed:"
        case .refund, .refundNoted: "refund:"
        case .refundFailed: "refund_failed:"
        case .disputeWithdrawn, .disputeReinstated: "dispute:"
        case .disputeOpened: "dispute_opened:"
        case .disputeClosed: "dispute_closed:"
        case .payout, .payoutDebit: "payout:"
        case .payoutFailed, .payoutDebitFailed: "payout_failed:"
        case .fee: "fee:"
        case .transfer: "transfer:"
        case .transferReversed: "transfer_reversed:"
        case .applicationFee: "application_fee:"
        case .applicationFeeRefunded: "application_fee_refunded:"
        case .topup: "topup:"
        case .topupReversed: "topup_reversed:"
        case .refundsTold: "refunds_told:"
        case .releaseTold: "release_told:"
        }
    }
}
