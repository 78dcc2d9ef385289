/// Payments and failed payments: from charges, and through payment intents.
extension StripeEvent {
    func paymentOfCharge() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        if type == .chargeSucceeded {
            guard let captured = charge["captured"]?.bool else {
                throw charge.refusal(.unknownStatus, "captured")
            }
            guard captured else { return .none(.notCaptured) }
        }
        var payment = movement(
            .payment, of: try charge.id(), amount: try capturedAmount(of: charge),
            currency: try charge.currency())
        try payment.describe(charge)
        return .some([payment])
    }

    /// API versions that lack `amount_captured` count what a partial capture leaves as refunded.
    private func capturedAmount(of charge: StripeObject) throws(ValidationRefusal) -> MinorUnits {
        if charge["amount_captured"] != nil { return try charge.amount("amount_captured") }
        let authorized = try charge.amount("amount")
        guard type == .chargeCaptured, charge["amount_refunded"] != nil else { return authorized }
        let released = try charge.amount("amount_refunded")
        guard released <= authorized else { throw charge.refusal(.badAmount, "amount_refunded") }
        return MinorUnits(authorized.rawValue - released.rawValue)
    }

    func failureOfCharge() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        var failure = movement(
            .paymentFailed, of: try charge.id(), amount: try charge.amount("amount"),
            currency: try charge.currency())
        try failure.describe(charge)
        return .some([failure])
    }

    func paymentOfIntent() throws(ValidationRefusal) -> Movements {
        let intent = try StripeObject(object, is: "payment_intent")
        guard let charge = try IntentCharge(of: intent, status: "succeeded") else {
            throw intent.refusal(.missingCharge, "latest_charge")
        }
        var payment = movement(
            .payment, of: charge.id, amount: try intent.amount("amount_received"),
            currency: try intent.currency())
        payment.outcome = intent.json.text("status")
        try payment.describe(intent: intent, charge: charge.expanded)
        return .some([payment])
    }

    /// The error names the charge that failed; `latest_charge` may still be that of an earlier try.
    func failureOfIntent() throws(ValidationRefusal) -> Movements {
        let intent = try StripeObject(object, is: "payment_intent")
        let error = intent["last_payment_error"]
        let charge =
            if let field = error?.present("charge") {
                try IntentCharge(field)
            } else {
                try IntentCharge(of: intent, status: "failed")
            }
        guard let charge else { return .none(.failedWithoutCharge) }
        var failure = movement(
            .paymentFailed, of: charge.id,
            amount: try (charge.expanded ?? intent).amount("amount"),
            currency: try intent.currency())
        failure.outcome = error?.text("code") ?? intent.json.text("status")
        try failure.describe(intent: intent, charge: charge.expanded)
        if let method = error?.present("payment_method") { failure.describeCard(of: method) }
        return .some([failure])
    }
}

/// The charge a payment intent came to: its id, and the whole of it where the API version has it.
private struct IntentCharge {
    let id: String
    let expanded: StripeObject?

    /// From a field that holds an id or the charge.
    init(_ field: JSONValue) throws(ValidationRefusal) {
        if let id = field.string {
            guard id.isStripeID else {
                throw ValidationRefusal(.badID, "payment_intent.latest_charge")
            }
            self.id = id
            expanded = nil
        } else {
            let charge = try StripeObject(field, is: "charge")
            id = try charge.id()
            expanded = charge
        }
    }

    /// From `latest_charge`, or else from the list `charges`, which payment intents held before
    /// API version 2022-11-15, newest first: the first with this status. Nil if there is neither.
    init?(of intent: StripeObject, status: StaticString) throws(ValidationRefusal) {
        if let latest = intent["latest_charge"] {
            try self.init(latest)
            return
        }
        guard let charges = try intent.list("charges") else { return nil }
        for charge in charges where charge["status"]?.isString(status) == true {
            try self.init(charge)
            return
        }
        return nil
    }
}
