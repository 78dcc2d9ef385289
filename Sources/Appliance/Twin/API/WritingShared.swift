import Vocabulary

/// What several objects' texts share. Every member of Stripe's example objects
/// (github.com/stripe/openapi, `fixtures3.json`) is written; a test compares the two.
extension JSONWriter {
    mutating func object(_ name: StaticString, _ members: (inout JSONWriter) -> Void) {
        key(name)
        beginObject()
        members(&self)
        endObject()
    }

    mutating func emptyObject(_ name: StaticString) {
        key(name)
        beginObject()
        endObject()
    }

    mutating func emptyArray(_ name: StaticString) {
        key(name)
        beginArray()
        endArray()
    }

    mutating func texts(_ name: StaticString, _ values: [String]) {
        key(name)
        beginArray()
        for value in values { string(value) }
        endArray()
    }

    mutating func nulls(_ names: StaticString...) {
        for name in names {
            key(name)
            null()
        }
    }

    mutating func fields(_ name: StaticString, _ fields: [FormField]) {
        key(name)
        beginObject()
        for field in fields {
            key(named: field.name)
            string(field.value)
        }
        endObject()
    }

    mutating func address(_ address: TwinAddress, as name: StaticString = "address") {
        object(name) {
            $0.member("city", address.city)
            $0.member("country", address.country)
            $0.member("line1", address.line1)
            $0.member("line2", address.line2)
            $0.member("postal_code", address.postalCode)
            $0.member("state", address.state)
        }
    }

    mutating func billing(_ billing: BillingDetails) {
        object("billing_details") {
            $0.address(billing.address)
            $0.member("email", billing.email)
            $0.member("name", billing.name)
            $0.member("phone", billing.phone)
            $0.nulls("tax_id")
        }
    }

    mutating func shipping(_ shipping: ShippingDetails?) {
        guard let shipping else { return nulls("shipping") }
        object("shipping") {
            $0.address(shipping.address)
            $0.member("carrier", shipping.carrier)
            $0.member("name", shipping.name)
            $0.member("phone", shipping.phone)
            $0.member("tracking_number", shipping.trackingNumber)
        }
    }
}

extension TwinBooks {
    /// An id, or the whole object where it is to be expanded.
    func write<Object: TwinObject>(
        _ name: StaticString, _ ref: Ref<Object>?, _ expansion: Expansion,
        into writer: inout JSONWriter,
        whole: (Ref<Object>, Expansion, inout JSONWriter) -> Void
    ) {
        writer.key(name)
        guard let ref else { return writer.null() }
        if let below = expansion[name.description] {
            whole(ref, below, &writer)
        } else {
            writer.string(id(ref))
        }
    }

    /// An account's id, or the whole account where it is to be expanded.
    func writeAccount(
        _ name: StaticString, _ id: String?, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        writer.key(name)
        guard let id else { return writer.null() }
        if expansion[name.description] != nil, let text = accountTexts[id] {
            writer.json(text)
        } else {
            writer.string(id)
        }
    }

    func write(
        _ reference: ObjectReference, _ expansion: Expansion, into writer: inout JSONWriter
    ) {
        switch reference {
        case .customer(let ref): write(ref, customers[ref], expansion, into: &writer)
        case .paymentMethod(let ref): write(ref, methods[ref], expansion, into: &writer)
        case .paymentIntent(let ref): write(ref, intents[ref], expansion, into: &writer)
        case .charge(let ref): write(ref, charges[ref], expansion, into: &writer)
        case .refund(let ref): write(ref, refunds[ref], expansion, into: &writer)
        case .dispute(let ref): write(ref, disputes[ref], expansion, into: &writer)
        case .transaction(let ref): write(ref, expansion, into: &writer)
        case .payout(let ref): write(ref, payouts[ref], expansion, into: &writer)
        case .transfer(let ref): write(ref, transfers[ref], expansion, into: &writer)
        case .transferReversal(let ref): write(ref, expansion, into: &writer)
        case .applicationFee(let ref): write(ref, applicationFees[ref], expansion, into: &writer)
        case .feeRefund(let ref): write(ref, expansion, into: &writer)
        case .topUp(let ref): write(ref, topUps[ref], expansion, into: &writer)
        case .event(let number): writer.json(eventText(number))
        case .webhookEndpoint(let ref): write(ref, into: &writer)
        }
    }
}
