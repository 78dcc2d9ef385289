/// What is to become of a payment that asks its customer to act.
enum ActionRule: Sendable {
    /// It waits for the customer.
    case waits
    /// Nobody is there: the bank declines (`off_session`).
    case declines
    /// Nobody could act: it fails before the bank is asked (`error_on_requires_action`).
    case fails
}

/// Payment intents and their charges.
extension TwinBooks {
    /// Attempts the payment.
    ///
    /// - Throws: a card error where the card declines; the attempt has been noted by then.
    mutating func confirm(
        _ ref: Ref<TwinPaymentIntent>, with method: Ref<TwinPaymentMethod>,
        isAuthenticated: Bool = false, onAction: ActionRule = .waits
    ) throws(APIRefusal) {
        intents[ref].method = method
        let card = methods[method].card
        var decline = intents[ref].declineOrder
        switch card.behaviour {
        case .declines(let code): decline = decline ?? code
        case .declinesOnceAttached where methods[method].customer != nil:
            decline = decline ?? .genericDecline
        case .authenticates(let then) where decline == nil:
            guard isAuthenticated else {
                switch onAction {
                case .waits: return requireAction(ref)
                case .fails: throw failUnasked(ref)
                case .declines: try fail(ref, .authenticationRequired, isAuthenticated: false)
                }
                return
            }
            decline = then
        default: break
        }
        if let decline {
            try fail(ref, decline, isAuthenticated: isAuthenticated)
        }
        succeed(ref, isAuthenticated: isAuthenticated)
    }

    private mutating func requireAction(_ ref: Ref<TwinPaymentIntent>) {
        intents[ref].status = .requiresAction
        intents[ref].failure = nil
        tell(.intentRequiresAction, snapshot(ref))
    }

    /// The customer did not pass 3-D Secure.
    mutating func failAuthentication(_ ref: Ref<TwinPaymentIntent>) {
        failWithoutCharge(ref, .authenticationFailed)
    }

    private mutating func failUnasked(_ ref: Ref<TwinPaymentIntent>) -> APIRefusal {
        failWithoutCharge(ref, .authenticationNotHandled)
        return cardError(.authenticationNotHandled, charge: nil, intent: id(ref))
    }

    private mutating func failWithoutCharge(
        _ ref: Ref<TwinPaymentIntent>, _ decline: DeclineCode
    ) {
        intents[ref].status = .requiresPaymentMethod
        intents[ref].failure = decline
        intents[ref].failedMethod = intents[ref].method
        intents[ref].method = nil
        tell(.intentFailed, snapshot(ref))
    }

    private mutating func fail(
        _ ref: Ref<TwinPaymentIntent>, _ decline: DeclineCode, isAuthenticated: Bool
    ) throws(APIRefusal) {
        let charge = addCharge(of: ref, failure: decline, isAuthenticated: isAuthenticated)
        let method = intents[ref].method
        intents[ref].status = .requiresPaymentMethod
        intents[ref].failure = decline
        intents[ref].failedMethod = method
        intents[ref].method = nil
        tell(.chargeFailed, snapshot(charge))
        tell(.intentFailed, snapshot(ref))
        throw cardError(decline, charge: id(charge), intent: id(ref))
    }

    func cardError(_ decline: DeclineCode, charge: String?, intent: String?) -> APIRefusal {
        APIRefusal(
            status: 402, kind: .card, code: decline.errorCode, message: decline.message,
            declineCode: decline.declineCode, adviceCode: decline.adviceCode, charge: charge,
            paymentIntent: intent)
    }

    private mutating func addCharge(
        of ref: Ref<TwinPaymentIntent>, failure: DeclineCode?, isAuthenticated: Bool
    ) -> Ref<TwinCharge> {
        let intent = intents[ref]
        guard let method = intent.method else {
            preconditionFailure("\(id(ref)) is confirmed without a payment method")
        }
        let charge = addCharge(
            TwinCharge(
                created: now, amount: intent.amount, currency: intent.currency, failure: failure,
                isAuthenticated: isAuthenticated, intent: ref, customer: intent.customer,
                method: method, billing: methods[method].billing, details: intent.details))
        if let latest = intent.latestCharge { intents[ref].earlierCharges.append(latest) }
        intents[ref].latestCharge = charge
        return charge
    }

    mutating func addCharge(_ charge: TwinCharge) -> Ref<TwinCharge> {
        let ref = charges.append(charge)
        if let customer = charge.customer { customers[customer].charges.append(ref) }
        return ref
    }

    private mutating func succeed(_ ref: Ref<TwinPaymentIntent>, isAuthenticated: Bool) {
        let charge = addCharge(of: ref, failure: nil, isAuthenticated: isAuthenticated)
        intents[ref].failure = nil
        intents[ref].failedMethod = nil
        let amount = intents[ref].amount
        switch intents[ref].captureMethod {
        case .manual:
            intents[ref].status = .requiresCapture
            intents[ref].amountCapturable = amount
            tell(.chargeSucceeded, snapshot(charge))
            tell(.intentCapturable, snapshot(ref))
        case .automatic:
            take(amount, charge)
            intents[ref].receive(amount)
            tell(.chargeSucceeded, snapshot(charge))
            tell(.intentSucceeded, snapshot(ref))
        case .automaticAsync:
            take(amount, charge)
            intents[ref].receive(amount)
            var unsettled = charges[charge]
            unsettled.transaction = nil
            tell(.chargeSucceeded, .charge(charge, unsettled))
            tell(.intentSucceeded, snapshot(ref))
            tell(.chargeUpdated, snapshot(charge)) {
                $0.member("balance_transaction", nil as String?)
            }
        }
        attachForFutureUse(ref)
        if let method = intents[ref].method, methods[method].customer == nil {
            methods[method].isSpent = true
        }
        if intents[ref].captureMethod != .manual { dispute(asTestCard: charge) }
    }

    /// Takes the whole of a payment that was made in bulk.
    mutating func complete(_ ref: Ref<TwinPaymentIntent>, with charge: Ref<TwinCharge>) {
        take(charges[charge].amount, charge)
        intents[ref].latestCharge = charge
        intents[ref].receive(charges[charge].amount)
        tell(.chargeSucceeded, snapshot(charge))
        tell(.intentSucceeded, snapshot(ref))
    }

    private mutating func attachForFutureUse(_ ref: Ref<TwinPaymentIntent>) {
        guard intents[ref].setupFutureUsage != nil, let method = intents[ref].method,
            let customer = intents[ref].customer, methods[method].customer == nil
        else { return }
        attach(method, to: customer)
    }

    /// Captures `amount` of a charge, and books it.
    private mutating func take(_ amount: Int64, _ ref: Ref<TwinCharge>) {
        let charge = charges[ref]
        let bypasses = methods[charge.method].card.behaviour == .bypassesPending
        let transaction = book(
            .charge, amount, fee: settings.fees.payment(amount, in: charge.currency),
            charge.currency, from: .charge(ref),
            availableOn: availability(bypassesPending: bypasses))
        settle(transaction)
        charges[ref].isCaptured = true
        charges[ref].amountCaptured = amount
        charges[ref].transaction = transaction
    }

    /// Takes an authorised payment, or part of it; the rest is released.
    mutating func capture(_ ref: Ref<TwinPaymentIntent>, amount: Int64) {
        guard let charge = intents[ref].latestCharge else {
            preconditionFailure("\(id(ref)) is captured without a charge")
        }
        take(amount, charge)
        intents[ref].receive(amount)
        tell(.chargeCaptured, snapshot(charge)) {
            $0.member("amount_captured", 0)
            $0.member("balance_transaction", nil as String?)
            $0.member("captured", false)
        }
        tell(.intentSucceeded, snapshot(ref))
        dispute(asTestCard: charge)
    }

    /// Takes a charge that was made without a payment intent.
    mutating func capture(_ ref: Ref<TwinCharge>, amount: Int64) {
        take(amount, ref)
        tell(.chargeCaptured, snapshot(ref)) { $0.member("captured", false) }
        dispute(asTestCard: ref)
    }

    /// Charges a card without a payment intent, as Stripe's older API does.
    ///
    /// - Throws: a card error where the card declines.
    mutating func chargeDirectly(
        _ charge: TwinCharge, captures: Bool
    ) throws(APIRefusal) -> Ref<TwinCharge> {
        var charge = charge
        switch methods[charge.method].card.behaviour {
        case .declines(let code): charge.failure = code
        case .declinesOnceAttached: charge.failure = .genericDecline
        case .authenticates: charge.failure = .authenticationRequired
        default: break
        }
        let ref = addCharge(charge)
        if let decline = charge.failure {
            tell(.chargeFailed, snapshot(ref))
            throw cardError(decline, charge: id(ref), intent: nil)
        }
        if captures { take(charge.amount, ref) }
        tell(.chargeSucceeded, snapshot(ref))
        if captures { dispute(asTestCard: ref) }
        return ref
    }

    mutating func cancel(_ ref: Ref<TwinPaymentIntent>, reason: String?) {
        if intents[ref].status == .requiresCapture, let charge = intents[ref].latestCharge {
            charges[charge].isReleased = true
            charges[charge].amountRefunded = charges[charge].amount
            tell(.chargeRefunded, snapshot(charge)) {
                $0.member("amount_refunded", 0)
                $0.member("refunded", false)
            }
        }
        intents[ref].status = .canceled
        intents[ref].amountCapturable = 0
        intents[ref].canceledAt = now
        intents[ref].cancellationReason = reason
        tell(.intentCanceled, snapshot(ref))
    }

    mutating func attach(_ method: Ref<TwinPaymentMethod>, to customer: Ref<TwinCustomer>) {
        methods[method].customer = customer
        customers[customer].methods.append(method)
        tell(.methodAttached, .paymentMethod(method, methods[method]))
    }

    mutating func detach(_ method: Ref<TwinPaymentMethod>, from customer: Ref<TwinCustomer>) {
        methods[method].customer = nil
        methods[method].isDetached = true
        customers[customer].methods.removeAll { $0 == method }
        if customers[customer].defaultMethod == method { customers[customer].defaultMethod = nil }
        let before = id(customer)
        tell(.methodDetached, .paymentMethod(method, methods[method])) {
            $0.member("customer", before)
        }
    }
}

extension TwinPaymentIntent {
    fileprivate mutating func receive(_ amount: Int64) {
        status = .succeeded
        amountReceived = amount
        amountCapturable = 0
    }
}
