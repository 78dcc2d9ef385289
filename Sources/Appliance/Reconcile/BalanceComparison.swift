import Appliance
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
                    let (sum, overflow) = amounts[currency, default: 0].addingReportingOverflow(
                        try part.requiredInt64("amount"))
                    guard !overflow else { throw .field("amount") }
                    amounts[currency] = sum
                }
            }
            return Balance(livemode: try json.requiredBool("livemode"), amounts: amounts)
        }
    }

    /// Compares `processor:stripe` of each account with Stripe's balance in every currency, and
    /// says how much of a difference the breaks account for.
    ///
    /// Money goes on moving meanwhile, at any rate. The run sees the ledger as it stood when the
    /// comparison began; every line since the period's end is looked at, and what the ledger has
    /// not booked by then accounts for itself. Of the few lines that Stripe wrote while it was
    /// asked for its balance, that balance holds the oldest, and nobody says how many:
    /// ``TailOfStatement`` finds it out. A statement that is behind its balance is asked again,
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
        let start = StripePlace(in: Self.statement)
        let newest = try await page(of: run, account, start).items.first?.id
        let stripe = try await balance(of: account).amounts
        let since = try await tail(of: run, account, after: newest)
        return try await blocking { [store, ledger] () throws(LedgerError) in
            let held = try ledger.processorBalance(of: account)
            let known = Dictionary(sums.map { ($0.currency, $0) }, uniquingKeysWith: { $1 })
            let currencies = Set(known.keys).union(stripe.keys).union(held.keys)
            let parts = since.parts { part in
                currencies.allSatisfy { (currency: Currency) -> Bool in
                    let difference: Int64 = (held[currency] ?? 0) &- (stripe[currency] ?? 0)
                    return difference == (explained[currency] ?? 0) &+ (part[currency] ?? 0)
                }
            }
            let summaries = currencies.map { currency in
                var summary = known[currency] ?? CurrencySummary(currency: currency)
                summary.account = account
                summary.ledger = held[currency] ?? 0
                summary.stripe = stripe[currency] ?? 0
                summary.explained = (explained[currency] ?? 0) &+ (parts[currency] ?? 0)
                return summary
            }
            try store.record(summaries, run: run.id)
            return summaries.allSatisfy { $0.unexplained == 0 }
        }
    }

    /// What Stripe has written since the period's end, and what the ledger holds of it.
    ///
    /// - Parameter newest: the newest line before Stripe was asked for its balance, if any.
    private func tail(
        of run: RunRecord, _ account: StripeAccount, after newest: String?
    ) async throws -> TailOfStatement {
        var tail = TailOfStatement(newest: newest)
        var place = StripePlace(in: Self.statement)
        while place.hasMore {
            try Task.checkCancellation()
            let page = try await page(of: run, account, place)
            try place.move(behind: page.items.last?.id, hasMore: page.hasMore)
            let booked = try await blocking { [ledger, store] () throws(LedgerError) in
                let found = try ledger.movements(
                    page.items.flatMap(SettlementMatcher.settledKeys))
                var booked: [(movement: LedgerMovement, amount: Int64)] = []
                for movement in found.values where movement.account == account {
                    // Of a payment that was captured in parts the period may have settled some, or
                    // its break speaks for all of it.
                    let settled = try store.settledAmount(
                        of: movement.transaction, before: run.to)
                    if settled.isBreak { continue }
                    if try store.saw(movement.key, run: run.id) { continue }
                    let lines = try store.lines(of: movement.transaction, before: run.to)
                    let isConverted = lines.contains { $0.currency != movement.currency }
                    let left =
                        try isConverted
                        ? ConvertedLines.left(of: movement, lines: lines.map(\.id), ledger)
                        : movement.amount &+ -settled.sum
                    booked.append((movement, left.rawValue))
                }
                return booked
            }
            for (movement, amount) in booked { try tail.add(movement, amount) }
            for statement in page.items { try tail.add(statement) }
        }
        return tail
    }

    private func page(
        of run: RunRecord, _ account: StripeAccount, _ place: StripePlace
    ) async throws -> StripePage<BalanceTransaction> {
        try await client.reading(account).page(
            place.path, [("created[gte]", "\(run.to.seconds)")], after: place.cursor
        ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
    }
}

extension Int64 {
    /// A sum of what Stripe lists; one that does not fit is no sum of money.
    mutating func add(_ amount: Int64) throws(StripeError) {
        let (sum, overflow) = addingReportingOverflow(amount)
        guard !overflow else {
            throw .malformed(path: ReconciliationRun.statement, field: "a sum beyond Int64")
        }
        self = sum
    }
}
