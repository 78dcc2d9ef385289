import AppendLog
import Appliance
import Vocabulary

/// Appends what reconciliation has to book to `webhook.received`, as an event of our own making
/// that holds Stripe's balance transaction byte for byte. From there it goes the way of every
/// event, so that a replay of the log books it again.
struct OwnRecords: Sendable {
    let admission: any AdmissionStore
    let clock: any LogClock

    /// One event to append.
    struct Draft: Hashable, Sendable {
        var id: EventID
        var type: String
        var created: Instant
        var body: [UInt8]
    }

    /// What one row needs: nothing, its fee or all of it, its conversion, or both.
    ///
    /// - Parameters:
    ///   - source: the balance transaction as Stripe wrote it.
    ///   - booked: what the ledger holds, by key.
    ///   - hasSource: whether its source stands in it in full.
    static func drafts(
        of settlement: Settlement, source: ArraySlice<UInt8>, livemode: Bool,
        booked: [String: LedgerMovement], hasSource: Bool = false
    ) -> [Draft] {
        let writer = Writer(settlement: settlement, source: source, livemode: livemode)
        let id = settlement.statement.id
        var drafts: [Draft] = []
        switch settlement.statement.meaning {
        case _ where settlement.finding != .unbooked: break
        case .told where hasSource: drafts.append(writer.whole())
        case .failedPayment(let payment?, _):
            if let held = booked[payment] {
                drafts.append(writer.draft(ReconciledRecord.reversalEventID(of: id), booked: held))
            }
        case .own: drafts.append(writer.draft(ReconciledRecord.eventID(of: id)))
        case .told, .failedPayment, .movement, .unknown: break
        }
        if settlement.feeState == .unbooked {
            drafts.append(writer.draft(ReconciledRecord.eventID(of: id)))
        }
        let meaning = settlement.statement.meaning
        if settlement.finding == .unconverted, case .movement(let key, _, _) = meaning,
            let movement = booked[key]
        {
            drafts.append(writer.draft(ReconciledRecord.exchangeEventID(of: id), booked: movement))
        }
        return drafts
    }

    /// What books a line as its webhook would have.
    ///
    /// - Parameter source: the balance transaction with its source in full.
    static func settlement(
        of settlement: Settlement, source: ArraySlice<UInt8>, livemode: Bool
    ) -> Draft {
        Writer(settlement: settlement, source: source, livemode: livemode).whole()
    }

    /// What ends the waiting of a refund that moved nothing.
    ///
    /// - Parameter source: the refund, or the charge whose refunds were told in sum only, as Stripe
    ///   writes it.
    static func released(
        _ id: String, _ account: StripeAccount, source: ArraySlice<UInt8>, at: Instant,
        livemode: Bool
    ) -> Draft {
        let event = ReconciledRecord.releasedEventID(of: id)
        var writer = JSONWriter(capacity: source.count + 256)
        open(event, ReconciledRecord.releasedType, at, livemode, account, &writer)
        writer.key("object")
        return Draft(
            id: event, type: ReconciledRecord.releasedType, created: at,
            body: writer.bytes + source + Array("}}".utf8))
    }

    /// What books the difference between what Stripe sent and what the bank booked, and takes back
    /// what was booked of an entry that the bank corrected.
    static func bankDifferences(_ charge: BankCharge, livemode: Bool) -> [Draft] {
        charge.differences.map { difference in
            let (number, created) = (difference.number, difference.day.start)
            let event = ReconciledRecord.bankEventID(
                of: MovementKey(charge.movement), number: number)
            var writer = JSONWriter(capacity: 512)
            open(event, ReconciledRecord.bankType, created, livemode, .own, &writer)
            writer.key("object")
            writer.beginObject()
            writer.member("id", String(charge.movement.split(separator: ":").last ?? ""))
            writer.member("object", "bank_entry")
            writer.member("movement", charge.movement)
            writer.member("expected", difference.expected)
            writer.member("booked", difference.booked)
            writer.member("currency", charge.currency.code)
            if number > 1 { writer.member("number", number) }
            writer.member("day", difference.day.description)
            writer.member("text", difference.text)
            writer.endObject()
            writer.endObject()
            writer.endObject()
            return Draft(
                id: event, type: ReconciledRecord.bankType, created: created, body: writer.bytes)
        }
    }

    /// Writes an event up to what its `data` holds.
    private static func open(
        _ id: EventID, _ type: String, _ created: Instant, _ livemode: Bool,
        _ account: StripeAccount, _ writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("id", id.rawValue)
        writer.member("object", "event")
        writer.member("type", type)
        writer.member("created", created.seconds)
        writer.member("livemode", livemode)
        if let account = account.id { writer.member("account", account) }
        writer.key("data")
        writer.beginObject()
    }

    /// Writes the events of one row.
    private struct Writer {
        let settlement: Settlement
        let source: ArraySlice<UInt8>
        let livemode: Bool

        func whole() -> Draft {
            draft(
                ReconciledRecord.moveEventID(of: settlement.statement.id),
                ReconciledRecord.settlementType)
        }

        func draft(
            _ id: EventID, _ type: String = ReconciledRecord.eventType,
            booked: LedgerMovement? = nil
        ) -> Draft {
            let statement = settlement.statement
            var writer = JSONWriter(capacity: source.count + 256)
            OwnRecords.open(
                id, type, statement.created, livemode, settlement.account, &writer)
            if let booked {
                writer.key("booked")
                writer.beginObject()
                writer.member("amount", booked.amount.rawValue)
                writer.member("currency", booked.currency.code)
                writer.endObject()
                if let payment = statement.payment { writer.member("payment", payment) }
            }
            writer.key("object")
            return Draft(
                id: id, type: type, created: statement.created,
                body: writer.bytes + source + Array("}}".utf8))
        }
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
    private func isAppended(_ draft: Draft) async throws(StoreFailure) -> Bool {
        let identity = EventIdentity(
            id: draft.id, type: draft.type, created: String(draft.created.seconds))
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
