import AppendLog
import Logging

/// Bounds of a sweep.
struct SweepLimits: Sendable {
    /// What is younger may still be delivered; it is left to the next sweep.
    var delaySeconds: Int64 = 300
    /// How far before the end of the last sweep the next one begins.
    var overlapSeconds: Int64 = 3600
    /// Age at which a missed event is an alarm: Stripe keeps events for 30 days.
    var alertAgeSeconds: Int64 = 20 * 86_400
    /// How far back Stripe lists events.
    static let historySeconds: Int64 = 30 * 86_400
}

/// Pages through Stripe's events and admits those that never arrived, as the gate does.
///
/// It keeps no place of its own: a sweep that died is done again, and the gate's index knows what
/// it admitted.
struct EventSweep: Sendable {
    let client: StripeClient
    let admission: Admission
    /// Whether events of this mode are taken, as the webhook endpoints are told.
    let accepts: @Sendable (_ livemode: Bool) -> Bool
    let limits: SweepLimits
    let clock: any LogClock
    let counters: Counters
    let logger: Logger

    /// An event as the list has it.
    private struct Listed: Sendable {
        var identity: EventIdentity
        var created: Instant
        var livemode: Bool

        init(json: JSONValue) throws(RecordCodecError) {
            created = try json.requiredInstant("created")
            livemode = try json.requiredBool("livemode")
            identity = EventIdentity(
                id: EventID(try json.requiredString("id")), type: try json.requiredString("type"),
                created: String(created.seconds))
            guard identity.id.rawValue.utf8.count <= EventID.bytesMax,
                !identity.id.rawValue.isEmpty
            else { throw .field("id") }
        }
    }

    /// Sweeps the period of `sweep`.
    ///
    /// - Returns: the sweep with what it found.
    func perform(_ sweep: SweepRecord) async throws -> SweepRecord {
        var sweep = sweep
        var cursor: String?
        var hasMore = true
        let period = [
            ("created[gte]", "\(sweep.from.seconds)"), ("created[lt]", "\(sweep.to.seconds)"),
        ]
        while hasMore {
            try Task.checkCancellation()
            let page = try await client.page("/v1/events", period, after: cursor) {
                (json) throws(RecordCodecError) in try Listed(json: json)
            }
            let missed = try await admit(page)
            sweep.events += Int64(page.items.count)
            sweep.missed += Int64(missed.count)
            for created in missed {
                sweep.oldestMissed = min(created, sweep.oldestMissed ?? created)
            }
            cursor = page.items.last?.identity.id.rawValue
            hasMore = page.hasMore && cursor != nil
        }
        return sweep
    }

    /// - Returns: when each event was created that was not known before.
    private func admit(_ page: StripePage<Listed>) async throws -> [Instant] {
        let sources = page.sources()
        guard sources.count == page.items.count else {
            throw StripeError.malformed(path: "/v1/events", field: "data")
        }
        return try await withThrowingTaskGroup(of: Instant?.self) { group in
            for (event, source) in zip(page.items, sources) where accepts(event.livemode) {
                group.addTask {
                    try await isMissed(event, [UInt8](source)) ? event.created : nil
                }
            }
            var missed: [Instant] = []
            for try await created in group {
                if let created { missed.append(created) }
            }
            return missed
        }
    }

    private func isMissed(_ event: Listed, _ body: [UInt8]) async throws -> Bool {
        let now = clock.now()
        let outcome = try await admission.admit(
            fetched: body, event.identity, from: .backfill, arrived: now)
        switch outcome {
        case .duplicate: return false
        case .conflict:
            counters.add(.conflicts)
            logger.error("another event under a known id", metadata: ["event": "\(event.identity.id)"])
            return false
        case .admitted:
            counters.add(.eventsBackfilled)
            let age = now.milliseconds / 1000 - event.created.seconds
            if age > limits.alertAgeSeconds { alarm(event, age) }
            return true
        }
    }

    private func alarm(_ event: Listed, _ age: Int64) {
        counters.add(.eventsNearExpiry)
        logger.error("a missed event was found late; Stripe keeps events for 30 days", metadata: [
            "event": "\(event.identity.id)", "type": "\(event.identity.type)",
            "age_days": "\(age / 86_400)",
        ])
    }
}
