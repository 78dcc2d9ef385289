import Foundation

/// Honest payments and what becomes of any payment: capture, refund, dispute.
extension TrafficWorld {
    private static let hour: Int64 = 3_600
    private static let day: Int64 = 86_400

    mutating func payByHabit(_ index: Int, at: Int64, into occurrences: inout [Occurrence]) {
        if random.chance(0.03) {
            customers[index].changeDevice()
        }
        let customer = customers[index]
        let fails = random.chance(0.03)
        let isAbroad = random.chance(0.02)
        let usual = Foundation.exp(customer.logMedian + customer.sigma * random.normal())
        let attempt = Attempt(
            payer: customer.payer, device: customer.device,
            country: isAbroad ? placeOtherThan(customer.home) : customer.home,
            merchant: customer.merchant, currency: customer.currency,
            amount: Self.chargeable(usual, currency: customer.currency), fails: fails, fraud: nil)
        pay(attempt, at: at, into: &occurrences)

        // Most people whose card was refused try again within minutes.
        let comesBackSoon = fails && random.chance(0.6)
        let wait =
            comesBackSoon
            ? random.milliseconds(30...300)
            : Int64(random.exponential(mean: customer.meanGapMilliseconds))
        agenda.add(.habit(index), at: at + wait)
        planFraud(against: index, at: at)
    }

    struct Attempt {
        var payer: SimulatedPayer
        var device: SimulatedDevice
        var country: Int
        var merchant: Int
        var currency: Int
        var amount: Int64
        var fails: Bool
        var fraud: FraudPattern?
    }

    mutating func pay(_ attempt: Attempt, at: Int64, into occurrences: inout [Occurrence]) {
        let manualCapture = attempt.fraud == nil && random.chance(0.02)
        let isCaptured = !attempt.fails && !manualCapture
        let charge = SimulatedCharge(
            charge: newSerial(), paymentIntent: newSerial(), balanceTransaction: newSerial(),
            payer: attempt.payer, device: attempt.device, country: attempt.country,
            merchant: attempt.merchant, currency: attempt.currency, amount: attempt.amount,
            fee: Self.fee(on: attempt.amount, currency: attempt.currency), created: at / 1000,
            outcome: attempt.fails ? .failed(decline: drawDecline(attempt.fraud)) : .succeeded,
            fraud: attempt.fraud, amountCaptured: isCaptured ? attempt.amount : 0,
            manualCapture: manualCapture)
        if attempt.fails {
            tell(.chargeFailed, .charge(charge), of: charge, at: at, into: &occurrences)
            tell(
                .paymentIntentFailed, .paymentIntent(charge), of: charge, at: at,
                into: &occurrences)
            return
        }
        tell(.chargeSucceeded, .charge(charge), of: charge, at: at, into: &occurrences)
        if manualCapture {
            openCharges[charge.charge] = charge
            schedule(
                .capture(charge.charge), of: charge.charge,
                at: at + random.milliseconds(600...(2 * Self.day)))
        } else {
            takeMoney(charge, at: at, into: &occurrences)
        }
    }

    private mutating func takeMoney(
        _ charge: SimulatedCharge, at: Int64, into occurrences: inout [Occurrence]
    ) {
        tell(
            .paymentIntentSucceeded, .paymentIntent(charge), of: charge, at: at,
            into: &occurrences)
        credit(charge.amountCaptured - charge.fee, to: charge)
        planAftermath(of: charge, at: at)
    }

    private mutating func drawDecline(_ fraud: FraudPattern?) -> Int {
        // Testers hit wrong security codes and blocked cards; honest people lack the money.
        fraud == nil
            ? random.index(below: TwinCatalogue.declines.count)
            : 1 + random.index(below: TwinCatalogue.declines.count - 1)
    }

    private static func fee(on amount: Int64, currency: Int) -> Int64 {
        min(amount, amount * 29 / 1000 + TwinCatalogue.currencies[currency].fixedFee)
    }

    mutating func capture(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var charge = openCharges[serial] else { return }
        let step = TwinCatalogue.currencies[charge.currency].step
        let part = random.chance(0.2) ? charge.amount / 2 / step * step : charge.amount
        charge.amountCaptured = max(part, step)
        charge.fee = Self.fee(on: charge.amountCaptured, currency: charge.currency)
        tell(.chargeCaptured, .charge(charge), of: charge, at: at, into: &occurrences)
        takeMoney(charge, at: at, into: &occurrences)
    }

    /// Decides at once whether a refund or a dispute will follow, and when.
    private mutating func planAftermath(of charge: SimulatedCharge, at: Int64) {
        let disputeChance =
            switch charge.fraud {
            case nil: merchants[charge.merchant].shop.disputeRate
            case .cardTesting: 0.15
            case .stolenCard, .accountTakeover: 0.6
            }
        let isRefunded = random.chance(0.03)
        let isDisputed = random.chance(disputeChance)
        guard isRefunded || isDisputed, openCharges.count < Self.openChargesMax else { return }
        openCharges[charge.charge] = charge
        if isRefunded {
            // Many refunds are second thoughts within the hour; the rest are returned goods.
            let wait =
                random.chance(0.4)
                ? random.milliseconds(120...Self.hour)
                : random.milliseconds(Self.hour...(10 * Self.day))
            schedule(.refund(charge.charge), of: charge.charge, at: at + wait)
        }
        if isDisputed {
            let wait =
                random.chance(0.3)
                ? random.milliseconds(Self.hour...(12 * Self.hour))
                : random.milliseconds(Self.day...(20 * Self.day))
            schedule(.dispute(charge.charge), of: charge.charge, at: at + wait)
        }
    }

    func tell(
        _ type: StripeEventType, _ subject: Occurrence.Subject, of charge: SimulatedCharge,
        at: Int64, into occurrences: inout [Occurrence]
    ) {
        occurrences.append(
            Occurrence(type: type, subject: subject, merchant: charge.merchant, at: at / 1000))
    }
}

// MARK: Refunds

extension TrafficWorld {
    mutating func refund(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var charge = openCharges[serial], charge.remaining > 0 else { return }
        let step = TwinCatalogue.currencies[charge.currency].step
        let isSecond = charge.firstRefund != nil
        let isPartial = !isSecond && random.chance(0.4)
        let part = charge.remaining / 3 / step * step
        let amount = isPartial && part > 0 ? part : charge.remaining
        var refund = SimulatedRefund(
            refund: newSerial(), balanceTransaction: newSerial(), amount: amount,
            created: at / 1000, status: .succeeded)
        let settlesLater = random.chance(0.4)
        if settlesLater, random.chance(0.3) { refund.status = .pending }
        charge.amountRefunded += amount
        if isSecond { charge.secondRefund = refund } else { charge.firstRefund = refund }
        openCharges[serial] = charge
        credit(-amount, to: charge)
        tell(.refundCreated, .refund(refund, of: charge), of: charge, at: at, into: &occurrences)
        tell(.chargeRefunded, .charge(charge), of: charge, at: at, into: &occurrences)
        if settlesLater {
            schedule(
                .refundSettles(serial, isSecond: isSecond), of: serial,
                at: at + random.milliseconds(Self.hour...(3 * Self.day)))
        }
        if isPartial, charge.remaining > 0, random.chance(0.3) {
            schedule(.refund(serial), of: serial, at: at + random.milliseconds(60...Self.day))
        }
    }

    /// The bank reports the reference of a refund, or that it failed.
    mutating func settleRefund(
        of serial: ObjectSerial, isSecond: Bool, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var charge = openCharges[serial],
            var refund = isSecond ? charge.secondRefund : charge.firstRefund
        else { return }
        if random.chance(0.1) {
            refund.status = .failed
            charge.amountRefunded -= refund.amount
            credit(refund.amount, to: charge)
        } else {
            refund.status = .succeeded
            refund.hasReference = true
        }
        if isSecond { charge.secondRefund = refund } else { charge.firstRefund = refund }
        openCharges[serial] = charge
        let type: StripeEventType =
            if refund.status == .failed {
                .refundFailed
            } else if merchants[charge.merchant].shop.listsRefunds {
                .chargeRefundUpdated
            } else {
                .refundUpdated
            }
        tell(type, .refund(refund, of: charge), of: charge, at: at, into: &occurrences)
    }
}
