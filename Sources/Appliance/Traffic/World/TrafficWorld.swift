import Foundation
package import Vocabulary

/// A small world of customers, shops and fraudsters with a clock of its own.
///
/// It knows objects and not bytes: `advance` tells what happened next as `Occurrence`s, which
/// `EventWriter` turns into Stripe's JSON. Time here is the world's, driven by its own arrivals
/// and never by the wall clock, so what features see does not depend on how fast the events are
/// delivered.
package struct TrafficWorld: Sendable {
    /// What a world is made of. The same settings make the same world.
    package struct Settings: Hashable, Sendable {
        package var seed: UInt64
        /// Where the world's clock starts, at least 1970.
        package var start: Instant = Self.defaultStart
        /// How many customers have a habit of paying, at least 1.
        package var customers = 20_000
        /// The share of all payment attempts that are fraud, 0 ... `fraudShareMax`.
        package var fraudShare = 0.02
        /// Whether the shops sell in one account, instead of each in a Connect account of its own.
        package var hasOneAccount = false

        package init(
            seed: UInt64, start: Instant = Self.defaultStart, customers: Int = 20_000,
            fraudShare: Double = 0.02, hasOneAccount: Bool = false
        ) {
            self.seed = seed
            self.start = start
            self.customers = customers
            self.fraudShare = fraudShare
            self.hasOneAccount = hasOneAccount
        }

        /// 2026-01-05T00:00:00Z, a Monday.
        package static let defaultStart = Instant(seconds: 1_767_571_200)
        package static let fraudShareMax = 0.9
    }

    /// The world forgets what might still become of a payment once this many are open, so that its
    /// memory is bounded.
    static let openChargesMax = 1 << 17

    struct Customer: Sendable {
        var payer: SimulatedPayer
        var home: Int
        var currency: Int
        var merchant: Int
        /// Natural logarithm of the usual amount.
        var logMedian: Double
        var sigma: Double
        var meanGapMilliseconds: Double
        var device: SimulatedDevice
        var otherDevice: SimulatedDevice

        mutating func changeDevice() { swap(&device, &otherDevice) }
    }

    package struct Merchant: Sendable {
        /// nil for the platform itself.
        package let account: ObjectSerial?
        package let shop: TwinCatalogue.Shop
        /// What Stripe holds for it, by currency, in minor units.
        var balances: [Int64]
    }

    /// An attempt that a fraudster has planned.
    struct Attack: Sendable {
        var pattern: FraudPattern
        var customer: Int
        var payer: SimulatedPayer
        var device: SimulatedDevice
        var country: Int
        var amount: Int64
        var fails: Bool
    }

    package private(set) var merchants: [Merchant]
    let settings: Settings

    var customers: [Customer] = []
    var random: TwinRandom
    var agenda = TrafficAgenda()
    var attacks: [UInt64: Attack] = [:]
    /// Charges of which something may still become.
    package var openCharges: [ObjectSerial: SimulatedCharge] = [:]
    /// How many tasks are still on the agenda for an open charge; at none it is forgotten.
    private var openTasks: [ObjectSerial: Int] = [:]
    private var disputes: [ObjectSerial: SimulatedDispute] = [:]
    private var payouts: [ObjectSerial: SimulatedPayout] = [:]
    private var lastSerial: UInt64 = 0
    /// How many fraudulent attempts are owed to reach the share that was asked for.
    var fraudOwed: Double = 0

    package init(_ settings: Settings) {
        precondition(settings.customers > 0, "a world of \(settings.customers) customers")
        precondition(
            (0...Settings.fraudShareMax).contains(settings.fraudShare),
            "fraud share \(settings.fraudShare)")
        self.settings = settings
        random = TwinRandom(seed: settings.seed)
        merchants = []
        for shop in TwinCatalogue.shops {
            let isOwn = shop.isPlatform || settings.hasOneAccount
            let account = isOwn ? nil : newSerial()
            let balances = [Int64](repeating: 0, count: TwinCatalogue.currencies.count)
            merchants.append(Merchant(account: account, shop: shop, balances: balances))
        }
        settle()
    }

    mutating func newSerial() -> ObjectSerial {
        lastSerial += 1
        return ObjectSerial(lastSerial)
    }

    /// Lets time pass to the next task and appends what came of it: at most three occurrences,
    /// possibly none.
    package mutating func advance(into occurrences: inout [Occurrence]) {
        guard let (task, at) = agenda.popFirst() else {
            preconditionFailure("a world without a habit")
        }
        switch task {
        case .habit(let index): payByHabit(index, at: at, into: &occurrences)
        case .attack(let number): carryOut(number, at: at, into: &occurrences)
        case .capture(let charge):
            capture(charge, at: at, into: &occurrences)
            finishTask(of: charge)
        case .refund(let charge):
            refund(charge, at: at, into: &occurrences)
            finishTask(of: charge)
        case .refundSettles(let charge, let isSecond):
            settleRefund(of: charge, isSecond: isSecond, at: at, into: &occurrences)
            finishTask(of: charge)
        case .dispute(let charge):
            dispute(charge, at: at, into: &occurrences)
            finishTask(of: charge)
        case .disputeCloses(let dispute): closeDispute(dispute, at: at, into: &occurrences)
        case .payout(let merchant, let currency):
            payOut(merchant: merchant, currency: currency, at: at, into: &occurrences)
        case .payoutSettles(let payout): settlePayout(payout, at: at, into: &occurrences)
        case .payoutReconciles(let payout): reconcilePayout(payout, at: at, into: &occurrences)
        }
    }

    /// Puts a task about an open charge on the agenda.
    mutating func schedule(_ task: TrafficAgenda.Task, of charge: ObjectSerial, at: Int64) {
        openTasks[charge, default: 0] += 1
        agenda.add(task, at: at)
    }

    private mutating func finishTask(of charge: ObjectSerial) {
        guard let tasks = openTasks[charge] else { return }
        openTasks[charge] = tasks > 1 ? tasks - 1 : nil
        if tasks <= 1 { openCharges[charge] = nil }
    }

    mutating func credit(_ amount: Int64, to charge: SimulatedCharge) {
        merchants[charge.merchant].balances[charge.currency] += amount
    }
}

// MARK: Disputes

extension TrafficWorld {
    private mutating func dispute(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var charge = openCharges[serial], charge.remaining > 0 else { return }
        let isInquiry = charge.fraud == nil && random.chance(0.1)
        let habit = TwinCatalogue.currencies[charge.currency]
        let reasons = TwinCatalogue.disputeReasons
        let reason = charge.fraud != nil ? 0 : random.index(below: reasons.count)
        let amount = charge.remaining
        if !isInquiry { charge.isDisputed = true }
        openCharges[serial] = charge
        let dispute = SimulatedDispute(
            dispute: newSerial(), charge: charge, amount: amount,
            fee: isInquiry ? 0 : habit.disputeFee, created: at / 1000, isInquiry: isInquiry,
            reason: reason, withdrawal: newSerial(), withdrawnAt: at / 1000,
            returnsFee: random.chance(0.3))
        disputes[dispute.dispute] = dispute
        tell(.disputeCreated, dispute, at: at, into: &occurrences)
        if !isInquiry {
            credit(-amount - dispute.fee, to: charge)
            tell(.disputeFundsWithdrawn, dispute, at: at, into: &occurrences)
        }
        agenda.add(.disputeCloses(dispute.dispute), at: at + random.milliseconds(7_200...5_000_000))
    }

    private mutating func closeDispute(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var dispute = disputes.removeValue(forKey: serial) else { return }
        let isWon = random.chance(dispute.charge.fraud == nil ? 0.4 : 0.1)
        dispute.status = isWon ? .won : .lost
        if isWon, !dispute.isInquiry {
            dispute.reinstatement = newSerial()
            dispute.reinstatedAt = at / 1000
            credit(dispute.amount + (dispute.returnsFee ? dispute.fee : 0), to: dispute.charge)
        }
        tell(.disputeClosed, dispute, at: at, into: &occurrences)
        if dispute.reinstatement != nil {
            tell(.disputeFundsReinstated, dispute, at: at, into: &occurrences)
        }
    }

    private func tell(
        _ type: StripeEventType, _ dispute: SimulatedDispute, at: Int64,
        into occurrences: inout [Occurrence]
    ) {
        occurrences.append(
            Occurrence(
                type: type, subject: .dispute(dispute), merchant: dispute.charge.merchant,
                at: at / 1000))
    }
}

// MARK: Payouts

extension TrafficWorld {
    private static let day: Int64 = 86_400

    private mutating func payOut(
        merchant: Int, currency: Int, at: Int64, into occurrences: inout [Occurrence]
    ) {
        agenda.add(
            .payout(merchant: merchant, currency: currency), at: at + Self.day * 1000)
        let balance = merchants[merchant].balances[currency]
        guard balance >= TwinCatalogue.currencies[currency].payoutMin else { return }
        merchants[merchant].balances[currency] = 0
        let payout = SimulatedPayout(
            payout: newSerial(), balanceTransaction: newSerial(),
            failureTransaction: newSerial(), merchant: merchant, currency: currency,
            amount: balance, created: at / 1000)
        payouts[payout.payout] = payout
        tell(.payoutCreated, payout, at: at, into: &occurrences)
        agenda.add(
            .payoutSettles(payout.payout), at: at + random.milliseconds(3_600...(2 * Self.day)))
    }

    private mutating func settlePayout(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var payout = payouts.removeValue(forKey: serial) else { return }
        if random.chance(0.04) {
            payout.status = .failed
            merchants[payout.merchant].balances[payout.currency] += payout.amount
            tell(.payoutFailed, payout, at: at, into: &occurrences)
        } else {
            payout.status = .paid
            payouts[serial] = payout
            tell(.payoutPaid, payout, at: at, into: &occurrences)
            agenda.add(.payoutReconciles(serial), at: at + random.milliseconds(60...7_200))
        }
    }

    private mutating func reconcilePayout(
        _ serial: ObjectSerial, at: Int64, into occurrences: inout [Occurrence]
    ) {
        guard var payout = payouts.removeValue(forKey: serial) else { return }
        payout.isReconciled = true
        tell(.payoutReconciled, payout, at: at, into: &occurrences)
    }

    private func tell(
        _ type: StripeEventType, _ payout: SimulatedPayout, at: Int64,
        into occurrences: inout [Occurrence]
    ) {
        occurrences.append(
            Occurrence(
                type: type, subject: .payout(payout), merchant: payout.merchant, at: at / 1000))
    }
}
