import AppendLog
import Appliance
import Logging
import Vocabulary

/// The last part of a run: what the ledger holds and Stripe does not, payouts, balances.
extension ReconciliationRun {
    func compare(_ id: Int64) async throws {
        let run = try await record(id)
        guard run.state == .comparing else { return }
        progress(0.99)
        try await standingStill().compare(run)
    }

    private func compare(_ run: RunRecord) async throws {
        let id = run.id
        try await blocking { [store] () throws(LedgerError) in try store.forgetFindings(of: id) }
        try await judgeAgain(id)
        try await findMissingAtStripe(run)
        try await lookAgainAtMissing(run)
        try await noteOpen(run)
        try await noteRefusedEvents(run)
        let accounts = try await accounts(of: id).map(\.account)
        try await explainPayouts(run, accounts)
        try await compareBalances(run, accounts)
        let (isDry, ended) = (records == nil, now)
        try await blocking { [store, sweeps] () throws(LedgerError) in
            if !isDry { try store.resolve(run: id) }
            let swept = try (sweeps ?? store).sweptTo(
                accounts, notAfter: ClockJumps.latest(at: ended))
            try store.end(id, at: ended, failure: nil, sweptTo: swept)
        }
        progress(1)
    }

    /// What happened before this and one side lacks is missing there; later, it is late.
    var dueBefore: Instant { Instant(seconds: now.seconds - limits.graceSeconds) }

    /// The events that the last sweep could not store: they stand for the sweep's gap.
    private func noteRefusedEvents(_ run: RunRecord) async throws {
        try await blocking { [store, sweeps] () throws(LedgerError) in
            let refused = try (sweeps ?? store).openBreaks(
                .eventRefused, after: 0, limit: RefusedEvent.namedCountMax)
            try store.record(refused.map(\.found), run: run.id)
        }
    }

    /// A break for every row that is still open.
    private func noteOpen(_ run: RunRecord) async throws {
        let due = dueBefore
        var place = OpenPlace()
        var isMore = true
        while isMore {
            try Task.checkCancellation()
            let from = place
            let open = try await blocking { [store, ledger] () throws(LedgerError) in
                let open = try store.open(after: from, limit: ReconciliationLimits.chunkCount)
                let booked = try ledger.movements(
                    open.flatMap { SettlementMatcher.keys(of: $0.statement) })
                var breaks: [ReconciliationBreak] = []
                for settlement in open {
                    let group =
                        try settlement.finding == .otherAmount
                        ? settlement.transaction.flatMap(store.group) : nil
                    breaks += settlement.breaks(booked: booked, dueBefore: due, group: group)
                }
                try store.record(breaks, run: run.id)
                return open
            }
            if let last = open.last { place = OpenPlace(last) }
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
        let unread = try await blocking { [store] () throws(LedgerError) in
            Set(try store.readings(of: run.id).filter { $0.failure != nil }.map(\.account))
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
                return (
                    chunk,
                    try Self.unsettled(chunk, ledger, store).filter { !unread.contains($0.account) }
                )
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
        _ chunk: [LedgerMovement], _ ledger: LedgerMoment, _ store: StatementStore
    ) throws(LedgerError) -> [LedgerMovement] {
        guard let first = chunk.first, let last = chunk.last else { return [] }
        let settled = try store.settled(first.transaction...last.transaction)
        var unsettled: [LedgerMovement] = []
        for movement in chunk where !settled.contains(movement.transaction) {
            // It has no line of its own: it counts with the movement that it follows.
            if FollowingMovement.followed(by: movement.key) != nil { continue }
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
                missing += try Self.unsettled([movement], ledger, store)
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
            occurredAt: movement.effectiveAt, account: movement.account)
        try await blocking { [store, ledger] () throws(LedgerError) in
            var found = found
            // With what followed it: the break has to account for all of it.
            if let whole = try ledger.movements([movement.key])[movement.key] {
                found.ledger?.amount = whole.amount
            }
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
            let matcher = SettlementMatcher(booked: booked, account: movement.account)
            try store.store(found.map { matcher.match($0) }, run: run.id, done: nil)
            return try !Self.unsettled([movement], ledger, store).isEmpty
        }
    }

    private func statements(of movement: LedgerMovement) async throws -> [BalanceTransaction] {
        let client = client.reading(movement.account)
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
    /// once more those that no run has explained yet. Which they were is kept.
    private func explainPayouts(_ run: RunRecord, _ accounts: [StripeAccount]) async throws {
        let earlier = try await blocking { [store] () throws(LedgerError) in
            try store.unexplainedPayouts()
        }
        for payout in earlier where accounts.contains(payout.account) {
            try await explain(payout, run)
        }
        for account in accounts { try await explainPayouts(run, of: account) }
    }

    private func explainPayouts(_ run: RunRecord, of account: StripeAccount) async throws {
        var place = StripePlace(in: "/v1/payouts")
        while place.hasMore {
            try Task.checkCancellation()
            let page = try await client.reading(account).page(
                place.path, Self.period(run), after: place.cursor
            ) { (json) throws(RecordCodecError) in try Self.payout(json) }
            try place.move(behind: page.items.last?.summary.payout, hasMore: page.hasMore)
            for payout in page.items where payout.isAutomatic && payout.isMade {
                var summary = payout.summary
                summary.account = account
                try await explain(summary, run)
            }
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
        var place = StripePlace(in: Self.statement)
        while place.hasMore {
            let page = try await client.reading(payout.account).page(
                place.path, [("payout", payout.payout)], after: place.cursor
            ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) }
            try place.move(behind: page.items.last?.id, hasMore: page.hasMore)
            let lines = page.items.filter { $0.source != payout.payout }
            for line in lines { try summary.total.add(line.net.rawValue) }
            summary.transactions += Int64(lines.count)
            try await blocking { [store] () throws(LedgerError) in
                try store.keep(lines, of: payout.payout)
            }
        }
        let explained = summary
        try await blocking { [store] () throws(LedgerError) in
            try store.record(explained, run: run.id)
        }
    }
}
