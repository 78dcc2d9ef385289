import Vocabulary

/// `/twin/…` within one account: what a bank, a cardholder or a broken world would do.
extension TwinBooks {
    /// - Parameter parts: of the path behind `/twin/`.
    mutating func control(
        _ method: APIRequest.Method, _ parts: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let rest = Array(parts.dropFirst())
        guard method == .post, let first = parts.first else {
            throw Self.unknownControl(method, parts)
        }
        switch first {
        case "balance_transactions": return try plant(rest, parameters)
        case "bulk": return try bulk(parameters)
        case "charges": return try controlCharge(rest, parameters)
        case "disputes": return try controlDispute(rest, parameters)
        case "payment_intents":
            guard rest.count == 2, rest[1] == "authenticate" else {
                throw Self.unknownControl(method, parts)
            }
            return try authenticate(try intent(rest[0]), parameters)
        case "payouts": return try controlPayout(rest, parameters)
        case "refunds": return try controlRefund(rest, parameters)
        case "topups": return try controlTopUp(rest, parameters)
        default: throw Self.unknownControl(method, parts)
        }
    }

    static func unknownControl(
        _ method: APIRequest.Method, _ parts: [String]
    ) -> APIRefusal {
        APIRefusal(
            status: 404,
            message: "The twin has no control \(method.rawValue) "
                + "/twin/\(parts.joined(separator: "/")); docs/TWIN.md lists them.")
    }

    private mutating func authenticate(
        _ ref: Ref<TwinPaymentIntent>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let outcome = try parameters.text("outcome") ?? "succeeded"
        try parameters.finish()
        guard intents[ref].status == .requiresAction, let method = intents[ref].method else {
            throw APIRefusal(
                message: "\(id(ref)) has status \(intents[ref].status.rawValue); only one that "
                    + "requires_action can be authenticated.")
        }
        switch outcome {
        case "succeeded":
            // Whether the payment then declines is its own affair: the authentication succeeded.
            do { try confirm(ref, with: method, isAuthenticated: true) } catch {}
        case "failed": failAuthentication(ref)
        default: throw parameters.invalid("outcome", outcome)
        }
        return .object(.paymentIntent(ref))
    }

    // MARK: Disputes, refunds, payouts

    private mutating func controlDispute(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        if rest.isEmpty { return try openDispute(parameters) }
        let ref = try named(rest[0], disputes)
        try checkOpen(ref)
        switch rest.dropFirst().first {
        case "escalate":
            guard disputes[ref].status.isWarning else {
                throw APIRefusal(message: "\(id(ref)) is a dispute already, not an inquiry.")
            }
            try parameters.finish()
            escalate(ref)
        case "close": try decide(ref, parameters)
        default: throw Self.unknownControl(.post, ["disputes"] + rest)
        }
        return .object(.dispute(ref))
    }

    private mutating func openDispute(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        guard let charge = try named("charge", in: parameters, charges) else {
            throw parameters.missing("charge")
        }
        let reason = try parameters.text("reason") ?? "fraudulent"
        guard TwinDispute.reasons.contains(reason) else {
            throw parameters.invalid("reason", reason)
        }
        let given = try parameters.amount("amount", in: charges[charge].currency)
        let isInquiry = try parameters.bool("inquiry") ?? false
        try parameters.finish()
        let left = charges[charge].refundable
        guard left > 0, charges[charge].dispute == nil, charges[charge].method != nil,
            !charges[charge].isPending, given ?? left <= charges[charge].amountCaptured
        else {
            throw APIRefusal(
                message: "Charge \(id(charge)) has nothing left to dispute, or is disputed "
                    + "already.", parameter: "charge")
        }
        return .object(
            .dispute(
                dispute(charge, amount: given ?? left, reason: reason, isInquiry: isInquiry)))
    }

    private mutating func decide(
        _ ref: Ref<TwinDispute>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        let status: TwinDispute.Status? = try parameters.word("status")
        let reinstated = try parameters.amount("reinstated", in: disputes[ref].currency)
        let returnsFee = try parameters.bool("returns_fee")
        try parameters.finish()
        guard let status, status.isClosed, status.isWarning == disputes[ref].status.isWarning else {
            throw APIRefusal(
                message: "A dispute is closed as won or lost, an inquiry as warning_closed.",
                parameter: "status")
        }
        guard reinstated ?? 0 <= disputes[ref].amount else {
            throw APIRefusal(
                message: "No more can come back than was disputed.", parameter: "reinstated")
        }
        closeDispute(ref, status, reinstated: reinstated, returnsFee: returnsFee)
    }

    private mutating func controlRefund(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        guard rest.count == 2 else { throw Self.unknownControl(.post, ["refunds"] + rest) }
        let ref = try named(rest[0], refunds)
        let status = refunds[ref].status
        guard status == .pending || status == .succeeded else {
            throw APIRefusal(message: "\(id(ref)) is settled: it has status \(status.rawValue).")
        }
        let reason = try parameters.text("reason")
        try parameters.finish()
        switch rest[1] {
        case "succeed": succeedRefund(ref)
        case "fail": failRefund(ref, reason: reason ?? "expired_or_canceled_card")
        default: throw Self.unknownControl(.post, ["refunds"] + rest)
        }
        return .object(.refund(ref))
    }

    private mutating func controlPayout(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        if rest == ["automatic"] {
            try parameters.finish()
            let first = payouts.count
            payOutAutomatically()
            let made = (first..<payouts.count).map { ObjectReference.payout(Ref($0)) }
            return .list(made, hasMore: false, url: "/v1/payouts", kind: .payout)
        }
        if rest == ["debit"] { return .object(.payout(try debitBank(parameters))) }
        guard rest.count == 2 else { throw Self.unknownControl(.post, ["payouts"] + rest) }
        let ref = try named(rest[0], payouts)
        let code = try parameters.text("failure_code")
        try parameters.finish()
        let before = payouts[ref].status
        switch rest[1] {
        case "paid": payPayout(ref)
        case "failed": failPayout(ref, code: code ?? "account_closed")
        case "canceled": cancelPayout(ref)
        default: throw Self.unknownControl(.post, ["payouts"] + rest)
        }
        guard payouts[ref].status != before else {
            throw APIRefusal(message: "\(id(ref)) has status \(before.rawValue) and keeps it.")
        }
        return .object(.payout(ref))
    }

    // MARK: Breaks and bulk

    private mutating func plant(
        _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        if rest.isEmpty {
            let currency = try parameters.currency()
            guard let amount = try parameters.controlAmount("amount") else {
                throw parameters.missing("amount")
            }
            let fee = try parameters.controlAmount("fee") ?? 0
            let kind: TwinTransaction.Kind = try parameters.word("type") ?? .charge
            let charge = try named("source", in: parameters, charges)
            try parameters.finish()
            return .object(.transaction(plant(kind, amount, fee: fee, currency, of: charge)))
        }
        guard rest.count == 2 else {
            throw Self.unknownControl(.post, ["balance_transactions"] + rest)
        }
        let ref = try named(rest[0], transactions)
        switch rest[1] {
        case "hide":
            try parameters.finish()
            hide(ref)
            return .deleted(id: id(ref), object: "balance_transaction")
        case "restore":
            try parameters.finish()
            restore(ref)
            return .object(.transaction(ref))
        case "duplicate":
            try parameters.finish()
            return .object(.transaction(duplicate(ref)))
        case "change":
            let amount = try parameters.controlAmount("amount")
            let fee = try parameters.controlAmount("fee")
            let currency = parameters.has("currency") ? try parameters.currency() : nil
            try parameters.finish()
            change(ref, amount: amount, fee: fee, currency: currency)
            return .object(.transaction(ref))
        default: throw Self.unknownControl(.post, ["balance_transactions"] + rest)
        }
    }

    /// At most so many payments in one call.
    static let bulkMax: Int64 = 5_000_000

    private mutating func bulk(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        let count = try parameters.integer("count") ?? 1
        var currencies: [Currency] = []
        for code in try parameters.texts("currencies") {
            guard let currency = Currency(code), currency.isStripes else {
                throw parameters.invalid("currencies", code)
            }
            currencies.append(currency)
        }
        let span = try parameters.integer("span") ?? 0
        let tells = try parameters.bool("events") ?? false
        let name = try parameters.text("payment_method") ?? "pm_card_visa"
        try parameters.finish()
        guard (1...Self.bulkMax).contains(count), (0...366 * TwinBalance.daySeconds).contains(span)
        else {
            throw APIRefusal(
                message: "count is 1 to \(Self.bulkMax), span 0 seconds to 366 days.",
                parameter: "count")
        }
        if currencies.isEmpty, let usd = Currency("usd") { currencies = [usd] }
        let method = try resolve(name, parameter: "payment_method")
        tellsEvents = tells
        payInBulk(Int(count), currencies: currencies, method: method, span: span)
        tellsEvents = true
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("object", "twin.bulk")
        writer.member("count", count)
        writer.endObject()
        return .written(writer.bytes, id: nil)
    }
}

extension APIParameters {
    /// No planted amount is larger, either way: sums of them must fit into 64 bits.
    static let controlAmountMax: Int64 = 1_000_000_000_000_000

    func controlAmount(_ key: String) throws(APIRefusal) -> Int64? {
        guard let amount = try integer(key) else { return nil }
        guard amount.magnitude <= UInt64(Self.controlAmountMax) else {
            throw invalid(key, String(amount))
        }
        return amount
    }
}
