import Hummingbird
import Vocabulary

/// An amount as somebody types it: `128400` are minor units, `1,284.00` and `1284.00` are major
/// ones.
enum AmountWords: Hashable {
    case minorUnits(Int64)
    /// Thousandths of the major unit.
    case thousandths(Int64)

    /// - Returns: nil for what is no amount, or a larger one than a movement may have.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Self.whole(parts[0]) else { return nil }
        guard parts.count == 2 || text.contains(",") else {
            self = .minorUnits(whole)
            return
        }
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.utf8.count <= 3, fraction.utf8.allSatisfy(Self.isDigit),
            parts.count == 1 || !fraction.isEmpty
        else { return nil }
        let digits = fraction + String(repeating: "0", count: 3 - fraction.utf8.count)
        self = .thousandths(whole * 1_000 + (Int64(digits) ?? 0))
    }

    /// Digits, in groups of three where there are commas.
    private static func whole(_ text: Substring) -> Int64? {
        let groups = text.split(separator: ",", omittingEmptySubsequences: false)
        let digits = groups.joined()
        guard groups.dropFirst().allSatisfy({ $0.utf8.count == 3 }),
            groups.count == 1 || (1...3).contains(groups[0].utf8.count),
            (1...16).contains(digits.utf8.count), digits.utf8.allSatisfy(isDigit),
            let value = Int64(digits), value <= MinorUnits.movementMax.rawValue
        else { return nil }
        return value
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension PaymentQuery {
    /// The parameters that a list of payments may be narrowed by.
    static let parameters = [
        "q", "id", "movement", "customer", "amount", "last_four", "verdict", "place", "review",
        "currency", "merchant", "account", "from", "to", "seen_from", "amount_from", "amount_to",
        "limit", "after",
    ]
    static let limitMax = 1_000
    /// Letters that the beginning of an id has at least.
    static let nameLengthMin = 4

    /// Reads what a request asks for.
    init(_ request: Request) throws(Problem) {
        self.init()
        try request.checkParameters(Self.parameters)
        try take(q: try request.text("q"))
        if let id = try request.text("id") { try take(id: id, "id") }
        if let movement = try request.text("movement") {
            take(movement: movement)
        }
        customer = try request.text("customer") ?? customer
        if let amount = try request.value("amount", Self.amountForm, { AmountWords($0) }) {
            take(amount)
        }
        lastFour = try request.value("last_four", "the card's last four digits") {
            Self.isLastFour($0) ? $0 : nil
        } ?? lastFour
        verdicts = try request.words("verdict")
        places = try request.words("place")
        review = try request.word("review")
        currency = try request.currency()
        merchant = try request.text("merchant")
        account = try request.text("account")
        (from, to) = try request.period()
        seenFrom = try request.value("seen_from", "milliseconds since 1970, from 0") { text in
            Int64(text).flatMap { $0 >= 0 ? $0 : nil }
        }
        amountFrom = try Self.minorUnits("amount_from", request)
        amountTo = try Self.minorUnits("amount_to", request)
        limit = try request.limit(upTo: Self.limitMax)
        after = try request.after { PaymentPlace($0) }
    }

    private static let amountForm = "minor units (128400), or with decimals (1,284.00)"

    private static func minorUnits(
        _ name: String, _ request: Request
    ) throws(Problem) -> Int64? {
        try request.value(name, "minor units: a whole number from 0") { text in
            Int64(text).flatMap { $0 >= 0 ? $0 : nil }
        }
    }

    /// What a search box holds: a movement, a card's last four digits, an amount, a customer, or
    /// else the beginning of an id.
    private mutating func take(q: String?) throws(Problem) {
        guard let q else { return }
        if q.contains(":") {
            take(movement: q)
        } else if Self.isLastFour(q) {
            lastFour = q
        } else if let amount = AmountWords(q) {
            take(amount)
        } else if q.hasPrefix("cus_") {
            customer = q
        } else {
            try take(id: q, "q")
        }
    }

    private mutating func take(id: String, _ parameter: String) throws(Problem) {
        guard id.utf8.count >= Self.nameLengthMin else {
            throw Problem(
                .badRequest,
                "\(parameter) must have \(Self.nameLengthMin) letters of an id at least")
        }
        name = id
    }

    private mutating func take(_ words: AmountWords) {
        switch words {
        case .minorUnits(let value): amount = value
        case .thousandths(let value): thousandths = value
        }
    }

    private static func isLastFour(_ text: String) -> Bool {
        text.utf8.count == 4
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

extension Problem {
    /// That the beginning of an id picks too much.
    init(_ error: TooManyNames) {
        self.init(
            .badRequest, "\(error.most) payments and more begin so; give more letters of the id")
    }
}
