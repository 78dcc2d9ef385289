import Traffic
import Vocabulary

/// Events, the balance and the account as Stripe's API writes them.
extension TwinBooks {
    /// - Parameters:
    ///   - number: of an event that is kept.
    ///   - version: of the API, whose telling it is.
    func eventText(_ number: Int, version: StripeVersion = .twin) -> [UInt8] {
        guard let record = events[number] else {
            preconditionFailure("event \(number) is not kept: \(events.first)..<\(events.end)")
        }
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.member("id", id(of: .event(number)))
        writer.member("object", "event")
        if let account { writer.member("account", account) }
        writer.member("api_version", version.text)
        writer.member("created", record.created)
        writer.object("data") {
            $0.key("object")
            write(record.snapshot, version, into: &$0)
            if let previous = record.previous {
                $0.key("previous_attributes")
                $0.json(previous)
            }
        }
        writer.member("livemode", false)
        writer.member("pending_webhooks", 1)
        writer.object("request") {
            $0.member("id", record.request.map { ids.string(.request, $0.serial) })
            $0.member("idempotency_key", record.request?.idempotencyKey)
        }
        writer.member("type", record.type.rawValue)
        writer.endObject()
        return writer.bytes
    }

    /// - Parameter versions: those besides the account's own in which it is to be told.
    func told(_ number: Int, in versions: Set<StripeVersion> = []) -> TwinEvent? {
        guard let record = events[number] else { return nil }
        let isToldNow = isTold(number, in: .twin)
        guard isToldNow || versions.contains(where: { isTold(number, in: $0) }) else { return nil }
        var event = TwinEvent(
            id: id(of: .event(number)), type: record.type.rawValue, created: record.created,
            account: account, body: eventText(number), isOfOldVersions: !isToldNow)
        for version in versions where isTold(number, in: version) {
            event.bodies[version] = eventText(number, version: version)
        }
        return event
    }

    /// Whether a version of the API tells of this event at all.
    func isTold(_ number: Int, in version: StripeVersion) -> Bool {
        guard events[number]?.isOfRelease == true else { return true }
        return version < .releasesAreNoRefunds
    }

    private func write(
        _ snapshot: TwinEventRecord.Snapshot, _ version: StripeVersion,
        into writer: inout JSONWriter
    ) {
        var books = self
        books.version = version
        books.write(snapshot, into: &writer)
    }

    private func write(_ snapshot: TwinEventRecord.Snapshot, into writer: inout JSONWriter) {
        switch snapshot {
        case .account(let then): writeAccount(then, into: &writer)
        case .balance(let lines): writeBalance(lines, into: &writer)
        case .customer(let ref, let then): write(ref, then, into: &writer)
        case .paymentMethod(let ref, let then): write(ref, then, into: &writer)
        case .paymentIntent(let ref, let then): write(ref, then, into: &writer)
        case .charge(let ref, let then): write(ref, then, into: &writer)
        case .refund(let ref, let then): write(ref, then, into: &writer)
        case .dispute(let ref, let then, let transactions):
            write(ref, then, transactions: transactions, into: &writer)
        case .payout(let ref, let then): write(ref, then, into: &writer)
        case .transfer(let ref, let then): write(ref, then, into: &writer)
        case .applicationFee(let ref, let then): write(ref, then, into: &writer)
        case .topUp(let ref, let then): write(ref, then, into: &writer)
        }
    }

    func writeBalance(
        _ lines: [TwinEventRecord.BalanceLine], into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("object", "balance")
        writeAmounts("available", lines, into: &writer) { $0.available }
        writeAmounts("connect_reserved", lines, into: &writer) { _ in 0 }
        writer.member("livemode", false)
        writeAmounts("pending", lines, into: &writer) { $0.pending }
        writer.endObject()
    }

    private func writeAmounts(
        _ name: StaticString, _ lines: [TwinEventRecord.BalanceLine],
        into writer: inout JSONWriter, _ amount: (TwinEventRecord.BalanceLine) -> Int64
    ) {
        writer.key(name)
        writer.beginArray()
        // A fresh account has a line of its own currency.
        if lines.isEmpty { writeAmount("usd", 0, into: &writer) }
        for line in lines { writeAmount(line.currency.code, amount(line), into: &writer) }
        writer.endArray()
    }

    private func writeAmount(
        _ currency: String, _ amount: Int64, into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("amount", amount)
        writer.member("currency", currency)
        writer.object("source_types") { $0.member("card", amount) }
        writer.endObject()
    }
}
