import AppendLog

/// Appends what reconciliation has to book to `webhook.received`, as an event of our own making
/// that holds Stripe's balance transaction byte for byte. From there it goes the way of every
/// event, so that a replay of the log books it again.
struct OwnRecords: Sendable {
    let admission: Admission
    let clock: any LogClock

    /// One event to append.
    struct Draft: Hashable, Sendable {
        var id: EventID
        var created: Instant
        var body: [UInt8]
    }

    /// What one row needs: nothing, its fee or all of it, its conversion, or both.
    ///
    /// - Parameters:
    ///   - source: the balance transaction as Stripe wrote it.
    ///   - booked: what the ledger holds, by key.
    static func drafts(
        of settlement: Settlement, source: ArraySlice<UInt8>, livemode: Bool,
        booked: [String: LedgerMovement]
    ) -> [Draft] {
        let statement = settlement.statement
        var drafts: [Draft] = []
        let payment = settlement.finding == .unbooked ? settlement.failedPayment : nil
        if let payment, let held = booked[payment] {
            let id = ReconciledRecord.reversalEventID(of: statement.id)
            drafts.append(
                Draft(
                    id: id, created: statement.created,
                    body: body(id, statement.created, livemode, source, booked: held)))
        }
        let isOwn = settlement.finding == .unbooked && payment == nil
        if settlement.feeState == .unbooked || isOwn {
            let id = ReconciledRecord.eventID(of: statement.id)
            drafts.append(
                Draft(
                    id: id, created: statement.created,
                    body: body(id, statement.created, livemode, source, booked: nil)))
        }
        if settlement.finding == .unconverted, case .movement(let key, _, _) = statement.meaning,
            let movement = booked[key]
        {
            let id = ReconciledRecord.exchangeEventID(of: statement.id)
            drafts.append(
                Draft(
                    id: id, created: statement.created,
                    body: body(id, statement.created, livemode, source, booked: movement)))
        }
        return drafts
    }

    private static func body(
        _ id: EventID, _ created: Instant, _ livemode: Bool, _ source: ArraySlice<UInt8>,
        booked: LedgerMovement?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: source.count + 256)
        writer.beginObject()
        writer.member("id", id.rawValue)
        writer.member("object", "event")
        writer.member("type", ReconciledRecord.eventType)
        writer.member("created", created.seconds)
        writer.member("livemode", livemode)
        writer.key("data")
        writer.beginObject()
        if let booked {
            writer.key("booked")
            writer.beginObject()
            writer.member("amount", booked.amount.rawValue)
            writer.member("currency", booked.currency.code)
            writer.endObject()
        }
        writer.key("object")
        return writer.bytes + source + Array("}}".utf8)
    }

    /// Appends all of them, and returns when they are on disk. What was appended before is not
    /// appended again.
    func append(_ drafts: [Draft]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for draft in drafts { group.addTask { try await append(draft) } }
            try await group.waitForAll()
        }
    }

    private func append(_ draft: Draft) async throws {
        var waitMilliseconds = 50
        while !(try await isAppended(draft)) {
            try await Task.sleep(for: .milliseconds(waitMilliseconds))
            waitMilliseconds = min(waitMilliseconds * 2, 5000)
        }
    }

    /// - Returns: false when the same append may succeed later.
    private func isAppended(_ draft: Draft) async throws(LogError) -> Bool {
        let identity = EventIdentity(
            id: draft.id, type: ReconciledRecord.eventType, created: String(draft.created.seconds))
        do {
            _ = try await admission.admit(
                fetched: draft.body, identity, from: .reconcile, arrived: clock.now())
            return true
        } catch {
            guard error.isRetryable else { throw error }
            return false
        }
    }
}
