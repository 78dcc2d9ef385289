import Vocabulary

/// `/v1/charges` and `/v1/refunds`.
extension TwinBooks {
    mutating func chargeCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0): return try listCharges(parameters)
        case (.post, 0): return .object(.charge(try createCharge(parameters)))
        case (.get, 1): return .object(.charge(try named(parts[0], charges)))
        case (.post, 1):
            let ref = try named(parts[0], charges)
            let before = charges[ref].details.value
            let after = try readDetails(before, parameters)
            parameters.ignore("fraud_details", "customer")
            try parameters.finish()
            charges[ref].details = Shared(after)
            tell(.chargeUpdated, snapshot(ref)) { $0.fields("metadata", before.metadata) }
            return .object(.charge(ref))
        case (.post, 2) where parts[1] == "capture":
            let ref = try named(parts[0], charges)
            try captureCharge(ref, parameters)
            return .object(.charge(ref))
        case (.get, 2) where parts[1] == "refunds":
            let ref = try named(parts[0], charges)
            return try list(
                refunds, among: charges[ref].refunds, parameters,
                url: "/v1/charges/\(parts[0])/refunds", kind: .refund
            ) { .refund($0) }
        case (.get, 2) where parts[1] == "dispute":
            let ref = try named(parts[0], charges)
            guard let dispute = charges[ref].dispute else {
                throw Self.noSuch("dispute", parts[0], parameter: "id", status: 404)
            }
            return .object(.dispute(dispute))
        default: throw Self.unknownAddress(method, ["charges"] + parts)
        }
    }

    private func listCharges(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        let customer = try customer(parameters)
        var candidates = customer.map { customers[$0].charges }
        if let intent = try named("payment_intent", in: parameters, intents) {
            candidates = attempts(of: intent)
        }
        let group = try parameters.text("transfer_group")
        return try list(
            charges, among: candidates, parameters, url: "/v1/charges", kind: .charge,
            { .charge($0) }
        ) {
            (customer == nil || $0.customer == customer)
                && (group == nil || $0.details.value.transferGroup == group)
        }
    }

    /// Every charge of an intent, oldest first.
    func attempts(of ref: Ref<TwinPaymentIntent>) -> [Ref<TwinCharge>] {
        intents[ref].earlierCharges + (intents[ref].latestCharge.map { [$0] } ?? [])
    }

    private mutating func createCharge(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinCharge> {
        let currency = try parameters.currency()
        let amount = try parameters.payment("amount", in: currency)
        let customer = try customer(parameters)
        let captures = try parameters.bool("capture") ?? true
        let source = try parameters.text("source")
        let details = try readDetails(PaymentDetails(), parameters)
        let terms = try readTerms(nil, parameters, amount: amount)
        parameters.ignore("radar_options")
        try parameters.finish()
        let method: Ref<TwinPaymentMethod>
        if let source {
            method = try resolve(source, parameter: "source")
        } else if let customer,
            let own = customers[customer].defaultMethod ?? customers[customer].methods.last
        {
            method = own
        } else {
            throw APIRefusal(
                code: "parameter_missing",
                message: "Must provide source or customer.", parameter: "source")
        }
        return try chargeDirectly(
            TwinCharge(
                created: now, amount: amount, currency: currency, customer: customer,
                method: method, billing: methods[method].billing, details: Shared(details),
                terms: terms),
            captures: captures)
    }

    private mutating func captureCharge(
        _ ref: Ref<TwinCharge>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        let charge = charges[ref]
        guard !charge.isCaptured, !charge.isReleased, charge.failure == nil else {
            throw APIRefusal(
                code: charge.isCaptured ? "charge_already_captured" : "charge_not_capturable",
                message: "Charge \(id(ref)) has already been captured, was refunded, or failed.")
        }
        let amount = try parameters.amount("amount", in: charge.currency) ?? charge.amount
        charges[ref].details = Shared(try readDetails(charge.details.value, parameters))
        let terms = try readTerms(charge.terms, parameters, amount: amount)
        try parameters.finish()
        guard amount <= charge.amount else {
            throw APIRefusal(
                code: "amount_too_large",
                message: "You cannot capture a charge for an amount larger than it has left.",
                parameter: "amount")
        }
        charges[ref].terms = terms
        if let intent = charge.intent {
            intents[intent].terms = terms
            capture(intent, amount: amount)
        } else {
            capture(ref, amount: amount)
        }
    }

    // MARK: Refunds

    mutating func refundCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0): return try listRefunds(parameters)
        case (.post, 0): return .object(.refund(try createRefund(parameters)))
        case (.get, 1): return .object(.refund(try shownRefund(parts[0])))
        case (.post, 1):
            let ref = try shownRefund(parts[0])
            let before = refunds[ref].metadata
            let after = try parameters.metadata(before)
            try parameters.finish()
            refunds[ref].metadata = after
            tell(.refundUpdated, snapshot(ref)) { $0.fields("metadata", before) }
            return .object(.refund(ref))
        case (.post, 2) where parts[1] == "cancel":
            let ref = try named(parts[0], refunds)
            try parameters.finish()
            guard refunds[ref].status == .pending else {
                throw APIRefusal(
                    message: "Refund \(id(ref)) has status \(refunds[ref].status.rawValue); only "
                        + "one that is pending can be canceled.")
            }
            cancelRefund(ref)
            return .object(.refund(ref))
        default: throw Self.unknownAddress(method, ["refunds"] + parts)
        }
    }

    private func listRefunds(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        var candidates: [Ref<TwinRefund>]?
        if let charge = try named("charge", in: parameters, charges) {
            candidates = charges[charge].refunds
        }
        if let intent = try named("payment_intent", in: parameters, intents) {
            candidates = attempts(of: intent).flatMap { charges[$0].refunds }
        }
        return try list(
            refunds, among: candidates, parameters, url: "/v1/refunds", kind: .refund,
            { .refund($0) }
        ) { !$0.isRelease }
    }

    /// The release of an authorisation is no refund, whatever older versions told.
    private func shownRefund(_ id: String) throws(APIRefusal) -> Ref<TwinRefund> {
        let ref = try named(id, refunds)
        guard !refunds[ref].isRelease else {
            throw Self.noSuch("refund", id, parameter: "id", status: 404)
        }
        return ref
    }

    private mutating func createRefund(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinRefund> {
        let charge = try refundedCharge(parameters)
        let currency = charges[charge].currency
        let amount = try parameters.amount("amount", in: currency)
        let reason = try parameters.text("reason")
        let reasons = ["duplicate", "fraudulent", "requested_by_customer"]
        if let reason, !reasons.contains(reason) { throw parameters.invalid("reason", reason) }
        var order = RefundOrder(charge: charge, amount: 0, reason: reason)
        order.metadata = try parameters.metadata()
        order.status = try parameters.below("twin")?.word("status")
        order.reversesTransfer = try parameters.bool("reverse_transfer") ?? false
        order.refundsFee = try parameters.bool("refund_application_fee") ?? false
        parameters.ignore("currency", "customer", "instructions_email", "origin")
        try parameters.finish()
        try checkTerms(of: order)
        let left = charges[charge].refundable
        guard left > 0 else {
            throw APIRefusal(
                code: "charge_already_refunded",
                message: "Charge \(id(charge)) has already been refunded.")
        }
        guard amount ?? left <= left else {
            throw APIRefusal(
                code: "amount_too_large",
                message: "Refund amount (\(currency.display(MinorUnits(amount ?? 0)))) is greater "
                    + "than unrefunded amount on charge "
                    + "(\(currency.display(MinorUnits(left))))", parameter: "amount")
        }
        order.amount = amount ?? left
        return refund(order)
    }

    private func checkTerms(of order: RefundOrder) throws(APIRefusal) {
        let traces = charges[order.charge].traces?.value
        guard traces?.transfer != nil || !order.reversesTransfer else {
            throw APIRefusal(
                message: "Cannot reverse transfer on charge \(id(order.charge)) because it does "
                    + "not have an associated transfer.", parameter: "reverse_transfer")
        }
        guard traces?.fee != nil || !order.refundsFee else {
            throw APIRefusal(
                message: "Cannot refund the application fee of charge \(id(order.charge)) because "
                    + "it does not have one.", parameter: "refund_application_fee")
        }
    }

    private func refundedCharge(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinCharge> {
        var ref = try named("charge", in: parameters, charges)
        if let intent = try named("payment_intent", in: parameters, intents) {
            ref = intents[intent].latestCharge
            guard ref != nil else {
                throw APIRefusal(
                    message: "This PaymentIntent (\(id(intent))) does not have a successful "
                        + "charge to refund.", parameter: "payment_intent")
            }
        }
        guard let ref else {
            throw APIRefusal(
                code: "parameter_missing",
                message: "One of the following params should be provided for this request: "
                    + "payment_intent or charge.")
        }
        let charge = charges[ref]
        guard charge.traces?.value.sourceTransfer == nil else {
            throw APIRefusal(
                message: "Charge \(id(ref)) is the payment of a transfer; the platform reverses "
                    + "the transfer instead.", parameter: "charge")
        }
        guard charge.isCaptured, !charge.hasFailed, !charge.isPending else {
            throw APIRefusal(
                message: charge.hasFailed
                    ? "Charge \(id(ref)) has failed and cannot be refunded."
                    : "Charge \(id(ref)) has not been captured; cancel its PaymentIntent instead.",
                parameter: "charge")
        }
        if let dispute = charge.dispute, disputes[dispute].status != .won,
            disputes[dispute].status != .warningClosed, !disputes[dispute].isChargeRefundable
        {
            throw APIRefusal(
                code: "charge_disputed",
                message: "Charge \(id(ref)) has been charged back; cannot issue a refund.")
        }
        return ref
    }
}
