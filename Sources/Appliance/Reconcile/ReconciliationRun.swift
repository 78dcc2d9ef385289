import AppendLog
import Dispatch
import Logging

/// Bounds and patience of a run.
struct ReconciliationLimits: Sendable {
    /// What is younger may still be on its way: it is late, not missing.
    var graceSeconds: Int64 = 48 * 3600
    /// How long a run waits for the ledger to book what it appended, without any of it coming.
    var settleSecondsMax: Int64 = 30
    /// How long it waits for ledger and Stripe to stand still at the same moment.
    var balanceSecondsMax: Int64 = 10
    /// Movements that are looked up at Stripe one by one, at most; more are taken as missing.
    var confirmCountMax = 1000
    /// Rows that are looked at together.
    static let chunkCount = 500
    /// How often a run begins the statement anew because the place it had read to has gone.
    static let rewindCountMax = 3
}

/// One run, from the first page to the last comparison. It keeps its state in the store alone, so
/// that the next process goes on where this one died:
///
///     read a page ─▶ match ─▶ store ─▶ append what is unbooked ─▶ next page stores that this is done
///          ▲                                                             │
///          └──────────────── a crash reads the last page again ──────────┘
///
/// Everything is repeatable: rows are stored over themselves, and the gate knows what was appended.
struct ReconciliationRun: Sendable {
    let client: StripeClient
    let store: StatementStore
    let ledger: LedgerLookup
    /// nil in a dry run, which books nothing.
    let records: OwnRecords?
    let limits: ReconciliationLimits
    let clock: any LogClock
    let logger: Logger
    /// Told how far the reading has come, from 0 to 1.
    let progress: @Sendable (Double) -> Void

    static let statement = "/v1/balance_transactions"
    private static let queue = DispatchQueue(label: "tillbox.reconcile")

    /// Does what is left of the run, and ends it.
    ///
    /// - Throws: what kept it from going on. Its state is stored, and a later call takes it up.
    func perform(_ id: Int64) async throws {
        try await begin(id)
        try await read(id)
        try await settle(id)
        try await compare(id)
    }

    var now: Instant { Instant(seconds: clock.now().milliseconds / 1000) }

    /// SQLite blocks; it does so here and not on the cooperative pool.
    func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws(LedgerError) -> Value
    ) async throws(LedgerError) -> Value {
        let result: Result<Value, LedgerError> = await withCheckedContinuation { continuation in
            Self.queue.async {
                do throws(LedgerError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    func record(_ id: Int64) async throws -> RunRecord {
        let found = try await blocking { [store] () throws(LedgerError) in try store.run(id) }
        guard let found else { preconditionFailure("run \(id) was not created") }
        return found
    }

    func set(_ state: RunRecord.State, of id: Int64) async throws {
        try await blocking { [store] () throws(LedgerError) in try store.set(state, of: id) }
    }

    private func begin(_ id: Int64) async throws {
        guard try await record(id).state == .queued else { return }
        let balance = try await balance()
        try await blocking { [store] () throws(LedgerError) in
            try store.set(livemode: balance.livemode, of: id)
            try store.set(.reading, of: id)
        }
    }
}

// MARK: - Reading the statement

extension ReconciliationRun {
    private func read(_ id: Int64) async throws {
        var run = try await record(id)
        guard run.state == .reading else { return }
        var rewinds = 0
        while !(try await hasReadAll(run)) {
            rewinds += 1
            guard rewinds <= ReconciliationLimits.rewindCountMax else {
                throw StripeError.notFound(message: "the statement changes while it is read")
            }
            let begun = run
            try await blocking { [store] () throws(LedgerError) in try store.rewind(begun) }
            run = try await record(id)
        }
        let (from, to) = (run.from, run.to)
        try await blocking { [store] () throws(LedgerError) in
            try store.dropVanished(run: id, from: from, to: to)
            try store.set(.settling, of: id)
        }
    }

    /// - Returns: false when the place to go on from is no longer in the statement.
    private func hasReadAll(_ run: RunRecord) async throws -> Bool {
        var cursor = run.cursor
        var done: StatementStore.PageMark?
        let oldest = try await oldest(of: run)
        var hasMore = true
        while hasMore {
            try Task.checkCancellation()
            guard let page = try await page(of: run, after: cursor) else { return false }
            try await take(page, run, done: done)
            if let last = page.items.last {
                cursor = last.id
                done = StatementStore.PageMark(
                    cursor: last.id, transactions: Int64(page.items.count))
                progress(Self.share(last.created, oldest, run.to))
            }
            hasMore = page.hasMore && !page.items.isEmpty
        }
        if let done {
            try await blocking { [store] () throws(LedgerError) in
                try store.mark(done, of: run.id)
            }
        }
        return true
    }

    /// - Returns: nil when the place to go on from is no longer in the statement.
    private func page(
        of run: RunRecord, after cursor: String?
    ) async throws -> StripePage<BalanceTransaction>? {
        do throws(StripeError) {
            return try await client.page(Self.statement, Self.period(run), after: cursor) {
                (json) throws(RecordCodecError) in try BalanceTransaction(json: json)
            }
        } catch {
            if cursor != nil, case .notFound = error { return nil }
            throw error
        }
    }

    static func period(_ run: RunRecord) -> [(String, String)] {
        [("created[gte]", "\(run.from.seconds)"), ("created[lt]", "\(run.to.seconds)")]
    }

    private func take(
        _ page: StripePage<BalanceTransaction>, _ run: RunRecord, done: StatementStore.PageMark?
    ) async throws {
        let isDry = records == nil
        let (settlements, booked) = try await blocking { [ledger, store] () throws(LedgerError) in
            let booked = try ledger.movements(page.items.flatMap(SettlementMatcher.keys))
            let matcher = SettlementMatcher(booked: booked)
            let settlements = page.items.map { statement in
                var settlement = matcher.match(statement)
                if !isDry, settlement.isForUsToBook { settlement.bookedBy = run.id }
                return settlement
            }
            try store.store(settlements, run: run.id, done: done)
            return (settlements, booked)
        }
        guard let records, settlements.contains(where: \.isForUsToBook) else { return }
        let drafts = zip(settlements, page.sources()).flatMap { settlement, source in
            OwnRecords.drafts(
                of: settlement, source: source, livemode: run.livemode ?? false, booked: booked)
        }
        try await records.append(drafts)
    }

    /// What progress is measured against where the period has no beginning.
    private func oldest(of run: RunRecord) async throws -> Instant {
        guard run.from.seconds == 0 else { return run.from }
        let first = try await blocking { [ledger] () throws(LedgerError) in
            try ledger.movements(
                after: 0, from: Instant(seconds: 0), to: Instant(seconds: .max), limit: 1)
        }
        return first.first?.effectiveAt ?? Instant(seconds: run.to.seconds - 86_400)
    }

    private static func share(_ reached: Instant, _ oldest: Instant, _ newest: Instant) -> Double {
        let whole = Double(max(1, newest.seconds - oldest.seconds))
        return min(0.99, max(0, Double(newest.seconds - reached.seconds) / whole))
    }
}

extension Settlement {
    /// Whether a run books it, or a part of it.
    var isForUsToBook: Bool {
        feeState == .unbooked || finding == .unbooked || finding == .unconverted
    }
}

// MARK: - Settling

extension ReconciliationRun {
    /// Waits, within bounds, until the ledger holds what the run appended, and looks again at every
    /// row that is open, also those of earlier runs.
    private func settle(_ id: Int64) async throws {
        guard try await record(id).state == .settling else { return }
        var left = try await judgeOpen(id)
        if records != nil, !left.unclaimed.isEmpty {
            try await book(left.unclaimed, for: id)
            left = try await judgeOpen(id)
        }
        var hasCome = true
        while records != nil, hasCome, let last = left.last {
            hasCome = try await isBooked(last, oneOf: left.count)
            let before = left.count
            left = try await judgeOpen(id)
            if left.count == before { hasCome = false }
        }
        if left.count > 0, records != nil {
            logger.warning("the ledger has not booked all that reconciliation appended", metadata: [
                "run": "\(id)", "left": "\(left.count)",
            ])
        }
        try await set(.comparing, of: id)
    }

    /// Rows that wait for the ledger to book what this run appended.
    private struct Awaited: Sendable {
        var count = 0
        /// The oldest: it was appended last, so the ledger books it last.
        var last: Settlement?
        /// Rows that could be booked, and that no run has appended.
        var unclaimed: [Settlement] = []

        mutating func add(_ settlement: Settlement) {
            count += 1
            guard let last, last.place <= settlement.place else { return self.last = settlement }
        }
    }

    /// Waits until the ledger holds what was appended for one row: a look at all rows costs too
    /// much to be repeated meanwhile.
    ///
    /// - Parameter count: how many are waited for; the pipeline has a second for a hundred.
    /// - Returns: false when it did not come in time.
    private func isBooked(_ settlement: Settlement, oneOf count: Int) async throws -> Bool {
        let seconds = max(limits.settleSecondsMax, Int64(count / 100))
        let end = ContinuousClock.now + .seconds(seconds)
        let key = settlement.awaitedKey
        var milliseconds: Int64 = 10
        while ContinuousClock.now < end {
            let found = try await blocking { [ledger] () throws(LedgerError) in
                try ledger.movements([key])
            }
            if !found.isEmpty { return true }
            try await Task.sleep(for: .milliseconds(milliseconds))
            milliseconds = min(milliseconds * 2, 500)
        }
        return false
    }

    private func judgeOpen(_ id: Int64) async throws -> Awaited {
        var place = StatementStore.OpenPlace()
        var awaited = Awaited()
        var isMore = true
        while isMore {
            try Task.checkCancellation()
            let from = place
            let chunk = try await blocking { [store, ledger] () throws(LedgerError) in
                try Self.judgeChunk(from, store, ledger)
            }
            for settlement in chunk where settlement.isForUsToBook {
                if settlement.bookedBy == id {
                    awaited.add(settlement)
                } else if settlement.bookedBy == nil,
                    awaited.unclaimed.count < limits.confirmCountMax
                {
                    awaited.unclaimed.append(settlement)
                }
            }
            if let last = chunk.last { place = StatementStore.OpenPlace(last) }
            isMore = chunk.count == ReconciliationLimits.chunkCount
        }
        return awaited
    }

    private static func judgeChunk(
        _ place: StatementStore.OpenPlace, _ store: StatementStore, _ ledger: LedgerLookup
    ) throws(LedgerError) -> [Settlement] {
        let open = try store.open(after: place, limit: ReconciliationLimits.chunkCount)
        let booked = try ledger.movements(
            open.flatMap { SettlementMatcher.keys(of: $0.statement) })
        let matcher = SettlementMatcher(booked: booked)
        var judged: [Settlement] = []
        var changed: [Settlement] = []
        for settlement in open {
            var again = matcher.match(settlement.statement, bookedBy: settlement.bookedBy)
            // It was seen to be undone before, and is open for its fee alone.
            let isUndone = settlement.finding == .none && settlement.transaction == nil
            if again.finding == .missing, isUndone {
                again.finding = .none
            } else if let other = try undone(again, booked, store) {
                again.finding = .none
                changed.append(other)
            }
            if again != settlement { changed.append(again) }
            judged.append(again)
        }
        if !changed.isEmpty { try store.judge(changed) }
        return judged
    }

    /// The other half where a payment that the ledger never knew and its failure cancel each
    /// other; it is settled by that too.
    private static func undone(
        _ settlement: Settlement, _ booked: [String: LedgerMovement], _ store: StatementStore
    ) throws(LedgerError) -> Settlement? {
        let statement = settlement.statement
        guard settlement.finding == .missing, booked["charge:\(statement.source)"] == nil,
            statement.isAnnouncement
        else { return nil }
        switch statement.meaning {
        case .failedPayment: break
        case .movement(let key, _, _) where key == "charge:\(statement.source)": break
        default: return nil
        }
        var other = try store.open(source: statement.source).first { other in
            other.finding == .missing && other.statement.isAnnouncement
                && other.statement.currency == statement.currency
                && other.statement.amount == -statement.amount
        }
        other?.finding = .none
        return other
    }
}

extension BalanceTransaction {
    /// Whether it may be of a payment that never came about. A card's is not listed before it has
    /// succeeded.
    fileprivate var isAnnouncement: Bool { type != BalanceTransactionType.charge.rawValue }
}

extension Settlement {
    /// A movement that the ledger holds once it has booked what was appended for this row.
    fileprivate var awaitedKey: String {
        if feeState == .unbooked { return ReconciledRecord.feeKey(statement.id) }
        if finding != .unbooked { return ReconciledRecord.exchangeInKey(statement.id) }
        return failedPayment == nil
            ? ReconciledRecord.feeKey(statement.id) : ReconciledRecord.reversalKey(of: statement)
    }

    /// Its place in the statement, oldest first.
    fileprivate var place: Place {
        Place(created: statement.created.seconds, id: statement.id)
    }

    fileprivate struct Place: Comparable {
        var created: Int64
        var id: String

        static func < (left: Self, right: Self) -> Bool {
            (left.created, left.id) < (right.created, right.id)
        }
    }
}

extension StatementStore.OpenPlace {
    init(_ settlement: Settlement) {
        self.init(
            source: settlement.statement.source, created: settlement.statement.created.seconds,
            id: settlement.statement.id)
    }
}
