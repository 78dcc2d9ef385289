import Vocabulary

/// `/v1/application_fees` with their refunds, and `/v1/topups`.
extension TwinBooks {
    mutating func applicationFeeCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let charge = try parameters.text("charge")
            return try list(
                applicationFees, parameters, url: "/v1/application_fees", kind: .applicationFee,
                { .applicationFee($0) }
            ) { charge == nil || $0.charge == charge }
        case (.get, 1): return .object(.applicationFee(try named(parts[0], applicationFees)))
        case (.post, 2) where parts[1] == "refund":
            // The older API answers with the fee.
            let fee = try named(parts[0], applicationFees)
            _ = try createFeeRefund(of: fee, parameters)
            return .object(.applicationFee(fee))
        case (_, 2...) where parts[1] == "refunds":
            let fee = try named(parts[0], applicationFees)
            return try feeRefundCall(method, of: fee, Array(parts.dropFirst(2)), parameters)
        default: throw Self.unknownAddress(method, ["application_fees"] + parts)
        }
    }

    private mutating func feeRefundCall(
        _ method: APIRequest.Method, of fee: Ref<TwinApplicationFee>, _ rest: [String],
        _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        switch (method, rest.count) {
        case (.get, 0):
            return try list(
                feeRefunds, among: applicationFees[fee].refunds, parameters,
                url: "/v1/application_fees/\(id(fee))/refunds", kind: .feeRefund
            ) { .feeRefund($0) }
        case (.post, 0): return .object(.feeRefund(try createFeeRefund(of: fee, parameters)))
        case (.get, 1), (.post, 1):
            let ref = try named(rest[0], feeRefunds)
            guard feeRefunds[ref].fee == fee else {
                throw Self.noSuch("fee refund", rest[0], parameter: "id", status: 404)
            }
            if method == .post {
                let after = try parameters.metadata(feeRefunds[ref].metadata)
                try parameters.finish()
                feeRefunds[ref].metadata = after
            }
            return .object(.feeRefund(ref))
        default:
            throw Self.unknownAddress(method, ["application_fees", id(fee), "refunds"] + rest)
        }
    }

    private mutating func createFeeRefund(
        of fee: Ref<TwinApplicationFee>, _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinFeeRefund> {
        let before = applicationFees[fee]
        let left = before.amount - before.amountRefunded
        let amount = try parameters.amount("amount", in: before.currency) ?? left
        let metadata = try parameters.metadata()
        try parameters.finish()
        guard amount <= left,
            let refund = refundFee(fee, amount: amount, isCredited: false, metadata: metadata)
        else {
            throw APIRefusal(
                code: left == 0 ? nil : "amount_too_large",
                message: left == 0
                    ? "Application fee \(before.id) has already been refunded."
                    : "Refund amount (\(before.currency.display(MinorUnits(amount)))) is greater "
                        + "than unrefunded amount on application fee "
                        + "(\(before.currency.display(MinorUnits(left))))", parameter: "amount")
        }
        return refund
    }

    // MARK: Top-ups

    mutating func topUpCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let status: TwinTopUp.Status? = try parameters.word("status")
            let amounts = try parameters.times("amount")
            return try list(topUps, parameters, url: "/v1/topups", kind: .topUp, { .topUp($0) }) {
                (status == nil || $0.status == status)
                    && $0.amount >= amounts.first && $0.amount < amounts.end
            }
        case (.post, 0): return .object(.topUp(try createTopUp(parameters)))
        case (.get, 1): return .object(.topUp(try named(parts[0], topUps)))
        case (.post, 1):
            let ref = try named(parts[0], topUps)
            if parameters.has("description") {
                topUps[ref].description = try parameters.text("description")
            }
            topUps[ref].metadata = try parameters.metadata(topUps[ref].metadata)
            try parameters.finish()
            return .object(.topUp(ref))
        case (.post, 2) where parts[1] == "cancel":
            let ref = try named(parts[0], topUps)
            try parameters.finish()
            guard topUps[ref].status == .pending else {
                throw APIRefusal(
                    message: "Top-up \(id(ref)) has status \(topUps[ref].status.rawValue); only "
                        + "one that is pending can be canceled.")
            }
            cancelTopUp(ref)
            return .object(.topUp(ref))
        default: throw Self.unknownAddress(method, ["topups"] + parts)
        }
    }

    private mutating func createTopUp(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinTopUp> {
        let currency = try parameters.currency()
        guard let amount = try parameters.amount("amount", in: currency) else {
            throw parameters.missing("amount")
        }
        var topUp = TwinTopUp(created: now, amount: amount, currency: currency)
        topUp.description = try parameters.text("description")
        topUp.statementDescriptor = try parameters.text("statement_descriptor")
        topUp.group = try parameters.text("transfer_group")
        topUp.metadata = try parameters.metadata()
        parameters.ignore("source")
        try parameters.finish()
        return self.topUp(topUp)
    }
}
