/// The value of a `ledger.posted` record: one committed transaction of the ledger.
package struct LedgerPosted: Hashable, Sendable {
    /// One line of the transaction. Debits are positive, credits negative.
    package struct Entry: Hashable, Sendable {
        package var account: String
        package var currency: Currency
        package var amount: MinorUnits

        package init(account: String, currency: Currency, amount: MinorUnits) {
            self.account = account
            self.currency = currency
            self.amount = amount
        }
    }

    /// The transaction's number in the ledger, counted from 1.
    package var id: Int64
    package var movement: MovementKey
    /// The Stripe event it was booked from, or the id under which a person's decision came in.
    package var eventID: EventID
    /// What it books: a `PaymentKind`'s word or one of the ledger's own, such as `review_approved`.
    package var kind: String
    /// When the money moved, by the event's `created`.
    package var effectiveAt: Instant
    /// When the ledger committed it.
    package var postedAt: Instant
    package var entries: [Entry]
    /// The hash chain's link for this transaction, as 64 lower-case hex digits.
    package var hash: String

    package init(
        id: Int64, movement: MovementKey, eventID: EventID, kind: String, effectiveAt: Instant,
        postedAt: Instant, entries: [Entry], hash: String
    ) {
        self.id = id
        self.movement = movement
        self.eventID = eventID
        self.kind = kind
        self.effectiveAt = effectiveAt
        self.postedAt = postedAt
        self.entries = entries
        self.hash = hash
    }
}

extension LedgerPosted: JSONRecord {
    package static let schema: StaticString = "ledger.posted/1"

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id)
        writer.member("movement", movement.rawValue)
        writer.member("event_id", eventID.rawValue)
        writer.member("kind", kind)
        writer.member("effective_at", effectiveAt.seconds)
        writer.member("posted_at", postedAt.seconds)
        writer.key("entries")
        writer.beginArray()
        for entry in entries {
            writer.beginObject()
            writer.member("account", entry.account)
            writer.member("currency", entry.currency.code)
            writer.member("amount", entry.amount.rawValue)
            writer.endObject()
        }
        writer.endArray()
        writer.member("hash", hash)
        writer.endObject()
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        id = try json.requiredInt64("id")
        movement = MovementKey(try json.requiredString("movement"))
        eventID = EventID(try json.requiredString("event_id"))
        kind = try json.requiredString("kind")
        effectiveAt = Instant(seconds: try json.requiredInt64("effective_at"))
        postedAt = Instant(seconds: try json.requiredInt64("posted_at"))
        guard let elements = json["entries"]?.array else { throw .field("entries") }
        entries = []
        for element in elements {
            entries.append(
                Entry(
                    account: try element.requiredString("account"),
                    currency: try element.requiredCurrency("currency"),
                    amount: MinorUnits(try element.requiredInt64("amount"))))
        }
        hash = try json.requiredString("hash")
    }
}
