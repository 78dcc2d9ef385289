package import Vocabulary

/// A day as a bank books it. A statement's days have no time zone: they are compared with UTC days.
package struct BankDay: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Days since 1970-01-01.
    package let rawValue: Int64

    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The UTC day of a moment.
    package init(of moment: Instant) {
        let seconds = moment.seconds
        rawValue = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    }

    /// - Returns: nil for what is no day of the calendar such as `2026-10-31`.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 10, let moment = Moment(String(text)) else { return nil }
        self.init(of: moment.start)
    }

    package var start: Instant { Instant(seconds: rawValue * 86_400) }
    /// `2026-10-31`
    package var description: String { String(start.rfc3339.prefix(10)) }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    package static func + (day: Self, days: Int64) -> Self { Self(day.rawValue + days) }
    package static func - (left: Self, right: Self) -> Int64 { left.rawValue - right.rawValue }
}

/// One booked entry of a bank's statement.
package struct BankEntry: Hashable, Sendable {
    /// The day on which the bank booked it.
    package var day: BankDay
    /// Above zero, money came in.
    package var amount: MinorUnits
    /// Who paid and what for, in the bank's words, on one line.
    package var text: String
    /// The bank's own number of it; nil where the file has none.
    package var reference: String?

    package init(day: BankDay, amount: MinorUnits, text: String, reference: String?) {
        self.day = day
        self.amount = amount
        self.text = text
        self.reference = reference
    }
}

/// A bank's statement of one account in one currency: every entry that it booked on some days.
package struct BankStatement: Hashable, Sendable {
    /// `camt.053`, `MT940`, `CSV`
    package var format: String
    /// What the bank calls it, such as `S1 7` or `STARTUMS 12/1`: its id and number, and the page
    /// where it is one of several; nil where the file does not say.
    package var number: String?
    /// The bank account, by its IBAN or whatever the file calls it.
    package var account: String
    package var currency: Currency
    /// The first and the last day that it tells all of.
    package var days: ClosedRange<BankDay>
    /// What the account held before and after; nil where the file does not say.
    package var opening: MinorUnits?
    package var closing: MinorUnits?
    package var entries: [BankEntry]

    package init(
        format: String, number: String? = nil, account: String, currency: Currency,
        days: ClosedRange<BankDay>, opening: MinorUnits?, closing: MinorUnits?,
        entries: [BankEntry]
    ) {
        self.format = format
        self.number = number
        self.account = account
        self.currency = currency
        self.days = days
        self.opening = opening
        self.closing = closing
        self.entries = entries
    }

    /// Whether it begins where another one ends: it is the next one of the account, or the next
    /// page.
    func continues(_ former: Self) -> Bool {
        guard let opening, let closing = former.closing, self != former else { return false }
        return opening == closing && account == former.account && currency == former.currency
    }

    /// Checks what every statement has to be, whoever reads it.
    ///
    /// - Throws: ``BankFileRefusal`` where opening, entries and closing do not agree, which is how
    ///   a file looks that was cut or read wrongly; or where something is out of bounds.
    package func checked() throws(BankFileRefusal) -> Self {
        guard (1...BankLimits.accountBytesMax).contains(account.utf8.count) else {
            throw BankFileRefusal("a statement names no account, or one that is too long")
        }
        guard entries.count <= BankLimits.entriesMax else {
            throw BankFileRefusal(
                "a statement has more than \(BankLimits.entriesMax) entries; import it in parts")
        }
        for entry in entries {
            guard days.contains(entry.day) else {
                throw BankFileRefusal(
                    "an entry of \(entry.day) lies outside of its statement, \(days.lowerBound) "
                        + "to \(days.upperBound)")
            }
            guard entry.amount.rawValue.magnitude <= MinorUnits.movementMax.rawValue else {
                throw BankFileRefusal("an entry of \(entry.day) has an amount beyond all bounds")
            }
        }
        // At most 100,000 entries, each at most 10^15: within Int64.
        let sum = entries.reduce(Int64(0)) { $0 + $1.amount.rawValue }
        guard let opening, let closing else { return self }
        let (end, overflow) = opening.rawValue.addingReportingOverflow(sum)
        guard !overflow, end == closing.rawValue else {
            throw BankFileRefusal(
                "the statement of \(account) for \(days.lowerBound) to \(days.upperBound) does not "
                    + "add up: it begins at \(currency.display(opening)), its entries come to "
                    + "\(currency.display(MinorUnits(sum))), and it ends at "
                    + "\(currency.display(closing)); ask the bank for the whole file")
        }
        return self
    }
}

/// The bounds of what is read of a bank.
package enum BankLimits {
    /// Bytes of a file.
    package static let fileBytesMax = 16 * 1024 * 1024
    /// Statements of a file, and entries of a statement.
    package static let statementsMax = 1_000
    package static let entriesMax = 100_000
    package static let accountBytesMax = 64
    /// Characters of what a bank calls a statement; what is longer is cut.
    package static let numberMax = 100
    /// Characters of an entry's text and of its reference; what is longer is cut.
    package static let textMax = 300
    package static let referenceMax = 100
    /// How deep elements may stand in each other.
    static let depthMax = 64
}

/// Why a file of a bank is not read: a sentence that says what to do.
package struct BankFileRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ sentence: String) { description = sentence }

    /// - Parameter line: 1 for the first.
    init(line: Int, _ sentence: String) { description = "line \(line): \(sentence)" }
}

/// Amounts as banks write them.
enum BankAmount {
    private static let signs: Set<Character> = ["-", "−", "+"]
    private static let separators: Set<Character> = [
        ".", ",", " ", "'", "’", "\u{a0}", "\u{202f}",
    ]

    /// - Parameter decimal: what stands before the fraction, `.` or `,`; the other one, spaces or
    ///   apostrophes may group the digits, three in the last group. So `1000.00` is no amount
    ///   where the decimal is a comma, and not a hundred times as much.
    /// - Returns: nil for what is no amount of this currency, such as one with more decimals than
    ///   it has; nothing is rounded.
    static func parse(
        _ text: some StringProtocol, decimal: Character, _ currency: Currency
    ) -> MinorUnits? {
        var body = String(text.trimmed)
        var sign: Character?
        if let first = body.first, signs.contains(first) {
            sign = first
            body.removeFirst()
        } else if let last = body.last, signs.contains(last) {
            sign = last
            body.removeLast()
        }
        let isNegative = sign != nil && sign != "+"
        let parts = String(body.trimmed).split(
            separator: decimal, maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let whole = ungrouped(first) else { return nil }
        var fraction = parts.count > 1 ? String(parts[1]) : ""
        guard fraction.allSatisfy(isDigit) else { return nil }
        let exponent = currency.displayExponent
        while fraction.count > exponent, fraction.last == "0" { fraction.removeLast() }
        guard !(whole.isEmpty && fraction.isEmpty), fraction.count <= exponent else { return nil }
        let digits = whole + fraction
            + String(repeating: "0", count: exponent - fraction.count)
        guard let magnitude = Int64(digits), magnitude <= MinorUnits.movementMax.rawValue else {
            return nil
        }
        return MinorUnits(isNegative ? -magnitude : magnitude)
    }

    private static func isDigit(_ character: Character) -> Bool {
        ("0"..."9").contains(character)
    }

    /// The digits before the fraction; nil where they are not grouped as amounts are: one kind of
    /// separator, one to three digits first, three last, two (in India) or three between.
    private static func ungrouped(_ text: Substring) -> String? {
        let groups = text.split(
            omittingEmptySubsequences: false, whereSeparator: separators.contains)
        guard groups.allSatisfy({ $0.allSatisfy(isDigit) }) else { return nil }
        if groups.count > 1 {
            guard (1...3).contains(groups[0].count), groups[groups.count - 1].count == 3,
                groups.dropFirst().dropLast().allSatisfy({ (2...3).contains($0.count) }),
                Set(text.filter(separators.contains)).count == 1
            else { return nil }
        }
        return groups.joined()
    }
}

extension StringProtocol {
    /// Without the white space at both ends.
    var trimmed: String {
        let rest = drop(while: \.isWhitespace)
        return String(rest.prefix(rest.count - rest.reversed().prefix(while: \.isWhitespace).count))
    }

    /// On one line, one space between words, at most so many characters.
    func oneLine(upTo most: Int) -> String {
        String(split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(most))
    }
}
