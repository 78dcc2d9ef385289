import AppendLog
package import Appliance
import Logging
import Synchronization
import Vocabulary

extension Reconciler {
    /// Asks for a sweep now.
    package func requestSweep() throws -> SweepRecord {
        guard client != nil else { throw ReconcileRefusal.noAPIKey }
        guard state.withLock({ $0.jobs.count < Self.jobCountMax }) else {
            throw ReconcileRefusal.busy
        }
        let sweep = try beginSweep()
        enqueue(.sweep(sweep))
        return sweep
    }

    package func sweep(_ id: Int64) throws(LedgerError) -> SweepRecord? { try seen.sweep(id) }

    package func sweeps(before: Int64?, limit: Int) throws(LedgerError) -> [SweepRecord] {
        try seen.sweeps(before: before, limit: limit)
    }

    /// Notes a sweep from the end of the last one, as far back as Stripe remembers.
    func beginSweep() throws(LedgerError) -> SweepRecord {
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

    func perform(_ sweep: SweepRecord, _ client: StripeClient) async {
        let work = EventSweep(
            client: client, store: store, admission: records.admission, accepts: accepts,
            limits: settings.sweep, clock: clock, stripeClock: stripe, counters: counters,
            logger: logger)
        var swept = sweep
        do {
            swept = try await work.perform(sweep, connected: try connectedAccounts())
            swept.state = .finished
            try store.noteRefused(swept)
        } catch {
            swept.state = .failed
            swept.failure = "\(error)"
        }
        guard !Task.isCancelled else { return }
        swept.finishedAt = now
        note(swept)
    }

    private func connectedAccounts() throws -> [StripeAccount] {
        let lookup = try openLedger()
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
            logger.error(
                sweep.state == .failed
                    ? "the sweep for missed events failed"
                    : "missed events were fetched, but for some that cannot be stored",
                metadata: metadata)
        } else if sweep.missed > 0 {
            logger.warning("events that never arrived were fetched", metadata: metadata)
        } else {
            logger.info("no event was missed", metadata: metadata)
        }
    }

    /// Alarms once an hour while the last good sweep is so old that events near their end.
    func complainWithoutSweep(_ now: Instant) {
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
