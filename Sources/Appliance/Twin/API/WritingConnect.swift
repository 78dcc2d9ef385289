import Traffic
import Vocabulary

/// Transfers, application fees and top-ups as Stripe's API writes them.
extension TwinBooks {
    func write(
        _ ref: Ref<TwinTransfer>, _ transfer: TwinTransfer, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "transfer")
        writer.member("amount", transfer.amount)
        writer.member("amount_reversed", transfer.amountReversed)
        write("balance_transaction", transfer.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("created", transfer.created)
        writer.member("currency", transfer.currency.code)
        writer.member("description", transfer.description)
        writeAccount("destination", transfer.destination, expansion, into: &writer)
        writer.member("destination_payment", transfer.destinationPayment)
        writer.member("livemode", false)
        writer.fields("metadata", transfer.metadata)
        let url = "/v1/transfers/\(id(ref))/reversals"
        writeSublist("reversals", transfer.reversals, url, into: &writer) {
            write($0, expansion["reversals"] ?? .none, into: &$1)
        }
        writer.member("reversed", transfer.amountReversed == transfer.amount)
        write("source_transaction", transfer.source, expansion, into: &writer) {
            ref, below, writer in write(ref, charges[ref], below, into: &writer)
        }
        writer.member("source_type", "card")
        writer.member("transfer_group", transfer.group)
        writer.endObject()
    }

    func write(
        _ ref: Ref<TwinTransferReversal>, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        let reversal = reversals[ref]
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "transfer_reversal")
        writer.member("amount", reversal.amount)
        write("balance_transaction", reversal.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("created", reversal.created)
        writer.member("currency", reversal.currency.code)
        writer.member("destination_payment_refund", reversal.destinationRefund)
        writer.fields("metadata", reversal.metadata)
        write("source_refund", reversal.sourceRefund, expansion, into: &writer) {
            ref, below, writer in write(ref, refunds[ref], below, into: &writer)
        }
        write("transfer", reversal.transfer, expansion, into: &writer) { ref, below, writer in
            write(ref, transfers[ref], below, into: &writer)
        }
        writer.endObject()
    }

    func write(
        _ ref: Ref<TwinApplicationFee>, _ fee: TwinApplicationFee, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", fee.id)
        writer.member("object", "application_fee")
        writeAccount("account", fee.account, expansion, into: &writer)
        writer.member("amount", fee.amount)
        writer.member("amount_refunded", fee.amountRefunded)
        writer.member("application", "ca_" + String(accountID.dropFirst(5)))
        write("balance_transaction", fee.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("charge", fee.charge)
        writer.member("created", fee.created)
        writer.member("currency", fee.currency.code)
        writer.object("fee_source") {
            $0.member("charge", fee.charge)
            $0.member("type", "charge")
        }
        writer.member("livemode", false)
        write("originating_transaction", fee.originating, expansion, into: &writer) {
            ref, below, writer in write(ref, charges[ref], below, into: &writer)
        }
        writer.member("refunded", fee.amountRefunded == fee.amount)
        let url = "/v1/application_fees/\(fee.id)/refunds"
        writeSublist("refunds", fee.refunds, url, into: &writer) {
            write($0, expansion["refunds"] ?? .none, into: &$1)
        }
        writer.endObject()
    }

    func write(
        _ ref: Ref<TwinFeeRefund>, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        let refund = feeRefunds[ref]
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "fee_refund")
        writer.member("amount", refund.amount)
        write("balance_transaction", refund.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("created", refund.created)
        writer.member("currency", refund.currency.code)
        write("fee", refund.fee, expansion, into: &writer) { ref, below, writer in
            write(ref, applicationFees[ref], below, into: &writer)
        }
        writer.fields("metadata", refund.metadata)
        writer.endObject()
    }

    /// The first ten of an object's own list, newest first, as Stripe embeds them.
    private func writeSublist<Object>(
        _ name: StaticString, _ refs: [Ref<Object>], _ url: String,
        into writer: inout JSONWriter, _ write: (Ref<Object>, inout JSONWriter) -> Void
    ) {
        writer.object(name) {
            $0.member("object", "list")
            $0.key("data")
            $0.beginArray()
            for ref in refs.suffix(10).reversed() { write(ref, &$0) }
            $0.endArray()
            $0.member("has_more", refs.count > 10)
            $0.member("total_count", Int64(refs.count))
            $0.member("url", url)
        }
    }

    // MARK: Top-ups

    func write(
        _ ref: Ref<TwinTopUp>, _ topUp: TwinTopUp, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "topup")
        writer.member("amount", topUp.amount)
        write("balance_transaction", topUp.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("created", topUp.created)
        writer.member("currency", topUp.currency.code)
        writer.member("description", topUp.description)
        writer.member("expected_availability_date", topUp.created + Self.bankSeconds)
        writer.member("failure_code", topUp.failureCode)
        writer.member("failure_message", topUp.failureCode.map(TwinBankAccount.message))
        writer.nulls("initiated_by")
        writer.member("livemode", false)
        writer.fields("metadata", topUp.metadata)
        writeSource(of: ref, topUp, into: &writer)
        writer.member("statement_descriptor", topUp.statementDescriptor)
        writer.member("status", topUp.status.rawValue)
        writer.member("transfer_group", topUp.group)
        writer.endObject()
    }

    /// The bank account that the money comes from, as a source of the older API.
    private func writeSource(
        of ref: Ref<TwinTopUp>, _ topUp: TwinTopUp, into writer: inout JSONWriter
    ) {
        let serial = ObjectSerial(UInt64(ref.index) + 1)
        writer.object("source") {
            $0.member("id", ids.string(.source, serial))
            $0.member("object", "source")
            $0.object("ach_debit") {
                $0.member("bank_name", "STRIPE TEST BANK")
                $0.member("country", "US")
                $0.member("fingerprint", String(ids.noise(ObjectSerial(1), salt: 11), radix: 36))
                $0.member("last4", "6789")
                $0.member("routing_number", TwinBankAccount.routingNumber)
                $0.member("type", "individual")
            }
            $0.nulls("allow_redisplay", "amount")
            $0.member(
                "client_secret",
                "src_client_secret_" + String(ids.noise(serial, salt: 12), radix: 36))
            $0.member("created", topUp.created)
            $0.member("currency", topUp.currency.code)
            $0.member("flow", "code_verification")
            $0.member("livemode", false)
            $0.fields("metadata", [])
            $0.object("owner") {
                $0.address(TwinAddress())
                $0.member("email", profile.email)
                $0.nulls("name", "phone")
                $0.address(TwinAddress(), as: "verified_address")
                $0.nulls("verified_email", "verified_name", "verified_phone")
            }
            $0.nulls("statement_descriptor")
            $0.member("status", topUp.status == .pending ? "pending" : "consumed")
            $0.member("type", "ach_debit")
            $0.member("usage", "reusable")
        }
    }

    // MARK: Charges and payment intents

    /// What was captured and refunded, as the version tells it: before 2025-03-31 a release is a
    /// refund, and an authorisation that was given up captured nothing at all.
    func writeAmounts(of charge: TwinCharge, into writer: inout JSONWriter) {
        let countsReleases = version < .releasesAreNoRefunds
        if version >= .capturesAreTold {
            let isGivenUp = countsReleases && charge.isReleased && !charge.isCaptured
            writer.member("amount_captured", isGivenUp ? nil : charge.amountCaptured)
        }
        writer.member(
            "amount_refunded",
            charge.amountRefunded + (countsReleases ? charge.amountReleased : 0))
    }

    func isRefunded(_ charge: TwinCharge) -> Bool {
        if charge.isRefunded { return true }
        return version < .releasesAreNoRefunds && charge.isReleased && !charge.isCaptured
    }

    func writeFee(
        of charge: TwinCharge, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        let fee = charge.traces?.value.fee
        // A seller's charge names a fee of the platform's books.
        if expansion["application_fee"] != nil, let fee, let ref = placeOfFee[fee] {
            writer.key("application_fee")
            write(
                ref, applicationFees[ref], expansion["application_fee"] ?? .none, into: &writer)
        } else {
            writer.member("application_fee", fee)
        }
        let taken = fee == nil ? nil : charge.traces?.value.feeAmount
        writer.member("application_fee_amount", taken ?? charge.terms?.value.applicationFee)
    }

    /// How it was paid, where that was not by card.
    func writeDetails(of charge: TwinCharge, into writer: inout JSONWriter) {
        writer.object("payment_method_details") {
            guard let bank = charge.method.flatMap({ methods[$0].bank }) else {
                $0.emptyObject("stripe_account")
                return $0.member("type", "stripe_account")
            }
            writeBank(bank, into: &$0)
            $0.member("type", "us_bank_account")
        }
    }

    func writeBank(_ bank: TwinBankAccount, into writer: inout JSONWriter) {
        writer.object("us_bank_account") {
            $0.member("account_holder_type", "individual")
            $0.member("account_type", "checking")
            $0.member("bank_name", "STRIPE TEST BANK")
            var fingerprint = JSONBytes()
            let serial = ObjectSerial(UInt64(bank.number) ?? 0)
            ids.writeFingerprint(serial, into: &fingerprint)
            $0.member("fingerprint", String(decoding: fingerprint.bytes, as: UTF8.self))
            $0.member("last4", bank.lastFour)
            $0.nulls("mandate")
            $0.member("routing_number", TwinBankAccount.routingNumber)
        }
    }

    /// `automatic` is what versions before 2025-03-31 call an authorisation that expired.
    func cancellationReason(of intent: TwinPaymentIntent) -> String? {
        intent.cancellationReason == TwinPaymentIntent.expired
            && version < .releasesAreNoRefunds ? "automatic" : intent.cancellationReason
    }

    /// `latest_charge`, or the list that versions before 2022-11-15 have in its place.
    func writeCharges(
        _ ref: Ref<TwinPaymentIntent>, _ intent: TwinPaymentIntent, _ expansion: Expansion,
        into writer: inout JSONWriter
    ) {
        guard version < .listsAreLeftOut else {
            return write("latest_charge", intent.latestCharge, expansion, into: &writer) {
                ref, below, writer in write(ref, charges[ref], below, into: &writer)
            }
        }
        let attempts = intent.earlierCharges + (intent.latestCharge.map { [$0] } ?? [])
        writer.object("charges") {
            $0.member("object", "list")
            $0.key("data")
            $0.beginArray()
            let below = expansion.below("charges").below("data")
            for attempt in attempts.reversed() {
                write(attempt, charges[attempt], below, into: &$0)
            }
            $0.endArray()
            $0.member("has_more", false)
            $0.member("total_count", Int64(attempts.count))
            $0.member("url", "/v1/charges?payment_intent=\(id(ref))")
        }
    }

    func writeDebitError(of intent: TwinPaymentIntent, into writer: inout JSONWriter) {
        guard intent.status == .requiresPaymentMethod, let charge = intent.latestCharge,
            let failure = charges[charge].traces?.value.debitFailure
        else { return writer.null() }
        writer.beginObject()
        writer.member("charge", id(charge))
        writer.member("code", "payment_intent_payment_attempt_failed")
        writer.member("decline_code", failure)
        writer.member("message", TwinBankAccount.message(of: failure))
        writer.member("type", "invalid_request_error")
        writer.endObject()
    }
}

extension TwinBooks {
    func writeTransferData(
        _ terms: ConnectTerms?, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        guard let destination = terms?.destination else { return writer.nulls("transfer_data") }
        writer.object("transfer_data") {
            $0.member("amount", terms?.transferAmount)
            writeAccount(
                "destination", destination, expansion.below("transfer_data"), into: &$0)
        }
    }
}

extension JSONWriter {
    /// The value of a member whose name stands already.
    mutating func member(of text: String?) {
        if let text { string(text) } else { null() }
    }
}
