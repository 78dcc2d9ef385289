/// The words and numbers that the simulated world draws from.
package enum TwinCatalogue {
    package struct CurrencyHabit: Sendable {
        package let code: StaticString
        /// How many of a hundred customers pay in it.
        package let weight: Int
        /// A usual amount in minor units.
        package let median: Double
        /// Amounts are multiples of this: Stripe wants tens of a three-decimal currency.
        package let step: Int64
        /// Stripe's fixed part of a charge's fee, in minor units.
        package let fixedFee: Int64
        package let disputeFee: Int64
        /// A payout below this is not worth making.
        package let payoutMin: Int64
        /// Indices of `places` where its customers live.
        package let homes: [Int]
    }

    package static let currencies: [CurrencyHabit] = [
        .init(
            code: "usd", weight: 48, median: 3_600, step: 1, fixedFee: 30, disputeFee: 1_500,
            payoutMin: 1_000, homes: [0]),
        .init(
            code: "eur", weight: 24, median: 3_200, step: 1, fixedFee: 25, disputeFee: 2_000,
            payoutMin: 1_000, homes: [1, 2, 3, 4]),
        .init(
            code: "gbp", weight: 12, median: 2_800, step: 1, fixedFee: 20, disputeFee: 2_000,
            payoutMin: 1_000, homes: [5]),
        .init(
            code: "jpy", weight: 8, median: 4_800, step: 1, fixedFee: 30, disputeFee: 1_300,
            payoutMin: 1_500, homes: [6]),
        .init(
            code: "kwd", weight: 3, median: 11_000, step: 10, fixedFee: 90, disputeFee: 4_500,
            payoutMin: 3_000, homes: [7]),
        .init(
            code: "chf", weight: 5, median: 4_000, step: 1, fixedFee: 30, disputeFee: 2_000,
            payoutMin: 1_000, homes: [8]),
    ]

    package struct Place: Sendable {
        package let country: StaticString
        package let city: StaticString
        package let street: StaticString
        package let postalCode: StaticString
    }

    /// The first nine are homes; the rest are where stolen cards turn up.
    package static let places: [Place] = [
        .init(country: "US", city: "Portland", street: "510 Townsend St", postalCode: "97205"),
        .init(country: "DE", city: "Köln", street: "Ehrenstraße 12", postalCode: "50672"),
        .init(country: "FR", city: "Lyon", street: "4 rue Mercière", postalCode: "69002"),
        .init(country: "ES", city: "Málaga", street: "Calle Larios 7", postalCode: "29005"),
        .init(country: "NL", city: "Utrecht", street: "Oudegracht 88", postalCode: "3511"),
        .init(country: "GB", city: "Leeds", street: "21 Park Row", postalCode: "LS1 5JF"),
        .init(country: "JP", city: "大阪市", street: "北区梅田 1-1", postalCode: "530-0001"),
        .init(country: "KW", city: "Kuwait City", street: "Salem Al Mubarak", postalCode: "22003"),
        .init(country: "CH", city: "Zürich", street: "Langstrasse 30", postalCode: "8004"),
        .init(country: "BR", city: "Recife", street: "Rua da Aurora 95", postalCode: "50050"),
        .init(country: "VN", city: "Da Nang", street: "12 Bach Dang", postalCode: "50206"),
        .init(country: "RO", city: "Cluj", street: "Strada Horea 3", postalCode: "400114"),
        .init(country: "NG", city: "Lagos", street: "8 Marina Rd", postalCode: "101241"),
    ]
    package static let homeCount = 9

    package struct Person: Sendable {
        package let name: StaticString
        package let mailbox: StaticString
    }

    package static let people: [Person] = [
        .init(name: "Jenny Rosen", mailbox: "jenny.rosen"),
        .init(name: "José Álvarez", mailbox: "jose.alvarez"),
        .init(name: "Zoë Müller", mailbox: "zoe.mueller"),
        .init(name: "佐藤 さくら", mailbox: "sakura.sato"),
        .init(name: "Amal Al-Sabah", mailbox: "amal"),
        .init(name: "Oliver Hartley-Brown", mailbox: "o.hartley-brown"),
        .init(name: "Françoise Lefèvre", mailbox: "francoise.lefevre"),
        .init(name: "Siobhan O'Neill", mailbox: "siobhan.oneill"),
        .init(name: "Lars van den Berg", mailbox: "lars.vandenberg"),
        .init(name: "Mary-Ann Washington", mailbox: "maryann"),
    ]

    package static let brands: [StaticString] = ["visa", "mastercard", "amex"]
    package static let funding: [StaticString] = ["credit", "debit", "debit", "prepaid"]

    package static let userAgents: [StaticString] = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0",
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile",
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    ]

    package struct Decline: Sendable {
        package let failureCode: StaticString
        package let declineCode: StaticString
        package let message: StaticString
        package let advice: StaticString
        /// The security code was the trouble.
        package var isSecurityCode = false
    }

    /// Stripe's decline codes (docs.stripe.com/declines/codes).
    package static let declines: [Decline] = [
        .init(
            failureCode: "card_declined", declineCode: "insufficient_funds",
            message: "Your card has insufficient funds.", advice: "try_again_later"),
        .init(
            failureCode: "card_declined", declineCode: "generic_decline",
            message: "Your card was declined.", advice: "try_again_later"),
        .init(
            failureCode: "card_declined", declineCode: "do_not_honor",
            message: "Your card was declined.", advice: "try_again_later"),
        .init(
            failureCode: "incorrect_cvc", declineCode: "incorrect_cvc",
            message: "Your card's security code is incorrect.", advice: "confirm_card_data",
            isSecurityCode: true),
        .init(
            failureCode: "expired_card", declineCode: "expired_card",
            message: "Your card has expired.", advice: "do_not_try_again"),
    ]

    package struct DisputeReason: Sendable {
        package let reason: StaticString
        package let networkCode: StaticString
    }

    /// The first is what a defrauded cardholder says.
    package static let disputeReasons: [DisputeReason] = [
        .init(reason: "fraudulent", networkCode: "10.4"),
        .init(reason: "product_not_received", networkCode: "13.1"),
        .init(reason: "product_unacceptable", networkCode: "13.3"),
        .init(reason: "duplicate", networkCode: "12.6"),
    ]

    package struct Shop: Sendable {
        package let descriptor: StaticString
        /// The share of its payments that end in a dispute, apart from fraud.
        package let disputeRate: Double
        /// The API version its events are written in.
        package let apiVersion: StaticString
        /// Of the platform itself, which has no Connect account.
        package var isPlatform = false
        /// Its events are in a version before 2022-11-15, when a charge still listed its refunds.
        package var listsRefunds = false
    }

    package static let shops: [Shop] = [
        .init(
            descriptor: "TILLBOX STORE", disputeRate: 0.002, apiVersion: currentVersion,
            isPlatform: true),
        .init(descriptor: "NORTHWIND COFFEE", disputeRate: 0.002, apiVersion: currentVersion),
        .init(
            descriptor: "BLUE DOOR BOOKS", disputeRate: 0.001, apiVersion: "2020-08-27",
            listsRefunds: true),
        .init(descriptor: "HARBOUR CYCLES", disputeRate: 0.004, apiVersion: currentVersion),
        .init(descriptor: "PIXEL POTTERY", disputeRate: 0.003, apiVersion: currentVersion),
        // The risky one.
        .init(descriptor: "GLOW SUPPLEMENTS", disputeRate: 0.075, apiVersion: currentVersion),
    ]
    package static let currentVersion: StaticString = "2025-09-30.clover"
}
