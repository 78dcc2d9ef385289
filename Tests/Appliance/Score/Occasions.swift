@testable import Appliance
@testable import Vocabulary

/// A story of one customer, and the purchases in it that matter.
struct Occasion: Sendable, CustomStringConvertible {
    typealias Story = @Sendable (inout Purchases) throws -> [Purchases.Judged]

    let description: String
    private let story: Story

    init(_ description: String, _ story: @escaping Story) {
        self.description = description
        self.story = story
    }

    func play() throws -> [Purchases.Judged] {
        var purchases = try Purchases()
        return try story(&purchases)
    }
}

private let minute = Purchases.minute
private let hour = Purchases.hour
private let day = Purchases.day

/// What honest people do, by the kinds of the model card.
extension Occasion {
    /// All of it is approved.
    static let plain: [Occasion] = [
        Occasion("a new guest") { person in
            person.payer.customer = nil
            return [try person.buy(after: 0)]
        },
        Occasion("a new customer") { [try $0.buy(after: 0)] },
        Occasion("a returning customer") { person in
            try person.becomeRegular()
            return [try person.buy(after: day)]
        },
        Occasion("a guest who returns") { person in
            person.payer.customer = nil
            try person.becomeRegular()
            return [try person.buy(after: day)]
        },
        Occasion("a newcomer's foreign card") { person in
            person.payer.cardCountry = "US"
            return [try person.buy(after: 0)]
        },
        Occasion("somebody who lives abroad") { person in
            person.payer.cardCountry = "FR"
            try person.becomeRegular()
            return [try person.buy(after: day)]
        },
        Occasion("a new phone") { person in
            try person.becomeRegular()
            person.payer.device = "new phone"
            return [try person.buy(after: day), try person.buy(after: day)]
        },
        Occasion("a large first order") { [try $0.buy(80_000, after: 0)] },
        Occasion("a washing machine") { person in
            try person.becomeRegular()
            return [try person.buy(60_000, after: day)]
        },
        Occasion("a renewed subscription, without a device") { person in
            person.payer.device = nil
            return try person.buy(times: 4, each: 999, every: 30 * day)
        },
        Occasion("three subscriptions renewed in the same second") { person in
            try person.becomeRegular()
            person.payer.device = nil
            return try person.buy(times: 3, each: 999, every: 0)
        },
        Occasion("a traveller with the own phone") { person in
            try person.becomeRegular()
            person.payer.country = "IT"
            return try person.buy(times: 8, every: 7 * hour)
        },
        Occasion("an account that two devices share") { person in
            try person.becomeRegular()
            return try (0..<6).map { step in
                person.payer.device = step % 2 == 0 ? "tablet" : "phone"
                return try person.buy(after: 5 * hour)
            }
        },
        Occasion("five purchases on a sales day") { person in
            try person.becomeRegular()
            return try person.buy(times: 5, every: 9 * minute)
        },
        Occasion("an office that orders for everybody") { person in
            try person.becomeRegular()
            return try person.buy(times: 20, every: 2 * minute + 40)
        },
        Occasion("a second try after a refusal") { person in
            try person.becomeRegular()
            person.fail(after: day)
            return [try person.buy(after: 90)]
        },
    ]

    /// A person may look at some of it; none of it is blocked.
    static let odd: [Occasion] = [
        Occasion("three gifts sent abroad in a row") { person in
            try person.becomeRegular()
            person.payer.country = "ES"
            return try person.buy(times: 3, every: 6 * minute)
        },
        Occasion("a traveller at a hotel's computer") { person in
            try person.becomeRegular()
            (person.payer.country, person.payer.device) = ("IT", "hotel")
            return [try person.buy(after: day)]
        },
        Occasion("a traveller's hotel bill") { person in
            try person.becomeRegular()
            person.payer.country = "IT"
            return [try person.buy(after: day), try person.buy(40_000, after: 3 * day)]
        },
        Occasion("five refusals, then the right code") { person in
            try person.becomeRegular()
            for _ in 0..<5 { person.fail(after: 40) }
            return [try person.buy(after: 40)]
        },
        Occasion("a newcomer's five refusals") { person in
            for _ in 0..<5 { person.fail(after: 40) }
            return [try person.buy(after: 40)]
        },
    ]

    /// 2 to 10 purchases within a minute.
    static let bursts: [Occasion] = (2...10).flatMap { count in
        let gap = Int64(55 / count)
        return [
            Occasion("\(count) purchases in a minute of a regular") { person in
                try person.becomeRegular()
                return try person.buy(times: count, every: gap)
            },
            Occasion("\(count) purchases in a minute of a newcomer") { person in
                try person.buy(times: count, every: gap)
            },
            Occasion("\(count) purchases in a minute of a guest") { person in
                person.payer.customer = nil
                return try person.buy(times: count, every: gap)
            },
        ]
    }
}

/// What thieves do.
extension Occasion {
    /// 24 small attempts, seven in ten refused, by a new account.
    static let cardTest = Occasion("card testing by a new account") { person in
        try tests(&person)
    }

    static let foreignCardTest = Occasion("card testing with a foreign card") { person in
        person.payer.cardCountry = "US"
        return try tests(&person)
    }

    static let cardTestOfRegular = Occasion("card testing in a customer's name") { person in
        try person.becomeRegular()
        (person.payer.country, person.payer.device) = ("US", "bot")
        return try tests(&person)
    }

    static let cardTests = [cardTest, foreignCardTest, cardTestOfRegular]

    private static func tests(_ person: inout Purchases) throws -> [Purchases.Judged] {
        var judged: [Purchases.Judged] = []
        for attempt in 0..<24 {
            if attempt % 10 < 7 {
                person.fail(300, after: 4)
            } else {
                judged.append(try person.buy(300, after: 4))
            }
        }
        return judged
    }

    static let stolenCard = Occasion("a stolen card, three times within the hour") { person in
        try person.becomeRegular()
        (person.payer.country, person.payer.device) = ("US", "thief")
        return try person.buy(times: 3, each: 48_000, every: 8 * minute)
    }

    static let takeover = Occasion("an account in other hands") { person in
        try person.becomeRegular()
        (person.payer.country, person.payer.device) = ("US", "thief")
        return [try person.buy(12_000, after: 0)]
    }
}
