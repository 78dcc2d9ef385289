import Foundation
import Vocabulary

/// How the world is populated: each customer's habit, drawn once.
extension TrafficWorld {
    private static let dayMilliseconds = 86_400_000.0

    /// Draws the customers and puts everybody's first task on the agenda.
    mutating func settle() {
        let start = settings.start.seconds * 1000
        customers.reserveCapacity(settings.customers)
        for index in 0..<settings.customers {
            customers.append(newCustomer())
            let wait = random.exponential(mean: customers[index].meanGapMilliseconds)
            agenda.add(.habit(index), at: start + Int64(wait))
        }
        for merchant in merchants.indices {
            for currency in TwinCatalogue.currencies.indices {
                agenda.add(
                    .payout(merchant: merchant, currency: currency),
                    at: start + random.milliseconds(3_600...86_400))
            }
        }
        fraudOwed = -random.unit()
    }

    private mutating func newCustomer() -> Customer {
        let currency = drawCurrency()
        let habit = TwinCatalogue.currencies[currency]
        let home = habit.homes[random.index(below: habit.homes.count)]
        let isGuest = random.chance(0.1)
        return Customer(
            payer: newPayer(home: home, isGuest: isGuest), home: home, currency: currency,
            merchant: random.index(below: merchants.count),
            logMedian: Foundation.log(random.logNormal(median: habit.median, sigma: 0.6)),
            sigma: 0.2 + 0.3 * random.unit(),
            // The mean of a lognormal of median m is m·exp(σ²/2); this makes it one day.
            meanGapMilliseconds: Self.dayMilliseconds
                * random.logNormal(median: Foundation.exp(-0.125), sigma: 0.5),
            device: newDevice(), otherDevice: newDevice())
    }

    private mutating func drawCurrency() -> Int {
        var left = random.index(below: 100)
        for (index, currency) in TwinCatalogue.currencies.enumerated() {
            left -= currency.weight
            if left < 0 { return index }
        }
        return 0
    }

    mutating func newPayer(home: Int, isGuest: Bool) -> SimulatedPayer {
        SimulatedPayer(
            customer: isGuest ? nil : newSerial(), card: newSerial(),
            person: random.index(below: TwinCatalogue.people.count),
            brand: random.index(below: TwinCatalogue.brands.count), cardCountry: home,
            shipsOnly: random.chance(0.08))
    }

    mutating func newDevice() -> SimulatedDevice {
        SimulatedDevice(serial: newSerial(), hasIdentifier: random.chance(0.7))
    }

    /// A place that is not `home`.
    mutating func placeOtherThan(_ home: Int) -> Int {
        let drawn = random.index(below: TwinCatalogue.places.count - 1)
        return drawn >= home ? drawn + 1 : drawn
    }

    /// `amount` as this currency can be charged: a positive multiple of its step, below Stripe's
    /// limit of eight digits.
    static func chargeable(_ amount: Double, currency: Int) -> Int64 {
        let step = TwinCatalogue.currencies[currency].step
        let bounded = Int64(min(max(amount, 60), 99_999_990))
        return bounded / step * step
    }
}
