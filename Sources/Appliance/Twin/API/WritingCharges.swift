/// Charges as Stripe's API writes them.
extension TwinBooks {
    func write(
        _ ref: Ref<TwinCharge>, _ charge: TwinCharge, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        let details = charge.details.value
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "charge")
        writer.member("amount", charge.amount)
        writer.member("amount_captured", charge.amountCaptured)
        writer.member("amount_refunded", charge.amountRefunded)
        writer.nulls("application", "application_fee", "application_fee_amount")
        write("balance_transaction", charge.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.billing(charge.billing.value)
        writer.member(
            "calculated_statement_descriptor", details.statementDescriptor ?? "TILLBOX TWIN")
        writer.member("captured", charge.isCaptured)
        writer.member("created", charge.created)
        writer.member("currency", charge.currency.code)
        write("customer", charge.customer, expansion, into: &writer) { ref, below, writer in
            write(ref, customers[ref], below, into: &writer)
        }
        writer.member("description", details.description)
        if expansion["dispute"] != nil {
            write("dispute", charge.dispute, expansion, into: &writer) { ref, below, writer in
                write(ref, disputes[ref], below, into: &writer)
            }
        }
        writer.member("disputed", charge.dispute != nil)
        writer.nulls("failure_balance_transaction")
        writer.member("failure_code", charge.failure?.errorCode)
        writer.member("failure_message", charge.failure?.message)
        writer.emptyObject("fraud_details")
        writer.member("livemode", false)
        writer.fields("metadata", details.metadata)
        writer.nulls("on_behalf_of")
        writeOutcome(of: charge, into: &writer)
        writer.member("paid", charge.failure == nil)
        write("payment_intent", charge.intent, expansion, into: &writer) { ref, below, writer in
            write(ref, intents[ref], below, into: &writer)
        }
        writer.member("payment_method", id(charge.method))
        writeMethodDetails(ref, charge, into: &writer)
        writer.member("receipt_email", details.receiptEmail)
        writer.nulls("receipt_number")
        writer.member(
            "receipt_url",
            charge.failure == nil ? "https://pay.stripe.com/receipts/payment/\(id(ref))" : nil)
        writer.member("refunded", charge.isRefunded)
        writeRefunds(ref, charge, expansion, into: &writer)
        writer.nulls("review")
        writer.shipping(details.shipping)
        writer.nulls("source", "source_transfer")
        writer.member("statement_descriptor", details.statementDescriptor)
        writer.member("statement_descriptor_suffix", details.statementDescriptorSuffix)
        writer.member("status", charge.failure == nil ? "succeeded" : "failed")
        writer.nulls("transfer_data")
        writer.member("transfer_group", details.transferGroup)
        writer.endObject()
    }

    private func writeOutcome(of charge: TwinCharge, into writer: inout JSONWriter) {
        let risk = methods[charge.method].card.riskLevel
        writer.object("outcome") {
            $0.member("advice_code", charge.failure?.adviceCode)
            $0.nulls("network_advice_code")
            guard let failure = charge.failure else {
                $0.nulls("network_decline_code")
                $0.member("network_status", "approved_by_network")
                $0.nulls("reason")
                $0.member("risk_level", risk)
                $0.member("risk_score", risk == "highest" ? 85 : risk == "elevated" ? 65 : 15)
                $0.member("seller_message", "Payment complete.")
                $0.member("type", "authorized")
                return
            }
            let isBlocked = failure.isBlockedByStripe
            $0.member("network_decline_code", isBlocked ? nil : "02")
            $0.member("network_status", isBlocked ? "not_sent_to_network" : "declined_by_network")
            $0.member("reason", isBlocked ? "highest_risk_level" : failure.rawValue)
            $0.member("risk_level", isBlocked ? "highest" : risk)
            $0.member("risk_score", isBlocked ? 90 : 25)
            $0.member(
                "seller_message",
                isBlocked
                    ? "Stripe blocked this payment as too risky."
                    : "The bank returned the decline code `\(failure.rawValue)`.")
            $0.member("type", isBlocked ? "blocked" : "issuer_declined")
        }
    }

    private func writeMethodDetails(
        _ ref: Ref<TwinCharge>, _ charge: TwinCharge, into writer: inout JSONWriter
    ) {
        let method = methods[charge.method]
        let card = method.card
        let noise = ids.noise(ObjectSerial(UInt64(ref.index) + 1), salt: 3)
        writer.object("payment_method_details") {
            $0.object("card") {
                $0.member("amount_authorized", charge.failure == nil ? charge.amount : nil)
                $0.member(
                    "authorization_code",
                    charge.failure == nil ? String(100_000 + noise % 900_000) : nil)
                $0.member("brand", card.brand)
                $0.object("checks") {
                    $0.member("address_line1_check", card.checkLine1)
                    $0.member("address_postal_code_check", card.checkPostalCode)
                    $0.member("cvc_check", card.checkCVC)
                }
                $0.member("country", card.country)
                $0.member("exp_month", method.expiryMonth)
                $0.member("exp_year", method.expiryYear)
                $0.object("extended_authorization") { $0.member("status", "disabled") }
                $0.member("fingerprint", fingerprint(of: method))
                $0.member("funding", card.funding)
                $0.object("incremental_authorization") { $0.member("status", "unavailable") }
                $0.nulls("installments")
                $0.member("last4", card.lastFour)
                $0.nulls("mandate")
                $0.object("multicapture") { $0.member("status", "unavailable") }
                $0.member("network", card.brand)
                $0.object("network_token") { $0.member("used", false) }
                $0.member("network_transaction_id", String(noise % 1_000_000_000_000_000))
                $0.object("overcapture") {
                    $0.member("maximum_amount_capturable", charge.amount)
                    $0.member("status", "unavailable")
                }
                $0.member("regulated_status", "unregulated")
                writeSecurity(of: charge, into: &$0)
                $0.nulls("transaction_link_id", "wallet")
            }
            $0.member("type", "card")
        }
    }

    private func writeSecurity(of charge: TwinCharge, into writer: inout JSONWriter) {
        guard charge.isAuthenticated else { return writer.nulls("three_d_secure") }
        writer.object("three_d_secure") {
            $0.member("authentication_flow", "challenge")
            $0.member("electronic_commerce_indicator", "05")
            $0.nulls("exemption_indicator")
            $0.member("result", "authenticated")
            $0.nulls("result_reason", "transaction_id")
            $0.member("version", "2.2.0")
        }
    }

    /// Since API version 2022-11-15 a charge lists its refunds only when asked to.
    private func writeRefunds(
        _ ref: Ref<TwinCharge>, _ charge: TwinCharge, _ expansion: Expansion,
        into writer: inout JSONWriter
    ) {
        guard let below = expansion["refunds"] else { return writer.nulls("refunds") }
        writer.object("refunds") {
            $0.member("object", "list")
            $0.key("data")
            $0.beginArray()
            for refund in charge.refunds.suffix(10).reversed() {
                write(refund, refunds[refund], below, into: &$0)
            }
            $0.endArray()
            $0.member("has_more", charge.refunds.count > 10)
            $0.member("url", "/v1/charges/\(id(ref))/refunds")
        }
    }
}
