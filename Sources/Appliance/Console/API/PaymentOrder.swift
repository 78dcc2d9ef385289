package import AppendLog
import HTTPTypes
package import Vocabulary

/// What a person wants to have sent to the webhook port as Stripe would send it. No money moves but
/// in this daemon's ledger.
package struct PaymentOrder: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case payment, twice
        case badSignature = "bad_signature"
        case fraudBurst = "fraud_burst"
        case refund, dispute, void
    }

    package enum Card: String, CaseIterable, Sendable { case own, stolen, declined }
    package enum Device: String, CaseIterable, Sendable { case usual, other }

    package var kind = Kind.payment
    package var amount: MinorUnits
    package var currency: Currency
    package var card = Card.own
    package var device = Device.usual
    /// Where it is billed: two capital letters.
    package var country: String
    package var customer = 1
    /// The payment that a refund or a dispute is of, among those that were sent; nil sends a new
    /// one first.
    package var payment: String?

    /// The largest that is sent, in minor units: Stripe's own bound of a charge.
    static let amountMax: Int64 = 99_999_999

    /// - Throws: a sentence for what cannot be sent.
    static func amount(_ value: Int64) throws(Problem) -> MinorUnits {
        guard (1...amountMax).contains(value) else {
            throw Problem(.badRequest, "amount is from 1 to \(amountMax) minor units")
        }
        return MinorUnits(value)
    }

    /// - Parameter text: as people write it, in the currency's major unit: `1,284.00`.
    static func amount(_ text: String, _ currency: Currency) throws(Problem) -> MinorUnits {
        let parts = text.replacing(",", with: "").split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        let exponent = currency.displayExponent
        let digits =
            (parts.first ?? "") + fraction
            + String(repeating: "0", count: max(0, exponent - fraction.count))
        guard fraction.count <= exponent, !(parts.first ?? "").isEmpty,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int64(digits)
        else {
            throw Problem(
                .badRequest,
                "amount is a number such as \(currency.display(MinorUnits(128_400))), with at most "
                    + "\(exponent) decimals")
        }
        return try amount(value)
    }
}

/// An event that was sent, and how the webhook port answered.
package struct SentEvent: Hashable, Sendable {
    package enum Answer: Hashable, Sendable {
        /// - Parameter body: its beginning.
        case answered(status: Int, body: String)
        /// Why there is none.
        case none(String)
    }

    package var eventID: EventID
    /// Stripe's name of the type.
    package var type: String
    /// Bytes of the body.
    package var byteCount: Int
    package var at: Timestamp
    package var milliseconds: Int64
    package var answer: Answer

    package init(
        eventID: EventID, type: String, byteCount: Int, at: Timestamp, milliseconds: Int64,
        answer: Answer
    ) {
        self.eventID = eventID
        self.type = type
        self.byteCount = byteCount
        self.at = at
        self.milliseconds = milliseconds
        self.answer = answer
    }

    package var isTaken: Bool {
        if case .answered(200, _) = answer { true } else { false }
    }

    /// The port knew the event already, and stored nothing.
    var isDuplicate: Bool {
        guard case .answered(200, let body) = answer else { return false }
        return body.contains("\"duplicate\":true")
    }
}

/// What an order came to at the webhook port.
package struct SentPayment: Hashable, Sendable {
    /// The charge, `ch_…`; of a burst its first one.
    package var id: String
    package var order: PaymentOrder
    /// In the order in which they were sent.
    package var events: [SentEvent]

    package init(id: String, order: PaymentOrder, events: [SentEvent]) {
        self.id = id
        self.order = order
        self.events = events
    }
}

/// Why nothing was sent.
package enum SendingRefusal: Error, Hashable, Sendable {
    /// The catalogue of what is sent does not have this currency, country or customer.
    case unknown(String)
    case unknownPayment(String)
    /// Nothing of the payment is left to go back.
    case nothingLeft(String)
    /// The webhook port is not open.
    case notListening
    /// So many orders are being sent.
    case busy(Int)

    var problem: Problem {
        switch self {
        case .unknown(let what): Problem(.badRequest, "\(what) is none of those that are sent")
        case .unknownPayment(let id):
            Problem(
                .notFound, "\(id) was not sent from here since the daemon's start",
                code: "unknown_payment")
        case .nothingLeft(let id):
            Problem(.conflict, "nothing of \(id) is left to go back", code: "nothing_left")
        case .notListening:
            Problem(.serviceUnavailable, "the webhook port is not open; ask again")
        case .busy(let count):
            Problem(.serviceUnavailable, "\(count) orders are being sent already; ask again")
        }
    }
}

/// Who sends payments as Stripe would. There is one in the profile `dev` alone, and only beside an
/// endpoint that takes test mode.
package protocol PaymentSending: Sendable {
    var currencies: [Currency] { get }
    var countries: [String] { get }
    var customers: ClosedRange<Int> { get }
    /// Sends all events of an order, one after the other, each answered before the next.
    func send(_ order: PaymentOrder) async throws(SendingRefusal) -> SentPayment
}
