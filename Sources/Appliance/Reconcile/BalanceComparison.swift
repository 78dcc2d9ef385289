import Vocabulary

extension ReconciliationRun {
    /// Stripe's balance: available and pending together, by currency.
    struct Balance: Sendable {
        var livemode: Bool
        var amounts: [Currency: Int64]
    }

    func balance(of account: StripeAccount) async throws(StripeError) -> Balance {
        try await client.reading(account).object("/v1/balance") { (json) throws(RecordCodecError) in
            var amounts: [Currency: Int64] = [:]
            for key: StaticString in ["available", "pending"] {
                guard let parts = json[key]?.array else { throw .field(key.description) }
                for part in parts {
                    let currency = try part.requiredCurrency("currency")
                    amounts[currency, default: 0] &+= try part.requiredInt64("amount")
                }
            }
            return Balance(livemode: try json.requiredBool("livemode"), amounts: amounts)
        }
    }

    /// Compares `processor:stripe` of each account with Stripe's balance in every currency, and
    /// says how much of a difference the breaks account for. Money goes on moving meanwhile: what
    /// Stripe has booked since the period's end is looked at too, and the comparison repeated
    /// within bounds.
    func compareBalances(_ run: RunRecord, _ accounts: [StripeAccount]) async throws {
        let (sums, explained) = try await blocking { [store] () throws(LedgerError) in
            (
                Dictionary(
                    grouping: try store.sums(run: run.id, from: run.from, to: run.to),
                    by: \.account),
                try store.explained(by: run.id)
            )
        }
        func isSettled(_ account: StripeAccount) async throws -> Bool {
            try await self.isSettled(
                account, run, sums[account] ?? [], explained[account] ?? [:])
        }
        var moving: [StripeAccount] = []
        for account in accounts where try await !isSettled(account) { moving.append(account) }
        let end = ContinuousClock.now + .seconds(limits.balanceSecondsMax)
        while !moving.isEmpty, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(500))
            var left: [StripeAccount] = []
            for account in moving {
                // Every account has been compared once; the others keep what was found then.
                guard ContinuousClock.now < end else { return }
                if try await !isSettled(account) { left.append(account) }
            }
            moving = left
        }
    }

    /// Compares and notes the balances of one account.
    ///
    /// - Parameters:
    ///   - sums: what was read of it, by currency.
    ///   - explained: what the run's breaks make of its difference.
    /// - Returns: whether every difference is accounted for.
    private func isSettled(
        _ account: StripeAccount, _ run: RunRecord, _ sums: [CurrencySummary],
        _ explained: [Currency: Int64]
    ) async throws -> Bool {
        let stripe = try await balance(of: account).amounts
        let since = try await tail(of: run, account)
        return try await blocking { [store, ledger] () throws(LedgerError) in
            let held = try ledger.processorBalance(of: account)
            let known = Dictionary(sums.map { ($0.currency, $0) }, uniquingKeysWith: { $1 })
            let currencies = Set(known.keys).union(stripe.keys).union(held.keys)
            let summaries = currencies.map { currency in
                var summary = known[currency] ?? CurrencySummary(currency: currency)
                summary.account = account
                summary.ledger = held[currency] ?? 0
                summary.stripe = stripe[currency] ?? 0
                summary.explained = (explained[currency] ?? 0) &+ (since[currency] ?? 0)
                return summary
            }
            try store.record(summaries, run: run.id)
            return summaries.allSatisfy { $0.unexplained == 0 }
        }
    }

    /// What Stripe has booked since the period's end and the ledger not yet, by currency.
    private func tail(
        of run: RunRecord, _ account: StripeAccount
    ) async throws -> [Currency: Int64] {
        var difference: [Currency: Int64] = [:]
        var cursor: String?
        var hasMore = true
        while hasMore {
            try Task.checkCancellation()
            let query = [("created[gte]", "\(run.to.seconds)")]
            let page = try await client.reading(account).page(
                Self.statement, query, after: cursor
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
            let booked = try await blocking { [ledger, store] () throws(LedgerError) in
                let found = try ledger.movements(
                    page.items.flatMap(SettlementMatcher.settledKeys))
                var booked: [(Currency, Int64)] = []
                for movement in found.values where movement.account == account {
                    // Of a payment that was captured in parts the period may have settled some, or
                    // its break speaks for all of it.
                    let settled = try store.settledAmount(
                        of: movement.transaction, before: run.to)
                    guard !settled.isBreak else { continue }
                    booked.append(
                        (movement.currency, movement.amount.rawValue &- settled.sum.rawValue))
                }
                return booked
            }
            for statement in page.items {
                difference[statement.currency, default: 0] &-= statement.net.rawValue
            }
            for (currency, amount) in booked { difference[currency, default: 0] &+= amount }
            cursor = page.items.last?.id
            hasMore = page.hasMore && cursor != nil
        }
        return difference
    }
}
