import AppendLog
import Logging

/// The last part of a run: what the ledger holds and Stripe does not, payouts, balances.
extension ReconciliationRun {
    func compare(_ id: Int64) async throws {
        let run = try await record(id)
        guard run.state == .comparing else { return }
        progress(0.99)
        try await blocking { [store] () throws(LedgerError) in try store.forgetFindings(of: id) }
        try await findMissingAtStripe(run)
        try await lookAgainAtMissing(run)
        try await noteOpen(run)
        try await explainPayouts(run)
        try await compareBalances(run)
        let (isDry, ended) = (records == nil, now)
        try await blocking { [store] () throws(LedgerError) in
            if !isDry { try store.resolve(run: id) }
            try store.end(id, at: ended, failure: nil)
        }
        progress(1)
    }

    /// What happened before this and one side lacks is missing there; later, it is late.
    private var dueBefore: Instant { Instant(seconds: now.seconds - limits.graceSeconds) }

    /// A break for every row that is still open.
    private func noteOpen(_ run: RunRecord) async throws {
        let due = dueBefore
        var place = StatementStore.OpenPlace()
        var isMore = true
        while isMore {
            try Task.checkCancellation()
            let from = place
            let open = try await blocking { [store, ledger] () throws(LedgerError) in
                let open = try store.open(after: from, limit: ReconciliationLimits.chunkCount)
                let booked = try ledger.movements(
                    open.flatMap { SettlementMatcher.keys(of: $0.statement) })
                let breaks = open.flatMap { $0.breaks(booked: booked, dueBefore: due) }
                try store.record(breaks, run: run.id)
                return open
            }
            if let last = open.last { place = StatementStore.OpenPlace(last) }
            isMore = open.count == ReconciliationLimits.chunkCount
        }
    }
}

// MARK: - Missing at Stripe

extension ReconciliationRun {
    /// Walks the ledger's movements of the period beside the statement: both in the order of the
    /// ledger's numbers, a chunk at a time.
    private func findMissingAtStripe(_ run: RunRecord) async throws {
        let due = dueBefore
        var after = try await blocking { [ledger] () throws(LedgerError) in
            // An hour for clocks that do not agree.
            try ledger.lastTransaction(before: Instant(seconds: run.from.seconds - 3600))
        }
        var confirmations = limits.confirmCountMax
        var isMore = true
        while isMore {
            try Task.checkCancellation()
            let from = after
            let (chunk, unsettled) = try await blocking { [ledger, store] () throws(LedgerError) in
                let chunk = try ledger.movements(
                    after: from, from: run.from, to: run.to,
                    limit: ReconciliationLimits.chunkCount)
                return (chunk, try Self.unsettled(chunk, store))
            }
            if let last = chunk.last { after = last.transaction }
            isMore = chunk.count == ReconciliationLimits.chunkCount
            for movement in unsettled {
                let isLate = movement.effectiveAt >= due
                if !isLate, confirmations > 0 {
                    confirmations -= 1
                    guard try await isMissing(movement, run) else { continue }
                }
                try await note(movement, isLate ? .late : .missingAtStripe, run)
            }
        }
    }

    private static func unsettled(
        _ chunk: [LedgerMovement], _ store: StatementStore
    ) throws(LedgerError) -> [LedgerMovement] {
        guard let first = chunk.first, let last = chunk.last else { return [] }
        let settled = try store.settled(first.transaction...last.transaction)
        var unsettled: [LedgerMovement] = []
        for movement in chunk where !settled.contains(movement.transaction) {
            if let transaction = movement.ownBalanceTransaction,
                try store.holds(transaction, created: movement.effectiveAt)
            {
                continue
            }
            unsettled.append(movement)
        }
        return unsettled
    }

    /// Movements that an earlier run missed at Stripe, of periods that this one does not cover.
    private func lookAgainAtMissing(_ run: RunRecord) async throws {
        guard records != nil else { return }
        let due = dueBefore
        let open = try await blocking { [store, ledger, limits] () throws(LedgerError) in
            let open = try store.openBreaks(
                .missingAtStripe, after: 0, limit: limits.confirmCountMax)
            let movements = try ledger.movements(open.compactMap(\.found.movement))
            var missing: [LedgerMovement] = []
            for movement in movements.values where movement.effectiveAt < due {
                guard !(run.from..<run.to).contains(movement.effectiveAt) else { continue }
                missing += try Self.unsettled([movement], store)
            }
            return missing.sorted { $0.transaction < $1.transaction }
        }
        for movement in open where try await isMissing(movement, run) {
            try await note(movement, .missingAtStripe, run)
        }
    }

    private func note(
        _ movement: LedgerMovement, _ kind: BreakKind, _ run: RunRecord
    ) async throws {
        let found = ReconciliationBreak(
            kind: kind, subject: movement.key, movement: movement.key,
            balanceTransaction: movement.ownBalanceTransaction, type: nil, stripe: nil,
            ledger: .init(currency: movement.currency, amount: movement.amount),
            occurredAt: movement.effectiveAt)
        try await blocking { [store] () throws(LedgerError) in
            try store.record([found], run: run.id)
        }
    }

    /// Asks Stripe for this one movement. The event of a movement may be younger than its balance
    /// transaction, so that the two stand on different sides of a period's edge.
    private func isMissing(_ movement: LedgerMovement, _ run: RunRecord) async throws -> Bool {
        let found = try await statements(of: movement)
        guard !found.isEmpty else { return true }
        return try await blocking { [ledger, store] () throws(LedgerError) in
            let booked = try ledger.movements(found.flatMap(SettlementMatcher.keys))
            let matcher = SettlementMatcher(booked: booked)
            try store.store(found.map { matcher.match($0) }, run: run.id, done: nil)
            return try !Self.unsettled([movement], store).isEmpty
        }
    }

    private func statements(of movement: LedgerMovement) async throws -> [BalanceTransaction] {
        if let id = movement.ownBalanceTransaction {
            do throws(StripeError) {
                return [
                    try await client.object("\(Self.statement)/\(StripeClient.encoded(id))") {
                        (json) throws(RecordCodecError) in try BalanceTransaction(json: json)
                    }
                ]
            } catch {
                if case .notFound = error { return [] }
                throw error
            }
        }
        let source = movement.key.split(separator: ":", maxSplits: 1).last.map(String.init) ?? ""
        do throws(StripeError) {
            return try await client.page(Self.statement, [("source", source)], after: nil) {
                (json) throws(RecordCodecError) in try BalanceTransaction(json: json)
            }.items
        } catch {
            // An object that this account does not know moved none of its money.
            if case .notFound = error { return [] }
            throw error
        }
    }
}

extension LedgerMovement {
    /// The balance transaction that the key itself names; nil where it names the object that moved.
    var ownBalanceTransaction: String? {
        for prefix in ["fee:", "fx_in:", "fx_out:", "dispute:"] where key.hasPrefix(prefix) {
            return String(key.dropFirst(prefix.count))
        }
        return nil
    }
}

// MARK: - Payouts

extension ReconciliationRun {
    private struct Payout: Sendable {
        var summary: PayoutSummary
        var isAutomatic: Bool
        var isMade: Bool
    }

    /// Each automatic payout of the period against the balance transactions that it paid out, and
    /// once more those that no run has explained yet.
    private func explainPayouts(_ run: RunRecord) async throws {
        let earlier = try await blocking { [store] () throws(LedgerError) in
            try store.unexplainedPayouts()
        }
        for payout in earlier { try await explain(payout, run) }
        var cursor: String?
        var hasMore = true
        while hasMore {
            try Task.checkCancellation()
            let page = try await client.page("/v1/payouts", Self.period(run), after: cursor) {
                (json) throws(RecordCodecError) in try Self.payout(json)
            }
            for payout in page.items where payout.isAutomatic && payout.isMade {
                try await explain(payout.summary, run)
            }
            cursor = page.items.last?.summary.payout
            hasMore = page.hasMore && cursor != nil
        }
    }

    private static func payout(_ json: JSONValue) throws(RecordCodecError) -> Payout {
        let status = try json.optionalString("status")
        return Payout(
            summary: PayoutSummary(
                payout: try json.requiredString("id"),
                currency: try json.requiredCurrency("currency"),
                amount: try json.requiredInt64("amount"),
                created: try json.requiredInstant("created"), transactions: 0,
                total: 0),
            isAutomatic: json["automatic"]?.bool ?? false,
            // What failed or was canceled is given back by a balance transaction of its own.
            isMade: status != "failed" && status != "canceled")
    }

    private func explain(_ payout: PayoutSummary, _ run: RunRecord) async throws {
        let isKnown = try await blocking { [store] () throws(LedgerError) in
            try store.isExplained(payout.payout)
        }
        guard !isKnown else { return }
        var summary = payout
        (summary.transactions, summary.total) = (0, 0)
        var cursor: String?
        var hasMore = true
        while hasMore {
            let page = try await client.page(
                Self.statement, [("payout", payout.payout)], after: cursor
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
            for statement in page.items where statement.source != payout.payout {
                summary.transactions += 1
                summary.total &+= statement.net.rawValue
            }
            cursor = page.items.last?.id
            hasMore = page.hasMore && cursor != nil
        }
        let explained = summary
        try await blocking { [store] () throws(LedgerError) in
            try store.record(explained, run: run.id)
        }
    }
}

// MARK: - Balances

extension ReconciliationRun {
    /// Stripe's balance: available and pending together, by currency.
    struct Balance: Sendable {
        var livemode: Bool
        var amounts: [Currency: Int64]
    }

    func balance() async throws(StripeError) -> Balance {
        try await client.object("/v1/balance") { (json) throws(RecordCodecError) in
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

    /// Compares `processor:stripe` with Stripe's balance in every currency, and says how much of a
    /// difference the breaks account for. Money goes on moving meanwhile: what Stripe has booked
    /// since the period's end is looked at too, and the comparison repeated within bounds.
    private func compareBalances(_ run: RunRecord) async throws {
        let end = ContinuousClock.now + .seconds(limits.balanceSecondsMax)
        var summaries = try await summaries(of: run)
        while summaries.contains(where: { $0.unexplained != 0 }), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(500))
            summaries = try await self.summaries(of: run)
        }
        let found = summaries
        try await blocking { [store] () throws(LedgerError) in
            try store.record(found, run: run.id)
        }
    }

    private func summaries(of run: RunRecord) async throws -> [CurrencySummary] {
        let stripe = try await balance().amounts
        let since = try await tail(of: run)
        let (sums, held, explained) = try await blocking { [store, ledger] () throws(LedgerError) in
            (
                try store.sums(run: run.id, from: run.from, to: run.to),
                try ledger.processorBalances(), try store.explained(by: run.id)
            )
        }
        let known = Dictionary(sums.map { ($0.currency, $0) }, uniquingKeysWith: { $1 })
        let currencies = Set(known.keys).union(stripe.keys).union(held.keys)
        return currencies.sorted { $0.code < $1.code }.map { currency in
            var summary = known[currency] ?? CurrencySummary(currency: currency)
            summary.ledger = held[currency] ?? 0
            summary.stripe = stripe[currency] ?? 0
            summary.explained = (explained[currency] ?? 0) &+ (since[currency] ?? 0)
            return summary
        }
    }

    /// What Stripe has booked since the period's end and the ledger not yet, by currency.
    private func tail(of run: RunRecord) async throws -> [Currency: Int64] {
        var difference: [Currency: Int64] = [:]
        var cursor: String?
        var hasMore = true
        while hasMore {
            try Task.checkCancellation()
            let query = [("created[gte]", "\(run.to.seconds)")]
            let page = try await client.page(Self.statement, query, after: cursor) {
                (json) throws(RecordCodecError) in try BalanceTransaction(json: json)
            }
            let booked = try await blocking { [ledger] () throws(LedgerError) in
                try ledger.movements(page.items.flatMap(SettlementMatcher.settledKeys))
            }
            for statement in page.items {
                difference[statement.currency, default: 0] &-= statement.net.rawValue
            }
            for movement in booked.values {
                difference[movement.currency, default: 0] &+= movement.amount.rawValue
            }
            cursor = page.items.last?.id
            hasMore = page.hasMore && cursor != nil
        }
        return difference
    }
}
