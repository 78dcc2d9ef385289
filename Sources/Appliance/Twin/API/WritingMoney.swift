import Traffic
import Vocabulary

/// Refunds, disputes, balance transactions and payouts as Stripe's API writes them.
extension TwinBooks {
    func write(
        _ ref: Ref<TwinRefund>, _ refund: TwinRefund, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        let charge = charges[refund.charge]
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "refund")
        writer.member("amount", refund.amount)
        write("balance_transaction", refund.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        write("charge", refund.charge, expansion, into: &writer) { ref, below, writer in
            write(ref, charges[ref], below, into: &writer)
        }
        writer.member("created", refund.created)
        writer.member("currency", refund.currency.code)
        write("customer", charge.customer, expansion, into: &writer) { ref, below, writer in
            write(ref, customers[ref], below, into: &writer)
        }
        writer.nulls("customer_account")
        let method = charge.method.map { methods[$0] }
        let isOfCard = method.map { $0.bank == nil } ?? false
        writer.object("destination_details") {
            guard isOfCard else {
                let type = method == nil ? "stripe_account" : "us_bank_transfer"
                $0.key(named: type)
                $0.beginObject()
                $0.endObject()
                return $0.member("type", type)
            }
            $0.object("card") {
                if refund.hasReference {
                    let serial = ObjectSerial(UInt64(ref.index) + 1)
                    let digits = ids.noise(serial, salt: 5) % 1_000_000_000_000
                    $0.member("reference", "74\(digits)")
                }
                $0.member("reference_status", refund.hasReference ? "available" : "pending")
                $0.member("reference_type", "acquirer_reference_number")
                $0.member("type", "refund")
            }
            $0.member("type", "card")
        }
        if refund.failureTransaction != nil || expansion["failure_balance_transaction"] != nil {
            write(
                "failure_balance_transaction", refund.failureTransaction, expansion,
                into: &writer
            ) { ref, below, writer in write(ref, below, into: &writer) }
            if refund.failureReason != nil {
                writer.member("failure_reason", refund.failureReason)
            }
        }
        writer.fields("metadata", refund.metadata)
        write("payment_intent", charge.intent, expansion, into: &writer) { ref, below, writer in
            write(ref, intents[ref], below, into: &writer)
        }
        write("payment_method", charge.method, expansion, into: &writer) { ref, below, writer in
            write(ref, methods[ref], below, into: &writer)
        }
        writer.member("reason", refund.reason)
        writer.nulls("receipt_number")
        writer.member("source_transfer_reversal", refund.sourceReversal)
        writer.member("status", refund.status.rawValue)
        write("transfer_reversal", refund.reversal, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.endObject()
    }

    func write(
        _ ref: Ref<TwinDispute>, _ dispute: TwinDispute, _ expansion: Expansion = .none,
        transactions then: [TwinTransaction]? = nil, into writer: inout JSONWriter
    ) {
        let charge = charges[dispute.charge]
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "dispute")
        writer.member("amount", dispute.amount)
        writer.key("balance_transactions")
        writer.beginArray()
        let rows = then ?? dispute.transactions.map { transactions[$0] }
        for (transaction, row) in zip(dispute.transactions, rows) {
            write(transaction, row, at: then == nil ? now : row.created, into: &writer)
        }
        writer.endArray()
        write("charge", dispute.charge, expansion, into: &writer) { ref, below, writer in
            write(ref, charges[ref], below, into: &writer)
        }
        writer.member("created", dispute.created)
        writer.member("currency", dispute.currency.code)
        writer.texts("enhanced_eligibility_types", [])
        writeEvidence(of: dispute, into: &writer)
        writer.member("is_charge_refundable", dispute.isChargeRefundable)
        writer.member("livemode", false)
        writer.fields("metadata", dispute.metadata)
        write("payment_intent", charge.intent, expansion, into: &writer) { ref, below, writer in
            write(ref, intents[ref], below, into: &writer)
        }
        writer.object("payment_method_details") {
            $0.object("card") {
                let brand = charge.method.map { methods[$0].card.brand }
                $0.member("brand", brand)
                $0.member("case_type", dispute.status.isWarning ? "inquiry" : "chargeback")
                $0.member("network", brand)
                $0.member("network_reason_code", dispute.networkReasonCode)
            }
            $0.member("type", "card")
        }
        writer.member("reason", dispute.reason)
        writer.member("status", dispute.status.rawValue)
        writer.endObject()
    }

    static let evidenceNames: [String] = [
        "access_activity_log", "billing_address", "cancellation_policy",
        "cancellation_policy_disclosure", "cancellation_rebuttal", "customer_communication",
        "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
        "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id",
        "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
        "refund_refusal_explanation", "service_date", "service_documentation",
        "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
        "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
    ]

    private func writeEvidence(of dispute: TwinDispute, into writer: inout JSONWriter) {
        writer.object("evidence") {
            for name in Self.evidenceNames {
                $0.key(named: name)
                let field = dispute.evidence.first { $0.name == name }
                if let field { $0.string(field.value) } else { $0.null() }
                if name == "duplicate_charge_id" { $0.emptyObject("enhanced_evidence") }
            }
        }
        writer.object("evidence_details") {
            $0.member("due_by", dispute.status.isClosed ? nil : dispute.dueBy)
            $0.emptyObject("enhanced_eligibility")
            $0.member("has_evidence", !dispute.evidence.isEmpty)
            $0.member("past_due", dispute.status == .lost && dispute.submissionCount == 0)
            $0.member("submission_count", dispute.submissionCount)
        }
    }

    func write(
        _ ref: Ref<TwinTransaction>, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        write(ref, transactions[ref], expansion, at: now, into: &writer)
    }

    /// - Parameter time: at which the money is available or still pending.
    func write(
        _ ref: Ref<TwinTransaction>, _ transaction: TwinTransaction,
        _ expansion: Expansion = .none, at time: Int64, into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "balance_transaction")
        writer.member("amount", transaction.amount)
        writer.member("available_on", transaction.availableOn)
        writer.member("balance_type", "payments")
        writer.member("created", transaction.created)
        writer.member("currency", transaction.currency.code)
        writer.member("description", description(of: transaction))
        writer.nulls("exchange_rate")
        writer.member("fee", transaction.fee)
        writeFeeDetails(of: transaction, into: &writer)
        writer.member("net", transaction.net)
        writer.member("reporting_category", transaction.reportingCategory)
        writer.key("source")
        writeSource(of: transaction, expansion["source"], into: &writer)
        writer.member("status", transaction.availableOn <= time ? "available" : "pending")
        writer.member("type", transaction.kind.rawValue)
        writer.endObject()
    }

    private func description(of transaction: TwinTransaction) -> String? {
        switch transaction.source {
        case .charge(let ref): charges[ref].details.value.description
        case .refund(let ref):
            "REFUND FOR \(transaction.kind == .refundFailure ? "FAILED " : "")CHARGE "
                + "(\(charges[refunds[ref].charge].details.value.description ?? "no description"))"
        case .dispute(let ref):
            "Chargeback \(transaction.isReversal ? "reversal" : "withdrawal") for "
                + id(disputes[ref].charge)
        case .payout: "STRIPE PAYOUT"
        case .transfer(let ref): transfers[ref].description
        case .reversal(let ref): "REFUND FOR TRANSFER (\(id(reversals[ref].transfer)))"
        case .applicationFee(let ref):
            "Application fee from \(applicationFees[ref].account)"
        case .feeRefund(let ref): "REFUND FOR APPLICATION FEE (\(id(feeRefunds[ref].fee)))"
        case .topUp(let ref): topUps[ref].description
        case .foreign: "Application fee refund"
        case .unknownCharge, .none: nil
        }
    }

    private func writeFeeDetails(
        of transaction: TwinTransaction, into writer: inout JSONWriter
    ) {
        writer.key("fee_details")
        writer.beginArray()
        let isDispute = transaction.kind == .adjustment
        let parts: [(Int64, String, String)] = [
            (transaction.applicationFee, "application_fee", "Platform's application fee"),
            (
                transaction.fee - transaction.applicationFee, "stripe_fee",
                isDispute ? "Dispute fee" : "Stripe processing fees"
            ),
        ]
        for (amount, type, description) in parts where amount != 0 {
            writer.beginObject()
            writer.member("amount", amount)
            writer.nulls("application")
            writer.member("currency", transaction.currency.code)
            writer.member("description", description)
            writer.member("type", type)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeSource(
        of transaction: TwinTransaction, _ expansion: Expansion?, into writer: inout JSONWriter
    ) {
        guard let below = expansion else {
            return writer.member(of: sourceID(of: transaction))
        }
        switch transaction.source {
        case .charge(let ref): write(ref, charges[ref], below, into: &writer)
        case .refund(let ref): write(ref, refunds[ref], below, into: &writer)
        case .dispute(let ref): write(ref, disputes[ref], below, into: &writer)
        case .payout(let ref): write(ref, payouts[ref], below, into: &writer)
        case .transfer(let ref): write(ref, transfers[ref], below, into: &writer)
        case .reversal(let ref): write(ref, below, into: &writer)
        case .applicationFee(let ref): write(ref, applicationFees[ref], below, into: &writer)
        case .feeRefund(let ref): write(ref, below, into: &writer)
        case .topUp(let ref): write(ref, topUps[ref], below, into: &writer)
        // It stands in another account's books.
        case .foreign: writer.member(of: sourceID(of: transaction))
        case .unknownCharge, .none: writer.null()
        }
    }

    func sourceID(of transaction: TwinTransaction) -> String? {
        switch transaction.source {
        case .charge(let ref): id(ref)
        case .refund(let ref): id(ref)
        case .dispute(let ref): id(ref)
        case .payout(let ref): id(ref)
        case .transfer(let ref): id(ref)
        case .reversal(let ref): id(ref)
        case .applicationFee(let ref): id(ref)
        case .feeRefund(let ref): id(ref)
        case .topUp(let ref): id(ref)
        case .foreign(let place): foreignSources[Int(place)]
        // Beyond every table's last serial.
        case .unknownCharge(let number):
            ids.string(.charge, ObjectSerial(1 << 40 + UInt64(number)))
        case .none: nil
        }
    }

    func write(
        _ ref: Ref<TwinPayout>, _ payout: TwinPayout, _ expansion: Expansion = .none,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "payout")
        writer.member("amount", payout.amount)
        writer.nulls("application_fee", "application_fee_amount")
        writer.member("arrival_date", payout.arrival)
        writer.member("automatic", payout.isAutomatic)
        write("balance_transaction", payout.transaction, expansion, into: &writer) {
            ref, below, writer in write(ref, below, into: &writer)
        }
        writer.member("created", payout.created)
        writer.member("currency", payout.currency.code)
        writer.member("description", payout.description)
        writer.key("destination")
        if let below = expansion["destination"] {
            writeBankAccount(below, into: &writer)
        } else {
            writer.string(bankAccountID)
        }
        write("failure_balance_transaction", payout.failureTransaction, expansion, into: &writer)
        { ref, below, writer in write(ref, below, into: &writer) }
        writer.member("failure_code", payout.failureCode)
        writer.member(
            "failure_message", payout.failureCode.map { _ in "The bank sent the money back." })
        writer.member("livemode", false)
        writer.fields("metadata", payout.metadata)
        writer.member("method", payout.isInstant ? "instant" : "standard")
        write("original_payout", payout.original, expansion, into: &writer) {
            ref, below, writer in write(ref, payouts[ref], below, into: &writer)
        }
        writer.nulls("payout_method")
        let reconciliation =
            payout.isAutomatic
            ? (payout.status == .pending ? "in_progress" : "completed") : "not_applicable"
        writer.member("reconciliation_status", reconciliation)
        write("reversed_by", payout.reversedBy, expansion, into: &writer) { ref, below, writer in
            write(ref, payouts[ref], below, into: &writer)
        }
        writer.member("source_type", "card")
        writer.member("statement_descriptor", payout.statementDescriptor)
        writer.member("status", payout.status.rawValue)
        writer.object("trace_id") {
            $0.member("status", "pending")
            $0.nulls("value")
        }
        writer.member("type", "bank_account")
        writer.endObject()
    }
}
