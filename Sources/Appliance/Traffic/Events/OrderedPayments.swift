package import Vocabulary

/// Payments that a person asks for, one at a time, as Stripe's events would tell of them.
///
/// Customers, their cards and their devices are the same each time; charges and events are new ones
/// in every process, so that nothing is taken for what was sent before.
package struct OrderedPayments: Sendable {
    package enum Card: Sendable {
        /// Issued in the country that pays.
        case own
        /// Another one than the customer's, issued elsewhere.
        case stolen
        /// The customer's own, which the bank declines.
        case declined
    }

    package struct Order: Hashable, Sendable {
        /// Above zero.
        package var amount: MinorUnits
        /// One of ``OrderedPayments/currencies``.
        package var currency: Currency
        /// Where it is billed: one of ``OrderedPayments/countries``.
        package var country: String
        /// One of ``OrderedPayments/customers``.
        package var customer: Int
        package var card: Card
        package var isOtherDevice: Bool

        package init(
            amount: MinorUnits, currency: Currency, country: String, customer: Int, card: Card,
            isOtherDevice: Bool
        ) {
            self.amount = amount
            self.currency = currency
            self.country = country
            self.customer = customer
            self.card = card
            self.isOtherDevice = isOtherDevice
        }
    }

    /// A charge and what Stripe calls it.
    package struct Placed: Sendable {
        fileprivate(set) var charge: SimulatedCharge
        /// `ch_…`
        package let id: String

        /// Minor units that may still go back.
        package var remaining: Int64 { charge.remaining }
    }

    /// An event, ready to be signed.
    package struct Told: Sendable {
        package let id: EventID
        /// Stripe's name of the type.
        package let type: String
        /// The raw JSON.
        package let body: [UInt8]
    }

    package static let customers = 1...999
    package static let currencies = TwinCatalogue.currencies.compactMap {
        Currency(String(describing: $0.code))
    }
    package static let countries = TwinCatalogue.places.map { String(describing: $0.country) }
    /// Attempts of one burst: two thirds of them are declined.
    package static let burstCount = 12

    private static let seed: UInt64 = 0x5E4D_0E5E
    /// Serials of what stays, above those of charges, and below those that the writers make.
    private static let lasting: UInt64 = 1 << 60
    /// The shop in today's API version, and one in a version that tells a void as a refund.
    private static let (today, early) = (0, 1)

    private let ids = StripeIDs(seed: seed)
    private let writer: EventWriter
    private var lastSerial: UInt64

    /// - Parameter milliseconds: now, since 1970. A later process begins above all that this one
    ///   names, as long as it makes fewer than a thousand objects in a millisecond.
    package init(from milliseconds: Int64) {
        lastSerial = UInt64(max(0, milliseconds)) << 10
        let shops = [
            TwinCatalogue.shops.first { $0.isPlatform },
            TwinCatalogue.shops.first { $0.listsRefunds },
        ].compactMap { $0 }
        precondition(shops.count == 2, "the catalogue has \(shops.count) of the two shops")
        writer = EventWriter(
            ids: ids,
            merchants: shops.map { TrafficWorld.Merchant(account: nil, shop: $0, balances: []) })
    }

    // MARK: Charges

    /// - Returns: nil for a currency or a country that the catalogue does not have.
    package mutating func charge(_ order: Order, at now: Instant) -> Placed? {
        charge(order, captured: true, at: now)
    }

    /// A charge that is authorised and never captured.
    package mutating func authorisation(_ order: Order, at now: Instant) -> Placed? {
        charge(order, captured: false, at: now)
    }

    /// Many cards are tried in one go by one device, with small amounts.
    package mutating func burst(_ order: Order, at now: Instant) -> [Placed] {
        (0..<Self.burstCount).compactMap { attempt in
            var order = order
            let step = TwinCatalogue.currencies.first {
                String(describing: $0.code) == order.currency.code
            }?.step ?? 1
            order.amount = MinorUnits((100 + Int64(attempt) * 30) / step * step)
            order.isOtherDevice = true
            order.card = .stolen
            guard var placed = charge(order, captured: true, at: now) else { return nil }
            placed.charge.fraud = .cardTesting
            placed.charge.payer.card = newSerial()
            if !attempt.isMultiple(of: 3) {
                placed.charge.outcome = .failed(decline: Self.decline)
                placed.charge.amountCaptured = 0
            }
            return placed
        }
    }

    private mutating func charge(
        _ order: Order, captured: Bool, at now: Instant
    ) -> Placed? {
        guard let currency = Self.currencies.firstIndex(of: order.currency),
            let country = Self.countries.firstIndex(of: order.country)
        else { return nil }
        let isDeclined = order.card == .declined
        let amount = order.amount.rawValue
        let charge = SimulatedCharge(
            charge: newSerial(), paymentIntent: newSerial(), balanceTransaction: newSerial(),
            payer: payer(order, country), device: device(order), country: country,
            merchant: captured ? Self.today : Self.early, currency: currency, amount: amount,
            fee: 0, created: now.seconds,
            outcome: isDeclined ? .failed(decline: Self.decline) : .succeeded,
            fraud: order.card == .stolen ? .stolenCard : nil,
            amountCaptured: captured && !isDeclined ? amount : 0, manualCapture: !captured)
        return Placed(charge: charge, id: ids.string(.charge, charge.charge))
    }

    /// `generic_decline`
    private static let decline = 1

    private func payer(_ order: Order, _ country: Int) -> SimulatedPayer {
        let number = UInt64(order.customer)
        let isStolen = order.card == .stolen
        let elsewhere = (country + 4) % TwinCatalogue.homeCount
        return SimulatedPayer(
            customer: ObjectSerial(Self.lasting | number),
            card: ObjectSerial(Self.lasting | number << 2 | (isStolen ? 1 : 0)),
            person: order.customer % TwinCatalogue.people.count,
            brand: order.customer % TwinCatalogue.brands.count,
            cardCountry: isStolen ? elsewhere : country, shipsOnly: false)
    }

    private func device(_ order: Order) -> SimulatedDevice {
        let isOther = order.isOtherDevice || order.card == .stolen
        return SimulatedDevice(
            serial: ObjectSerial(Self.lasting | UInt64(order.customer) << 1 | (isOther ? 1 : 0)),
            hasIdentifier: true)
    }

    // MARK: Events

    /// What Stripe tells once it has charged a card.
    package mutating func told(_ placed: Placed, at now: Instant) -> Told {
        tell(
            placed.charge.hasSucceeded ? .chargeSucceeded : .chargeFailed,
            .charge(placed.charge), of: placed.charge, at: now)
    }

    /// Gives back all that is left.
    package mutating func refund(_ placed: inout Placed, at now: Instant) -> [Told] {
        let refund = note(placed.charge.remaining, in: &placed.charge, at: now)
        return [
            tell(.refundCreated, .refund(refund, of: placed.charge), of: placed.charge, at: now),
            tell(.chargeRefunded, .charge(placed.charge), of: placed.charge, at: now),
        ]
    }

    /// Lets go of an authorisation. Nothing was ever captured, so that nothing is refunded.
    package mutating func release(_ placed: inout Placed, at now: Instant) -> [Told] {
        _ = note(placed.charge.amount, in: &placed.charge, at: now)
        return [tell(.chargeRefunded, .charge(placed.charge), of: placed.charge, at: now)]
    }

    private mutating func note(
        _ amount: Int64, in charge: inout SimulatedCharge, at now: Instant
    ) -> SimulatedRefund {
        let refund = SimulatedRefund(
            refund: newSerial(), balanceTransaction: newSerial(), amount: amount,
            created: now.seconds, status: .succeeded)
        charge.firstRefund = refund
        charge.amountRefunded += amount
        return refund
    }

    /// The cardholder's bank takes back all that is left, and a fee.
    package mutating func dispute(_ placed: inout Placed, at now: Instant) -> [Told] {
        let dispute = SimulatedDispute(
            dispute: newSerial(), charge: placed.charge, amount: placed.charge.remaining,
            fee: TwinCatalogue.currencies[placed.charge.currency].disputeFee,
            created: now.seconds, isInquiry: false, reason: 0, withdrawal: newSerial(),
            withdrawnAt: now.seconds, returnsFee: false)
        placed.charge.isDisputed = true
        return [
            tell(.disputeCreated, .dispute(dispute), of: placed.charge, at: now),
            tell(.disputeFundsWithdrawn, .dispute(dispute), of: placed.charge, at: now),
        ]
    }

    private mutating func tell(
        _ type: StripeEventType, _ subject: Occurrence.Subject, of charge: SimulatedCharge,
        at now: Instant
    ) -> Told {
        let serial = newSerial()
        let occurrence = Occurrence(
            type: type, subject: subject, merchant: charge.merchant, at: now.seconds)
        return Told(
            id: EventID(ids.string(.event, serial)), type: type.rawValue,
            body: writer.body(of: occurrence, serial: serial))
    }

    private mutating func newSerial() -> ObjectSerial {
        lastSerial += 1
        return ObjectSerial(lastSerial)
    }
}
