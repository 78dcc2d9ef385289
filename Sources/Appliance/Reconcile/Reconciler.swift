import AppendLog
import Logging
import ServiceLifecycle
import Synchronization

/// Reconciliation as a service: takes up what a crash left, does what is asked for and what is due,
/// one at a time.
final class Reconciler: Service {
    private let settings: ReconcilerSettings
    /// nil without an API key: then what is stored can be read, and nothing else.
    private let client: StripeClient?
    private let store: StatementStore
    private let ledgerPath: String
    private let records: OwnRecords
    private let accepts: @Sendable (_ livemode: Bool) -> Bool
    /// Stamps what is appended.
    private let clock: any LogClock
    /// Says what is due and what is late, when it is another.
    private let stripeClock: StripeClock?
    private let sleep: @Sendable (_ seconds: Int64) async -> Void
    private let counters: Counters
    private let logger: Logger
    private let state = Mutex(State())

    private enum Job: Sendable {
        case run(RunName)
        case sweep(SweepRecord)
    }

    private struct State {
        var jobs: [Job] = []
        var current: RunName?
        var progress = 0.0
        var dryRuns: [DryRun] = []
        var dryRunCount: Int64 = 0
        /// Ends the wait that is going on.
        var wake: AsyncStream<Void>.Continuation?
        /// When the lack of a sweep was complained of last, in milliseconds.
        var complainedAt: Int64?
        /// How many runs and sweeps from the future have been warned of.
        var jumpsWarned: Int64 = 0
    }

    private struct DryRun: Sendable {
        var number: Int64
        var store: StatementStore
    }

    /// How long Stripe is waited for when only its time is asked, and when somebody waits for it.
    private static let timePatience: Duration = .seconds(2)
    private static let askedPatience: Duration = .seconds(10)
    /// Runs and sweeps that may wait.
    private static let jobCountMax = 8
    /// Dry runs that can still be read.
    private static let dryRunCountMax = 4
    /// The number of the only run in a dry run's store.
    private static let dryRunID: Int64 = 1
    /// Longest sleep between two looks at the schedule, so that a clock that is set forward counts.
    private static let lookSecondsMax: Int64 = 60

    /// - Parameters:
    ///   - ledger: opened for writing.
    ///   - ledgerPath: of its file, which is opened again for reading.
    ///   - accepts: whether events of this mode are taken.
    ///   - sleep: waits until something may be due; returns at once when its task is cancelled.
    init(
        settings: ReconcilerSettings, client: StripeClient?, ledger: SQLiteLedger,
        ledgerPath: String, admission: Admission,
        accepts: @escaping @Sendable (_ livemode: Bool) -> Bool, clock: any LogClock,
        stripeClock: StripeClock? = nil,
        sleep: @escaping @Sendable (_ seconds: Int64) async -> Void = {
            try? await Task.sleep(for: .seconds($0))
        },
        counters: Counters, logger: Logger
    ) {
        self.settings = settings
        self.client = client
        store = StatementStore(of: ledger)
        self.ledgerPath = ledgerPath
        records = OwnRecords(admission: admission, clock: clock)
        self.accepts = accepts
        self.clock = clock
        self.stripeClock = stripeClock
        self.sleep = sleep
        self.counters = counters
        self.logger = logger
    }

    private var stripe: any LogClock { stripeClock ?? clock }
    private var now: Instant { Instant(seconds: stripe.now().milliseconds / 1000) }

    /// Asks Stripe for the time; without an answer the machine's counts, or the last one.
    ///
    /// - Parameter isAsked: whether somebody asks for what is up to this moment. Else the last
    ///   answer will do: it is enough that Stripe has answered once.
    /// - Returns: false where Stripe does not answer: nothing can be read of it now.
    @discardableResult
    func learnTime(isAsked: Bool = false) async -> Bool {
        guard let client, let stripeClock, isAsked || !stripeClock.isSet else { return true }
        let patience = isAsked ? Self.askedPatience : Self.timePatience
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await client.transport.get("/v1/balance", of: .own)) != nil }
            group.addTask {
                try? await Task.sleep(for: patience)
                return false
            }
            let hasAnswered = await group.next() ?? false
            group.cancelAll()
            return hasAnswered
        }
    }

    /// Runs until graceful shutdown; a run that is under way then goes on at the next start.
    func run() async throws {
        guard let client else { return try await gracefulShutdown() }
        do {
            try await cancelWhenGracefulShutdown { try await self.work(client) }
        } catch is CancellationError {
            return
        }
    }

    private func work(_ client: StripeClient) async throws {
        while try unlessFull({ () throws(LedgerError) in try store.abandonSweeps() }) == nil,
            !Task.isCancelled
        {
            await wait(seconds: Self.lookSecondsMax)
        }
        for run in try store.unfinished() {
            await perform(RunName(number: run.id, isDry: false), client)
        }
        while !Task.isCancelled {
            if let job = state.withLock({ $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) {
                await perform(job, client)
            } else if let seconds = try await doDueUnlessFull(client) {
                await wait(seconds: seconds)
            }
        }
    }

    /// What cannot be noted for want of room is due again a minute later: the daemon goes on.
    private func doDueUnlessFull(_ client: StripeClient) async throws -> Int64? {
        do {
            return try await doDue(client)
        } catch let error as LedgerError where error.isRetryable {
            logger.warning("reconciliation waits for room", metadata: ["error": "\(error)"])
            return Self.lookSecondsMax
        }
    }

    /// - Returns: nil when the same call may succeed later.
    private func unlessFull(_ body: () throws(LedgerError) -> Void) throws(LedgerError) -> Void? {
        do {
            return try body()
        } catch {
            guard error.isRetryable else { throw error }
            logger.warning("reconciliation waits for room", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func perform(_ job: Job, _ client: StripeClient) async {
        switch job {
        case .run(let name): await perform(name, client)
        case .sweep(let sweep): await perform(sweep, client)
        }
    }

    /// Does what is due; a sweep first, since what it finds is missing in the ledger otherwise.
    ///
    /// - Returns: seconds to wait until something is; nil when something was done.
    private func doDue(_ client: StripeClient) async throws -> Int64? {
        let hasAnswered = await learnTime()
        let now = now
        let latest = ClockJumps.latest(at: now)
        try warnOfJumps(latest)
        complainWithoutSweep(now)
        // Nothing is begun before Stripe has answered once: it would fail, and its times would be
        // the machine's, which need not be Stripe's.
        guard hasAnswered else {
            logger.warning("Stripe does not answer: sweep and reconciliation wait for it")
            return Self.lookSecondsMax
        }
        let swept = (
            finished: try store.lastFinishedSweep(notAfter: latest),
            begun: try store.lastBegunSweep(notAfter: latest)
        )
        let sweepDue = settings.schedule.sweepDue(
            finished: swept.finished, begun: swept.begun, now: now)
        if let sweepDue, sweepDue <= now {
            await perform(try beginSweep(), client)
            return nil
        }
        let runs = try store.lastRuns(notAfter: latest)
        let runDue = settings.schedule.nightlyDue(
            finished: runs.finished?.to, begun: runs.begun, now: now)
        if let runDue, runDue <= now {
            sayWhy(finished: runs.finished, now)
            let id = try store.create(.schedule, from: nextFrom(runs.finished), to: now, at: now)
            await perform(RunName(number: id, isDry: false), client)
            return nil
        }
        let waits = [sweepDue, runDue].compactMap { $0.map { $0.seconds - now.seconds } }
        return max(1, min(waits.min() ?? Self.lookSecondsMax, Self.lookSecondsMax))
    }

    /// Says once that something done lies in the future, and is passed over.
    private func warnOfJumps(_ latest: Instant) throws(LedgerError) {
        let count = try store.countBeyond(latest)
        let isNew = state.withLock { state in
            defer { state.jumpsWarned = count }
            return count > state.jumpsWarned
        }
        guard isNew else { return }
        counters.add(.clockJumps)
        logger.warning(
            "the clock was ahead once: runs and sweeps that were done in the future are passed over",
            metadata: ["count": "\(count)"])
    }

    /// Says of a run that begins by itself what it makes up for.
    private func sayWhy(finished: RunRecord?, _ now: Instant) {
        guard let finished else {
            return logger.info(
                "no reconciliation has gone well yet; the first one reads everything")
        }
        let missed = settings.schedule.nightsMissed(since: finished.to, now: now)
        guard missed > 0 else { return }
        logger.warning("nights without reconciliation are made up for now", metadata: [
            "nights": "\(missed)", "since": "\(finished.to.seconds)",
        ])
    }

    /// Where the next run begins: before the end of the last one by what was late then, and a day.
    private func nextFrom(_ finished: RunRecord?) -> Instant {
        guard let finished else { return Instant(seconds: 0) }
        return Instant(
            seconds: max(0, finished.to.seconds - settings.limits.graceSeconds - 86_400))
    }

    /// Waits until something may be due, or is asked for.
    private func wait(seconds: Int64) async {
        // Each wait has a stream of its own: one that a cancelled task has read is over for good,
        // and the next wait would not wait at all.
        let (calls, call) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let isAsked = state.withLock { state in
            state.wake = call
            return !state.jobs.isEmpty
        }
        guard !isAsked else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [sleep] in await sleep(seconds) }
            group.addTask { for await _ in calls { return } }
            await group.next()
            group.cancelAll()
        }
    }
}

// MARK: - Runs

extension Reconciler {
    /// Asks for a run.
    ///
    /// - Parameters:
    ///   - from: by default, where the last run allows to begin.
    ///   - to: by default, now.
    func request(
        from: Instant?, to: Instant?, dryRun: Bool
    ) throws -> RunName {
        guard client != nil else { throw ReconcileRefusal.noAPIKey }
        let now = now
        // What the machine's clock has reached and Stripe's has not ends where Stripe is.
        let machine = Instant(seconds: clock.now().milliseconds / 1000)
        let to = to.map { $0 <= machine ? min($0, now) : $0 } ?? now
        let from = try from
            ?? nextFrom(store.lastRuns(notAfter: ClockJumps.latest(at: now)).finished)
        guard from < to, to <= now else { throw ReconcileRefusal.badPeriod }
        guard state.withLock({ $0.jobs.count < Self.jobCountMax }) else {
            throw ReconcileRefusal.busy
        }
        let name: RunName
        if dryRun {
            let scratch = try StatementStore()
            _ = try scratch.create(.request, from: from, to: to, at: now)
            name = state.withLock { state in
                state.dryRunCount += 1
                state.dryRuns.append(DryRun(number: state.dryRunCount, store: scratch))
                if state.dryRuns.count > Self.dryRunCountMax { state.dryRuns.removeFirst() }
                return RunName(number: state.dryRunCount, isDry: true)
            }
        } else {
            let id = try store.create(.request, from: from, to: to, at: now)
            name = RunName(number: id, isDry: false)
        }
        enqueue(.run(name))
        return name
    }

    private func enqueue(_ job: Job) {
        let wake = state.withLock { state in
            state.jobs.append(job)
            return state.wake
        }
        wake?.yield()
    }

    /// The store of a run and its number there.
    private func place(of name: RunName) -> (store: StatementStore, id: Int64)? {
        guard name.isDry else { return (store, name.number) }
        let dry = state.withLock { $0.dryRuns.first { $0.number == name.number } }
        return dry.map { ($0.store, Self.dryRunID) }
    }

    private func perform(_ name: RunName, _ client: StripeClient) async {
        guard let (store, id) = place(of: name) else { return }
        state.withLock { ($0.current, $0.progress) = (name, 0) }
        defer { state.withLock { $0.current = nil } }
        let outcome = await outcome(of: name, store, id, client)
        // What was only interrupted goes on at the next start.
        guard !Task.isCancelled else { return }
        do {
            if case .failure(let error) = outcome {
                try store.end(id, at: now, failure: "\(error)")
            }
            if let report = try report(name) { log(report, name) }
        } catch {
            logger.error("a reconciliation could not be noted", metadata: ["error": "\(error)"])
        }
    }

    private func outcome(
        of name: RunName, _ store: StatementStore, _ id: Int64, _ client: StripeClient
    ) async -> Result<Void, any Error> {
        do {
            let lookup = try LedgerLookup(path: ledgerPath)
            let run = ReconciliationRun(
                client: client, store: store, sweeps: self.store, ledger: lookup,
                records: name.isDry ? nil : records, limits: settings.limits, clock: stripe,
                logger: logger
            ) { share in self.state.withLock { $0.progress = share } }
            try await run.perform(id)
            try lookup.close()
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private func log(_ report: RunReport, _ name: RunName) {
        let breaks = report.breaks.filter { $0.kind != .late }.reduce(0) { $0 + $1.count }
        if !name.isDry { counters.add(.reconciliationBreaks, Int(breaks)) }
        var metadata: Logger.Metadata = [
            "run": "\(name)", "transactions": "\(report.run.transactions)", "breaks": "\(breaks)",
            "booked": "\(report.currencies.reduce(0) { $0 + $1.booked })",
            "accounts": "\(report.accounts)",
            "missed_events_until": "\(report.run.sweptTo.map { "\($0.seconds)" } ?? "never")",
        ]
        for sum in report.currencies where sum.transactions > 0 {
            let place = sum.account.id.map { "_\($0)" } ?? ""
            metadata["explained_\(sum.currency.code)\(place)"] = "\(sum.explainedInWords)"
        }
        if let failure = report.run.failure {
            metadata["error"] = "\(failure)"
            logger.error("reconciliation failed", metadata: metadata)
        } else if report.isClean {
            logger.info("reconciliation is clean", metadata: metadata)
        } else {
            logger.error("reconciliation found breaks", metadata: metadata)
        }
    }

    /// A run and what it found so far; nil if there is none of this name.
    func report(_ name: RunName) throws(LedgerError) -> RunReport? {
        guard let (store, id) = place(of: name), let run = try store.run(id) else { return nil }
        var report = try store.report(run)
        report.isDryRun = name.isDry
        return report
    }

    /// The newest runs, without dry ones.
    func reports(before: Int64?, limit: Int) throws(LedgerError) -> [RunReport] {
        var reports: [RunReport] = []
        for run in try store.runs(before: before, limit: limit) {
            reports.append(try store.report(run))
        }
        return reports
    }

    /// A page of what a run found and booked.
    func findings(
        of name: RunName, after: FindingPlace, limit: Int
    ) throws(LedgerError) -> FindingPage? {
        guard let (store, id) = place(of: name), let run = try store.run(id) else { return nil }
        return try store.findings(of: run, after: after, limit: limit)
    }

    /// From 0 to 1 while the run is under way; nil otherwise.
    func progress(of name: RunName) -> Double? {
        state.withLock { $0.current == name ? $0.progress : nil }
    }
}

// MARK: - Sweeps

extension Reconciler {
    /// Asks for a sweep now.
    func requestSweep() throws -> SweepRecord {
        guard client != nil else { throw ReconcileRefusal.noAPIKey }
        guard state.withLock({ $0.jobs.count < Self.jobCountMax }) else {
            throw ReconcileRefusal.busy
        }
        let sweep = try beginSweep()
        enqueue(.sweep(sweep))
        return sweep
    }

    func sweep(_ id: Int64) throws(LedgerError) -> SweepRecord? { try store.sweep(id) }

    func sweeps(before: Int64?, limit: Int) throws(LedgerError) -> [SweepRecord] {
        try store.sweeps(before: before, limit: limit)
    }

    /// Notes a sweep from the end of the last one, as far back as Stripe remembers.
    private func beginSweep() throws(LedgerError) -> SweepRecord {
        let now = now
        let to = Instant(seconds: now.seconds - settings.sweep.delaySeconds + 1)
        let oldest = now.seconds - SweepLimits.historySeconds
        let last = try store.lastFinishedSweep(notAfter: ClockJumps.latest(at: now)).map {
            $0.to.seconds - settings.sweep.overlapSeconds
        }
        let from = Instant(seconds: max(oldest, last ?? oldest))
        let id = try store.beginSweep(from: from, to: to, at: now)
        return SweepRecord(id: id, state: .reading, from: from, to: to, startedAt: now)
    }

    private func perform(_ sweep: SweepRecord, _ client: StripeClient) async {
        let work = EventSweep(
            client: client, store: store, admission: records.admission, accepts: accepts,
            limits: settings.sweep, clock: clock, counters: counters, logger: logger)
        var swept = sweep
        do {
            swept = try await work.perform(sweep, connected: try connectedAccounts())
            swept.state = .finished
        } catch {
            swept.state = .failed
            swept.failure = "\(error)"
        }
        guard !Task.isCancelled else { return }
        swept.finishedAt = now
        note(swept)
    }

    private func connectedAccounts() throws(LedgerError) -> [StripeAccount] {
        let lookup = try LedgerLookup(path: ledgerPath)
        let accounts = try lookup.connectedAccounts()
        try lookup.close()
        return accounts
    }

    private func note(_ sweep: SweepRecord) {
        do {
            try store.update(sweep)
        } catch {
            logger.error("a sweep could not be noted", metadata: ["error": "\(error)"])
        }
        var metadata: Logger.Metadata = [
            "sweep": "\(sweep.id)", "events": "\(sweep.events)", "missed": "\(sweep.missed)",
            "until": "\(sweep.to.seconds)",
        ]
        if let failure = sweep.failure {
            metadata["error"] = "\(failure)"
            logger.error("the sweep for missed events failed", metadata: metadata)
        } else if sweep.missed > 0 {
            logger.warning("events that never arrived were fetched", metadata: metadata)
        } else {
            logger.info("no event was missed", metadata: metadata)
        }
    }

    /// Alarms once an hour while the last good sweep is so old that events near their end.
    private func complainWithoutSweep(_ now: Instant) {
        guard settings.schedule.sweepSeconds != nil,
            let last = try? store.lastFinishedSweep(notAfter: ClockJumps.latest(at: now))?.to,
            now.seconds - last.seconds > settings.sweep.alertAgeSeconds
        else { return }
        let monotonic = clock.monotonicMilliseconds()
        let isDue = state.withLock { state in
            guard state.complainedAt.map({ monotonic - $0 >= 3_600_000 }) ?? true else {
                return false
            }
            state.complainedAt = monotonic
            return true
        }
        guard isDue else { return }
        counters.add(.eventsNearExpiry)
        logger.error(
            "no sweep for missed events went well for too long; Stripe keeps events for 30 days",
            metadata: ["days": "\((now.seconds - last.seconds) / 86_400)"])
    }
}
