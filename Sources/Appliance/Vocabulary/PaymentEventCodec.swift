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
        var fields = JSONFields(of: json)
        try self.init(&fields)
    }

    /// Takes the members that `encodeMembers` writes, in its order.
    package init(_ fields: inout JSONFields) throws(RecordCodecError) {
        let eventID = EventID(try fields.take("event_id").string())
        let kind: PaymentKind = try fields.take("kind").word()
        let objectID = try fields.take("object_id").string()
        let movement = MovementKey(try fields.take("movement").string())
        let amount = MinorUnits(try fields.take("amount").int64())
        guard amount >= .zero else { throw .field("amount") }
        let currency = try fields.take("currency").currency()
        let created = Instant(seconds: try fields.take("created").int64())
        let livemode = try fields.take("livemode").bool()
        let account = try fields.take("account").optionalString()
        let merchant = MerchantID(try fields.take("merchant").string())
        let customer = try fields.take("customer").optionalString()
        let card = try fields.take("card").optionalString()
        let cardCountry = try fields.take("card_country").optionalString()
        let country = try fields.take("country").optionalString()
        let device = try fields.take("device").optionalString()
        let outcome = try fields.take("outcome").optionalString()
        let balanceTransaction = try fields.take("balance_transaction").optionalString()
        let related = try fields.take("related").optionalString()
        let fee = MinorUnits(try fields.take("fee").int64())
        let counterparty = try fields.take("counterparty").optionalString()
        self.init(
            eventID: eventID, kind: kind, objectID: objectID, movement: movement, amount: amount,
            currency: currency, created: created, livemode: livemode, account: account,
            merchant: merchant, customer: customer, card: card, cardCountry: cardCountry,
            country: country, device: device, outcome: outcome,
            balanceTransaction: balanceTransaction, related: related, fee: fee,
            counterparty: counterparty)
    }
}

extension PaymentEvent {
    /// The key of every record derived from the event: what must stay in order shares it.
    package var orderingKey: String { customer ?? card ?? objectID }
}
