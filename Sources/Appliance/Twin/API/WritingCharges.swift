import Traffic
import Vocabulary

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
        writeAmounts(of: charge, into: &writer)
        writer.nulls("application")
        writeFee(of: charge, expansion, into: &writer)
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
        let traces = charge.traces?.value
        write(
            "failure_balance_transaction", traces?.failureTransaction, expansion, into: &writer
        ) { ref, below, writer in write(ref, below, into: &writer) }
        writer.member("failure_code", charge.failure?.errorCode ?? traces?.debitFailure)
        writer.member(
            "failure_message",
            charge.failure?.message ?? traces?.debitFailure.map(TwinBankAccount.message))
        writer.emptyObject("fraud_details")
        writer.member("livemode", false)
        writer.fields("metadata", details.metadata)
        writeAccount("on_behalf_of", charge.terms?.value.onBehalfOf, expansion, into: &writer)
        writeOutcome(of: charge, into: &writer)
        writer.member("paid", !charge.hasFailed && !charge.isPending)
        write("payment_intent", charge.intent, expansion, into: &writer) { ref, below, writer in
            write(ref, intents[ref], below, into: &writer)
        }
        writer.member("payment_method", charge.method.map { id($0) })
        writeMethodDetails(ref, charge, into: &writer)
        writer.member("receipt_email", details.receiptEmail)
        writer.nulls("receipt_number")
        writer.member(
            "receipt_url",
            !charge.hasFailed ? "https://pay.stripe.com/receipts/payment/\(id(ref))" : nil)
        writer.member("refunded", isRefunded(charge))
        writeRefunds(ref, charge, expansion, into: &writer)
        writer.nulls("review")
        writer.shipping(details.shipping)
        writer.nulls("source")
        writer.member("source_transfer", traces?.sourceTransfer)
        writer.member("statement_descriptor", details.statementDescriptor)
        writer.member("statement_descriptor_suffix", details.statementDescriptorSuffix)
        writer.member(
            "status", charge.hasFailed ? "failed" : charge.isPending ? "pending" : "succeeded")
        if let transfer = traces?.transfer {
            write("transfer", transfer, expansion, into: &writer) { ref, below, writer in
                write(ref, transfers[ref], below, into: &writer)
            }
        }
        writeTransferData(charge.terms?.value, expansion, into: &writer)
        let group = details.transferGroup
        writer.member(
            "transfer_group",
            group ?? (traces?.transfer == nil ? nil : "group_" + chargeGroup(ref)))
        writer.endObject()
    }

    private func writeOutcome(of charge: TwinCharge, into writer: inout JSONWriter) {
        let method = charge.method.map { methods[$0] }
        guard let risk = method.flatMap({ $0.bank == nil ? $0.card.riskLevel : nil }) else {
            return writer.nulls("outcome")
        }
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
        guard let method = charge.method.map({ methods[$0] }), method.bank == nil else {
            return writeDetails(of: charge, into: &writer)
        }
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
                let intent = charge.intent.map { intents[$0] }
                let multicapture = intent?.allowsMulticapture == true
                $0.object("multicapture") {
                    $0.member("status", multicapture ? "available" : "unavailable")
                }
                $0.member("network", card.brand)
                $0.object("network_token") { $0.member("used", false) }
                $0.member("network_transaction_id", String(noise % 1_000_000_000_000_000))
                $0.object("overcapture") {
                    let overcapture = intent?.allowsOvercapture == true
                    $0.member(
                        "maximum_amount_capturable",
                        overcapture ? charge.amount + charge.amount / 5 : charge.amount)
                    $0.member("status", overcapture ? "available" : "unavailable")
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
        let isOld = version < .listsAreLeftOut
        guard let below = expansion["refunds"] ?? (isOld ? Expansion.none : nil) else {
            return writer.nulls("refunds")
        }
        var listed = charge.refunds
        if version < .releasesAreNoRefunds, let release = charge.traces?.value.release {
            listed.append(release)
        }
        writer.object("refunds") {
            $0.member("object", "list")
            $0.key("data")
            $0.beginArray()
            for refund in listed.suffix(10).reversed() {
                write(refund, refunds[refund], below, into: &$0)
            }
            $0.endArray()
            $0.member("has_more", listed.count > 10)
            if isOld { $0.member("total_count", Int64(listed.count)) }
            $0.member("url", "/v1/charges/\(id(ref))/refunds")
        }
    }
}
