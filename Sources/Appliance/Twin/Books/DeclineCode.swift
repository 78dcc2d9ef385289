/// Why a card payment fails (docs.stripe.com/declines/codes).
enum DeclineCode: String, CaseIterable, Sendable {
    case authenticationRequired = "authentication_required"
    /// The customer would have had to act, and the call said that nobody would.
    case authenticationNotHandled = "authentication_not_handled"
    /// The customer did not pass 3-D Secure. No decline of a card: its own error.
    case authenticationFailed = "payment_intent_authentication_failure"
    case callIssuer = "call_issuer"
    case cardNotSupported = "card_not_supported"
    case cardVelocityExceeded = "card_velocity_exceeded"
    case currencyNotSupported = "currency_not_supported"
    case doNotHonor = "do_not_honor"
    case doNotTryAgain = "do_not_try_again"
    case expiredCard = "expired_card"
    case fraudulent
    case genericDecline = "generic_decline"
    case incorrectCVC = "incorrect_cvc"
    case insufficientFunds = "insufficient_funds"
    case invalidAccount = "invalid_account"
    case issuerNotAvailable = "issuer_not_available"
    case lostCard = "lost_card"
    case pickupCard = "pickup_card"
    case processingError = "processing_error"
    case restrictedCard = "restricted_card"
    case stolenCard = "stolen_card"
    case transactionNotAllowed = "transaction_not_allowed"
    case tryAgainLater = "try_again_later"

    /// The error's `code`, and the charge's `failure_code`.
    var errorCode: String {
        switch self {
        case .authenticationRequired, .authenticationFailed, .expiredCard, .incorrectCVC,
            .processingError: rawValue
        case .authenticationNotHandled: DeclineCode.authenticationRequired.rawValue
        default: "card_declined"
        }
    }

    /// Stripe gives no `decline_code` where the `code` says it all.
    var declineCode: String? { errorCode == rawValue && self == .processingError ? nil : rawValue }

    /// What Stripe tells the customer.
    var message: String {
        switch self {
        case .authenticationRequired:
            "Your card was declined. This transaction requires authentication."
        case .authenticationNotHandled:
            "This payment required an authentication action to complete, but "
                + "`error_on_requires_action` was set. When you're ready, you can upgrade your "
                + "integration to handle actions at https://stripe.com/docs/payments/"
                + "payment-intents/upgrade-to-handle-actions."
        case .authenticationFailed:
            "The provided PaymentMethod has failed authentication. You can provide "
                + "payment_method_data or a new PaymentMethod to attempt to fulfill this "
                + "PaymentIntent again."
        case .cardVelocityExceeded:
            "Your card was declined for making repeated attempts too frequently or exceeding its "
                + "amount limit."
        case .cardNotSupported, .transactionNotAllowed:
            "Your card does not support this type of purchase."
        case .expiredCard: "Your card has expired."
        case .incorrectCVC: "Your card's security code is incorrect."
        case .insufficientFunds: "Your card has insufficient funds."
        case .processingError:
            "An error occurred while processing your card. Try again in a little bit."
        default: "Your card was declined."
        }
    }

    var adviceCode: String? {
        switch self {
        case .expiredCard, .incorrectCVC: "confirm_card_data"
        case .lostCard, .stolenCard, .pickupCard, .invalidAccount, .doNotTryAgain, .fraudulent:
            "do_not_try_again"
        case .authenticationRequired, .authenticationNotHandled, .authenticationFailed: nil
        default: "try_again_later"
        }
    }

    /// Stripe itself stopped it, and the bank was never asked.
    var isBlockedByStripe: Bool { self == .fraudulent }
}
