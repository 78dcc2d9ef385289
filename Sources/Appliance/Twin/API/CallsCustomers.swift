import Vocabulary

/// `/v1/customers` and `/v1/payment_methods`.
extension TwinBooks {
    mutating func customerCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let email = try parameters.text("email")
            return try list(
                customers, parameters, url: "/v1/customers", kind: .customer,
                { .customer($0) }
            ) { !$0.isDeleted && (email == nil || $0.email == email) }
        case (.post, 0): return .object(.customer(try createCustomer(parameters)))
        case (.get, 1): return .object(.customer(try named(parts[0], customers)))
        case (.post, 1):
            let ref = try living(parts[0])
            try updateCustomer(ref, parameters)
            return .object(.customer(ref))
        case (.delete, 1):
            let ref = try living(parts[0])
            try parameters.finish()
            customers[ref].isDeleted = true
            tell(.customerDeleted, .customer(ref, customers[ref]))
            return .deleted(id: id(ref), object: "customer")
        case (.get, 2) where parts[1] == "payment_methods":
            let ref = try living(parts[0])
            return try listMethods(
                of: ref, parameters, url: "/v1/customers/\(parts[0])/payment_methods")
        case (.get, 2) where Self.emptyOfCustomers.contains(parts[1]):
            let ref = try living(parts[0])
            _ = try pageLimit(parameters)
            parameters.ignore("object", "starting_after", "ending_before")
            var writer = JSONWriter()
            writer.list(url: "/v1/customers/\(id(ref))/\(parts[1])")
            return .written(writer.bytes, id: nil)
        case (.get, 3) where Self.emptyOfCustomers.contains(parts[1]):
            _ = try living(parts[0])
            throw Self.noSuch(
                parts[1] == "sources" ? "source" : parts[1], parts[2], parameter: "id", status: 404)
        case (.get, 3) where parts[1] == "payment_methods":
            return .object(.paymentMethod(try named(parts[2], methods)))
        default: throw Self.unknownAddress(method, ["customers"] + parts)
        }
    }

    /// Lists of a customer that Stripe has and that are empty here: older ways to pay, and billing.
    private static let emptyOfCustomers: Set<String> = [
        "balance_transactions", "cash_balance_transactions", "sources", "subscriptions", "tax_ids",
    ]

    /// A customer that was not deleted.
    private func living(_ id: String) throws(APIRefusal) -> Ref<TwinCustomer> {
        let ref = try named(id, customers)
        guard !customers[ref].isDeleted else {
            throw Self.noSuch("customer", id, parameter: "id", status: 404)
        }
        return ref
    }

    /// The customer that a parameter names.
    func customer(_ parameters: APIParameters) throws(APIRefusal) -> Ref<TwinCustomer>? {
        guard let ref = try named("customer", in: parameters, customers) else { return nil }
        guard !customers[ref].isDeleted else {
            throw Self.noSuch("customer", id(ref), parameter: "customer", status: 400)
        }
        return ref
    }

    private mutating func createCustomer(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinCustomer> {
        var customer = TwinCustomer(created: now)
        try change(&customer, parameters)
        let method = try parameters.text("payment_method")
        try parameters.finish()
        var card: Ref<TwinPaymentMethod>?
        if let method {
            let resolved = try resolve(method, parameter: "payment_method")
            try checkUnused(resolved)
            card = resolved
        }
        let ref = customers.append(customer)
        tell(.customerCreated, .customer(ref, customer))
        if let card { attach(card, to: ref) }
        return ref
    }

    private mutating func updateCustomer(
        _ ref: Ref<TwinCustomer>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        let before = customers[ref]
        var after = before
        try change(&after, parameters)
        try parameters.finish()
        customers[ref] = after
        tell(.customerUpdated, .customer(ref, after)) {
            if before.description != after.description {
                $0.member("description", before.description)
            }
            if before.email != after.email { $0.member("email", before.email) }
            if before.metadata != after.metadata { $0.fields("metadata", before.metadata) }
            if before.name != after.name { $0.member("name", before.name) }
            if before.phone != after.phone { $0.member("phone", before.phone) }
        }
    }

    private func change(
        _ customer: inout TwinCustomer, _ parameters: APIParameters
    ) throws(APIRefusal) {
        if let address = parameters.below("address") { customer.address = try address.address() }
        if parameters.has("description") {
            customer.description = try parameters.text("description")
        }
        if parameters.has("email") { customer.email = try parameters.text("email") }
        if parameters.has("name") { customer.name = try parameters.text("name") }
        if parameters.has("phone") { customer.phone = try parameters.text("phone") }
        if parameters.has("shipping") { customer.shipping = try parameters.shipping() }
        if let settings = parameters.below("invoice_settings") {
            customer.defaultMethod = try named("default_payment_method", in: settings, methods)
        }
        customer.metadata = try parameters.metadata(customer.metadata)
        parameters.ignore(
            "balance", "cash_balance", "coupon", "invoice_prefix", "invoice_settings",
            "next_invoice_sequence", "preferred_locales", "promotion_code", "source", "tax",
            "tax_exempt", "tax_id_data", "test_clock", "validate")
    }

    private func listMethods(
        of customer: Ref<TwinCustomer>, _ parameters: APIParameters, url: String
    ) throws(APIRefusal) -> APIReply {
        let type = try parameters.text("type")
        return try list(
            methods, among: customers[customer].methods.sorted { $0.index < $1.index }, parameters,
            url: url, kind: .paymentMethod, { .paymentMethod($0) }
        ) { _ in type == nil || type == "card" }
    }

    // MARK: Payment methods

    mutating func methodCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            if let customer = try customer(parameters) {
                return try listMethods(of: customer, parameters, url: "/v1/payment_methods")
            }
            let type = try parameters.text("type")
            return try list(
                methods, parameters, url: "/v1/payment_methods", kind: .paymentMethod,
                { .paymentMethod($0) }
            ) { $0.customer != nil && (type == nil || type == "card") }
        case (.post, 0):
            let ref = try createMethod(parameters)
            return .object(.paymentMethod(ref))
        case (.get, 1): return .object(.paymentMethod(try named(parts[0], methods)))
        case (.post, 1):
            let ref = try named(parts[0], methods)
            try updateMethod(ref, parameters)
            return .object(.paymentMethod(ref))
        case (.post, 2) where parts[1] == "attach":
            guard let customer = try customer(parameters) else {
                throw parameters.missing("customer")
            }
            try parameters.finish()
            let ref = try resolve(parts[0], parameter: "payment_method", status: 404)
            try checkUnused(ref)
            try checkAttachable(ref)
            attach(ref, to: customer)
            return .object(.paymentMethod(ref))
        case (.post, 2) where parts[1] == "detach":
            let ref = try named(parts[0], methods)
            try parameters.finish()
            guard let customer = methods[ref].customer else {
                throw APIRefusal(
                    message: "The payment method you provided is not attached to a customer so "
                        + "detachment is impossible.", parameter: "payment_method")
            }
            detach(ref, from: customer)
            return .object(.paymentMethod(ref))
        default: throw Self.unknownAddress(method, ["payment_methods"] + parts)
        }
    }

    /// A payment method that belongs to nobody is good for one payment, and one that was detached
    /// for none.
    func checkUsable(_ ref: Ref<TwinPaymentMethod>) throws(APIRefusal) {
        guard methods[ref].isDetached || (methods[ref].isSpent && methods[ref].customer == nil)
        else { return }
        throw APIRefusal(
            message: "The provided PaymentMethod was previously used with a PaymentIntent without "
                + "Customer attachment, shared with a connected account without Customer "
                + "attachment, or was detached from a Customer. It may not be used again. To use "
                + "a PaymentMethod multiple times, you must attach it to a Customer first.",
            parameter: "payment_method")
    }

    private func checkUnused(_ ref: Ref<TwinPaymentMethod>) throws(APIRefusal) {
        try checkUsable(ref)
        guard methods[ref].customer == nil else {
            throw APIRefusal(
                message: "The payment method you provided has already been attached to a customer.",
                parameter: "payment_method")
        }
    }

    /// Saving a card asks the bank, which declines as it would a payment.
    private func checkAttachable(_ ref: Ref<TwinPaymentMethod>) throws(APIRefusal) {
        guard case .declines(let code) = methods[ref].card.behaviour, !code.isBlockedByStripe else {
            return
        }
        throw cardError(code, charge: nil, intent: nil)
    }

    private mutating func updateMethod(
        _ ref: Ref<TwinPaymentMethod>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        let before = methods[ref]
        guard before.customer != nil else {
            throw APIRefusal(
                message: "You must save this PaymentMethod to a customer before you can update it.",
                parameter: "payment_method")
        }
        var after = before
        if let billing = parameters.below("billing_details") {
            after.billing = Shared(try billing.billing())
        }
        after.metadata = try parameters.metadata(before.metadata)
        parameters.ignore("allow_redisplay", "card")
        try parameters.finish()
        methods[ref] = after
        tell(.methodUpdated, .paymentMethod(ref, methods[ref])) {
            $0.fields("metadata", before.metadata)
        }
    }

    /// The payment method with this id; for one of Stripe's test names, a new one.
    mutating func resolve(
        _ name: String, parameter: String, status: Int = 400
    ) throws(APIRefusal) -> Ref<TwinPaymentMethod> {
        if let card = TestCardCatalogue.card(named: name) {
            return addMethod(card, billing: BillingDetails())
        }
        if let bank = TwinBankAccount.account(named: name) {
            return addMethod(bank, billing: BillingDetails())
        }
        return try named(name, methods, parameter: parameter, status: status)
    }

    private mutating func addMethod(
        _ card: TestCard, billing: BillingDetails
    ) -> Ref<TwinPaymentMethod> {
        // A year is 365.2425 days here; the card is good for more than seven.
        let year = 1970 + now / 31_556_952
        return methods.append(
            TwinPaymentMethod(
                created: now, card: card, expiryYear: year + 8, billing: Shared(billing)))
    }

    private mutating func addMethod(
        _ bank: TwinBankAccount, billing: BillingDetails
    ) -> Ref<TwinPaymentMethod> {
        let standIn = TestCard(number: bank.number, brand: "bank", country: "US")
        let ref = addMethod(standIn, billing: billing)
        methods[ref].bank = bank
        return ref
    }

    private mutating func createBankMethod(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinPaymentMethod> {
        guard let given = parameters.below("us_bank_account") else {
            throw parameters.missing("us_bank_account")
        }
        let number = try given.requiredText("account_number")
        given.ignore(
            "account_holder_type", "account_type", "financial_connections_account",
            "routing_number")
        guard let bank = TwinBankAccount.account(number: number) else {
            throw APIRefusal(
                code: "account_number_invalid",
                message: "You must use a test bank account number in test mode "
                    + "(docs.stripe.com/testing).", parameter: given.name("account_number"))
        }
        var billing = BillingDetails()
        if let details = parameters.below("billing_details") { billing = try details.billing() }
        let metadata = try parameters.metadata()
        parameters.ignore("allow_redisplay")
        try parameters.finish()
        let ref = addMethod(bank, billing: billing)
        methods[ref].metadata = metadata
        return ref
    }

    mutating func createMethod(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinPaymentMethod> {
        let type = try parameters.requiredText("type")
        if type == "us_bank_account" { return try createBankMethod(parameters) }
        guard type == "card" else {
            throw APIRefusal(
                message: "The twin knows payment methods of the types card and us_bank_account, "
                    + "not \(type).", parameter: parameters.name("type"))
        }
        guard let given = parameters.below("card") else { throw parameters.missing("card") }
        var (card, year, month) = try readCard(given)
        var billing = BillingDetails()
        if let details = parameters.below("billing_details") { billing = try details.billing() }
        let metadata = try parameters.metadata()
        var fingerprint: String?
        if let own = parameters.below("twin") {
            card.country = try own.text("country")?.uppercased() ?? card.country
            card.brand = try own.text("brand") ?? card.brand
            card.funding = try own.text("funding") ?? card.funding
            fingerprint = try own.text("fingerprint")
        }
        parameters.ignore("allow_redisplay", "radar_options")
        try parameters.finish()
        let ref = addMethod(card, billing: billing)
        methods[ref].fingerprint = fingerprint
        methods[ref].metadata = metadata
        methods[ref].expiryYear = year ?? methods[ref].expiryYear
        methods[ref].expiryMonth = month ?? methods[ref].expiryMonth
        return ref
    }

    private func readCard(
        _ given: APIParameters
    ) throws(APIRefusal) -> (TestCard, year: Int64?, month: Int64?) {
        given.ignore("networks")
        if let token = try given.text("token") {
            guard let card = TestCardCatalogue.card(named: token) else {
                throw Self.noSuch("token", token, parameter: given.name("token"), status: 400)
            }
            return (card, nil, nil)
        }
        let number = try given.requiredText("number")
        given.ignore("cvc")
        guard let card = TestCardCatalogue.card(number: number) else {
            throw Self.badNumber(number, parameter: given.name("number"))
        }
        guard let month = try given.integer("exp_month") else { throw given.missing("exp_month") }
        guard (1...12).contains(month) else {
            throw APIRefusal(
                status: 402, kind: .card, code: "invalid_expiry_month",
                message: "Your card's expiration month is invalid.",
                parameter: given.name("exp_month"))
        }
        guard let year = try given.integer("exp_year") else { throw given.missing("exp_year") }
        let fullYear = year < 100 ? year + 2_000 : year
        guard fullYear >= 1970 + now / 31_556_952, fullYear < 2_200 else {
            throw APIRefusal(
                status: 402, kind: .card, code: "invalid_expiry_year",
                message: "Your card's expiration year is invalid.",
                parameter: given.name("exp_year"))
        }
        return (card, fullYear, month)
    }

    private static func badNumber(_ number: String, parameter: String) -> APIRefusal {
        let digits = number.filter(\.isNumber).compactMap(\.wholeNumberValue)
        var sum = 0
        for (distance, digit) in digits.reversed().enumerated() {
            let doubled = distance.isMultiple(of: 2) ? digit : 2 * digit
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        guard sum.isMultiple(of: 10), digits.count >= 13 else {
            return APIRefusal(
                status: 402, kind: .card, code: "incorrect_number",
                message: "Your card number is incorrect.", parameter: parameter)
        }
        return APIRefusal(
            status: 402, kind: .card, code: "card_declined",
            message: "Your card was declined. Your request was in test mode, but used a non test "
                + "card. For a list of valid test cards, visit: https://docs.stripe.com/testing.",
            parameter: parameter, declineCode: "test_mode_live_card")
    }
}

extension APIParameters {
    /// `address[…]`, read from below it.
    func address() throws(APIRefusal) -> TwinAddress {
        TwinAddress(
            city: try text("city"), country: try text("country"), line1: try text("line1"),
            line2: try text("line2"), postalCode: try text("postal_code"),
            state: try text("state"))
    }

    /// `billing_details[…]`, read from below it.
    func billing() throws(APIRefusal) -> BillingDetails {
        ignore("tax_id")
        return BillingDetails(
            address: try below("address")?.address() ?? TwinAddress(), email: try text("email"),
            name: try text("name"), phone: try text("phone"))
    }

    func shipping() throws(APIRefusal) -> ShippingDetails? {
        guard let given = below("shipping"), !given.tree.children.isEmpty else {
            ignore("shipping")
            return nil
        }
        return ShippingDetails(
            address: try given.below("address")?.address() ?? TwinAddress(),
            name: try given.text("name"), phone: try given.text("phone"),
            carrier: try given.text("carrier"), trackingNumber: try given.text("tracking_number"))
    }
}
