import Traffic
import Vocabulary

/// Plays a world on a twin: what its customers, fraudsters and banks do become calls of the
/// twin's API, so that each event the twin tells has its object and its balance transactions
/// behind it.
///
/// The world decides who pays, what is refunded, disputed and declined; the twin decides what it
/// costs, what is available and what is paid out. Where the twin refuses (a refund that the balance
/// does not cover), the world goes on, and the refusal is counted.
struct TwinScenario: Sendable {
    /// How often the world did what, and how often the twin refused.
    struct Tally: Hashable, Sendable {
        var payments = 0
        var declines = 0
        var captures = 0
        var refunds = 0
        var disputes = 0
        var payoutsFailed = 0
        /// Calls the twin refused, by the error's code.
        var refused: [String: Int] = [:]
    }

    /// A charge of which something may still become.
    private struct OpenCharge: Sendable {
        var intent: String
        var charge: String
        var account: String?
        /// Refunds that are not settled.
        var refunds: [ObjectSerial: String] = [:]
    }

    private struct OpenDispute: Sendable {
        var dispute: String
        var account: String?
    }

    private(set) var tally = Tally()
    /// Whether a fraudster made the latest payment, or the latest that failed.
    private(set) var lastAttemptIsFraud = false

    private let twin: Twin
    private let apiKey: String
    private let clock: ScenarioClock
    private let ids: StripeIDs
    private var world: TrafficWorld
    private var people: TwinPeople
    private var charges: [ObjectSerial: OpenCharge] = [:]
    private var chargesKeptLast = 0
    private var disputes: [ObjectSerial: OpenDispute] = [:]
    private var occurrences: [Occurrence] = []

    /// Makes the world's shops as Connect accounts.
    ///
    /// - Parameters:
    ///   - apiKey: one that the twin accepts.
    ///   - clock: the one that the twin reads; the scenario moves it on.
    init(
        _ settings: TrafficWorld.Settings, on twin: Twin, apiKey: String, clock: ScenarioClock
    ) throws(APIRefusal) {
        self.twin = twin
        self.apiKey = apiKey
        self.clock = clock
        ids = StripeIDs(seed: settings.seed)
        world = TrafficWorld(settings)
        var accounts: [String?] = []
        for merchant in world.merchants {
            let name = merchant.shop.descriptor.description
            accounts.append(merchant.account == nil ? nil : try twin.createAccount(name: name))
        }
        people = TwinPeople(twin: twin, ids: ids, accounts: accounts)
    }

    /// The accounts of the world's shops, nil for the platform's own.
    var accounts: [String?] { people.accounts }

    /// The world's clock, seconds since 1970.
    var now: Int64 { clock.now }

    /// Behind the last occurrence the twin's time passes by itself.
    func letTimePass() { clock.goOn() }

    /// Lets the world do the next thing. The twin tells its events before this returns.
    mutating func step() {
        occurrences.removeAll(keepingCapacity: true)
        while occurrences.isEmpty { world.advance(into: &occurrences) }
        for occurrence in occurrences {
            clock.move(to: occurrence.at)
            do throws(APIRefusal) {
                try play(occurrence)
            } catch {
                tally.refused[error.code ?? error.kind.rawValue, default: 0] += 1
            }
        }
        forgetClosedCharges()
    }

    /// The world tells every event; those that follow from another are the twin's to tell.
    private mutating func play(_ occurrence: Occurrence) throws(APIRefusal) {
        switch (occurrence.type, occurrence.subject) {
        case (.chargeSucceeded, .charge(let charge)), (.chargeFailed, .charge(let charge)):
            try pay(charge)
        case (.chargeCaptured, .charge(let charge)): try capture(charge)
        case (.refundCreated, .refund(let refund, let charge)): try make(refund, of: charge)
        case (.refundUpdated, .refund(let refund, let charge)),
            (.chargeRefundUpdated, .refund(let refund, let charge)),
            (.refundFailed, .refund(let refund, let charge)):
            try settle(refund, of: charge)
        case (.disputeCreated, .dispute(let dispute)): try open(dispute)
        case (.disputeClosed, .dispute(let dispute)): try close(dispute)
        case (.payoutFailed, .payout(let payout)):
            try failPayout(in: people.accounts[payout.merchant])
        default: return
        }
    }

    // MARK: Payments

    private mutating func pay(_ charge: SimulatedCharge) throws(APIRefusal) {
        lastAttemptIsFraud = charge.fraud != nil
        let account = people.accounts[charge.merchant]
        let payment = Twin.Payment(
            amount: charge.amount, currency: people.currencies[charge.currency],
            customer: try people.customer(of: charge),
            paymentMethod: try people.card(of: charge), isManualCapture: charge.manualCapture,
            description: "Order \(charge.charge.rawValue)", metadata: people.metadata(of: charge),
            shippingCountry: charge.payer.shipsOnly
                ? TwinCatalogue.places[charge.country].country.description : nil,
            declineCode: charge.declineCode)
        let result = try twin.pay(payment, account: account)
        if charge.hasSucceeded { tally.payments += 1 } else { tally.declines += 1 }
        guard let made = result.charge, world.openCharges[charge.charge] != nil else { return }
        charges[charge.charge] = OpenCharge(
            intent: result.paymentIntent, charge: made, account: account)
    }

    private mutating func capture(_ charge: SimulatedCharge) throws(APIRefusal) {
        guard let open = charges[charge.charge] else { return }
        try twin.capture(open.intent, amount: charge.amountCaptured, account: open.account)
        tally.captures += 1
    }

    /// The world forgets charges of which nothing will become; so does the scenario, now and then.
    private mutating func forgetClosedCharges() {
        guard charges.count > 2 * chargesKeptLast + 1_024 else { return }
        charges = charges.filter { world.openCharges[$0.key] != nil }
        chargesKeptLast = charges.count
    }

    // MARK: What becomes of them

    private mutating func make(
        _ refund: SimulatedRefund, of charge: SimulatedCharge
    ) throws(APIRefusal) {
        guard let open = charges[charge.charge] else { return }
        let made = try twin.refund(
            open.charge, amount: refund.amount,
            outcome: refund.status == .pending ? .pending : .succeeded, account: open.account)
        charges[charge.charge]?.refunds[refund.refund] = made
        tally.refunds += 1
    }

    private mutating func settle(
        _ refund: SimulatedRefund, of charge: SimulatedCharge
    ) throws(APIRefusal) {
        guard let open = charges[charge.charge],
            let made = charges[charge.charge]?.refunds.removeValue(forKey: refund.refund)
        else { return }
        try twin.settleRefund(made, fails: refund.status == .failed, account: open.account)
    }

    private mutating func open(_ dispute: SimulatedDispute) throws(APIRefusal) {
        guard let open = charges[dispute.charge.charge] else { return }
        let reason = TwinCatalogue.disputeReasons[dispute.reason].reason
        let made = try twin.dispute(
            open.charge, amount: dispute.amount, reason: reason.description,
            isInquiry: dispute.isInquiry, account: open.account)
        disputes[dispute.dispute] = OpenDispute(dispute: made, account: open.account)
        tally.disputes += 1
    }

    private mutating func close(_ dispute: SimulatedDispute) throws(APIRefusal) {
        guard let open = disputes.removeValue(forKey: dispute.dispute) else { return }
        let outcome: Twin.DisputeOutcome =
            if dispute.isInquiry { .warningClosed } else { dispute.status == .won ? .won : .lost }
        try twin.closeDispute(
            open.dispute, outcome, returnsFee: dispute.returnsFee, account: open.account)
    }

    // MARK: Payouts

    /// The twin pays out by itself, at each midnight; the world only says that a bank sent a payout
    /// back. It is the newest on its way.
    private mutating func failPayout(in account: String?) throws(APIRefusal) {
        let list = twin.handle(
            APIRequest(
                method: .get, path: "/v1/payouts",
                fields: [FormField("limit", "1"), FormField("status", "in_transit")],
                apiKey: apiKey, account: account))
        guard let payout = Self.firstID(in: list.body) else { return }
        try twin.settlePayout(payout, .failed, account: account)
        tally.payoutsFailed += 1
    }

    private static func firstID(in list: [UInt8]) -> String? {
        let document = JSONDocument(bytesMax: list.count + 1)
        return withExtendedLifetime(document) {
            guard let found = try? document.parse(list) else { return nil }
            var objects = found["data"]?.array
            return objects?.next()?["id"]?.string
        }
    }
}

extension SimulatedCharge {
    /// Stripe's code for why it was declined; nil where it was not.
    fileprivate var declineCode: String? {
        if case .failed(let decline) = outcome {
            TwinCatalogue.declines[decline].declineCode.description
        } else {
            nil
        }
    }
}
