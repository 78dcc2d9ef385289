import Vocabulary

/// What a scenario does to the twin, in process. Each is the API call of its name and is refused
/// as that would be. `account` is the Connect account it is done in, nil for the platform's own.
extension Twin {
    /// A card that a scenario makes up, with the behaviour of one of Stripe's test numbers.
    struct Card: Hashable, Sendable {
        /// One of Stripe's test card numbers; it decides what becomes of payments.
        var number = "4242424242424242"
        /// ISO 3166 alpha-2; nil for the test card's own.
        var country: String?
        /// Any text without blanks; the same card keeps its fingerprint. Nil derives one.
        var fingerprint: String?
        var brand: String?
        var funding: String?
        /// Holder's name, mail address and place for `billing_details`.
        var name: String?
        var email: String?
        var billingCountry: String?
        var postalCode: String?
        var city: String?
        var line1: String?
    }

    /// A payment to be made at once.
    struct Payment: Hashable, Sendable {
        /// Minor units.
        var amount: Int64
        var currency: Currency
        var customer: String?
        /// `pm_…`, or one of Stripe's test names such as `pm_card_visa`.
        var paymentMethod: String
        /// Only authorises: `capture` takes the money.
        var isManualCapture = false
        var description: String?
        var metadata: [FormField] = []
        var shippingCountry: String?
        /// Overrides what the card would do: a decline code such as `insufficient_funds`.
        var declineCode: String?
    }

    /// What became of a payment.
    struct PaymentResult: Hashable, Sendable {
        var paymentIntent: String
        /// Also of a failed attempt.
        var charge: String?
        /// Stripe's status: `succeeded`, `requires_capture`, `requires_payment_method` …
        var status: String
        var declineCode: String?
    }

    enum RefundOutcome: String, Sendable {
        case succeeded
        /// Pending first, until `settleRefund`.
        case pending
    }

    enum DisputeOutcome: String, Sendable {
        case won, lost
        /// Of an inquiry.
        case warningClosed = "warning_closed"
    }

    enum PayoutOutcome: String, Sendable {
        case paid, failed, canceled
    }

    /// - Returns: `acct_…`
    func createAccount(name: String? = nil) throws(APIRefusal) -> String {
        try act("/v1/accounts", [("business_profile[name]", name)], nil)
    }

    /// - Returns: `cus_…`
    func createCustomer(
        name: String? = nil, email: String? = nil, account: String? = nil
    ) throws(APIRefusal) -> String {
        try act("/v1/customers", [("name", name), ("email", email)], account)
    }

    /// - Returns: `pm_…`, attached to the customer if one is named.
    func createCard(
        _ card: Card, customer: String? = nil, account: String? = nil
    ) throws(APIRefusal) -> String {
        let method = try act(
            "/v1/payment_methods",
            [
                ("type", "card"), ("card[number]", card.number), ("card[exp_month]", "8"),
                ("card[exp_year]", "2034"), ("card[cvc]", "314"),
                ("billing_details[name]", card.name), ("billing_details[email]", card.email),
                ("billing_details[address][city]", card.city),
                ("billing_details[address][country]", card.billingCountry),
                ("billing_details[address][line1]", card.line1),
                ("billing_details[address][postal_code]", card.postalCode),
                ("twin[country]", card.country), ("twin[fingerprint]", card.fingerprint),
                ("twin[brand]", card.brand), ("twin[funding]", card.funding),
            ], account)
        guard let customer else { return method }
        return try act("/v1/payment_methods/\(method)/attach", [("customer", customer)], account)
    }

    /// Creates and confirms a payment intent. A decline is no refusal: the result says so.
    func pay(_ payment: Payment, account: String? = nil) throws(APIRefusal) -> PaymentResult {
        var fields: [(String, String?)] = [
            ("amount", String(payment.amount)), ("currency", payment.currency.code),
            ("customer", payment.customer), ("payment_method", payment.paymentMethod),
            ("confirm", "true"), ("description", payment.description),
            ("capture_method", payment.isManualCapture ? "manual" : "automatic"),
            ("shipping[address][country]", payment.shippingCountry),
            ("twin[decline_code]", payment.declineCode),
        ]
        for field in payment.metadata { fields.append(("metadata[\(field.name)]", field.value)) }
        let answer = call("/v1/payment_intents", fields, account)
        if let refusal = answer.refusal {
            guard refusal.kind == .card, let intent = refusal.paymentIntent else { throw refusal }
            return PaymentResult(
                paymentIntent: intent, charge: refusal.charge, status: "requires_payment_method",
                declineCode: refusal.declineCode ?? refusal.code)
        }
        return try result(of: answer.objectID ?? "", account: account)
    }

    /// Takes an authorised payment, all of it or `amount`.
    func capture(
        _ paymentIntent: String, amount: Int64? = nil, account: String? = nil
    ) throws(APIRefusal) {
        _ = try act(
            "/v1/payment_intents/\(paymentIntent)/capture",
            [("amount_to_capture", amount.map(String.init))], account)
    }

    /// Releases what was authorised, or gives up what was not yet paid.
    func cancel(_ paymentIntent: String, account: String? = nil) throws(APIRefusal) {
        _ = try act("/v1/payment_intents/\(paymentIntent)/cancel", [], account)
    }

    /// Gives back what is left of a charge, or `amount` of it.
    ///
    /// - Returns: `re_…`
    func refund(
        _ charge: String, amount: Int64? = nil, outcome: RefundOutcome = .succeeded,
        account: String? = nil
    ) throws(APIRefusal) -> String {
        try act(
            "/v1/refunds",
            [
                ("charge", charge), ("amount", amount.map(String.init)),
                ("twin[status]", outcome.rawValue),
            ], account)
    }

    /// The bank reports that a refund arrived, or that it did not.
    func settleRefund(
        _ refund: String, fails: Bool, account: String? = nil
    ) throws(APIRefusal) {
        let act = fails ? "fail" : "succeed"
        _ = try self.act("/twin/refunds/\(refund)/\(act)", [], account)
    }

    /// The cardholder's bank asks for the money back (or, for an inquiry, only asks).
    ///
    /// - Parameter reason: Stripe's: `fraudulent`, `product_not_received` …
    /// - Returns: `dp_…`
    func dispute(
        _ charge: String, amount: Int64? = nil, reason: String = "fraudulent",
        isInquiry: Bool = false, account: String? = nil
    ) throws(APIRefusal) -> String {
        try act(
            "/twin/disputes",
            [
                ("charge", charge), ("amount", amount.map(String.init)), ("reason", reason),
                ("inquiry", isInquiry ? "true" : "false"),
            ], account)
    }

    /// The bank decides.
    ///
    /// - Parameters:
    ///   - reinstated: of a dispute that is won, how much comes back; all of it by default.
    ///   - returnsFee: whether the fee comes back too; as the fees say by default.
    func closeDispute(
        _ dispute: String, _ outcome: DisputeOutcome, reinstated: Int64? = nil,
        returnsFee: Bool? = nil, account: String? = nil
    ) throws(APIRefusal) {
        _ = try act(
            "/twin/disputes/\(dispute)/close",
            [
                ("status", outcome.rawValue), ("reinstated", reinstated.map(String.init)),
                ("returns_fee", returnsFee.map(String.init)),
            ], account)
    }

    /// Pays out part of what is available.
    ///
    /// - Returns: `po_…`
    func payout(
        _ amount: Int64, _ currency: Currency, account: String? = nil
    ) throws(APIRefusal) -> String {
        try act(
            "/v1/payouts", [("amount", String(amount)), ("currency", currency.code)], account)
    }

    /// The bank takes a payout or sends it back.
    func settlePayout(
        _ payout: String, _ outcome: PayoutOutcome, account: String? = nil
    ) throws(APIRefusal) {
        _ = try act("/twin/payouts/\(payout)/\(outcome.rawValue)", [], account)
    }

    /// - Returns: the id of the object that the call made or changed.
    private func act(
        _ path: String, _ fields: [(String, String?)], _ account: String?
    ) throws(APIRefusal) -> String {
        let answer = call(path, fields, account)
        if let refusal = answer.refusal { throw refusal }
        return answer.objectID ?? ""
    }

    private func call(
        _ path: String, _ fields: [(String, String?)], _ account: String?
    ) -> APIAnswer {
        handle(
            APIRequest(
                method: .post, path: path,
                fields: fields.compactMap { name, value in value.map { FormField(name, $0) } },
                account: account, isInProcess: true))
    }
}
