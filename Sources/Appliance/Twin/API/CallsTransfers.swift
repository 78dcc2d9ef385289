import Vocabulary

/// `/v1/transfers` and their reversals.
extension TwinBooks {
    mutating func transferCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let destination = try parameters.text("destination")
            let group = try parameters.text("transfer_group")
            return try list(
                transfers, parameters, url: "/v1/transfers", kind: .transfer, { .transfer($0) }
            ) {
                (destination == nil || $0.destination == destination)
                    && (group == nil || $0.group == group)
            }
        case (.post, 0): return .object(.transfer(try createTransfer(parameters)))
        case (.get, 1): return .object(.transfer(try named(parts[0], transfers)))
        case (.post, 1):
            let ref = try named(parts[0], transfers)
            let before = transfers[ref]
            var after = before
            if parameters.has("description") {
                after.description = try parameters.text("description")
            }
            after.metadata = try parameters.metadata(before.metadata)
            try parameters.finish()
            transfers[ref] = after
            tell(.transferUpdated, snapshot(ref)) { $0.fields("metadata", before.metadata) }
            return .object(.transfer(ref))
        case (_, 2...) where parts[1] == "reversals":
            let ref = try named(parts[0], transfers)
            return try reversalCall(method, of: ref, Array(parts.dropFirst(2)), parameters)
        default: throw Self.unknownAddress(method, ["transfers"] + parts)
        }
    }

    private mutating func createTransfer(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinTransfer> {
        try checkIsPlatform()
        let currency = try parameters.currency()
        let source = try named("source_transaction", in: parameters, charges)
        guard let destination = try connectedAccount("destination", in: parameters) else {
            throw parameters.missing("destination")
        }
        guard
            let amount = try parameters.amount("amount", in: currency)
                ?? source.map({ charges[$0].amountCaptured })
        else { throw parameters.missing("amount") }
        var transfer = TwinTransfer(
            created: now, amount: amount, currency: currency, destination: destination,
            source: source)
        transfer.description = try parameters.text("description")
        transfer.metadata = try parameters.metadata()
        transfer.group = try parameters.text("transfer_group")
        parameters.ignore("source_type")
        try parameters.finish()
        if let source {
            try check(source, covers: amount, currency)
            transfer.group =
                transfer.group ?? charges[source].details.value.transferGroup
                ?? "group_" + chargeGroup(source)
        } else {
            guard amount <= balance.available(currency) else { throw Self.insufficientFunds }
        }
        return self.transfer(transfer)
    }

    static let insufficientFunds = APIRefusal(
        code: "balance_insufficient",
        message: "You have insufficient available funds in your Stripe account. Try adding funds "
            + "directly to your available balance by creating Charges using the 4000000000000077 "
            + "test card. See: https://docs.stripe.com/testing#available-balance")

    /// A charge's money can be passed on once.
    private func check(
        _ ref: Ref<TwinCharge>, covers amount: Int64, _ currency: Currency
    ) throws(APIRefusal) {
        let charge = charges[ref]
        guard charge.isCaptured, !charge.hasFailed else {
            throw APIRefusal(
                message: "The source_transaction \(id(ref)) is not a successful charge.",
                parameter: "source_transaction")
        }
        guard charge.currency == currency else {
            throw APIRefusal(
                message: "The currency of source_transaction's balance transaction "
                    + "(\(charge.currency.code)) must be the same as the transfer currency "
                    + "(\(currency.code))", parameter: "currency")
        }
        var passedOn: Int64 = 0
        for place in 0..<transfers.count where transfers[Ref(place)].source == ref {
            passedOn += transfers[Ref(place)].reversible
        }
        guard amount <= charge.amountCaptured - passedOn else {
            throw APIRefusal(
                code: "balance_insufficient",
                message: "Transfers using this transaction as a source must not exceed the source "
                    + "amount of \(currency.display(MinorUnits(charge.amountCaptured))).",
                parameter: "amount")
        }
    }

    // MARK: Reversals

    private mutating func reversalCall(
        _ method: APIRequest.Method, of transfer: Ref<TwinTransfer>, _ rest: [String],
        _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let address = "/v1/transfers/\(id(transfer))/reversals"
        switch (method, rest.count) {
        case (.get, 0):
            return try list(
                reversals, among: transfers[transfer].reversals, parameters, url: address,
                kind: .transferReversal
            ) { .transferReversal($0) }
        case (.post, 0):
            return .object(.transferReversal(try createReversal(of: transfer, parameters)))
        case (.get, 1), (.post, 1):
            let ref = try named(rest[0], reversals)
            guard reversals[ref].transfer == transfer else {
                throw Self.noSuch("transfer reversal", rest[0], parameter: "id", status: 404)
            }
            if method == .post {
                reversals[ref].metadata = try parameters.metadata(reversals[ref].metadata)
                try parameters.finish()
            }
            return .object(.transferReversal(ref))
        default:
            throw Self.unknownAddress(method, ["transfers", id(transfer), "reversals"] + rest)
        }
    }

    private mutating func createReversal(
        of transfer: Ref<TwinTransfer>, _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinTransferReversal> {
        let before = transfers[transfer]
        let amount = try parameters.amount("amount", in: before.currency) ?? before.reversible
        let metadata = try parameters.metadata()
        let refundsFee = try parameters.bool("refund_application_fee") ?? false
        parameters.ignore("description")
        try parameters.finish()
        guard before.reversible > 0 else {
            throw APIRefusal(message: "Transfer \(id(transfer)) is already fully reversed.")
        }
        guard amount <= before.reversible else {
            throw APIRefusal(
                code: "amount_too_large",
                message: "Reversal amount "
                    + "(\(before.currency.display(MinorUnits(amount)))) is greater than the "
                    + "unreversed amount on transfer "
                    + "(\(before.currency.display(MinorUnits(before.reversible))))",
                parameter: "amount")
        }
        if refundsFee {
            guard let fee = before.fee.flatMap({ placeOfFee[$0] }) else {
                throw APIRefusal(
                    message: "Transfer \(id(transfer)) has no application fee to refund.",
                    parameter: "refund_application_fee")
            }
            let share = Self.share(of: before.feeAmount, for: amount, outOf: before.amount)
            let left = applicationFees[fee].amount - applicationFees[fee].amountRefunded
            _ = refundFee(fee, amount: min(share, left), isCredited: false)
        }
        return reverse(transfer, amount: amount, metadata: metadata)
    }
}
