package import AppendLog
package import Appliance
package import Logging
package import Vocabulary

/// Bounds of a sweep.
package struct SweepLimits: Sendable {
    /// What is younger may still be delivered; it is left to the next sweep.
    package var delaySeconds: Int64 = 300
    /// How far before the end of the last sweep the next one begins.
    var overlapSeconds: Int64 = 3600
    /// Age at which a missed event is an alarm: Stripe keeps events for 30 days.
    package var alertAgeSeconds: Int64 = 20 * 86_400

    package init() {}

    /// How far back Stripe lists events.
    static let historySeconds: Int64 = 30 * 86_400
}

/// Pages through Stripe's events and admits those that never arrived, as the gate does.
///
/// It keeps no place of its own: a sweep that died is done again, and the gate's index knows what
/// it admitted.
package struct EventSweep: Sendable {
    package let client: StripeClient
    /// Notes how far each connected account is swept.
    package let store: StatementStore
    package let admission: any AdmissionStore
    /// Whether events of this mode are taken, as the webhook endpoints are told.
    package let accepts: @Sendable (_ livemode: Bool) -> Bool
    package let limits: SweepLimits
    /// Stamps what is admitted.
    package let clock: any LogClock
    /// Says how old an event is: Stripe forgets it by its own time.
    package let stripeClock: any LogClock
    package let counters: Counters
    package let logger: Logger

    package init(
        client: StripeClient, store: StatementStore, admission: any AdmissionStore,
        accepts: @escaping @Sendable (_ livemode: Bool) -> Bool, limits: SweepLimits,
        clock: any LogClock, stripeClock: any LogClock, counters: Counters, logger: Logger
    ) {
        self.client = client
        self.store = store
        self.admission = admission
        self.accepts = accepts
        self.limits = limits
        self.clock = clock
        self.stripeClock = stripeClock
        self.counters = counters
        self.logger = logger
    }

    /// An event as the list has it.
    private struct Listed: Sendable {
        var identity: EventIdentity
        var created: Instant
        var livemode: Bool
        /// Whether it says whose event it is.
        var namesAccount: Bool
        /// The id of what it is about.
        var object: String?

        init(json: JSONValue) throws(RecordCodecError) {
            created = try json.requiredInstant("created")
            livemode = try json.requiredBool("livemode")
            object = json["data"]?["object"]?["id"]?.string
            namesAccount = json["account"].map { !$0.isNull } ?? false
            identity = EventIdentity(
                id: EventID(try json.requiredString("id")), type: try json.requiredString("type"),
                created: String(created.seconds))
            guard identity.id.rawValue.utf8.count <= EventID.bytesMax,
                !identity.id.rawValue.isEmpty
            else { throw .field("id") }
        }
    }

    /// Sweeps the period of `sweep` in the key's own account, and in each connected one what is
    /// due there.
    ///
    /// - Returns: the sweep with what it found, and the end of what is stored without a gap.
    func perform(
        _ sweep: SweepRecord, connected: [StripeAccount] = []
    ) async throws -> SweepRecord {
        var swept = sweep
        try await read(.own, from: sweep.from, to: sweep.to, into: &swept)
        for account in connected {
            do {
                try await read(account, from: try from(account, sweep), to: sweep.to, into: &swept)
                try store.sweptTo(swept.swept(account), account, failure: nil)
            } catch let error as StripeError where error.isOfAccount {
                // Its owner has taken the access back, or it is gone: the others go on.
                swept.unsweptAccounts += 1
                try store.sweptTo(nil, account, failure: "\(error)")
                logger.warning(
                    "missed events of an account cannot be looked for",
                    metadata: [
                        "account": "\(account)", "error": "\(error)",
                    ])
            }
        }
        swept.to = swept.swept(.own)
        swept.failure = RefusedEvent.sentence(of: swept.refused, count: swept.refusedCount)
        return swept
    }

    /// An account that was not known before is swept as far back as Stripe remembers.
    private func from(
        _ account: StripeAccount, _ sweep: SweepRecord
    ) throws(LedgerError) -> Instant {
        let oldest = sweep.to.seconds - SweepLimits.historySeconds
        let last = try store.sweptTo(account, notAfter: ClockJumps.latest(at: sweep.startedAt))
        return Instant(
            seconds: max(oldest, last.map { $0.seconds - limits.overlapSeconds } ?? oldest))
    }

    /// Reads the events of one account in a period, newest first, and admits those that never
    /// arrived. One that is refused for itself is noted, and holds up no other.
    ///
    /// - Parameters:
    ///   - types: of events; all where it is empty.
    ///   - each: told the object of every event that is listed, known or not.
    func read(
        _ account: StripeAccount, from: Instant, to: Instant, types: [String] = [],
        into sweep: inout SweepRecord, each: (_ object: String) -> Void = { _ in }
    ) async throws {
        var place = StripePlace(in: "/v1/events")
        let period = [
            ("created[gte]", "\(from.seconds)"), ("created[lt]", "\(to.seconds)"),
        ] + types.map { ("types[]", $0) }
        while place.hasMore {
            try Task.checkCancellation()
            let page = try await client.reading(account).page(
                // What an event holds goes the way of a webhook, which has its own rules.
                place.path, period, after: place.cursor, levels: 2
            ) { (json) throws(RecordCodecError) in try Listed(json: json) }
            try place.move(behind: page.items.last?.identity.id.rawValue, hasMore: page.hasMore)
            let fates = try await admit(page, of: account)
            for event in page.items { event.object.map(each) }
            sweep.events += Int64(page.items.count)
            var refused: [RefusedEvent] = []
            for fate in fates {
                switch fate {
                case .known: continue
                case .missed(let created):
                    sweep.missed += 1
                    sweep.oldestMissed = min(created, sweep.oldestMissed ?? created)
                case .refused(let event): refused.append(event)
                }
            }
            sweep.note(refused)
        }
    }

    /// What became of a listed event.
    private enum Fate: Sendable {
        case known
        /// Not known before, and stored now.
        case missed(Instant)
        case refused(RefusedEvent)
    }

    /// - Returns: of each event that is taken, in any order.
    private func admit(
        _ page: StripePage<Listed>, of account: StripeAccount
    ) async throws -> [Fate] {
        let sources = page.sources()
        guard sources.count == page.items.count else {
            throw StripeError.malformed(path: "/v1/events", field: "data")
        }
        return try await withThrowingTaskGroup(of: Fate.self) { group in
            for (event, source) in zip(page.items, sources) where accepts(event.livemode) {
                let body = Self.body(source, event, account)
                group.addTask { try await fate(of: event, body, account) }
            }
            var fates: [Fate] = []
            for try await fate in group { fates.append(fate) }
            return fates
        }
    }

    /// Stripe's bytes. The list of a connected account leaves out whose events they are, which
    /// deliveries say in `account`: so it is put in front.
    private static func body(
        _ source: ArraySlice<UInt8>, _ event: Listed, _ account: StripeAccount
    ) -> [UInt8] {
        guard let id = account.id, !event.namesAccount,
            let brace = source.firstIndex(of: UInt8(ascii: "{"))
        else { return [UInt8](source) }
        return Array("{\"account\":\"\(id)\",".utf8) + source[(brace + 1)...]
    }

    private func fate(
        of event: Listed, _ body: [UInt8], _ account: StripeAccount
    ) async throws -> Fate {
        let outcome: AdmissionOutcome
        do throws(StoreFailure) {
            outcome = try await admission.admit(
                fetched: body, event.identity, from: .backfill, arrived: clock.now())
        } catch {
            guard let why = error.reasonOfRecord else { throw error }
            return .refused(
                RefusedEvent(
                    id: event.identity.id, type: event.identity.type, created: event.created,
                    account: account, why: why))
        }
        switch outcome {
        case .duplicate: return .known
        case .conflict:
            counters.add(.conflicts)
            logger.error(
                "another event under a known id", metadata: ["event_id": "\(event.identity.id)"])
            return .known
        case .admitted:
            counters.add(.eventsBackfilled)
            let age = stripeClock.now().milliseconds / 1000 - event.created.seconds
            if age > limits.alertAgeSeconds { alarm(event, age) }
            return .missed(event.created)
        }
    }

    private func alarm(_ event: Listed, _ age: Int64) {
        counters.add(.eventsNearExpiry)
        logger.error(
            "a missed event was found late; Stripe keeps events for 30 days",
            metadata: [
                "event_id": "\(event.identity.id)", "type": "\(event.identity.type)",
                "age_days": "\(age / 86_400)",
            ])
    }
}
