import Vocabulary

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
                isPayment: methods[method].bank != nil, isAuthenticated: isAuthenticated,
                intent: ref, customer: intent.customer, method: method,
                billing: methods[method].billing, details: intent.details, terms: intent.terms))
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
        if let bank = intents[ref].method.flatMap({ methods[$0].bank }) {
            beginDebit(charge, of: bank)
            attachForFutureUse(ref)
            return spend(ref)
        }
        switch intents[ref].captureMethod {
        case .manual:
            intents[ref].status = .requiresCapture
            intents[ref].amountCapturable = amount
            agenda.add(.authorisationExpires(charge), at: now + Self.authorisationSeconds)
            tell(.chargeSucceeded, snapshot(charge))
            tell(.intentCapturable, snapshot(ref))
        case .automatic:
            take(amount, charge)
            passOn(charge, captured: amount)
            intents[ref].receive(amount)
            tell(.chargeSucceeded, snapshot(charge))
            tell(.intentSucceeded, snapshot(ref))
        case .automaticAsync:
            take(amount, charge)
            passOn(charge, captured: amount)
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
        spend(ref)
        if intents[ref].captureMethod != .manual { dispute(asTestCard: charge) }
    }

    /// A payment method that is attached to nobody is good for one payment.
    private mutating func spend(_ ref: Ref<TwinPaymentIntent>) {
        guard let method = intents[ref].method, methods[method].customer == nil else { return }
        methods[method].isSpent = true
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

    /// Captures `amount` of a charge, and books it. What was captured before stays.
    mutating func take(_ amount: Int64, _ ref: Ref<TwinCharge>) {
        let charge = charges[ref]
        let fee =
            charge.isPayment
            ? settings.fees.debit(amount, in: charge.currency)
            : settings.fees.payment(amount, in: charge.currency)
        let earned = earned(with: ref, capturing: amount)
        let transaction = book(
            charge.isPayment ? .payment : .charge, amount, fee: min(amount, fee + earned),
            charge.currency, from: .charge(ref),
            availableOn: availability(bypassesPending: behaviour(of: ref) == .bypassesPending))
        transactions[transaction].applicationFee = earned
        settle(transaction)
        charges[ref].isCaptured = true
        charges[ref].amountCaptured += amount
        if charge.transaction == nil {
            charges[ref].transaction = transaction
        } else {
            furtherOfSources.append(transaction)
        }
    }

    /// What the charge's card does besides paying.
    func behaviour(of ref: Ref<TwinCharge>) -> TestCard.Behaviour {
        charges[ref].method.map { methods[$0].card.behaviour } ?? .succeeds
    }

    /// Takes an authorised payment, or part of it; the rest is released.
    ///
    /// - Parameter isFinal: whether nothing more will be captured.
    mutating func capture(
        _ ref: Ref<TwinPaymentIntent>, amount: Int64, isFinal: Bool = true
    ) {
        guard let charge = intents[ref].latestCharge else {
            preconditionFailure("\(id(ref)) is captured without a charge")
        }
        let before = charges[charge]
        charges[charge].terms = intents[ref].terms
        take(amount, charge)
        passOn(charge, captured: amount)
        let taken = charges[charge].amountCaptured
        if isFinal {
            release(charge)
            intents[ref].receive(taken)
        } else {
            intents[ref].amountReceived = taken
            intents[ref].amountCapturable = max(0, intents[ref].amount - taken)
        }
        tell(.chargeCaptured, snapshot(charge)) {
            $0.member("amount_captured", before.amountCaptured)
            if before.transaction == nil { $0.member("balance_transaction", nil as String?) }
            if !before.isCaptured { $0.member("captured", false) }
        }
        tellRelease(of: charge)
        tell(isFinal ? .intentSucceeded : .intentCapturable, snapshot(ref))
        dispute(asTestCard: charge)
    }

    /// Takes a charge that was made without a payment intent.
    mutating func capture(_ ref: Ref<TwinCharge>, amount: Int64) {
        take(amount, ref)
        passOn(ref, captured: amount)
        release(ref)
        tell(.chargeCaptured, snapshot(ref)) { $0.member("captured", false) }
        tellRelease(of: ref)
        dispute(asTestCard: ref)
    }

    /// Charges a card without a payment intent, as Stripe's older API does.
    ///
    /// - Throws: a card error where the card declines.
    mutating func chargeDirectly(
        _ charge: TwinCharge, captures: Bool
    ) throws(APIRefusal) -> Ref<TwinCharge> {
        var charge = charge
        switch charge.method.map({ methods[$0].card.behaviour }) ?? .succeeds {
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
        if let bank = charge.method.flatMap({ methods[$0].bank }) {
            charges[ref].isPayment = true
            beginDebit(ref, of: bank)
            return ref
        }
        if captures {
            take(charge.amount, ref)
            passOn(ref, captured: charge.amount)
        } else {
            agenda.add(.authorisationExpires(ref), at: now + Self.authorisationSeconds)
        }
        tell(.chargeSucceeded, snapshot(ref))
        if captures { dispute(asTestCard: ref) }
        return ref
    }

    mutating func cancel(_ ref: Ref<TwinPaymentIntent>, reason: String?) {
        if intents[ref].status == .requiresCapture, let charge = intents[ref].latestCharge {
            release(charge)
            tellRelease(of: charge)
            // What was captured before stays, and is all there will be.
            if charges[charge].isCaptured {
                intents[ref].receive(charges[charge].amountCaptured)
                return tell(.intentSucceeded, snapshot(ref))
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
    mutating func receive(_ amount: Int64) {
        status = .succeeded
        amountReceived = amount
        amountCapturable = 0
    }
}
