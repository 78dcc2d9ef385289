import AppendLog
import Appliance
import Dispatch
import Logging
import Vocabulary

/// Bounds and patience of a run.
package struct ReconciliationLimits: Sendable {
    /// What is younger may still be on its way: it is late, not missing.
    package var graceSeconds: Int64 = 48 * 3600
    /// How long a run waits for the ledger to book what it appended, without any of it coming.
    var settleSecondsMax: Int64 = 30
    /// The same while the ledger books what stood before it.
    var settleWholeSecondsMax: Int64 = 600
    /// How long it waits for ledger and Stripe to stand still at the same moment.
    var balanceSecondsMax: Int64 = 10
    /// Movements that are looked up at Stripe one by one, at most; more are taken as missing.
    var confirmCountMax = 1000

    package init() {}

    /// Rows that are looked at together.
    static let chunkCount = 500
    /// How often a run begins the statement anew because the place it had read to has gone.
    static let rewindCountMax = 3
}

/// One run, from the first page to the last comparison. It keeps its state in the store alone, so
/// that the next process goes on where this one died:
///
///     read a page ─▶ match ─▶ store ─▶ append what is unbooked ─▶ next page stores that it is done
///          ▲                                                             │
///          └──────────────── a crash reads the last page again ──────────┘
///
/// Everything is repeatable: rows are stored over themselves, and the gate knows what was appended.
struct ReconciliationRun: Sendable {
    let client: StripeClient
    let store: StatementStore
    /// Where sweeps are noted, where that is not the store of the run: a dry one's.
    var sweeps: StatementStore?
    var ledger: LedgerMoment
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

    /// The same run over the ledger as it stands at this moment: what is booked from now on is not
    /// seen, so that all that follows speaks of one state, however fast money moves meanwhile.
    func standingStill() async throws -> Self {
        var still = self
        still.ledger = try await blocking { [ledger] () throws(LedgerError) in
            try ledger.standingStill()
        }
        return still
    }

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
        let balance = try await balance(of: .own)
        try await blocking { [store, ledger] () throws(LedgerError) in
            try store.set(livemode: balance.livemode, of: id)
            try store.cover([.own] + ledger.connectedAccounts(), run: id)
            try store.set(.reading, of: id)
        }
    }

    /// The accounts of the run that can be read, or nobody knows yet that they cannot.
    func accounts(of id: Int64) async throws -> [AccountReading] {
        try await blocking { [store] () throws(LedgerError) in
            try store.readings(of: id).filter { $0.failure == nil }
        }
    }
}

// MARK: - Reading the statement

extension ReconciliationRun {
    /// Reads the statement of one account after the other; what is read is not read again.
    private func read(_ id: Int64) async throws {
        let run = try await record(id)
        guard run.state == .reading else { return }
        let readings = try await accounts(of: id)
        for (index, reading) in readings.enumerated() where !reading.isRead {
            let failure = try await failure(reading.account) {
                try await read(reading, run) { share in
                    progress(min(0.99, (Double(index) + share) / Double(readings.count)))
                }
            }
            try await blocking { [store] () throws(LedgerError) in
                try store.end(reading.account, of: id, failure: failure)
            }
        }
        try await blocking { [store] () throws(LedgerError) in
            try store.dropVanished(run: id, from: run.from, to: run.to)
            try store.set(.settling, of: id)
        }
    }

    /// - Returns: why a connected account cannot be read: its owner has taken the access back, or
    ///   it is gone. That must not keep the others from being read.
    private func failure(
        _ account: StripeAccount, _ body: () async throws -> Void
    ) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let error as StripeError where account != .own && error.isOfAccount {
            logger.warning(
                "a connected account cannot be read",
                metadata: [
                    "account": "\(account)", "error": "\(error)",
                ])
            return "\(error)"
        }
    }

    private func read(
        _ reading: AccountReading, _ run: RunRecord, _ progress: (Double) -> Void
    ) async throws {
        var rewinds = 0
        var cursor = reading.cursor
        while !(try await hasReadAll(reading.account, run, from: cursor, progress)) {
            rewinds += 1
            guard rewinds <= ReconciliationLimits.rewindCountMax else {
                throw StripeError.notFound(message: "the statement changes while it is read")
            }
            cursor = nil
            try await blocking { [store] () throws(LedgerError) in
                try store.rewind(run, reading.account)
            }
        }
    }

    /// Takes one page while the next is on its way.
    ///
    /// - Returns: false when the place to go on from is no longer in the statement.
    private func hasReadAll(
        _ account: StripeAccount, _ run: RunRecord, from start: String?,
        _ progress: (Double) -> Void
    ) async throws -> Bool {
        var place = StripePlace(in: Self.statement, after: start)
        var done: StatementStore.PageMark?
        let oldest = try await oldest(of: run)
        var read = try await next(account, run, place)
        while case .page(let page) = read {
            try Task.checkCancellation()
            try place.move(behind: page.items.last?.id, hasMore: page.hasMore)
            let ahead = place
            async let following = next(account, run, ahead)
            try await take(page, account, run, done: done)
            read = try await following
            if let last = page.items.last {
                done = StatementStore.PageMark(
                    account: account, cursor: last.id, transactions: Int64(page.items.count))
                progress(Self.share(last.created, oldest, run.to))
            }
        }
        if case .lost = read { return false }
        if let done {
            try await blocking { [store] () throws(LedgerError) in
                try store.mark(done, of: run.id)
            }
        }
        return true
    }

    /// What comes next of a statement.
    private enum Reading: Sendable {
        case page(StripePage<BalanceTransaction>)
        case end
        /// The place to go on from is no longer in it.
        case lost
    }

    private func next(
        _ account: StripeAccount, _ run: RunRecord, _ place: StripePlace
    ) async throws -> Reading {
        guard place.hasMore else { return .end }
        do throws(StripeError) {
            return .page(
                try await client.reading(account).page(
                    Self.statement, Self.period(run), after: place.cursor
                ) { (json) throws(RecordCodecError) in try BalanceTransaction(json: json) })
        } catch {
            if place.cursor != nil, case .notFound = error { return .lost }
            throw error
        }
    }

    static func period(_ run: RunRecord) -> [(String, String)] {
        [("created[gte]", "\(run.from.seconds)"), ("created[lt]", "\(run.to.seconds)")]
    }

    private func take(
        _ page: StripePage<BalanceTransaction>, _ account: StripeAccount, _ run: RunRecord,
        done: StatementStore.PageMark?
    ) async throws {
        let (isDry, due) = (records == nil, dueBefore)
        let (settlements, booked) = try await blocking { [ledger, store] () throws(LedgerError) in
            let booked = try ledger.movements(page.items.flatMap(SettlementMatcher.keys))
            let matcher = SettlementMatcher(booked: booked, account: account, dueBefore: due)
            var settlements: [Settlement] = []
            for statement in page.items {
                var settlement = matcher.match(statement)
                // Of several conversions each needs to know what the others have taken.
                let isOne = try Self.isOneOfSeveral(settlement, among: page.items, store)
                if !isDry, !isOne { settlement.claim(for: run.id) }
                settlements.append(settlement)
            }
            try store.store(settlements, run: run.id, done: done)
            return (settlements, booked)
        }
        guard let records, settlements.contains(where: \.isForUsToBook) else { return }
        let drafts = zip(settlements, page.sources()).flatMap { settlement, source in
            guard settlement.finding != .unconverted || settlement.bookedBy != nil else {
                return [] as [OwnRecords.Draft]
            }
            let booked = Self.converting(settlement, source, booked)
            return OwnRecords.drafts(
                of: settlement, source: source, livemode: run.livemode ?? false, booked: booked)
        }
        try await records.append(drafts)
    }

    /// What the ledger holds, with the part of a movement that a lone line converts: more may have
    /// been captured since than the period shows.
    private static func converting(
        _ settlement: Settlement, _ source: ArraySlice<UInt8>, _ booked: [String: LedgerMovement]
    ) -> [String: LedgerMovement] {
        guard settlement.finding == .unconverted,
            case .movement(let key, _, _) = settlement.statement.meaning, let movement = booked[key]
        else { return booked }
        let part = ConvertedLines.part(
            of: settlement.statement, rate: ConvertedLines.rate(in: source), movement.amount,
            of: movement)
        guard part != .zero else { return booked }
        var booked = booked
        booked[key]?.amount = part
        return booked
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

    /// Whether only the line with its source in full says what to book.
    var needsSource: Bool {
        guard case .told = statement.meaning else { return false }
        return finding == .unbooked
    }

    /// Notes the run that is about to append what books it. What needs its source is asked for
    /// later, by itself.
    mutating func claim(for run: Int64) {
        guard isForUsToBook, !needsSource else { return }
        bookedBy = run
        isBookedWhole = finding == .unbooked
    }
}

extension StripeError {
    /// Whether it is this account that cannot be read, and not Stripe.
    var isOfAccount: Bool {
        switch self {
        case .forbidden, .notFound, .unauthorised, .endless: true
        case .refused(let status, _): status == 400
        case .rateLimited, .unavailable, .unreachable, .malformed, .cancelled: false
        }
    }
}
