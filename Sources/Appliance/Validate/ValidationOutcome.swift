/// What one webhook comes to.
enum ValidationOutcome: Hashable, Sendable {
    /// The movements the event tells of, at least one, in the order in which they happened.
    ///
    /// `cardNumbersMasked` counts the free-text fields in which a card number was masked.
    case movements([PaymentEvent], cardNumbersMasked: Int)
    /// A well-formed event that moves nothing here. It stays in `webhook.received` and is counted.
    case ignored(type: String, IgnoredReason)
    /// An event that cannot be understood. It goes to `dead.letter`.
    case refused(ValidationRefusal)
}

/// Why a well-formed event yields no movement.
enum IgnoredReason: String, Sendable {
    /// Contracts §3 names no movement for this type.
    case typeNotHandled = "type_not_handled"
    /// The charge is only authorised. Its capture will come as an event of its own.
    case notCaptured = "not_captured"
    /// A payment intent failed before there was a charge, such as in authentication.
    case failedWithoutCharge = "failed_without_charge"
    /// `charge.refunded` in an API version that does not list the refunds inside the charge. Each
    /// refund comes as `refund.created` there.
    case refundsNotListed = "refunds_not_listed"
    /// The refund waits for the customer; no money has moved.
    case refundRequiresAction = "refund_requires_action"
    /// An inquiry (`warning_…`) is no dispute yet and moves no money.
    case inquiry
    /// A balance transaction without a fee, of a movement that a webhook tells of.
    case nothingCharged = "nothing_charged"
}

/// Why an event is a dead letter: a stable code for machines, a detail for people.
struct ValidationRefusal: Error, Hashable, Sendable {
    /// The dead letter's `reason`.
    enum Code: String, CaseIterable, Sendable {
        case notJSON = "not_json"
        case notUTF8 = "not_utf8"
        case tooDeep = "too_deep"
        case noEventID = "no_event_id"
        /// `type` is missing or no string.
        case noEventType = "no_event_type"
        /// The event's `created` is not a whole number of seconds.
        case badCreated = "bad_created"
        case badLivemode = "bad_livemode"
        case badAccount = "bad_account"
        case thinEventUnsupported = "thin_event_unsupported"
        /// `data.object` is missing, or is not what the event's type promises.
        case missingObject = "missing_object"
        /// An id is missing where one is needed, or looks like none that Stripe gives out.
        case badID = "bad_id"
        case missingCharge = "missing_charge"
        /// An amount is missing, negative, or not an exact Int64.
        case badAmount = "bad_amount"
        case badCurrency = "bad_currency"
        /// A status that this version does not know, and so cannot tell what it did to the money.
        case unknownStatus = "unknown_status"
        /// A dispute that moved money does not say which balance transactions did.
        case missingBalanceTransaction = "missing_balance_transaction"
        /// A list of refunds or balance transactions is neither a list object nor an array.
        case badList = "bad_list"
    }

    let code: Code
    /// Where in the event, or what. It never quotes free text.
    let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    init(_ refusal: EventBodyRefusal) {
        switch refusal {
        case .notJSON: self.init(.notJSON, refusal.detail)
        case .notUTF8: self.init(.notUTF8, refusal.detail)
        case .tooDeep: self.init(.tooDeep, refusal.detail)
        case .noEventID: self.init(.noEventID, refusal.detail)
        }
    }
}
