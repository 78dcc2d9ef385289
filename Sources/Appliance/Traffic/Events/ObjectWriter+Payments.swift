/// Charges and their PaymentIntents.
extension ObjectWriter {
    func write(_ charge: SimulatedCharge, into out: inout JSONBytes) {
        chargeText.write(into: &out) { slot, out in
            fill(slot, of: charge, into: &out)
        }
    }

    @inline(__always)
    private func fill(_ slot: ChargeSlot, of charge: SimulatedCharge, into out: inout JSONBytes) {
        switch slot {
        case .charge: quoteID(.charge, charge.charge, into: &out)
        case .amount: out.append(charge.amount)
        case .amountCaptured: out.append(charge.amountCaptured)
        case .amountRefunded: out.append(charge.amountRefunded)
        case .balanceTransaction:
            guard charge.isCaptured else { return out.appendNull() }
            quoteID(.balanceTransaction, charge.balanceTransaction, into: &out)
        case .billingCity, .billingCountry, .billingLine, .billingPostalCode:
            fillBilling(slot, of: charge, into: &out)
        case .email: quoteEmail(charge.payer, into: &out)
        case .name: out.append(quoted: TwinCatalogue.people[charge.payer.person].name)
        case .descriptor: out.append(quoted: merchants[charge.merchant].shop.descriptor)
        case .captured: out.append(charge.isCaptured)
        case .created: out.append(charge.created)
        case .currency: quoteCurrency(charge.currency, into: &out)
        case .customer: quoteCustomer(charge.payer, into: &out)
        case .description: quoteDescription(of: charge, into: &out)
        case .disputed: out.append(charge.isDisputed)
        case .metadata: writeMetadata(of: charge, into: &out)
        case .failureCode, .failureMessage, .adviceCode, .networkDeclineCode, .networkStatus,
            .declineReason, .sellerMessage, .outcomeType, .status, .paid:
            fillOutcome(slot, of: charge, into: &out)
        case .paymentIntent: quoteID(.paymentIntent, charge.paymentIntent, into: &out)
        case .paymentMethod: quoteID(.paymentMethod, charge.payer.card, into: &out)
        case .amountAuthorized, .brand, .cvcCheck, .cardCountry, .expiryMonth, .expiryYear,
            .fingerprint, .funding, .lastFour, .authorizationCode, .networkTransaction:
            fillCard(slot, of: charge, into: &out)
        case .receiptURL: quoteReceipt(of: charge, into: &out)
        case .refunded:
            out.append(charge.isCaptured && charge.amountRefunded == charge.amountCaptured)
        case .refunds: writeRefundList(of: charge, into: &out)
        case .shipping: writeShipping(of: charge, into: &out)
        }
    }

    private func fillBilling(
        _ slot: ChargeSlot, of charge: SimulatedCharge, into out: inout JSONBytes
    ) {
        guard !charge.payer.shipsOnly else { return out.appendNull() }
        let place = TwinCatalogue.places[charge.country]
        switch slot {
        case .billingCity: out.append(quoted: place.city)
        case .billingCountry: out.append(quoted: place.country)
        case .billingLine: out.append(quoted: place.street)
        default: out.append(quoted: place.postalCode)
        }
    }

    private func fillOutcome(
        _ slot: ChargeSlot, of charge: SimulatedCharge, into out: inout JSONBytes
    ) {
        guard case .failed(let index) = charge.outcome else {
            switch slot {
            case .networkStatus: out.append(quoted: "approved_by_network")
            case .sellerMessage: out.append(quoted: "Payment complete.")
            case .outcomeType: out.append(quoted: "authorized")
            case .status: out.append(quoted: "succeeded")
            case .paid: out.append(true)
            default: out.appendNull()
            }
            return
        }
        let decline = TwinCatalogue.declines[index]
        switch slot {
        case .failureCode: out.append(quoted: decline.failureCode)
        case .failureMessage: out.append(quoted: decline.message)
        case .adviceCode: out.append(quoted: decline.advice)
        case .networkDeclineCode: out.append(quoted: "05")
        case .networkStatus: out.append(quoted: "declined_by_network")
        case .declineReason: out.append(quoted: decline.declineCode)
        case .sellerMessage: out.append(quoted: "The bank refused the payment.")
        case .outcomeType: out.append(quoted: "issuer_declined")
        case .status: out.append(quoted: "failed")
        default: out.append(false)
        }
    }

    private func fillCard(
        _ slot: ChargeSlot, of charge: SimulatedCharge, into out: inout JSONBytes
    ) {
        let card = charge.payer.card
        switch slot {
        case .amountAuthorized: out.append(charge.amount)
        case .brand: out.append(quoted: TwinCatalogue.brands[charge.payer.brand])
        case .cvcCheck:
            if case .failed(let index) = charge.outcome,
                TwinCatalogue.declines[index].isSecurityCode
            {
                out.append(quoted: "fail")
            } else {
                out.append(quoted: "pass")
            }
        case .cardCountry:
            out.append(quoted: TwinCatalogue.places[charge.payer.cardCountry].country)
        case .expiryMonth: out.append(Int64(1 + ids.noise(card, salt: 3) % 12))
        case .expiryYear: out.append(Int64(2027 + ids.noise(card, salt: 4) % 5))
        case .fingerprint: out.quote { ids.writeFingerprint(card, into: &$0) }
        case .funding:
            let kinds = TwinCatalogue.funding
            out.append(quoted: kinds[Int(ids.noise(card, salt: 5) % UInt64(kinds.count))])
        case .lastFour: quoteDigits(4, of: ids.noise(card, salt: 6), into: &out)
        case .authorizationCode:
            guard charge.hasSucceeded else { return out.appendNull() }
            quoteDigits(6, of: ids.noise(charge.charge, salt: 7), into: &out)
        default: quoteDigits(12, of: ids.noise(charge.charge, salt: 8), into: &out)
        }
    }

    private func quoteDigits(_ count: Int, of number: UInt64, into out: inout JSONBytes) {
        out.quote {
            var rest = number
            for _ in 0..<count {
                $0.bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            }
        }
    }

    private func quoteReceipt(of charge: SimulatedCharge, into out: inout JSONBytes) {
        guard charge.hasSucceeded else { return out.appendNull() }
        out.quote {
            $0.append(raw: "https://pay.stripe.com/receipts/payment/")
            ids.write(.charge, charge.charge, into: &$0)
            $0.append(raw: "/CAcaFwoVYWNjdF8xUGdhZlRCN1daMDF6Z2tXKI")
        }
    }

    /// The `refunds` line of an old API version, or nothing.
    private func writeRefundList(of charge: SimulatedCharge, into out: inout JSONBytes) {
        guard merchants[charge.merchant].shop.listsRefunds else { return }
        out.append(raw: "      \"refunds\": {\n        \"object\": \"list\",\n        \"data\": [")
        // Stripe lists the newest first.
        var isFirst = true
        for case let refund? in [charge.secondRefund, charge.firstRefund] {
            if !isFirst { out.append(raw: ",") }
            isFirst = false
            out.append(raw: "\n          ")
            write(refund, of: charge, in: listedRefundText, into: &out)
        }
        out.append(raw: "],\n        \"has_more\": false,\n        \"url\": \"/v1/charges/")
        ids.write(.charge, charge.charge, into: &out)
        out.append(raw: "/refunds\"\n      },\n")
    }

    func writePaymentIntent(of charge: SimulatedCharge, into out: inout JSONBytes) {
        paymentIntentText.write(into: &out) { slot, out in
            switch slot {
            case .paymentIntent: quoteID(.paymentIntent, charge.paymentIntent, into: &out)
            case .amount: out.append(charge.amount)
            case .amountCapturable: out.append(raw: "0")
            case .amountReceived: out.append(charge.amountCaptured)
            case .captureMethod:
                out.append(quoted: charge.manualCapture ? "manual" : "automatic_async")
            case .clientSecret:
                out.quote {
                    ids.write(.paymentIntent, charge.paymentIntent, into: &$0)
                    $0.append(raw: "_secret_Dm43xiq1k0ywrRRjDoi8y1gkM")
                }
            case .created: out.append(charge.created)
            case .currency: quoteCurrency(charge.currency, into: &out)
            case .customer: quoteCustomer(charge.payer, into: &out)
            case .description: quoteDescription(of: charge, into: &out)
            case .lastPaymentError: writeLastError(of: charge, into: &out)
            case .charge: quoteID(.charge, charge.charge, into: &out)
            case .metadata: writeMetadata(of: charge, into: &out)
            case .paymentMethod:
                // A failed PaymentIntent lets go of the method.
                guard charge.hasSucceeded else { return out.appendNull() }
                quoteID(.paymentMethod, charge.payer.card, into: &out)
            case .email: quoteEmail(charge.payer, into: &out)
            case .shipping: writeShipping(of: charge, into: &out)
            case .status:
                out.append(
                    quoted: charge.hasSucceeded ? "succeeded" : "requires_payment_method")
            }
        }
    }

    private func writeLastError(of charge: SimulatedCharge, into out: inout JSONBytes) {
        guard case .failed(let index) = charge.outcome else { return out.appendNull() }
        let decline = TwinCatalogue.declines[index]
        out.append(raw: "{\n        \"advice_code\": ")
        out.append(quoted: decline.advice)
        out.append(raw: ",\n        \"charge\": ")
        quoteID(.charge, charge.charge, into: &out)
        out.append(raw: ",\n        \"code\": ")
        out.append(quoted: decline.failureCode)
        out.append(raw: ",\n        \"decline_code\": ")
        out.append(quoted: decline.declineCode)
        out.append(raw: ",\n        \"doc_url\": \"https://stripe.com/docs/error-codes/")
        out.append(raw: decline.failureCode)
        out.append(raw: "\",\n        \"message\": ")
        out.append(quoted: decline.message)
        out.append(raw: ",\n        \"type\": \"card_error\"\n      }")
    }
}
