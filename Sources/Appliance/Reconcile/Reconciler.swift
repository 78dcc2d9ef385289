package import AppendLog
package import Appliance
package import Logging
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// Reconciliation as a service: takes up what a crash left, does what is asked for and what is due,
/// one at a time. Here is when; `Reconciler+Runs.swift` and `Reconciler+Sweeps.swift` have what.
package final class Reconciler: Service {
    let settings: ReconcilerSettings
    /// nil without an API key: then what is stored can be read, and nothing else.
    let client: StripeClient?
    package let store: StatementStore
    /// The same rows for who only looks: a connection on which nothing is booked.
    let seen: StatementStore
    let openLedger: @Sendable () throws -> any LedgerReading
    let records: OwnRecords
    let accepts: @Sendable (_ livemode: Bool) -> Bool
    /// Stamps what is appended.
    let clock: any LogClock
    /// Says what is due and what is late, when it is another.
    private let stripeClock: StripeClock?
    private let sleep: @Sendable (_ seconds: Int64) async -> Void
    let counters: Counters
    let logger: Logger
    let state = Mutex(State())

    enum Job: Sendable {
        case run(RunName)
        case sweep(SweepRecord)
    }

    struct State {
        var jobs: [Job] = []
        var current: RunName?
        var progress = 0.0
        /// Whether a bank's statements are being imported.
        var isImporting = false
        var dryRuns: [DryRun] = []
        var dryRunCount: Int64 = 0
        /// Ends the wait that is going on.
        var wake: AsyncStream<Void>.Continuation?
        /// Seconds until a Stripe that has never answered is asked again; they double, up to a
        /// minute: it may be there a moment after this.
        var askAgainSeconds: Int64 = 1
        /// When the lack of a sweep was complained of last, in milliseconds.
        var complainedAt: Int64?
        /// Whether the date of Stripe's answers has been warned of.
        var isDateWarned = false
        /// How many runs and sweeps from the future have been warned of.
        var jumpsWarned: Int64 = 0
    }

    struct DryRun: Sendable {
        var number: Int64
        var store: StatementStore
    }

    /// How long Stripe is waited for when only its time is asked, and when somebody waits for it.
    private static let timePatience: Duration = .seconds(2)
    private static let askedPatience: Duration = .seconds(10)
    /// Runs and sweeps that may wait.
    static let jobCountMax = 8
    /// Dry runs that can still be read.
    static let dryRunCountMax = 4
    /// The number of the only run in a dry run's store.
    static let dryRunID: Int64 = 1
    /// Longest sleep between two looks at the schedule, so that a clock that is set forward counts.
    private static let lookSecondsMax: Int64 = 60

    /// - Parameters:
    ///   - store: its own rows, beside the ledger's.
    ///   - seen: the same for pages and programs, which then wait for no booking, and no booking
    ///     for them; nil reads where it is written.
    ///   - openLedger: opens the ledger for reading.
    ///   - accepts: whether events of this mode are taken.
    ///   - sleep: waits until something may be due; returns at once when its task is cancelled.
    package init(
        settings: ReconcilerSettings, client: StripeClient?, store: StatementStore,
        seen: StatementStore? = nil,
        openLedger: @escaping @Sendable () throws -> any LedgerReading,
        admission: any AdmissionStore,
        accepts: @escaping @Sendable (_ livemode: Bool) -> Bool, clock: any LogClock,
        stripeClock: StripeClock? = nil,
        sleep: @escaping @Sendable (_ seconds: Int64) async -> Void = {
            try? await Task.sleep(for: .seconds($0))
        },
        counters: Counters, logger: Logger
    ) {
        self.settings = settings
        self.client = client
        self.store = store
        self.seen = seen ?? store
        self.openLedger = openLedger
        records = OwnRecords(admission: admission, clock: clock)
        self.accepts = accepts
        self.clock = clock
        self.stripeClock = stripeClock
        self.sleep = sleep
        self.counters = counters
        self.logger = logger
    }

    var stripe: any LogClock { stripeClock ?? clock }
    /// Time at Stripe, as far as its answers have told it.
    package var now: Instant { Instant(seconds: stripe.now().milliseconds / 1000) }

    /// Asks Stripe for the time; without an answer the machine's counts, or the last one.
    ///
    /// - Parameter isAsked: whether somebody asks for what is up to this moment. Else the last
    ///   answer will do: it is enough that Stripe has answered once.
    /// - Returns: false where Stripe does not answer: nothing can be read of it now.
    @discardableResult
    package func learnTime(isAsked: Bool = false) async -> Bool {
        guard let client, let stripeClock, isAsked || !stripeClock.isSet else { return true }
        let patience = isAsked ? Self.askedPatience : Self.timePatience
        let hasAnswered = await withTaskGroup(of: Bool?.self) { group in
            group.addTask { (try? await client.transport.get("/v1/balance", of: .own)) != nil }
            group.addTask {
                try? await Task.sleep(for: patience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        // A network that swallows what is sent looks like this, and is to be told as a silence.
        if hasAnswered == nil, !Task.isCancelled { client.transport.hasGivenUp(after: patience) }
        return hasAnswered ?? false
    }

    /// Runs until graceful shutdown; a run that is under way then goes on at the next start.
    package func run() async throws {
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
        warnOfDate()
    }

    /// What the date of Stripe's answers leads to, where it is far from this machine's.
    package var dateWarning: String? { stripeClock?.warning }

    /// Whether there is an API key to ask Stripe with.
    package var asksStripe: Bool { client != nil }

    /// How far Stripe's clock was ahead of this machine's at its last answer, in milliseconds; nil
    /// where it has not answered yet.
    package var stripeAheadMilliseconds: Int64? { stripeClock?.aheadMilliseconds }

    /// Has deliveries confirm this machine's clock against that date.
    package func confirmClock(by witness: @escaping @Sendable () -> Bool) {
        stripeClock?.confirm(by: witness)
    }

    /// Says once that Stripe's answers bear a strange date.
    private func warnOfDate() {
        let warning = dateWarning
        let isNew = state.withLock { state in
            defer { state.isDateWarned = warning != nil }
            return warning != nil && !state.isDateWarned
        }
        if isNew, let warning { logger.warning("\(warning)") }
    }

    /// Does what is due; a sweep first, since what it finds is missing in the ledger otherwise.
    ///
    /// - Returns: seconds to wait until something is; nil when something was done.
    private func doDue(_ client: StripeClient) async throws -> Int64? {
        let hasAnswered = await learnTime()
        warnOfDate()
        let now = now
        let latest = ClockJumps.latest(at: now)
        try warnOfJumps(latest)
        complainWithoutSweep(now)
        // Nothing is begun before Stripe has answered once: it would fail, and its times would be
        // the machine's, which need not be Stripe's.
        guard hasAnswered else {
            let seconds = state.withLock { state in
                defer {
                    state.askAgainSeconds = min(state.askAgainSeconds * 2, Self.lookSecondsMax)
                }
                return state.askAgainSeconds
            }
            // Once at the start, and then once a minute.
            if seconds == 1 || seconds == Self.lookSecondsMax {
                logger.warning("Stripe does not answer: sweep and reconciliation wait for it")
            }
            return seconds
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
            "the clock was ahead once: runs and sweeps done in the future are passed over",
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
        logger.warning(
            "nights without reconciliation are made up for now",
            metadata: [
                "nights": "\(missed)", "since": "\(finished.to.seconds)",
            ])
    }

    /// Where the next run begins: before the end of the last one by what was late then, and a day.
    func nextFrom(_ finished: RunRecord?) -> Instant {
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
