import Traffic
import Vocabulary

/// The world's people as the twin knows them: customers and cards in each shop's account, made
/// when they first pay there.
struct TwinPeople: Sendable {
    /// By the world's merchants; nil for the platform's own account.
    let accounts: [String?]
    /// By the catalogue's currencies.
    let currencies: [Currency]

    /// Fresh accounts that fraudsters make come and go, so what is remembered is bounded: past
    /// it, all are forgotten, and whoever comes back is a new customer with the same card.
    private static let rememberedMax = 1 << 17

    private let twin: Twin
    private let ids: StripeIDs
    private var customers: [ObjectSerial: String] = [:]
    private var cards: [ObjectSerial: String] = [:]

    init(twin: Twin, ids: StripeIDs, accounts: [String?]) {
        self.twin = twin
        self.ids = ids
        self.accounts = accounts
        currencies = TwinCatalogue.currencies.map { habit in
            guard let currency = Currency(habit.code.description) else {
                preconditionFailure("the catalogue holds a currency \(habit.code)")
            }
            return currency
        }
    }

    /// `cus_…`; nil for a guest.
    mutating func customer(of charge: SimulatedCharge) throws(APIRefusal) -> String? {
        guard let serial = charge.payer.customer else { return nil }
        if let known = customers[serial] { return known }
        let person = TwinCatalogue.people[charge.payer.person]
        let made = try twin.createCustomer(
            name: person.name.description, email: "\(person.mailbox)@example.com",
            account: accounts[charge.merchant])
        if customers.count >= Self.rememberedMax { customers.removeAll() }
        customers[serial] = made
        return made
    }

    /// `pm_…`. The billing address stands in the payment method, so whoever pays from abroad has
    /// another one with the same card. Stripe lets a guest's be used only once.
    mutating func card(of charge: SimulatedCharge) throws(APIRefusal) -> String {
        let payer = charge.payer
        let isKept = charge.country == payer.cardCountry && payer.customer != nil
        if isKept, let known = cards[payer.card] { return known }
        let made = try twin.createCard(
            describe(charge), customer: customer(of: charge), account: accounts[charge.merchant])
        guard isKept else { return made }
        if cards.count >= Self.rememberedMax { cards.removeAll() }
        cards[payer.card] = made
        return made
    }

    private func describe(_ charge: SimulatedCharge) -> Twin.Card {
        let payer = charge.payer
        let person = TwinCatalogue.people[payer.person]
        let place = TwinCatalogue.places[charge.country]
        let funding = TwinCatalogue.funding
        let drawn = ids.noise(payer.card, salt: 5) % UInt64(funding.count)
        var fingerprint = JSONBytes()
        ids.writeFingerprint(payer.card, into: &fingerprint)
        var card = Twin.Card(
            number: Self.numbers[payer.brand],
            country: TwinCatalogue.places[payer.cardCountry].country.description,
            fingerprint: String(decoding: fingerprint.bytes, as: UTF8.self),
            brand: TwinCatalogue.brands[payer.brand].description,
            funding: funding[Int(drawn)].description, name: person.name.description,
            email: "\(person.mailbox)@example.com")
        guard !payer.shipsOnly else { return card }
        card.billingCountry = place.country.description
        card.postalCode = place.postalCode.description
        card.city = place.city.description
        card.line1 = place.street.description
        return card
    }

    /// Stripe's test numbers of the catalogue's brands that simply succeed.
    private static let numbers = ["4242424242424242", "5555555555554444", "378282246310005"]

    /// What the shop tells Stripe about the order and the device it came from.
    func metadata(of charge: SimulatedCharge) -> [FormField] {
        let device = charge.device
        let order = FormField("order_id", String(charge.charge.rawValue))
        guard !device.hasIdentifier else {
            return [order, FormField("device_id", ids.string(.device, device.serial))]
        }
        let agents = TwinCatalogue.userAgents
        let drawn = ids.noise(device.serial, salt: 2) % UInt64(agents.count)
        return [
            order, FormField("ip", device.address),
            FormField("user_agent", agents[Int(drawn)].description),
        ]
    }
}
