/// Why the API does not do what it was asked to: Stripe's error object
/// (docs.stripe.com/api/errors).
package struct APIRefusal: Error, Hashable, Sendable {
    package enum Kind: String, Sendable {
        case api = "api_error"
        case card = "card_error"
        case idempotency = "idempotency_error"
        case invalidRequest = "invalid_request_error"
    }

    /// HTTP's status code.
    var status = 400
    package var kind = Kind.invalidRequest
    package var code: String?
    var message: String
    /// The parameter at fault: `card[number]`.
    package var parameter: String?
    var declineCode: String?
    var adviceCode: String?
    /// The charge that failed, for card errors.
    var charge: String?
    /// The payment intent that failed, for card errors.
    var paymentIntent: String?
    /// Seconds for `Retry-After`.
    var retryAfterSeconds: Int?
}
