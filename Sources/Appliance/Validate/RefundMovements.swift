import Vocabulary

/// Refunds: from events of their own, and from the list inside a refunded charge.
///
/// What moved money names the balance transaction that did. A refund that names none is noted and
/// not booked: until API version 2025-03-31 the release of an authorisation was told as a refund.
///
/// An event that says a refund failed after it moved money proves that it was made first. So it
/// yields both movements, `refund:{re}` and `refund_failed:{re}`, and the balance comes out the
/// same whether or not the event that announced the refund ever arrives.
extension StripeEvent {
    func refund() throws(ValidationRefusal) -> Movements {
        let refund = try StripeObject(object, is: "refund")
        let movements = try refundMovements(
            of: refund, charge: try refund.expanded("charge", as: "charge"))
        return movements.isEmpty ? .none(.refundRequiresAction) : .some(movements)
    }

    /// The refunds that a charge lists, and what its sums say beyond them. API versions from
    /// 2022-11-15 on list none; what is refunded in all is noted then, until the refunds' own
    /// events explain it.
    func refundsInCharge() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        let told = try charge.optionalAmount("amount_refunded") ?? .zero
        let released = try released(of: charge, told: told)
        var movements: [PaymentEvent] = []
        var listed: Int64 = 0
        var isEmpty = true
        for json in try charge.elements("refunds") {
            isEmpty = false
            let refund = try StripeObject(json, is: "refund")
            if try !hasFailed(refund: refund) { listed += try refund.amount("amount").rawValue }
            movements += try refundMovements(of: refund, charge: charge)
        }
        if released > .zero { movements.append(try release(released, of: charge)) }
        if told.rawValue > max(listed, released.rawValue) {
            var sum = movement(
                .refundsTold, of: try charge.id(), amount: told, currency: try charge.currency())
            sum.outcome = NotedRefund.told.rawValue
            sum.related = sum.objectID
            sum.describePayer(charge)
            movements.append(sum)
        }
        guard movements.isEmpty else { return .some(movements) }
        return .none(isEmpty ? .refundsNotListed : .refundRequiresAction)
    }

    /// An authorisation that has run out: what is told as refunded of it was never captured.
    func expiry() throws(ValidationRefusal) -> Movements {
        let charge = try StripeObject(object, is: "charge")
        guard let told = try charge.optionalAmount("amount_refunded"), told > .zero else {
            return .none(.notCaptured)
        }
        return .some([try release(told, of: charge)])
    }

    /// What a charge tells as refunded in the very event of its capture is the part that was not
    /// captured. Later versions tell no release as a refund: there it is what was refunded between
    /// two captures, and each refund's own event tells of it.
    func releaseAtCapture(of charge: StripeObject) throws(ValidationRefusal) -> [PaymentEvent] {
        guard type != .chargeSucceeded, tellsReleasesAsRefunds,
            let told = try charge.optionalAmount("amount_refunded"), told > .zero
        else { return [] }
        guard charge["amount_captured"] != nil else { return [try release(told, of: charge)] }
        let rest = try uncaptured(of: charge)
        return rest > .zero && told >= rest ? [try release(rest, of: charge)] : []
    }

    /// How much of what a charge tells as refunded was never captured.
    private func released(
        of charge: StripeObject, told: MinorUnits
    ) throws(ValidationRefusal) -> MinorUnits {
        if charge["captured"]?.bool == false { return told }
        // Later versions tell no release as a refund, so that a sum of that size is one.
        guard tellsReleasesAsRefunds, charge["amount_captured"] != nil else { return .zero }
        let rest = try uncaptured(of: charge)
        return told >= rest ? rest : .zero
    }

    private func uncaptured(of charge: StripeObject) throws(ValidationRefusal) -> MinorUnits {
        let authorized = try charge.amount("amount")
        let captured = try charge.amount("amount_captured")
        return MinorUnits(max(0, authorized.rawValue - captured.rawValue))
    }

    private func release(
        _ amount: MinorUnits, of charge: StripeObject
    ) throws(ValidationRefusal) -> PaymentEvent {
        var release = movement(
            .releaseTold, of: try charge.id(), amount: amount, currency: try charge.currency())
        release.related = release.objectID
        release.describePayer(charge)
        return release
    }

    /// - Parameter charge: the refund's charge, where the event holds it.
    func refundMovements(
        of refund: StripeObject, charge: StripeObject?
    ) throws(ValidationRefusal) -> [PaymentEvent] {
        let hasFailed = try hasFailed(refund: refund)
        let transaction = try refund.reference("balance_transaction")
        let failure = try refund.reference("failure_balance_transaction")
        let isRelease = charge?["captured"]?.bool == false
        var made = movement(
            .refund, of: try refund.id(), amount: try refund.amount("amount"),
            currency: try refund.currency())
        made.outcome = refund.json.text("status")
        made.balanceTransaction = transaction
        made.related = try refund.reference("charge", else: "payment_intent")
        if let charge { made.related = try charge.id() }
        if try isOfTransfer(refund, charge) { made.counterparty = account }
        made.describePayer(charge ?? refund)
        guard !isRelease, transaction != nil || failure != nil else {
            // It waits for the customer, and has moved nothing yet.
            if refund["status"]?.isString("requires_action") == true { return [] }
            made.kind = .refundNoted
            let noted: NotedRefund = isRelease ? .released : hasFailed ? .failed : .told
            made.outcome = noted.rawValue
            return [made]
        }
        guard hasFailed else { return [made] }

        var failed = movement(
            .refundFailed, of: made.objectID, amount: made.amount, currency: made.currency)
        failed.outcome = refund.json.text("failure_reason") ?? made.outcome
        failed.balanceTransaction = failure
        failed.related = made.related
        failed.counterparty = made.counterparty
        failed.describePayer(charge ?? refund)
        return [made, failed]
    }

    /// The receiving side of a transfer's reversal: it goes back where the transfer came from.
    private func isOfTransfer(
        _ refund: StripeObject, _ charge: StripeObject?
    ) throws(ValidationRefusal) -> Bool {
        if try refund.reference("source_transfer_reversal") != nil { return true }
        return try charge?.reference("source_transfer") != nil
    }

    private func hasFailed(refund: StripeObject) throws(ValidationRefusal) -> Bool {
        if type == .refundFailed { return true }
        // Refunds from before statuses existed have none; they were made.
        guard let status = refund["status"] else { return false }
        if status.isString("failed") || status.isString("canceled") { return true }
        let isUnderWay =
            status.isString("succeeded") || status.isString("pending")
            || status.isString("requires_action")
        guard isUnderWay else { throw refund.refusal(.unknownStatus, "status") }
        return false
    }

    /// Reconciliation says that a told refund moved nothing: the statement does not show it.
    func release() throws(ValidationRefusal) -> Movements {
        if object["object"]?.isString("charge") == true {
            let charge = try StripeObject(object, is: "charge")
            var told = movement(
                .refundsTold, of: try charge.id(), amount: try charge.amount("amount_refunded"),
                currency: try charge.currency())
            told.outcome = NotedRefund.released.rawValue
            told.related = told.objectID
            return .some([told])
        }
        let refund = try StripeObject(object, is: "refund")
        var noted = movement(
            .refundNoted, of: try refund.id(), amount: try refund.amount("amount"),
            currency: try refund.currency())
        noted.outcome = NotedRefund.released.rawValue
        noted.related = try refund.reference("charge", else: "payment_intent")
        return .some([noted])
    }
}
