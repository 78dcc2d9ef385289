import Traffic

/// `/v1/disputes`, `/v1/balance_transactions`, `/v1/payouts` and `/v1/events`.
extension TwinBooks {
    // MARK: Disputes

    mutating func disputeCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let charge = try named("charge", in: parameters, charges)
            var candidates = charge.map { charges[$0].dispute.map { [$0] } ?? [] }
            if let intent = try named("payment_intent", in: parameters, intents) {
                candidates = attempts(of: intent).compactMap { charges[$0].dispute }
            }
            return try list(
                disputes, among: candidates, parameters, url: "/v1/disputes", kind: .dispute
            ) { .dispute($0) }
        case (.get, 1): return .object(.dispute(try named(parts[0], disputes)))
        case (.post, 1):
            let ref = try named(parts[0], disputes)
            try updateDispute(ref, parameters)
            return .object(.dispute(ref))
        case (.post, 2) where parts[1] == "close":
            let ref = try named(parts[0], disputes)
            try parameters.finish()
            try checkOpen(ref)
            closeDispute(ref, disputes[ref].status.isWarning ? .warningClosed : .lost)
            return .object(.dispute(ref))
        default: throw Self.unknownAddress(method, ["disputes"] + parts)
        }
    }

    func checkOpen(_ ref: Ref<TwinDispute>) throws(APIRefusal) {
        guard disputes[ref].status.isClosed else { return }
        throw APIRefusal(message: "This dispute is already closed.")
    }

    private mutating func updateDispute(
        _ ref: Ref<TwinDispute>, _ parameters: APIParameters
    ) throws(APIRefusal) {
        var evidence: [FormField] = []
        if let given = parameters.below("evidence") {
            given.ignore("enhanced_evidence")
            for name in Self.evidenceNames where given.has(name) {
                evidence.append(FormField(name, try given.text(name) ?? ""))
            }
        }
        let metadata =
            parameters.has("metadata") ? try parameters.metadata(disputes[ref].metadata) : nil
        let submits = try parameters.bool("submit") ?? !evidence.isEmpty
        try parameters.finish()
        if !evidence.isEmpty || submits { try checkOpen(ref) }
        answer(ref, evidence: evidence, metadata: metadata, submits: submits)
    }

    // MARK: Balance transactions

    func transactionCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0): return try listTransactions(parameters)
        case (.get, 1):
            let ref = try named(parts[0], transactions)
            guard !transactions[ref].isHidden else {
                throw Self.noSuch("balance transaction", parts[0], parameter: "id", status: 404)
            }
            return .object(.transaction(ref))
        default: throw Self.unknownAddress(method, ["balance_transactions"] + parts)
        }
    }

    private func listTransactions(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        let kind: TwinTransaction.Kind? = try parameters.word("type")
        let currency = parameters.has("currency") ? try parameters.currency() : nil
        var candidates: [Ref<TwinTransaction>]?
        if let currency { candidates = transactionsByCurrency[currency] ?? [] }
        if let kind { candidates = transactionsByKind[kind] ?? [] }
        if let payout = try named("payout", in: parameters, payouts) {
            guard payouts[payout].isAutomatic else {
                throw APIRefusal(
                    message: "Balance transaction history can only be filtered on automatic "
                        + "payouts, not manual payouts.", parameter: "payout")
            }
            candidates = payouts[payout].members.sorted { $0.index < $1.index }
        }
        if let source = try parameters.text("source") {
            candidates = try sourced(from: source)
        }
        return try list(
            transactions, among: candidates, parameters, url: "/v1/balance_transactions",
            kind: .balanceTransaction, { .transaction($0) }
        ) {
            !$0.isHidden && (kind == nil || $0.kind == kind)
                && (currency == nil || $0.currency == currency)
        }
    }

    /// The balance transactions of a charge, refund, dispute or payout.
    private func sourced(from id: String) throws(APIRefusal) -> [Ref<TwinTransaction>] {
        let found: [Ref<TwinTransaction>?]
        if let ref: Ref<TwinCharge> = ref(id, count: charges.count) {
            found = [charges[ref].transaction, charges[ref].traces?.value.failureTransaction]
        } else if let ref: Ref<TwinRefund> = ref(id, count: refunds.count) {
            found = [refunds[ref].transaction, refunds[ref].failureTransaction]
        } else if let ref: Ref<TwinDispute> = ref(id, count: disputes.count) {
            found = disputes[ref].transactions
        } else if let ref: Ref<TwinPayout> = ref(id, count: payouts.count) {
            found = [payouts[ref].transaction, payouts[ref].failureTransaction]
        } else if let connected = connectSourced(from: id) {
            found = connected
        } else {
            throw Self.noSuch("source", id, parameter: "source", status: 400)
        }
        let planted = furtherOfSources.filter { sourceID(of: transactions[$0]) == id }
        return (found.compactMap { $0 } + planted).sorted { $0.index < $1.index }
    }

    private func connectSourced(from id: String) -> [Ref<TwinTransaction>?]? {
        if let ref: Ref<TwinTransfer> = ref(id, count: transfers.count) {
            return [transfers[ref].transaction]
        }
        if let ref: Ref<TwinTransferReversal> = ref(id, count: reversals.count) {
            return [reversals[ref].transaction]
        }
        if let ref = placeOfFee[id] { return [applicationFees[ref].transaction] }
        if let ref: Ref<TwinFeeRefund> = ref(id, count: feeRefunds.count) {
            return [feeRefunds[ref].transaction]
        }
        if let ref: Ref<TwinTopUp> = ref(id, count: topUps.count) {
            return [topUps[ref].transaction, topUps[ref].reversalTransaction]
        }
        return nil
    }

    // MARK: Payouts

    mutating func payoutCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            let status: TwinPayout.Status? = try parameters.word("status")
            let arrival = try parameters.times("arrival_date")
            parameters.ignore("destination")
            return try list(
                payouts, parameters, url: "/v1/payouts", kind: .payout, { .payout($0) }
            ) {
                (status == nil || $0.status == status)
                    && $0.arrival >= arrival.first && $0.arrival < arrival.end
            }
        case (.post, 0): return .object(.payout(try createPayout(parameters)))
        case (.get, 1): return .object(.payout(try named(parts[0], payouts)))
        case (.post, 1):
            let ref = try named(parts[0], payouts)
            let before = payouts[ref].metadata
            let after = try parameters.metadata(before)
            try parameters.finish()
            payouts[ref].metadata = after
            tell(.payoutUpdated, snapshot(ref)) { $0.fields("metadata", before) }
            return .object(.payout(ref))
        case (.post, 2) where parts[1] == "cancel":
            let ref = try named(parts[0], payouts)
            try parameters.finish()
            guard payouts[ref].status == .pending, !payouts[ref].isAutomatic else {
                throw APIRefusal(
                    message: "Only payouts that are pending and were made by hand can be canceled.")
            }
            cancelPayout(ref)
            return .object(.payout(ref))
        case (.post, 2) where parts[1] == "reverse":
            let ref = try named(parts[0], payouts)
            return .object(.payout(try reversePayoutCall(ref, parameters)))
        default: throw Self.unknownAddress(method, ["payouts"] + parts)
        }
    }

    private mutating func reversePayoutCall(
        _ ref: Ref<TwinPayout>, _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinPayout> {
        let metadata = try parameters.metadata()
        try parameters.finish()
        let payout = payouts[ref]
        guard payout.status == .paid, payout.amount > 0, payout.reversedBy == nil else {
            throw APIRefusal(
                message: "Only a payout that is paid and was not reversed can be reversed; "
                    + "\(id(ref)) has status \(payout.status.rawValue).")
        }
        return reversePayout(ref, metadata: metadata)
    }

    private mutating func createPayout(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> Ref<TwinPayout> {
        let currency = try parameters.currency()
        guard let amount = try parameters.amount("amount", in: currency) else {
            throw parameters.missing("amount")
        }
        let description = try parameters.text("description")
        let descriptor = try parameters.text("statement_descriptor")
        let metadata = try parameters.metadata()
        let isInstant = try parameters.text("method") == "instant"
        parameters.ignore("destination", "payout_method", "source_type")
        try parameters.finish()
        guard amount <= balance.available(currency) else {
            throw APIRefusal(
                code: "balance_insufficient",
                message: "You have insufficient funds in your Stripe account for this transfer. "
                    + "Your card balance is too low. You can use the /v1/balance endpoint to view "
                    + "your Stripe balance (for more details, see docs.stripe.com/api#balance).")
        }
        return payOut(amount, currency) {
            $0.description = description
            $0.statementDescriptor = descriptor
            $0.metadata = metadata
            $0.isInstant = isInstant
        }
    }

    // MARK: Events

    func eventCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0): return try listEvents(parameters)
        case (.get, 1):
            return .object(.event(try event(parts[0], parameter: "id", status: 404)))
        default: throw Self.unknownAddress(method, ["events"] + parts)
        }
    }

    func event(_ id: String, parameter: String, status: Int) throws(APIRefusal) -> Int {
        let number = ids.serial(of: id, .event).flatMap { Int(exactly: $0.rawValue) }.map { $0 - 1 }
        guard let number, events[number] != nil else {
            throw Self.noSuch("event", id, parameter: parameter, status: status)
        }
        return number
    }

    private func listEvents(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        var query = try pageLimit(parameters)
        if let id = try parameters.text("starting_after") {
            query.startingAfter = try event(id, parameter: "starting_after", status: 400)
        }
        if let id = try parameters.text("ending_before") {
            query.endingBefore = try event(id, parameter: "ending_before", status: 400)
        }
        var wanted = try parameters.texts("types")
        if let type = try parameters.text("type") { wanted = [type] }
        parameters.ignore("delivery_success")
        var times = try parameters.created()
        // Older ones are forgotten at midnight, and not listed from the second they are too old.
        times.first = max(times.first, now - settings.eventDays * TwinBalance.daySeconds)
        let bounds = events.numbers(times)
        let page =
            if wanted.count == 1, let type = TwinEventType(rawValue: wanted[0]) {
                query.page(of: events.numbers(of: type), within: bounds) {
                    isTold($0, in: .twin)
                }
            } else {
                query.page(of: bounds, within: bounds) { number in
                    isTold(number, in: .twin)
                        && (wanted.isEmpty
                            || events[number].map { Self.isWanted($0.type.rawValue, wanted) }
                                == true)
                }
            }
        return .list(
            page.places.map { .event($0) }, hasMore: page.hasMore, url: "/v1/events",
            kind: .event)
    }

    /// A type may end in `*`: `charge.*`.
    private static func isWanted(_ type: String, _ wanted: [String]) -> Bool {
        wanted.contains { $0 == type || ($0.hasSuffix("*") && type.hasPrefix($0.dropLast())) }
    }
}
