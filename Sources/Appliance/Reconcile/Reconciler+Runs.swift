import AppendLog
package import Appliance
import Logging
import Synchronization
package import Vocabulary

extension Reconciler {
    /// Asks for a run.
    ///
    /// - Parameters:
    ///   - from: by default, where the last run allows to begin.
    ///   - to: by default, now.
    package func request(
        from: Instant?, to: Instant?, dryRun: Bool
    ) throws -> RunName {
        guard client != nil else { throw ReconcileRefusal.noAPIKey }
        let now = now
        // What the machine's clock has reached and Stripe's has not ends where Stripe is.
        let machine = Instant(seconds: clock.now().milliseconds / 1000)
        let to = to.map { $0 <= machine ? min($0, now) : $0 } ?? now
        let from =
            try from
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

    func enqueue(_ job: Job) {
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

    /// The same for who only looks.
    private func seenPlace(of name: RunName) -> (store: StatementStore, id: Int64)? {
        name.isDry ? place(of: name) : (seen, name.number)
    }

    func perform(_ name: RunName, _ client: StripeClient) async {
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
        if !name.isDry { await matchBank() }
    }

    private func outcome(
        of name: RunName, _ store: StatementStore, _ id: Int64, _ client: StripeClient
    ) async -> Result<Void, any Error> {
        do {
            let lookup = try openLedger()
            let run = ReconciliationRun(
                client: client, store: store, sweeps: self.store,
                ledger: LedgerMoment(lookup),
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
            let late = report.late.reduce(0) { $0 + $1.count }
            if late > 0 { metadata["late"] = "\(late)" }
            let words = late > 0 ? "clean but for what is late" : "clean"
            logger.info("reconciliation is \(words)", metadata: metadata)
        } else {
            logger.error("reconciliation is not clean", metadata: metadata)
        }
    }

    /// A run and what it found so far; nil if there is none of this name.
    package func report(_ name: RunName) throws(LedgerError) -> RunReport? {
        guard let (store, id) = seenPlace(of: name), let run = try store.run(id) else { return nil }
        var report = try store.report(run)
        report.isDryRun = name.isDry
        return report
    }

    /// The newest runs, without dry ones.
    package func reports(before: Int64?, limit: Int) throws(LedgerError) -> [RunReport] {
        var reports: [RunReport] = []
        for run in try seen.runs(before: before, limit: limit) {
            reports.append(try seen.report(run))
        }
        return reports
    }

    /// A page of what a run found and booked.
    package func findings(
        of name: RunName, after: FindingPlace, limit: Int
    ) throws(LedgerError) -> FindingPage? {
        guard let (store, id) = seenPlace(of: name), let run = try store.run(id) else { return nil }
        return try store.findings(of: run, after: after, limit: limit)
    }

    /// From 0 to 1 while the run is under way; nil otherwise.
    package func progress(of name: RunName) -> Double? {
        state.withLock { $0.current == name ? $0.progress : nil }
    }
}
