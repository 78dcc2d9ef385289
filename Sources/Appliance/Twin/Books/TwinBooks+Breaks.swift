import Vocabulary

/// What reconciliation shall find: planted breaks, and a great many rows.
extension TwinBooks {
    /// Stripe does not know a balance transaction any more, nor what it did to the balance.
    mutating func hide(_ ref: Ref<TwinTransaction>) {
        guard !transactions[ref].isHidden else { return }
        correctBalance(ref, by: -transactions[ref].net)
        transactions[ref].isHidden = true
    }

    /// Stripe knows a hidden one again.
    mutating func restore(_ ref: Ref<TwinTransaction>) {
        guard transactions[ref].isHidden else { return }
        transactions[ref].isHidden = false
        correctBalance(ref, by: transactions[ref].net)
    }

    /// Stripe says another amount, fee or currency than it told.
    mutating func change(
        _ ref: Ref<TwinTransaction>, amount: Int64?, fee: Int64?, currency: Currency?
    ) {
        let before = transactions[ref]
        if !before.isHidden { correctBalance(ref, by: -before.net) }
        transactions[ref].amount = amount ?? before.amount
        transactions[ref].fee = fee ?? before.fee
        if let currency, currency != before.currency {
            transactions[ref].currency = currency
            // Its old currency's list still names it; the filter looks at the row itself.
            var list = transactionsByCurrency[currency] ?? []
            let place = list.bisect { $0.index >= ref.index }
            // It may have been of this currency before.
            if place == list.count || list[place] != ref { list.insert(ref, at: place) }
            transactionsByCurrency[currency] = list
        }
        if !before.isHidden { correctBalance(ref, by: transactions[ref].net) }
    }

    /// Stripe lists a balance transaction twice, the second under an id of its own.
    mutating func duplicate(_ ref: Ref<TwinTransaction>) -> Ref<TwinTransaction> {
        let first = transactions[ref]
        let second = book(
            first.kind, first.amount, fee: first.fee, first.currency, from: first.source,
            availableOn: max(now, first.availableOn), isReversal: first.isReversal)
        settle(second)
        furtherOfSources.append(second)
        return second
    }

    /// A balance transaction that no event ever told of.
    ///
    /// - Parameter charge: its source; without one, a charge names one that nobody made.
    mutating func plant(
        _ kind: TwinTransaction.Kind, _ amount: Int64, fee: Int64, _ currency: Currency,
        of charge: Ref<TwinCharge>?
    ) -> Ref<TwinTransaction> {
        let unknown: TwinTransaction.Source =
            kind == .charge ? .unknownCharge(UInt32(transactions.count)) : .none
        let source = charge.map { TwinTransaction.Source.charge($0) } ?? unknown
        let ref = book(kind, amount, fee: fee, currency, from: source)
        settle(ref)
        if charge != nil { furtherOfSources.append(ref) }
        return ref
    }

    private mutating func correctBalance(_ ref: Ref<TwinTransaction>, by delta: Int64) {
        let transaction = transactions[ref]
        // What was paid out already is made up for by the next payout.
        let day = transaction.payout == nil ? transaction.availableOn : now
        balance.add(delta, transaction.currency, on: day, now: now, member: nil)
    }

    /// Many payments of one card at once, with no event unless asked for: a balance transaction, a
    /// charge and a payment intent each.
    ///
    /// - Parameter span: seconds over which they are spread; the clock goes on as far.
    mutating func payInBulk(
        _ count: Int, currencies: [Currency], method: Ref<TwinPaymentMethod>, span: Int64
    ) {
        let start = now
        let details = Shared(PaymentDetails(description: "Bulk payment"))
        let billing = methods[method].billing
        charges.reserve(count)
        intents.reserve(count)
        transactions.reserve(count)
        for number in 0..<count {
            _ = advance(to: start + span * Int64(number) / Int64(count))
            let currency = currencies[number % currencies.count]
            let amount = (500 + Int64(number) * 7_919 % 20_000) / 100 * 100
            var intent = TwinPaymentIntent(
                created: now, amount: amount, currency: currency, method: method,
                details: details)
            intent.captureMethod = .automatic
            let ref = intents.append(intent)
            let charge = charges.append(
                TwinCharge(
                    created: now, amount: amount, currency: currency, intent: ref,
                    method: method, billing: billing, details: details))
            complete(ref, with: charge)
        }
        _ = advance(to: start + span)
    }
}
