package import Vocabulary

/// What one webhook comes to.
package enum ValidationOutcome: Hashable, Sendable {
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
package enum IgnoredReason: String, Sendable {
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
    /// An update that tells of no money.
    case nothingMoved = "nothing_moved"
}

/// Why an event is a dead letter: a stable code for machines, a detail for people.
package struct ValidationRefusal: Error, Hashable, Sendable {
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
        /// A type or an id of our own making, in an event that we did not make.
        case reservedType = "reserved_type"
        /// `data.object` is missing, or is not what the event's type promises.
        case missingObject = "missing_object"
        /// An id is missing where one is needed, or looks like none that Stripe gives out.
        case badID = "bad_id"
        case missingCharge = "missing_charge"
        /// An amount is missing, negative, above 10^15, or not written as an integer.
        case badAmount = "bad_amount"
        case badCurrency = "bad_currency"
        /// A status that this version does not know, and so cannot tell what it did to the money.
        case unknownStatus = "unknown_status"
        /// A dispute that moved money does not say which balance transactions did.
        case missingBalanceTransaction = "missing_balance_transaction"
        /// A list is neither a list object nor an array, or leaves out some of what the object says
        /// it holds.
        case badList = "bad_list"
    }

    let code: Code
    /// Where in the event, or what. It never quotes free text.
    let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// What would have been understood, in words; nil where `detail` says all.
    var expectation: String? {
        switch code {
        case .notJSON, .notUTF8, .tooDeep, .noEventID: nil
        case .thinEventUnsupported:
            "an event with its object in it; choose snapshot events for the endpoint at Stripe"
        case .noEventType: "a text"
        case .badCreated: "whole seconds since 1970"
        case .badLivemode: "true or false"
        case .badAccount: "an id of letters, digits, _ and -, or none"
        case .reservedType: "an event of Stripe's; types tillbox.… and ids evt_tillbox_… are ours"
        case .missingObject: "the object that the event's type promises"
        case .badID: "an id of letters, digits, _ and -"
        case .missingCharge: "the charge that succeeded, by its id or whole"
        case .badAmount: "a whole number of minor units, at most 10^15, in a direction that fits"
        case .badCurrency: "three lower-case letters"
        case .unknownStatus: "a value that says whether money moved"
        case .missingBalanceTransaction: "each balance transaction whole, with its amount"
        case .badList: "a list with all that the object's sums tell of"
        }
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
