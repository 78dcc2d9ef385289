import Traffic
import Vocabulary

/// Customers, payment methods, payment intents and charges as Stripe's API writes them.
extension TwinBooks {
    func write(
        _ ref: Ref<TwinCustomer>, _ customer: TwinCustomer, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "customer")
        if customer.isDeleted {
            writer.member("deleted", true)
            writer.endObject()
            return
        }
        if let address = customer.address {
            writer.address(address)
        } else {
            writer.nulls("address")
        }
        writer.member("balance", 0)
        writer.member("created", customer.created)
        writer.nulls("currency", "default_source")
        writer.member("delinquent", false)
        writer.member("description", customer.description)
        writer.nulls("discount")
        writer.member("email", customer.email)
        writer.member("invoice_prefix", String(id(ref).suffix(8)).uppercased())
        writer.object("invoice_settings") {
            $0.nulls("custom_fields")
            let below = expansion.below("invoice_settings")
            write("default_payment_method", customer.defaultMethod, below, into: &$0) {
                ref, below, writer in write(ref, methods[ref], below, into: &writer)
            }
            $0.nulls("footer", "rendering_options")
        }
        writer.member("livemode", false)
        writer.fields("metadata", customer.metadata)
        writer.member("name", customer.name)
        writer.member("next_invoice_sequence", 1)
        writer.member("phone", customer.phone)
        writer.emptyArray("preferred_locales")
        writer.shipping(customer.shipping)
        writer.member("tax_exempt", "none")
        writer.nulls("test_clock")
        writeIncluded(in: customer, of: ref, expansion, into: &writer)
        writer.endObject()
    }

    /// What Stripe shows of a customer only where it is asked for. None of it is ever anything
    /// here.
    private func writeIncluded(
        in customer: TwinCustomer, of ref: Ref<TwinCustomer>, _ expansion: Expansion,
        into writer: inout JSONWriter
    ) {
        for name in ["sources", "subscriptions", "tax_ids"] where expansion[name] != nil {
            writer.key(named: name)
            writer.list(url: "/v1/customers/\(id(ref))/\(name)")
        }
        for name in ["cash_balance", "tax"] where expansion[name] != nil {
            writer.key(named: name)
            writer.null()
        }
    }

    func write(
        _ ref: Ref<TwinPaymentMethod>, _ method: TwinPaymentMethod,
        _ expansion: Expansion = .none, into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "payment_method")
        writer.member("allow_redisplay", "unspecified")
        writer.billing(method.billing.value)
        if let bank = method.bank {
            writeBank(bank, into: &writer)
            return writeEnd(of: method, expansion, into: &writer)
        }
        writer.object("card") {
            $0.member("brand", method.card.brand)
            writeChecks(method.card, into: &$0)
            $0.member("country", method.card.country)
            $0.member("display_brand", method.card.brand)
            $0.member("exp_month", method.expiryMonth)
            $0.member("exp_year", method.expiryYear)
            $0.member("fingerprint", fingerprint(of: method))
            $0.member("funding", method.card.funding)
            $0.nulls("generated_from")
            $0.member("last4", method.card.lastFour)
            $0.object("networks") {
                $0.texts("available", [method.card.brand])
                $0.nulls("preferred")
            }
            $0.member("regulated_status", "unregulated")
            $0.object("three_d_secure_usage") { $0.member("supported", true) }
            $0.nulls("wallet")
        }
        writeEnd(of: method, expansion, into: &writer)
    }

    private func writeEnd(
        of method: TwinPaymentMethod, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        writer.member("created", method.created)
        write("customer", method.customer, expansion, into: &writer) { ref, below, writer in
            write(ref, customers[ref], below, into: &writer)
        }
        writer.nulls("customer_account")
        writer.member("livemode", false)
        writer.fields("metadata", method.metadata)
        writer.member("type", method.bank == nil ? "card" : "us_bank_account")
        writer.endObject()
    }

    private func writeChecks(_ card: TestCard, into writer: inout JSONWriter) {
        writer.object("checks") {
            $0.member("address_line1_check", card.checkLine1)
            $0.member("address_postal_code_check", card.checkPostalCode)
            $0.member("cvc_check", card.checkCVC)
        }
    }

    /// A card keeps its fingerprint from one payment method to the next.
    func fingerprint(of method: TwinPaymentMethod) -> String {
        if let fingerprint = method.fingerprint { return fingerprint }
        var out = JSONBytes()
        ids.writeFingerprint(ObjectSerial(UInt64(method.card.number) ?? 0), into: &out)
        return String(decoding: out.bytes, as: UTF8.self)
    }

    func write(
        _ ref: Ref<TwinPaymentIntent>, _ intent: TwinPaymentIntent,
        _ expansion: Expansion = .none, into writer: inout JSONWriter
    ) {
        let details = intent.details.value
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "payment_intent")
        writer.member("amount", intent.amount)
        writer.member("amount_capturable", intent.amountCapturable)
        writer.object("amount_details") {
            if expansion.below("amount_details")["line_items"] != nil {
                $0.key("line_items")
                $0.list(url: "/v1/payment_intents/\(id(ref))/amount_details_line_items")
            }
            $0.emptyObject("tip")
        }
        writer.member("amount_received", intent.amountReceived)
        writer.nulls("application")
        writer.member("application_fee_amount", intent.terms?.value.applicationFee)
        writeAutomaticMethods(intent, into: &writer)
        writer.member("canceled_at", intent.canceledAt)
        writer.member("cancellation_reason", cancellationReason(of: intent))
        writer.member("capture_method", intent.captureMethod.rawValue)
        writer.member("client_secret", clientSecret(of: ref))
        writer.member("confirmation_method", intent.confirmsManually ? "manual" : "automatic")
        writer.member("created", intent.created)
        writer.member("currency", intent.currency.code)
        write("customer", intent.customer, expansion, into: &writer) { ref, below, writer in
            write(ref, customers[ref], below, into: &writer)
        }
        writer.nulls("customer_account")
        writer.member("description", details.description)
        writer.nulls("excluded_payment_method_types")
        writer.key("last_payment_error")
        writeLastError(of: intent, into: &writer)
        writeCharges(ref, intent, expansion, into: &writer)
        writer.member("livemode", false)
        writer.object("managed_payments") { $0.member("enabled", false) }
        writer.fields("metadata", details.metadata)
        writeNextAction(ref, intent, into: &writer)
        writeAccount("on_behalf_of", intent.terms?.value.onBehalfOf, expansion, into: &writer)
        write("payment_method", intent.method, expansion, into: &writer) { ref, below, writer in
            write(ref, methods[ref], below, into: &writer)
        }
        writer.nulls("payment_method_configuration_details")
        writeMethodOptions(into: &writer)
        let isDebit = intent.method.map { methods[$0].bank != nil } ?? false
        writer.texts("payment_method_types", [isDebit ? "us_bank_account" : "card"])
        writer.nulls("processing")
        writer.member("receipt_email", details.receiptEmail)
        writer.nulls("review")
        writer.member("setup_future_usage", intent.setupFutureUsage)
        writer.shipping(details.shipping)
        writer.nulls("source")
        writer.member("statement_descriptor", details.statementDescriptor)
        writer.member("statement_descriptor_suffix", details.statementDescriptorSuffix)
        writer.member("status", intent.status.rawValue)
        writeTransferData(intent.terms?.value, expansion, into: &writer)
        writer.member("transfer_group", details.transferGroup)
        writer.endObject()
    }

    private func writeAutomaticMethods(
        _ intent: TwinPaymentIntent, into writer: inout JSONWriter
    ) {
        guard intent.usesAutomaticMethods else {
            return writer.nulls("automatic_payment_methods")
        }
        writer.object("automatic_payment_methods") {
            $0.member("allow_redirects", intent.allowsRedirects ? "always" : "never")
            $0.member("enabled", true)
        }
    }

    private func writeMethodOptions(into writer: inout JSONWriter) {
        writer.object("payment_method_options") {
            $0.object("card") {
                $0.nulls("installments", "mandate_options", "network")
                $0.member("request_three_d_secure", "automatic")
            }
        }
    }

    /// Stripe's browser library is handed this; nobody else needs it.
    func clientSecret(of ref: Ref<TwinPaymentIntent>) -> String {
        let serial = ObjectSerial(UInt64(ref.index) + 1)
        return "\(id(ref))_secret_\(String(ids.noise(serial, salt: 7), radix: 36))"
    }

    private func writeNextAction(
        _ ref: Ref<TwinPaymentIntent>, _ intent: TwinPaymentIntent, into writer: inout JSONWriter
    ) {
        guard intent.status == .requiresAction else { return writer.nulls("next_action") }
        writer.object("next_action") {
            if let returnURL = intent.returnURL {
                $0.object("redirect_to_url") {
                    $0.member("return_url", returnURL)
                    $0.member("url", "/twin/payment_intents/\(id(ref))/authenticate")
                }
                $0.member("type", "redirect_to_url")
            } else {
                $0.member("type", "use_stripe_sdk")
                $0.object("use_stripe_sdk") { $0.member("type", "three_d_secure_redirect") }
            }
        }
    }

    private func writeLastError(
        of intent: TwinPaymentIntent, into writer: inout JSONWriter
    ) {
        guard let failure = intent.failure else {
            return writeDebitError(of: intent, into: &writer)
        }
        writer.beginObject()
        let isUnauthenticated = failure == .authenticationFailed
        if !isUnauthenticated {
            writer.member("advice_code", failure.adviceCode)
            // Where nobody asked the bank there is no charge of this attempt.
            let hasCharge = failure != .authenticationNotHandled
            writer.member("charge", hasCharge ? intent.latestCharge.map { id($0) } : nil)
        }
        let code = failure.errorCode
        writer.member("code", code)
        if !isUnauthenticated { writer.member("decline_code", failure.declineCode) }
        writer.member("doc_url", "https://docs.stripe.com/error-codes/\(code.dashed)")
        writer.member("message", failure.message)
        if let method = intent.failedMethod {
            writer.key("payment_method")
            write(method, methods[method], into: &writer)
        }
        writer.member("type", isUnauthenticated ? "invalid_request_error" : "card_error")
        writer.endObject()
    }
}

extension String {
    /// As Stripe spells codes in its addresses.
    var dashed: String { replacing("_", with: "-") }
}
