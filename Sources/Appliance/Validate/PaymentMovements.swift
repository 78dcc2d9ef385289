import Vocabulary

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
        var movements = [try payment(charge, amount: try capturedAmount(of: charge))]
        movements += try releaseAtCapture(of: charge)
        return .some(movements)
    }

    /// A payment of the kind that the charge is: a customer's, or the receiving side of a transfer.
    private func payment(
        _ charge: StripeObject, amount: MinorUnits
    ) throws(ValidationRefusal) -> PaymentEvent {
        let transfer = try charge.reference("source_transfer")
        var payment = movement(
            transfer == nil ? .payment : .transferPayment, of: try charge.id(), amount: amount,
            currency: try charge.currency())
        try payment.describe(charge)
        if let transfer {
            payment.balanceTransaction = try charge.reference("balance_transaction")
            payment.related = transfer
            payment.counterparty = account
        }
        return payment
    }

    /// `payment.created`: as a rule the receiving side of a transfer. What is still pending, such
    /// as a bank debit, comes again as `charge.succeeded`.
    func createdPayment() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        let hasSucceeded =
            charge["status"]?.isString("succeeded") ?? (charge["paid"]?.bool == true)
        guard hasSucceeded, charge["captured"]?.bool ?? true else { return .none(.notCaptured) }
        return .some([try payment(charge, amount: try capturedAmount(of: charge))])
    }

    /// API versions that lack `amount_captured` count what a partial capture leaves as refunded.
    private func capturedAmount(of charge: StripeObject) throws(ValidationRefusal) -> MinorUnits {
        if charge["amount_captured"] != nil { return try charge.amount("amount_captured") }
        let authorized = try charge.amount("amount")
        guard type == .chargeCaptured, let released = try charge.optionalAmount("amount_refunded")
        else { return authorized }
        guard released <= authorized else { throw charge.refusal(.badAmount, "amount_refunded") }
        return MinorUnits(authorized.rawValue - released.rawValue)
    }

    func failureOfCharge() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        var failure = movement(
            .paymentFailed, of: try charge.id(), amount: try charge.amount("amount"),
            currency: try charge.currency())
        try failure.describe(charge)
        guard let taken = try charge.reference("failure_balance_transaction") else {
            return .some([failure])
        }
        // What is taken back was given before. So the event yields the payment too, and the
        // balance is right whether or not the event of its success ever arrives.
        let payment = try payment(charge, amount: failure.amount)
        var reversed = movement(
            .paymentReversed, of: failure.objectID, amount: failure.amount,
            currency: failure.currency)
        reversed.outcome = failure.outcome
        reversed.balanceTransaction = taken
        reversed.related = failure.objectID
        reversed.describePayer(charge)
        return .some([payment, failure, reversed])
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
        guard let expanded = charge.expanded else { return .some([payment]) }
        return .some([payment] + (try releaseAtCapture(of: expanded)))
    }

    /// The error names the charge that failed; `latest_charge` may still be that of an earlier try.
    func failureOfIntent() throws(ValidationRefusal) -> Movements {
        let intent = try StripeObject(object, is: "payment_intent")
        let error = intent["last_payment_error"]
        let charge =
            if let field = error?.given("charge") {
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
        if let latest = intent.json.given("latest_charge") {
            try self.init(latest)
            return
        }
        guard let charges = try intent.list("charges") else { return nil }
        for charge in charges where Self.hasEnded(charge, status) {
            try self.init(charge)
            return
        }
        return nil
    }

    /// Charges from before statuses existed say only whether they were paid.
    private static func hasEnded(_ charge: JSONValue, _ status: StaticString) -> Bool {
        if let own = charge.present("status") { return own.isString(status) }
        guard let isPaid = charge["paid"]?.bool else { return false }
        return isPaid == (status.description == "succeeded")
    }
}
