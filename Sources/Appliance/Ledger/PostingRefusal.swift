/// Why the ledger will not book a record. A business no: the record becomes a dead letter under
/// `code`, and the line goes on.
enum PostingRefusal: String, Error, CaseIterable, Sendable {
    /// Nothing would move: the amount, and where one counts the fee, are zero.
    case amountIsZero = "amount_zero"
    /// The kind says which way money moves, so an amount is never below zero.
    case amountIsNegative = "amount_negative"
    /// The amount or the fee is larger than any one movement can be.
    case amountOverflow = "amount_overflow"
    /// An account's balance would leave the range of Int64.
    case balanceOverflow = "balance_overflow"
    /// The merchant's id is empty, over 128 bytes, or has a byte outside `A–Z a–z 0–9 . _ -`; a
    /// colon in it could name another account.
    case merchantUnusable = "merchant_unusable"
    /// The movement key is empty, over 255 bytes, has a byte outside printable ASCII, or does not
    /// begin with its kind's prefix.
    case movementUnusable = "movement_unusable"
    /// The event id is empty, over 255 bytes or has a byte outside printable ASCII.
    case eventIDUnusable = "event_id_unusable"
    /// The movement is booked already, with other accounts, another currency or another amount.
    case movementConflicts = "movement_conflicts"
    /// A review names a movement that is not a payment.
    case notReviewable = "not_reviewable"
    /// A payment is taken back that the ledger does not hold.
    case paymentUnknown = "payment_unknown"

    /// What would have been booked, in words.
    var expectation: String {
        switch self {
        case .amountIsZero: "an amount or a fee other than zero"
        case .amountIsNegative: "an amount of zero or more"
        case .amountOverflow: "at most 10^15 minor units"
        case .balanceOverflow: "balances that stay within 64 bits"
        case .merchantUnusable: "a merchant of 1 to 128 letters, digits, . _ -"
        case .movementUnusable: "a key of printable characters that begins with its kind's prefix"
        case .eventIDUnusable: "an event id of printable characters"
        case .movementConflicts: "the same currency, merchant and Stripe account, and of all but "
            + "payments the same amount"
        case .notReviewable: "the movement of a payment, charge:…"
        case .paymentUnknown: "its payment in the ledger before it"
        }
    }

    /// The stable word for headers, metrics and people's searches.
    var code: String { rawValue }
}
