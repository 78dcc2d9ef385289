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
        case disputeCreated = "charge.dispute.created"
        case disputeClosed = "charge.dispute.closed"
        case disputeFundsWithdrawn = "charge.dispute.funds_withdrawn"
        case disputeFundsReinstated = "charge.dispute.funds_reinstated"
        case payoutCreated = "payout.created"
        case payoutUpdated = "payout.updated"
        case payoutPaid = "payout.paid"
        case payoutFailed = "payout.failed"
        case payoutCanceled = "payout.canceled"
        case balanceTransaction = "tillbox.balance_transaction"
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
    let account: String?
    let merchant: MerchantID
    /// `data.object`, of whatever type it is.
    let object: JSONValue
    /// `data.booked`, which only events of our own making have.
    private let booked: JSONValue?

    init(
        _ root: JSONValue, id: EventID, type: HandledType, defaultMerchant: MerchantID
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
        booked = root["data"]?.present("booked")
        account = try Self.account(of: root)
        merchant = account.map(MerchantID.init) ?? defaultMerchant
    }

    private static func account(of root: JSONValue) throws(ValidationRefusal) -> String? {
        guard let value = root["account"], !value.isNull else { return nil }
        guard let account = value.string, account.isStripeID else {
            throw ValidationRefusal(.badAccount, "account")
        }
        return account
    }

    func movements() throws(ValidationRefusal) -> Movements {
        switch type {
        case .chargeSucceeded, .chargeCaptured: try paymentOfCharge()
        case .chargeFailed: try failureOfCharge()
        case .paymentIntentSucceeded: try paymentOfIntent()
        case .paymentIntentFailed: try failureOfIntent()
        case .chargeRefunded: try refundsInCharge()
        case .refundCreated, .refundUpdated, .chargeRefundUpdated, .refundFailed: try refund()
        case .disputeCreated: try disputeStage(.disputeOpened)
        case .disputeClosed: try disputeStage(.disputeClosed)
        case .disputeFundsWithdrawn, .disputeFundsReinstated: try disputeFunds()
        case .payoutCreated, .payoutUpdated, .payoutPaid, .payoutFailed, .payoutCanceled:
            try payout()
        case .balanceTransaction: try balanceTransaction(booked: booked)
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
            device: nil, outcome: nil, balanceTransaction: nil, related: nil, fee: .zero)
    }
}

extension PaymentKind {
    /// What stands before the id in a movement's key (contracts §3).
    fileprivate var movementPrefix: String {
        switch self {
        case .payment: "charge:"
        case .paymentFailed: "charge_failed:"
        case .refund: "refund:"
        case .refundFailed: "refund_failed:"
        case .disputeWithdrawn, .disputeReinstated: "dispute:"
        case .disputeOpened: "dispute_opened:"
        case .disputeClosed: "dispute_closed:"
        case .payout: "payout:"
        case .payoutFailed: "payout_failed:"
        case .fee: "fee:"
        }
    }
}
