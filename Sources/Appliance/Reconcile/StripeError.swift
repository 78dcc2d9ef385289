import Vocabulary

/// Why Stripe's API gave no answer that can be used. Each case's description says what to do.
enum StripeError: Error, Hashable, Sendable {
    /// The key is not one that Stripe knows: status 401.
    case unauthorised
    /// The key lacks a permission: status 403.
    case forbidden(message: String)
    /// There is no such object: status 404, or 400 about an object that a list was to start at.
    case notFound(message: String)
    /// Stripe refused the request for another reason; repeating it would not help.
    case refused(status: Int, message: String)
    /// Still 429 after the last attempt.
    case rateLimited(attempts: Int)
    /// Still a 5xx after the last attempt.
    case unavailable(status: Int, attempts: Int)
    /// No connection, or none that lasted, in any attempt.
    case unreachable(reason: String, attempts: Int)
    /// The answer is not what Stripe documents.
    case malformed(path: String, field: String)
    /// A list leads back to where it was, or says that there is more and shows nothing.
    case endless(path: String, pages: Int)
    case cancelled
}

extension StripeError: CustomStringConvertible {
    var description: String {
        switch self {
        case .unauthorised:
            "Stripe does not know the API key; set stripe.api_key (or stripe.api_key_file) to a "
                + "key of this account, a restricted one with read permission is enough"
        case .forbidden(let message):
            "the API key may not read what reconciliation needs (\(message)); give it read "
                + "permission for balance, balance transactions, payouts and events, or where a "
                + "connected account is named look whether it is one of this key's platform"
        case .notFound(let message): "Stripe has no such object: \(message)"
        case .refused(let status, let message):
            "Stripe refused a request with status \(status): \(message)"
        case .rateLimited(let attempts):
            "Stripe still limited the rate after \(Counted.words(attempts, "attempt")); "
                + "try again later"
        case .unavailable(let status, let attempts):
            "Stripe answered \(status) in \(Counted.words(attempts, "attempt")); try again later"
        case .unreachable(let reason, let attempts):
            "Stripe could not be reached in \(Counted.words(attempts, "attempt")) "
                + "(\(reason)); check the network and stripe.api_base"
        case .malformed(let path, let field):
            "Stripe's answer to \(path) is not what it documents: \(field)"
        case .endless(let path, let pages):
            "Stripe's list \(path) does not end: page \(pages) leads back to what was listed "
                + "before; it is read again later (check stripe.api_base for a proxy that keeps "
                + "answers)"
        case .cancelled: "stopped before Stripe had answered"
        }
    }
}
