/// Why the API does not do what it was asked to: Stripe's error object
/// (docs.stripe.com/api/errors).
struct APIRefusal: Error, Hashable, Sendable {
    enum Kind: String, Sendable {
        case api = "api_error"
        case card = "card_error"
        case idempotency = "idempotency_error"
        case invalidRequest = "invalid_request_error"
    }

    /// HTTP's status code.
    var status = 400
    var kind = Kind.invalidRequest
    var code: String?
    var message: String
    /// The parameter at fault: `card[number]`.
    var parameter: String?
    var declineCode: String?
    var adviceCode: String?
    /// The charge that failed, for card errors.
    var charge: String?
    /// The payment intent that failed, for card errors.
    var paymentIntent: String?
    /// Seconds for `Retry-After`.
    var retryAfterSeconds: Int?
}
