import Vocabulary

/// `/v1/payment_intents`.
extension TwinBooks {
    mutating func intentCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let customer = try customer(parameters)
            let candidates = customer.map { customers[$0].intents }
            return try list(
                intents, among: candidates, parameters, url: "/v1/payment_intents",
                kind: .paymentIntent
            ) { .paymentIntent($0) }
        case (.post, 0): return .object(.paymentIntent(try createIntent(parameters)))
        case (.get, 1):
            parameters.ignore("client_secret")
            return .object(.paymentIntent(try intent(parts[0])))
        case (.post, 1):
            let ref = try intent(parts[0])
            try updateIntent(ref, parameters)
            return .object(.paymentIntent(ref))
        case (.post, 2):
            let ref = try intent(parts[0])
            switch parts[1] {
            case "confirm": try confirmIntent(ref, parameters)
            case "capture": try captureIntent(ref, parameters)
            case "cancel": try cancelIntent(ref, parameters)
            default: throw Self.unknownAddress(method, ["payment_intents"] + parts)
            }
            return .object(.paymentIntent(ref))
        default: throw Self.unknownAddress(method, ["payment_intents"] + parts)
        }
    }

    func intent(_ id: String) throws(APIRefusal) -> Ref<TwinPaymentIntent> {
        guard let ref: Ref<TwinPaymentIntent> = ref(id, count: intents.count) else {
            throw Self.noSuch("payment_intent", id, parameter: "intent", status: 404)
        }
        return ref
    }

    // MARK: Create and update

    private mutating func createIntent(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinPaymentIntent> {
        let currency = try parameters.currency()
        let amount = try parameters.payment("amount", in: currency)
        var intent = TwinPaymentIntent(
            created: now, amount: amount, currency: currency, details: Shared(PaymentDetails()))
        try change(&intent, parameters)
        adoptDefaultMethods(&intent)
        let confirms = try parameters.bool("confirm") ?? false
        let order = try readMethod(parameters)
        if !confirms { try Self.refuseConfirmation(parameters) }
        let rule = confirms ? try readConfirmation(&intent, parameters) : .waits
        try parameters.finish()
        if confirms, order == nil { throw Self.noMethod }
        if let order { intent.method = try method(order, for: intent.customer) }
        try checkCapture(of: intent)
        intent.status = intent.method == nil ? .requiresPaymentMethod : .requiresConfirmation
        let ref = intents.append(intent)
        if let customer = intent.customer { customers[customer].intents.append(ref) }
        tell(.intentCreated, snapshot(ref))
        if confirms, let method = intent.method {
            try confirm(ref, with: method, onAction: rule)
        }
        return ref
    }

    private mutating func updateIntent(
        _ ref: Ref<TwinPaymentIntent>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        var intent = intents[ref]
        if parameters.has("amount") || parameters.has("currency") {
            try check(ref, isOneOf: [
                .requiresPaymentMethod, .requiresConfirmation, .requiresAction,
            ], to: "update the amount of")
            if parameters.has("currency") { intent.currency = try parameters.currency() }
            if parameters.has("amount") {
                intent.amount = try parameters.payment("amount", in: intent.currency)
            }
        }
        try change(&intent, parameters)
        let order = try readMethod(parameters)
        try parameters.finish()
        if let order {
            try check(ref, isOneOf: [
                .requiresPaymentMethod, .requiresConfirmation, .requiresAction,
            ], to: "update the payment method of")
            intent.method = try method(order, for: intent.customer)
            intent.status = .requiresConfirmation
        }
        try checkCapture(of: intent)
        intents[ref] = intent
    }

    /// What both creation and an update may say.
    private func change(
        _ intent: inout TwinPaymentIntent, _ parameters: APIParameters
    ) throws(APIRefusal) {
        intent.customer = try customer(parameters) ?? intent.customer
        if let method: TwinPaymentIntent.CaptureMethod = try parameters.word("capture_method") {
            intent.captureMethod = method
        }
        if let confirmation = try parameters.text("confirmation_method") {
            guard confirmation == "automatic" || confirmation == "manual" else {
                throw parameters.invalid("confirmation_method", confirmation)
            }
            intent.confirmsManually = confirmation == "manual"
        }
        if let usage = try parameters.text("setup_future_usage") {
            guard usage == "off_session" || usage == "on_session" else {
                throw parameters.invalid("setup_future_usage", usage)
            }
            intent.setupFutureUsage = usage
        }
        if let automatic = parameters.below("automatic_payment_methods") {
            intent.namesMethods = true
            intent.usesAutomaticMethods = try automatic.bool("enabled") ?? false
            let redirects = try automatic.text("allow_redirects") ?? "always"
            guard redirects == "always" || redirects == "never" else {
                throw automatic.invalid("allow_redirects", redirects)
            }
            intent.allowsRedirects = redirects == "always"
        }
        if parameters.has("payment_method_types") { intent.namesMethods = true }
        for type in try parameters.texts("payment_method_types")
        where type != "card" && type != "us_bank_account" {
            throw APIRefusal(
                message: "The payment method type provided: \(type) is invalid. The twin knows "
                    + "card and us_bank_account.", parameter: "payment_method_types")
        }
        intent.details = Shared(try readDetails(intent.details.value, parameters))
        if let own = parameters.below("twin") {
            intent.declineOrder = try own.word("decline_code")
        }
        intent.terms = try readTerms(intent.terms, parameters, amount: intent.amount)
        try readCardOptions(&intent, parameters)
        parameters.ignore(
            "amount_details", "excluded_payment_method_types", "payment_details",
            "payment_method_configuration", "radar_options")
    }

    /// `payment_method_options[card]`: what the card network is asked to allow. Every test card's
    /// does, where the money is not shared with another account.
    private func readCardOptions(
        _ intent: inout TwinPaymentIntent, _ parameters: APIParameters
    ) throws(APIRefusal) {
        guard let options = parameters.below("payment_method_options") else { return }
        options.ignore("us_bank_account", "link")
        guard let card = options.below("card") else { return }
        func isAsked(_ key: String) throws(APIRefusal) -> Bool? {
            guard let answer = try card.text(key) else { return nil }
            guard answer == "if_available" || answer == "never" else {
                throw card.invalid(key, answer)
            }
            return answer == "if_available"
        }
        let isShared = intent.terms != nil
        intent.allowsMulticapture =
            try isAsked("request_multicapture").map { $0 && !isShared } ?? intent.allowsMulticapture
        intent.allowsOvercapture =
            try isAsked("request_overcapture").map { $0 && !isShared } ?? intent.allowsOvercapture
        card.tree.markRead()
    }

    /// A bank is asked for money once: it holds none for a capture that comes later
    /// (docs.stripe.com/payments/place-a-hold-on-a-payment-method).
    private func checkCapture(of intent: TwinPaymentIntent) throws(APIRefusal) {
        guard intent.captureMethod == .manual, let method = intent.method,
            methods[method].bank != nil
        else { return }
        throw APIRefusal(
            message: "The payment method type us_bank_account does not support manual capture. "
                + "Use a `capture_method` of `automatic` or `automatic_async`, or pay by card.",
            parameter: "capture_method")
    }

    /// What is copied into the charge.
    func readDetails(
        _ before: PaymentDetails, _ parameters: APIParameters
    ) throws(APIRefusal) -> PaymentDetails {
        var details = before
        func read(_ key: String, _ value: inout String?) throws(APIRefusal) {
            if parameters.has(key) { value = try parameters.text(key) }
        }
        try read("description", &details.description)
        try read("receipt_email", &details.receiptEmail)
        try read("statement_descriptor", &details.statementDescriptor)
        try read("statement_descriptor_suffix", &details.statementDescriptorSuffix)
        try read("transfer_group", &details.transferGroup)
        if parameters.has("shipping") { details.shipping = try parameters.shipping() }
        details.metadata = try parameters.metadata(before.metadata)
        return details
    }

    /// - Returns: what is to happen where the customer would have to act.
    private func readConfirmation(
        _ intent: inout TwinPaymentIntent, _ parameters: APIParameters
    ) throws(APIRefusal) -> ActionRule {
        intent.returnURL = try parameters.text("return_url") ?? intent.returnURL
        let usesSDK = try parameters.bool("use_stripe_sdk") ?? false
        let fails = try parameters.bool("error_on_requires_action") ?? false
        let isOffSession = try readOffSession(parameters)
        parameters.ignore("confirmation_token", "mandate", "mandate_data")
        if intent.usesAutomaticMethods, intent.allowsRedirects, intent.returnURL == nil, !usesSDK {
            throw Self.noReturnURL
        }
        return fails ? .fails : isOffSession ? .declines : .waits
    }

    /// `true` or `false`, and what was said before 2019: whether it is one of a series.
    private func readOffSession(_ parameters: APIParameters) throws(APIRefusal) -> Bool {
        let text = try parameters.text("off_session")
        if text == "one_off" || text == "recurring" { return true }
        return try parameters.bool("off_session") ?? false
    }

    /// What only a confirmation may say.
    private static func refuseConfirmation(_ parameters: APIParameters) throws(APIRefusal) {
        for name in ["error_on_requires_action", "off_session", "return_url"]
        where try parameters.text(name) != nil {
            throw APIRefusal(
                message: "You can only provide `\(name)` when `confirm` is `true`.",
                parameter: name)
        }
    }

    /// Since version 2023-08-16 an intent that does not say how it may be paid takes what the
    /// Dashboard has switched on. A caller that names no version is asked for nothing new.
    private func adoptDefaultMethods(_ intent: inout TwinPaymentIntent) {
        guard !intent.namesMethods, let callerVersion, callerVersion >= Self.automaticSince else {
            return
        }
        intent.usesAutomaticMethods = true
    }

    private static let automaticSince = StripeVersion(year: 2023, month: 8, day: 16)

    private static let noReturnURL = APIRefusal(
        message: "This PaymentIntent is configured to accept payment methods enabled in your "
            + "Dashboard. Because some of these payment methods might redirect your customer off "
            + "of your page, you must provide a `return_url`. If you don't want to accept "
            + "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` "
            + "and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
            + "Intents and Payment Intents.", parameter: "return_url")

    // MARK: Payment methods

    /// What a call says to pay with.
    private enum MethodOrder {
        case existing(String)
        case new(APIParameters)
    }

    private func readMethod(_ parameters: APIParameters) throws(APIRefusal) -> MethodOrder? {
        if let id = try parameters.text("payment_method") { return .existing(id) }
        guard let data = parameters.below("payment_method_data") else { return nil }
        data.tree.markRead()
        return .new(data)
    }

    private mutating func method(
        _ order: MethodOrder, for customer: Ref<TwinCustomer>?
    ) throws(APIRefusal) -> Ref<TwinPaymentMethod> {
        let ref: Ref<TwinPaymentMethod>
        switch order {
        case .existing(let id): ref = try resolve(id, parameter: "payment_method")
        case .new(let data): ref = try createMethod(data)
        }
        try check(ref, for: customer)
        return ref
    }

    private func check(
        _ ref: Ref<TwinPaymentMethod>, for customer: Ref<TwinCustomer>?
    ) throws(APIRefusal) {
        try checkUsable(ref)
        guard let owner = methods[ref].customer, owner != customer else { return }
        throw APIRefusal(
            message: customer == nil
                ? "The PaymentMethod \(id(ref)) belongs to the Customer \(id(owner)). Please "
                    + "include the Customer in the `customer` parameter on the PaymentIntent."
                : "The PaymentMethod \(id(ref)) does not belong to the Customer you supplied. "
                    + "Please use this PaymentMethod with the Customer that it belongs to instead.",
            parameter: "payment_method")
    }

    private static let noMethod = APIRefusal(
        code: "payment_intent_unexpected_state",
        message: "You cannot confirm this PaymentIntent because it's missing a payment method. "
            + "You can either update the PaymentIntent with a payment method and then confirm it "
            + "again, or confirm it again directly with a payment method or ConfirmationToken.")

    // MARK: Confirm, capture, cancel

    private mutating func confirmIntent(
        _ ref: Ref<TwinPaymentIntent>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        try check(
            ref, isOneOf: [.requiresPaymentMethod, .requiresConfirmation, .requiresAction],
            to: "confirm")
        var intent = intents[ref]
        try change(&intent, parameters)
        let rule = try readConfirmation(&intent, parameters)
        let order = try readMethod(parameters)
        parameters.ignore("client_secret")
        try parameters.finish()
        if let order { intent.method = try method(order, for: intent.customer) }
        guard let method = intent.method else { throw Self.noMethod }
        try check(method, for: intent.customer)
        try checkCapture(of: intent)
        intents[ref] = intent
        try confirm(ref, with: method, onAction: rule)
    }

    private mutating func captureIntent(
        _ ref: Ref<TwinPaymentIntent>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        try check(ref, isOneOf: [.requiresCapture], to: "capture")
        let intent = intents[ref]
        let given = try parameters.amount("amount_to_capture", in: intent.currency)
        let amount = given ?? intent.amountCapturable
        let details = try readDetails(intent.details.value, parameters)
        let terms = try readTerms(intent.terms, parameters, amount: amount)
        let isFinal = try parameters.bool("final_capture") ?? true
        parameters.ignore("amount_details", "payment_details")
        try parameters.finish()
        guard isFinal || intent.allowsMulticapture else {
            throw APIRefusal(
                message: "You cannot set final_capture to false: multicapture is not available "
                    + "for this payment.", parameter: "final_capture")
        }
        guard amount <= intent.capturableMax else {
            throw APIRefusal(
                code: "amount_too_large",
                message: "The remaining amount available to capture for this PaymentIntent is "
                    + "\(intent.currency.display(MinorUnits(intent.amountCapturable))), but you "
                    + "tried to capture \(intent.currency.display(MinorUnits(amount))).",
                parameter: "amount_to_capture")
        }
        intents[ref].details = Shared(details)
        intents[ref].terms = terms
        capture(ref, amount: amount, isFinal: isFinal || amount >= intent.amountCapturable)
    }

    private mutating func cancelIntent(
        _ ref: Ref<TwinPaymentIntent>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        let reason = try parameters.text("cancellation_reason")
        let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"]
        if let reason, !reasons.contains(reason) {
            throw parameters.invalid("cancellation_reason", reason)
        }
        try parameters.finish()
        try check(
            ref,
            isOneOf: [
                .requiresPaymentMethod, .requiresCapture, .requiresConfirmation, .requiresAction,
            ], to: "cancel")
        cancel(ref, reason: reason)
    }

    private func check(
        _ ref: Ref<TwinPaymentIntent>, isOneOf statuses: [TwinPaymentIntent.Status], to act: String
    ) throws(APIRefusal) {
        let status = intents[ref].status
        guard !statuses.contains(status) else { return }
        throw APIRefusal(
            code: "payment_intent_unexpected_state",
            message: "You cannot \(act) this PaymentIntent because it has a status of "
                + "\(status.rawValue). Only a PaymentIntent with one of the following statuses "
                + "may be used so: \(statuses.map(\.rawValue).joined(separator: ", ")).",
            paymentIntent: id(ref))
    }
}
