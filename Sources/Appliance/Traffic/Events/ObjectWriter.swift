/// Writes the simulated objects as Stripe's API would return them.
///
/// It is pure and holds only the templates, so one writer serves a webhook's body today and an
/// API answer tomorrow.
struct ObjectWriter: Sendable {
    enum ChargeSlot: String, Sendable {
        case charge, amount, amountCaptured, amountRefunded, balanceTransaction
        case billingCity, billingCountry, billingLine, billingPostalCode, email, name
        case descriptor, captured, created, currency, customer, description, disputed
        case failureCode, failureMessage, metadata
        case adviceCode, networkDeclineCode, networkStatus, declineReason, sellerMessage
        case outcomeType, paid, paymentIntent, paymentMethod
        case amountAuthorized, brand, cvcCheck, cardCountry, expiryMonth, expiryYear
        case fingerprint, funding, lastFour, authorizationCode, networkTransaction
        case receiptURL, refunded, refunds, shipping, status
    }

    enum PaymentIntentSlot: String, Sendable {
        case paymentIntent, amount, amountCapturable, amountReceived, captureMethod
        case clientSecret, created, currency, customer, description, lastPaymentError, charge
        case metadata, paymentMethod, email, shipping, status
    }

    enum RefundSlot: String, Sendable {
        case refund, amount, balanceTransaction, charge, created, currency, destination
        case failure, paymentIntent, reason, status
    }

    enum DisputeSlot: String, Sendable {
        case dispute, amount, balanceTransactions, charge, created, currency, email, name
        case address, dueBy, hasEvidence, submissions, refundable, paymentIntent, brand
        case caseType, networkReason, reason, status
    }

    enum BalanceTransactionSlot: String, Sendable {
        case balanceTransaction, amount, availableOn, created, currency, description, fee
        case feeDetails, net, category, source, type
    }

    enum PayoutSlot: String, Sendable {
        case payout, amount, arrival, balanceTransaction, created, currency, destination
        case failureTransaction, failureCode, failureMessage, reconciliation, status, trace
    }

    let ids: StripeIDs
    let merchants: [TrafficWorld.Merchant]
    let chargeText: SlottedText<ChargeSlot>
    let paymentIntentText: SlottedText<PaymentIntentSlot>
    let refundText: SlottedText<RefundSlot>
    /// A refund inside a charge's list of them.
    let listedRefundText: SlottedText<RefundSlot>
    let disputeText: SlottedText<DisputeSlot>
    let balanceTransactionText: SlottedText<BalanceTransactionSlot>
    let payoutText: SlottedText<PayoutSlot>

    /// - Parameter indentation: of the objects' lines but the first, in blanks; Stripe's webhooks
    ///   are written in lines and an event holds its object four deep.
    init(ids: StripeIDs, merchants: [TrafficWorld.Merchant], indentation: Int) {
        self.ids = ids
        self.merchants = merchants
        chargeText = SlottedText(ObjectTemplateText.charge, indentation: indentation)
        paymentIntentText = SlottedText(ObjectTemplateText.paymentIntent, indentation: indentation)
        refundText = SlottedText(ObjectTemplateText.refund, indentation: indentation)
        listedRefundText = SlottedText(ObjectTemplateText.refund, indentation: indentation + 6)
        disputeText = SlottedText(ObjectTemplateText.dispute, indentation: indentation)
        balanceTransactionText = SlottedText(
            ObjectTemplateText.balanceTransaction, indentation: indentation + 4)
        payoutText = SlottedText(ObjectTemplateText.payout, indentation: indentation)
    }

    /// Appends the subject of an occurrence.
    func write(_ subject: Occurrence.Subject, into out: inout JSONBytes) {
        switch subject {
        case .charge(let charge): write(charge, into: &out)
        case .paymentIntent(let charge): writePaymentIntent(of: charge, into: &out)
        case .refund(let refund, let charge):
            write(refund, of: charge, in: refundText, into: &out)
        case .dispute(let dispute): write(dispute, into: &out)
        case .payout(let payout): write(payout, into: &out)
        }
    }

    // MARK: What several objects share

    func quoteID(_ prefix: StripeIDs.Prefix, _ serial: ObjectSerial, into out: inout JSONBytes) {
        out.quote { ids.write(prefix, serial, into: &$0) }
    }

    func quoteCustomer(_ payer: SimulatedPayer, into out: inout JSONBytes) {
        guard let customer = payer.customer else { return out.appendNull() }
        quoteID(.customer, customer, into: &out)
    }

    func quoteCurrency(_ index: Int, into out: inout JSONBytes) {
        out.append(quoted: TwinCatalogue.currencies[index].code)
    }

    func quoteEmail(_ payer: SimulatedPayer, into out: inout JSONBytes) {
        out.quote {
            $0.append(raw: TwinCatalogue.people[payer.person].mailbox)
            $0.append(raw: "@example.com")
        }
    }

    func quoteDescription(of charge: SimulatedCharge, into out: inout JSONBytes) {
        out.quote {
            $0.append(raw: "Order ")
            $0.append(Int64(charge.charge.rawValue))
        }
    }

    /// What the shop told Stripe about the order and the device it came from.
    func writeMetadata(of charge: SimulatedCharge, into out: inout JSONBytes) {
        let device = charge.device
        out.append(raw: "{\n        \"order_id\": \"")
        out.append(Int64(charge.charge.rawValue))
        if device.hasIdentifier {
            out.append(raw: "\",\n        \"device_id\": ")
            quoteID(.device, device.serial, into: &out)
        } else {
            out.append(raw: "\",\n        \"ip\": ")
            quoteAddress(of: device, into: &out)
            out.append(raw: ",\n        \"user_agent\": ")
            let agents = TwinCatalogue.userAgents
            let drawn = ids.noise(device.serial, salt: 2) % UInt64(agents.count)
            out.append(quoted: agents[Int(drawn)])
        }
        out.append(raw: "\n      }")
    }

    func quoteAddress(of device: SimulatedDevice, into out: inout JSONBytes) {
        out.append(quoted: Array(device.address.utf8))
    }

    func writeShipping(of charge: SimulatedCharge, into out: inout JSONBytes) {
        guard charge.payer.shipsOnly else { return out.appendNull() }
        let place = TwinCatalogue.places[charge.country]
        out.append(raw: "{\n        \"address\": {\n          \"city\": ")
        out.append(quoted: place.city)
        out.append(raw: ",\n          \"country\": ")
        out.append(quoted: place.country)
        out.append(raw: ",\n          \"line1\": ")
        out.append(quoted: place.street)
        out.append(raw: ",\n          \"line2\": null,\n          \"postal_code\": ")
        out.append(quoted: place.postalCode)
        out.append(raw: ",\n          \"state\": null\n        },\n        \"carrier\": null")
        out.append(raw: ",\n        \"name\": ")
        out.append(quoted: TwinCatalogue.people[charge.payer.person].name)
        out.append(raw: ",\n        \"phone\": null,\n        \"tracking_number\": null\n      }")
    }
}
