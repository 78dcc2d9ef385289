extension PaymentEvent: JSONRecord {
    package static let schema: StaticString = "payment.validated/1"

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        encodeMembers(into: &writer)
        writer.endObject()
    }

    /// The members without their braces: a scored payment has the same ones, and more behind.
    package func encodeMembers(into writer: inout JSONWriter) {
        writer.member("event_id", eventID.rawValue)
        writer.member("kind", kind.rawValue)
        writer.member("object_id", objectID)
        writer.member("movement", movement.rawValue)
        writer.member("amount", amount.rawValue)
        writer.member("currency", currency.code)
        writer.member("created", created.seconds)
        writer.member("livemode", livemode)
        writer.member("account", account)
        writer.member("merchant", merchant.rawValue)
        writer.member("customer", customer)
        writer.member("card", card)
        writer.member("card_country", cardCountry)
        writer.member("country", country)
        writer.member("device", device)
        writer.member("outcome", outcome)
        writer.member("balance_transaction", balanceTransaction)
        writer.member("related", related)
        writer.member("fee", fee.rawValue)
        // Most movements have none, and a reader takes absence for null.
        if let counterparty { writer.member("counterparty", counterparty) }
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong; a
    ///   negative amount is wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        eventID = EventID(try json.requiredString("event_id"))
        kind = try json.requiredWord("kind")
        objectID = try json.requiredString("object_id")
        movement = MovementKey(try json.requiredString("movement"))
        amount = MinorUnits(try json.requiredInt64("amount"))
        guard amount >= .zero else { throw .field("amount") }
        currency = try json.requiredCurrency("currency")
        created = Instant(seconds: try json.requiredInt64("created"))
        livemode = try json.requiredBool("livemode")
        account = try json.optionalString("account")
        merchant = MerchantID(try json.requiredString("merchant"))
        customer = try json.optionalString("customer")
        card = try json.optionalString("card")
        cardCountry = try json.optionalString("card_country")
        country = try json.optionalString("country")
        device = try json.optionalString("device")
        outcome = try json.optionalString("outcome")
        balanceTransaction = try json.optionalString("balance_transaction")
        related = try json.optionalString("related")
        fee = MinorUnits(try json.requiredInt64("fee"))
        counterparty = try json.optionalString("counterparty")
    }
}

extension PaymentEvent {
    /// The key of every record derived from the event: what must stay in order shares it.
    package var orderingKey: String { customer ?? card ?? objectID }
}
