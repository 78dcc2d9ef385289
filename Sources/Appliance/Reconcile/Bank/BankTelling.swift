import Vocabulary

/// What two statements of one account tell of each other: the same, the same corrected, or other
/// entries of one day. Pure.
extension BankEntry {
    /// What two tellings of one entry have in common. Two entries of a day may have it too.
    var alike: String { "\(day)|\(amount.rawValue)|\(reference ?? text)" }

    /// What it tells: which entry it is, and what of its text leads to a movement. Under one
    /// reference a bank may word the rest otherwise, which corrects nothing.
    ///
    /// - Parameter blurred: see ``BankStatement/isAlike(_:blurred:)``.
    fileprivate func telling(_ blurred: Set<String>) -> String {
        guard reference != nil, !blurred.contains(alike) else { return alike }
        return "\(alike)|\(BankMatcher.saysStripe(text))|\(BankMatcher.ids(in: text))"
    }

    fileprivate var worded: String { "\(alike)|\(text)" }

    /// As a person is told of it.
    func shown(in currency: Currency) -> String {
        "\(day) \(currency.display(amount)) \(text)".oneLine(upTo: 80)
    }
}

extension BankStatement {
    /// How another statement, imported before, is the same one as this.
    enum Sameness: Hashable {
        /// The bank calls both the same, and they tell of days in common.
        case named
        /// They tell of the same days from the same balance, or one of them has no name.
        case sameDays
    }

    /// Whether it tells the same again. What the bank calls it is left aside: some banks write the
    /// time of the download there.
    ///
    /// - Parameter blurred: what entries have in common whose texts in the other are not known: of
    ///   an entry that several tell, the record has the words of the first.
    func isAlike(_ other: Self, blurred: Set<String> = []) -> Bool {
        isFramed(as: other)
            && Self.counts(of: entries) { $0.telling(blurred) }
                == Self.counts(of: other.entries) { $0.telling(blurred) }
    }

    /// Whether it tells the same again in the same words.
    func isIdentical(_ other: Self) -> Bool {
        isFramed(as: other)
            && Self.counts(of: entries) { $0.worded }
                == Self.counts(of: other.entries) { $0.worded }
    }

    private func isFramed(as other: Self) -> Bool {
        format == other.format && days == other.days && opening == other.opening
            && closing == other.closing && entries.count == other.entries.count
    }

    /// Whether it is the same statement as one of the same account, whatever both tell.
    ///
    /// - Returns: nil for two statements, or two pages of one.
    func sameness(with other: Self) -> Sameness? {
        guard format == other.format else { return nil }
        let isNamed = number != nil && number == other.number
        // Where all is swept away each day a statement ends as it begins, and follows itself.
        let isFromTheSame = isNamed && opening == other.opening
            && days.lowerBound == other.days.lowerBound
        guard isFromTheSame || !continues(other) && !other.continues(self) else { return nil }
        if isNamed { return days.overlaps(other.days) ? .named : nil }
        guard days == other.days else { return nil }
        if let opening, let before = other.opening {
            return opening == before ? .sameDays : nil
        }
        return number == nil || other.number == nil ? .sameDays : nil
    }

    /// What it tells otherwise than the same statement did before.
    ///
    /// - Parameters:
    ///   - isWhole: whether all that the former told is known.
    ///   - blurred: as for ``isAlike(_:blurred:)``.
    /// - Returns: nil where the two agree: a longer telling of the same days agrees with a shorter
    ///   one, unless the bank gives both the same name.
    func difference(
        from former: Self, isWhole: Bool, blurred: Set<String> = []
    ) -> BankCorrection? {
        guard let sameness = sameness(with: former) else { return nil }
        let common = days.clamped(to: former.days)
        let mine = entries.filter { common.contains($0.day) }
        let theirs = former.entries.filter { common.contains($0.day) }
        let missing = Self.without(theirs, mine, blurred)
        let added = isWhole ? Self.without(mine, theirs, blurred) : []
        let balances = days == former.days && sameness == .named
            && (opening != former.opening || closing != former.closing)
        let differs =
            switch sameness {
            case .named: !missing.isEmpty || !added.isEmpty || balances
            case .sameDays: !missing.isEmpty && (!added.isEmpty || opening == nil)
            }
        return differs ? BankCorrection(missing: missing, added: added, balances: balances) : nil
    }

    /// Whether it tells all of a day that another tells of too: days before it and behind it are
    /// its own as well. Pages may all have the days of their statement, or begin on one too early.
    fileprivate func tellsWhole(_ day: BankDay, beside other: Self) -> Bool {
        days.lowerBound < day && day < days.upperBound && days != other.days
            && !continues(other) && !other.continues(self)
    }

    /// Whether another statement of the same file is the same one and tells otherwise. Pages that a
    /// bank gives one name begin with other balances.
    func contradicts(_ other: Self) -> Bool {
        account == other.account && currency == other.currency && opening == other.opening
            && difference(from: other, isWhole: true) != nil
    }

    /// Those of a list that another does not have, each as often as it has them less.
    private static func without(
        _ entries: [BankEntry], _ others: [BankEntry], _ blurred: Set<String>
    ) -> [BankEntry] {
        var left = counts(of: others) { $0.telling(blurred) }
        return entries.filter { entry in
            let telling = entry.telling(blurred)
            guard let count = left[telling], count > 0 else { return true }
            left[telling] = count - 1
            return false
        }
    }

    private static func counts(
        of entries: [BankEntry], by part: (BankEntry) -> String
    ) -> [String: Int] {
        entries.reduce(into: [:]) { $0[part($1), default: 0] += 1 }
    }
}

/// What a bank tells otherwise than before.
struct BankCorrection: Hashable, Sendable {
    /// Entries that were told and are not told any more, and those that are new in their place.
    var missing, added: [BankEntry]
    /// Whether opening or closing balance are others.
    var balances: Bool

    /// Entries of each kind that are named: all that is said must fit into one answer.
    private static let shownMax = 3

    /// One sentence's part, such as `no more: 2026-10-01 10.00 STRIPE; new: 2026-10-01 9.00 S`.
    func shown(in currency: Currency) -> String {
        var parts: [String] = []
        for (word, entries) in [("no more", missing), ("new", added)] where !entries.isEmpty {
            let named = entries.prefix(Self.shownMax).map { $0.shown(in: currency) }
            let rest = entries.count - named.count
            parts.append(
                "\(word): " + named.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : ""))
        }
        if balances { parts.append("its opening or closing balance is another") }
        return parts.joined(separator: "; ")
    }
}

/// A statement beside what it holds on each of its days: tells whether entries that are alike in
/// two statements are one entry or two.
struct ToldDays {
    let statement: BankStatement
    /// Places of its entries by day.
    let places: [BankDay: [Int]]
    private let balances: [BankDay: Balances]
    /// The first day that it has entries of, and whether it begins with the balance that the last
    /// statement before that day ends with: nothing of the day comes before it then.
    private let first: BankDay?
    private let followsEarlier: Bool

    /// What the account held before and after the entries of a day, and between them.
    private struct Balances {
        var opening, closing: Int64
        var all: Set<Int64>

        func contains(_ other: Self) -> Bool {
            all.contains(other.opening) && all.contains(other.closing)
        }
    }

    init(_ statement: BankStatement, followsEarlier: Bool = false) {
        self.statement = statement
        self.followsEarlier = followsEarlier
        let places = Dictionary(
            grouping: statement.entries.indices, by: { statement.entries[$0].day })
        var balances: [BankDay: Balances] = [:]
        // Within the bounds of a statement that was checked.
        if var held = statement.opening?.rawValue {
            for day in places.keys.sorted() {
                let amounts = (places[day] ?? []).map { statement.entries[$0].amount.rawValue }
                let closing = held &+ amounts.reduce(0, &+)
                var (forward, backward) = (held, held)
                var all: Set<Int64> = [held]
                // Some banks write the newest entry first.
                for (first, last) in zip(amounts, amounts.reversed()) {
                    forward &+= first
                    backward &+= last
                    all.formUnion([forward, backward])
                }
                balances[day] = Balances(opening: held, closing: closing, all: all)
                held = closing
            }
        }
        self.places = places
        self.balances = balances
        first = places.keys.min()
    }

    /// Whether what it tells of a day is told from the day's beginning on. Two that do so tell of
    /// the same entries, as far as both go.
    private func begins(_ day: BankDay) -> Bool {
        first.map { $0 < day || $0 == day && followsEarlier } ?? false
    }

    /// Whether it and another statement tell of different entries of a day, so that two that are
    /// alike are two: the bank numbers them otherwise, or one begins where the other ends; neither
    /// of the two has the other's entries among its own, which their balances tell; and neither
    /// tells of days before and behind it, nor both from the day's beginning on, where a month
    /// tells its days again: balances differ there once the bank has corrected an earlier day. Of
    /// two of which one begins where the other ends, that they begin earlier says nothing: a page's
    /// first entry may be of a day that the page before has left.
    func isOther(than other: Self, on day: BankDay) -> Bool {
        if statement.tellsWhole(day, beside: other.statement)
            || other.statement.tellsWhole(day, beside: statement)
        {
            return false
        }
        let areContinued = statement.continues(other.statement)
            || other.statement.continues(statement)
        if !areContinued, begins(day), other.begins(day) { return false }
        let areNumbered = statement.number != nil && other.statement.number != nil
            && statement.number != other.statement.number
        guard let mine = balances[day], let theirs = other.balances[day] else {
            return areNumbered
        }
        guard areNumbered || areContinued else { return false }
        return mine.opening != theirs.opening && mine.closing != theirs.closing
            && !mine.contains(theirs) && !theirs.contains(mine)
    }
}
