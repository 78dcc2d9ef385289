import Vocabulary

/// `/twin/…` for what moves money to and from the merchant's or a customer's bank account.
extension TwinBooks {
    /// A bank debit arrives or comes back, before it was called succeeded or after.
    mutating func controlCharge(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        guard rest.count == 2 else { throw Self.unknownControl(.post, ["charges"] + rest) }
        let ref = try named(rest[0], charges)
        let code = try parameters.text("failure_code") ?? "insufficient_funds"
        try parameters.finish()
        let charge = charges[ref]
        guard charge.method.flatMap({ methods[$0].bank }) != nil else {
            throw APIRefusal(message: "\(id(ref)) is no bank debit.")
        }
        switch rest[1] {
        case "succeed" where charge.isPending: settleDebit(ref, failure: nil)
        case "fail" where !charge.hasFailed && charge.amountRefunded == 0:
            failDebit(ref, code)
        case "succeed", "fail":
            throw APIRefusal(message: "\(id(ref)) is decided already, or was refunded.")
        default: throw Self.unknownControl(.post, ["charges"] + rest)
        }
        return .object(.charge(ref))
    }

    mutating func controlTopUp(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        guard rest.count == 2 else { throw Self.unknownControl(.post, ["topups"] + rest) }
        let ref = try named(rest[0], topUps)
        let code = try parameters.text("failure_code") ?? "insufficient_funds"
        try parameters.finish()
        let before = topUps[ref].status
        switch rest[1] {
        case "succeed": succeedTopUp(ref)
        case "fail": failTopUp(ref, code: code)
        case "reverse": reverseTopUp(ref)
        default: throw Self.unknownControl(.post, ["topups"] + rest)
        }
        guard topUps[ref].status != before else {
            throw APIRefusal(message: "\(id(ref)) has status \(before.rawValue) and keeps it.")
        }
        return .object(.topUp(ref))
    }

    /// Stripe takes what the balance lacks, or so much, from the merchant's bank.
    mutating func debitBank(_ parameters: APIParameters) throws(APIRefusal) -> Ref<TwinPayout> {
        let currency = try parameters.currency()
        let missing = -balance.available(currency)
        let amount = try parameters.amount("amount", in: currency) ?? missing
        try parameters.finish()
        guard amount > 0 else {
            throw APIRefusal(
                message: "The balance lacks nothing in \(currency.code); say an amount.",
                parameter: "amount")
        }
        return debitBank(amount, currency)
    }
}
