package import Vocabulary

/// A change of `bank:{currency}` in the ledger: what has to stand in the bank's statement.
package struct BankMovement: Hashable, Sendable {
    /// How the movement keys of what moves `bank:{currency}` begin: of what is sent, and of what
    /// takes the same back.
    static let kinds = [
        (sent: "payout", takenBack: "payout_failed"), (sent: "topup", takenBack: "topup_reversed"),
    ]

    /// The ledger's transaction.
    package var transaction: Int64
    /// `payout:po_…`, `payout_failed:po_…`, `topup:tu_…`
    package var key: String
    package var currency: Currency
    /// Above zero, money goes to the bank.
    package var amount: MinorUnits
    /// When Stripe sent it.
    package var sent: BankDay
    /// When Stripe said it would be there.
    package var due: BankDay

    package init(
        transaction: Int64, key: String, currency: Currency, amount: MinorUnits, sent: BankDay,
        due: BankDay
    ) {
        self.transaction = transaction
        self.key = key
        self.currency = currency
        self.amount = amount
        self.sent = sent
        self.due = due
    }

    /// `po_…`
    var id: Substring { key.split(separator: ":").last ?? "" }
}

/// An entry of the bank's that no movement is known of yet.
struct OpenBankEntry: Hashable, Sendable {
    /// Its place among those that are stored.
    var id: Int64
    var currency: Currency
    var day: BankDay
    var amount: MinorUnits
    var text: String
}

/// Finds which entry of the bank's is which movement of the ledger's. Pure.
///
/// Three passes, the surest first; each takes what it has found away from the next:
/// 1. An entry that names the movement's id settles it, whatever its amount, and never another.
/// 2. An entry of the same amount to the cent, booked from the day before it was sent to
///    ``daysMax`` after it. Of several movements the one that was due first, as a queue: two
///    payouts of one amount arrive in their order. An entry that does not say Stripe counts only
///    where exactly one movement fits it, and it exactly one such entry.
/// 3. An entry that says Stripe and has another amount settles the movement that was sent by the
///    day after it, was due within ``differenceDays`` of it and is at most a tenth away from it,
///    where it is the only one, or four times as near as the next; and only once the statements
///    tell of the days in which the right amount would have come, since what is booked of a
///    difference is not taken back.
struct BankMatcher {
    struct Match: Hashable, Sendable {
        var entry: Int64
        var movement: BankMovement
        var kept: MinorUnits
    }

    /// Days behind its sending after which an amount alone tells nothing.
    static let daysMax: Int64 = 45
    /// Days around its due day in which another amount is taken for it.
    static let differenceDays: Int64 = 7

    private var entries: [OpenBankEntry]
    private var movements: [BankMovement]
    private var matches: [Match] = []
    private let through: [Currency: BankDay]

    /// - Parameters:
    ///   - entries: those that are open, of all the bank's accounts.
    ///   - movements: those that no entry settles yet.
    ///   - settled: ids of movements that entries settle.
    ///   - through: the last day that statements of a currency tell of.
    static func matches(
        _ entries: [OpenBankEntry], _ movements: [BankMovement], settled: Set<Substring> = [],
        through: [Currency: BankDay]
    ) -> [Match] {
        var matcher = BankMatcher(
            entries: entries.sorted { ($0.day, $0.id) < ($1.day, $1.id) },
            movements: movements.sorted { ($0.due, $0.transaction) < ($1.due, $1.transaction) },
            through: through)
        let ids = settled.union(movements.map(\.id))
        matcher.matchNamed()
        // What is left and names a movement is a second telling of it, or a part: no other's.
        matcher.entries.removeAll { !ids.isDisjoint(with: words(of: $0)) }
        matcher.matchAmounts(saysStripe: true)
        matcher.matchAmounts(saysStripe: false)
        matcher.matchDifferences()
        return matcher.matches
    }

    /// Whether an entry says that it is Stripe's.
    static func saysStripe(_ text: String) -> Bool { text.lowercased().contains("stripe") }

    /// Ids of what Stripe sends to banks, in a text, in their order.
    static func ids(in text: String) -> [Substring] {
        words(in: text).filter { word in idMarks.contains { word.hasPrefix($0) } }
    }

    /// Payouts, those of the years before them, and top-ups.
    private static let idMarks = ["po_", "tr_", "tu_"]

    private init(
        entries: [OpenBankEntry], movements: [BankMovement], through: [Currency: BankDay]
    ) {
        self.entries = entries
        self.movements = movements
        self.through = through
    }

    private mutating func matchNamed() {
        let byID = Dictionary(grouping: movements, by: \.id)
        for entry in entries {
            let named = Self.words(of: entry).flatMap { byID[$0] ?? [] }.first {
                Self.goesAlike($0, entry) && movements.contains($0)
            }
            if let named { take(entry, named) }
        }
    }

    private static func words(of entry: OpenBankEntry) -> [Substring] { words(in: entry.text) }

    /// An id is one word of letters, digits and a line.
    private static func words(in text: String) -> [Substring] {
        text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
    }

    private mutating func matchAmounts(saysStripe: Bool) {
        for entry in entries where Self.saysStripe(entry.text) == saysStripe {
            let fitting = movements.filter { $0.amount == entry.amount && Self.isNear($0, entry) }
            guard let first = fitting.first else { continue }
            let rivals = entries.filter {
                $0.amount == entry.amount && $0.currency == entry.currency
                    && Self.isNear(first, $0)
            }
            guard saysStripe || fitting.count == 1 && rivals.count == 1 else { continue }
            take(entry, first)
        }
    }

    private mutating func matchDifferences() {
        for entry in entries where Self.saysStripe(entry.text) {
            let fitting = movements.filter { movement in
                Self.goesAlike(movement, entry)
                    && through[movement.currency].map {
                        $0 - movement.due >= BankReport.graceDays
                    } ?? false
                    && entry.day - movement.sent >= -1
                    && abs(entry.day - movement.due) <= Self.differenceDays
                    && Self.apart(movement, entry) <= movement.amount.rawValue.magnitude / 10
            }
            let nearest = fitting.sorted { Self.apart($0, entry) < Self.apart($1, entry) }
            guard let first = nearest.first,
                nearest.count == 1
                    || Self.apart(nearest[1], entry) / 4 >= Self.apart(first, entry)
            else { continue }
            take(entry, first)
        }
    }

    private static func apart(_ movement: BankMovement, _ entry: OpenBankEntry) -> UInt64 {
        (movement.amount.rawValue - entry.amount.rawValue).magnitude
    }

    private mutating func take(_ entry: OpenBankEntry, _ movement: BankMovement) {
        // Both are within a movement's bounds, so the difference is far from Int64's ends.
        let kept = movement.amount.rawValue - entry.amount.rawValue
        matches.append(Match(entry: entry.id, movement: movement, kept: MinorUnits(kept)))
        entries.removeAll { $0.id == entry.id }
        movements.removeAll { $0 == movement }
    }

    private static func goesAlike(_ movement: BankMovement, _ entry: OpenBankEntry) -> Bool {
        movement.currency == entry.currency
            && (movement.amount < .zero) == (entry.amount < .zero)
    }

    private static func isNear(_ movement: BankMovement, _ entry: OpenBankEntry) -> Bool {
        movement.currency == entry.currency && entry.day - movement.sent >= -1
            && entry.day - movement.sent <= daysMax
    }
}
