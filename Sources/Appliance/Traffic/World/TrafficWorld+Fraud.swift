import Foundation

/// Fraudsters: whom they strike, how often, and in which pattern.
extension TrafficWorld {
    /// Patterns with the chance of an episode and the number of attempts in it. The chances make
    /// the three patterns 50, 35 and 15 % of the fraudulent attempts.
    private static let episodes: [Episode] = [
        Episode(pattern: .cardTesting, chance: 0.0943, attempts: 8...40),
        Episode(pattern: .stolenCard, chance: 0.4529, attempts: 2...5),
        Episode(pattern: .accountTakeover, chance: 0.4528, attempts: 1...2),
    ]

    private struct Episode {
        let pattern: FraudPattern
        let chance: Double
        let attempts: ClosedRange<Int64>
    }

    /// Counts one honest payment, and lets a fraudster strike when the share asked for is not
    /// reached. The account of what is owed keeps the share exact over any longer stretch.
    mutating func planFraud(against index: Int, at: Int64) {
        guard settings.fraudShare > 0 else { return }
        fraudOwed += settings.fraudShare / (1 - settings.fraudShare)
        var victim = index
        while fraudOwed > 0 {
            let drawn = random.unit()
            let episode =
                drawn < Self.episodes[0].chance
                ? Self.episodes[0]
                : drawn < Self.episodes[0].chance + Self.episodes[1].chance
                    ? Self.episodes[1] : Self.episodes[2]
            let attempts = random.integer(episode.attempts)
            fraudOwed -= Double(attempts)
            let begin = at + random.milliseconds(5...600)
            switch episode.pattern {
            case .cardTesting: planCardTesting(at: victim, attempts: attempts, from: begin)
            case .stolenCard, .accountTakeover:
                planImpersonation(
                    of: victim, pattern: episode.pattern, attempts: attempts, from: begin)
            }
            victim = random.index(below: customers.count)
        }
    }

    /// One freshly made account at the victim's shop tries many stolen cards with small amounts.
    private mutating func planCardTesting(at victim: Int, attempts: Int64, from begin: Int64) {
        let home = random.index(below: TwinCatalogue.homeCount)
        let account = newPayer(home: home, isGuest: false)
        let device = newDevice()
        let country = placeOtherThan(home)
        let currency = customers[victim].currency
        let length = random.milliseconds(60...180)
        for _ in 0..<attempts {
            var payer = account
            payer.card = newSerial()
            payer.brand = random.index(below: TwinCatalogue.brands.count)
            let step = TwinCatalogue.currencies[currency].step
            plan(
                Attack(
                    pattern: .cardTesting, customer: victim, payer: payer, device: device,
                    country: country, amount: random.integer(100...500) / step * step,
                    fails: random.chance(0.7)),
                at: begin + random.integer(0...length))
        }
    }

    /// Somebody else pays as the victim: with the card alone, or from inside the account.
    private mutating func planImpersonation(
        of victim: Int, pattern: FraudPattern, attempts: Int64, from begin: Int64
    ) {
        let customer = customers[victim]
        let device = newDevice()
        let country = placeOtherThan(customer.home)
        let times = pattern == .stolenCard ? 5.0...20.0 : 2.0...4.0
        for _ in 0..<attempts {
            let factor = times.lowerBound + (times.upperBound - times.lowerBound) * random.unit()
            plan(
                Attack(
                    pattern: pattern, customer: victim, payer: customer.payer, device: device,
                    country: country,
                    amount: Self.chargeable(
                        factor * Foundation.exp(customer.logMedian), currency: customer.currency),
                    fails: random.chance(0.25)),
                at: begin + random.milliseconds(0...3_500))
        }
    }

    private mutating func plan(_ attack: Attack, at: Int64) {
        let number = newSerial().rawValue
        attacks[number] = attack
        agenda.add(.attack(number), at: at)
    }

    mutating func carryOut(_ number: UInt64, at: Int64, into occurrences: inout [Occurrence]) {
        guard let attack = attacks.removeValue(forKey: number) else { return }
        let victim = customers[attack.customer]
        pay(
            Attempt(
                payer: attack.payer, device: attack.device, country: attack.country,
                merchant: victim.merchant, currency: victim.currency, amount: attack.amount,
                fails: attack.fails, fraud: attack.pattern),
            at: at, into: &occurrences)
    }
}
