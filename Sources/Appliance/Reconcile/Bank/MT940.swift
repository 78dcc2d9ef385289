import Vocabulary

/// Reads MT940, SWIFT's customer statement message, with or without the blocks around it:
///
/// | field | what it says |
/// | --- | --- |
/// | `:20:`, `:28C:` | a message begins; what the bank calls it, its number and page |
/// | `:25:` | the account |
/// | `:60F:`, `:60M:` | opening balance `C`\|`D` `YYMMDD` `CCY` amount; `M`: of a part |
/// | `:61:` | an entry: value date, day `MMDD`, `C`\|`D`\|`RC`\|`RD`, amount, type, references |
/// | `:86:` | its words, on several lines, with `?20` … between fields in many countries |
/// | `:62F:`, `:62M:` | closing balance |
///
/// `RC` takes back what came in, `RD` what went out. Amounts have a comma.
struct MT940 {
    private struct Draft {
        var reference = ""
        var number = ""
        var account: String?
        var currency: Currency?
        var opening, closing: MinorUnits?
        var first, last: BankDay?
        var entries: [BankEntry] = []
    }

    private var statements: [BankStatement] = []
    private var draft: Draft?

    static func statements(in text: String) throws(BankFileRefusal) -> [BankStatement] {
        var reading = MT940()
        for field in Self.fields(of: text) {
            do {
                try reading.take(field)
            } catch {
                throw BankFileRefusal(line: field.line, error.description)
            }
        }
        try reading.finish()
        guard !reading.statements.isEmpty else {
            throw BankFileRefusal("the file has no MT940 statement (:20:, :60F:, :62F:) in it")
        }
        return reading.statements
    }

    private struct Field {
        var line: Int
        var tag: String
        var text: String
    }

    /// A field begins with its tag at the start of a line and goes on up to the next one.
    private static func fields(of text: String) -> [Field] {
        var fields: [Field] = []
        // "\r\n" is one character.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            if line.hasPrefix(":"), let end = line.dropFirst().firstIndex(of: ":"),
                (2...3).contains(line.distance(from: line.startIndex, to: end) - 1)
            {
                let tag = line[line.index(after: line.startIndex)..<end]
                fields.append(
                    Field(
                        line: index + 1, tag: String(tag),
                        text: String(line[line.index(after: end)...])))
            } else if line.hasPrefix("-") && line.count <= 2 || line.hasPrefix("{") {
                // The end of a message, and the blocks around it.
                continue
            } else if !fields.isEmpty {
                fields[fields.count - 1].text += "\n" + line
            }
        }
        return fields
    }

    private mutating func take(_ field: Field) throws(BankFileRefusal) {
        if field.tag == "20" {
            try finish()
            draft = Draft(reference: field.text)
        }
        guard var draft else { return }
        // Nothing else refers to the entries while they grow.
        self.draft = nil
        defer { self.draft = draft }
        switch field.tag {
        case "25": draft.account = field.text.trimmed
        case "28", "28C": draft.number = field.text
        case "60F", "60M":
            let (amount, day, currency) = try Self.balance(field.text)
            draft.currency = currency
            draft.opening = amount
            draft.first = day
        case "61": draft.entries.append(try Self.entry(field.text, draft.currency))
        case "86":
            // One behind the closing balance is of the statement as a whole.
            guard draft.last == nil, !draft.entries.isEmpty else { return }
            let words = draft.entries[draft.entries.count - 1].text + " " + Self.words(field.text)
            draft.entries[draft.entries.count - 1].text = words.oneLine(upTo: BankLimits.textMax)
        case "62F", "62M":
            let (amount, day, currency) = try Self.balance(field.text)
            guard currency == draft.currency else {
                throw BankFileRefusal("the closing balance is in another currency than the opening")
            }
            draft.closing = amount
            draft.last = day
        default: break
        }
    }

    private mutating func finish() throws(BankFileRefusal) {
        guard let draft else { return }
        self.draft = nil
        guard let account = draft.account, !account.isEmpty else {
            throw BankFileRefusal("a statement names no account (:25:)")
        }
        guard let currency = draft.currency, let first = draft.first, let last = draft.last else {
            throw BankFileRefusal(
                "the statement of \(account) has no opening (:60F:) or no closing balance (:62F:); "
                    + "fetch the file again")
        }
        guard statements.count < BankLimits.statementsMax else {
            throw BankFileRefusal(
                "the file has more than \(BankLimits.statementsMax) statements; split it")
        }
        let days = [first, last] + draft.entries.map(\.day)
        statements.append(
            try BankStatement(
                format: "MT940",
                number: "\(draft.reference) \(draft.number)".oneLine(upTo: BankLimits.numberMax),
                account: account, currency: currency,
                days: (days.min() ?? first)...(days.max() ?? last), opening: draft.opening,
                closing: draft.closing, entries: draft.entries
            ).checked())
    }

    // MARK: Fields

    /// `C241001EUR1234,56`
    private static func balance(
        _ text: String
    ) throws(BankFileRefusal) -> (MinorUnits, BankDay, Currency) {
        let text = text.trimmed
        guard let mark = text.first, mark == "C" || mark == "D",
            let day = day(text.dropFirst().prefix(6)),
            let currency = Currency(text.dropFirst(7).prefix(3).lowercased()),
            let amount = BankAmount.parse(text.dropFirst(10), decimal: ",", currency)
        else { throw BankFileRefusal("\(text.prefix(40)) is no balance such as C261001EUR10,00") }
        return (mark == "C" ? amount : -amount, day, currency)
    }

    /// `2610021002C123,45NTRFNONREF//ABC123`, with a second line of its own.
    private static func entry(
        _ text: String, _ currency: Currency?
    ) throws(BankFileRefusal) -> BankEntry {
        guard let currency else {
            throw BankFileRefusal("an entry (:61:) stands before the opening balance (:60F:)")
        }
        let lines = text.split(separator: "\n", maxSplits: 1)
        let refusal = BankFileRefusal(
            "\(text.prefix(40)) is no entry such as 2610021002C10,00NTRFNONREF//123")
        guard let line = lines.first, let value = day(line.prefix(6)) else { throw refusal }
        var rest = line.dropFirst(6)
        var booked = value
        if rest.prefix(4).allSatisfy(\.isNumber) {
            guard let day = day(ofMonth: rest.prefix(4), near: value) else { throw refusal }
            booked = day
            rest = rest.dropFirst(4)
        }
        let isReversal = rest.hasPrefix("R")
        if isReversal { rest = rest.dropFirst() }
        guard let mark = rest.first, mark == "C" || mark == "D" else { throw refusal }
        rest = rest.dropFirst()
        // The third letter of the currency, where a bank writes it.
        if rest.first?.isLetter == true { rest = rest.dropFirst() }
        let digits = rest.prefix { $0.isNumber || $0 == "," }
        guard digits.contains(","),
            let amount = BankAmount.parse(digits, decimal: ",", currency)
        else { throw refusal }
        let comesIn = (mark == "C") != isReversal
        let references = rest.dropFirst(digits.count).dropFirst(4)
        let parts = references.description.split(separator: "/", omittingEmptySubsequences: true)
        let ofBank = references.contains("//") ? parts.last.map(String.init) : nil
        let words = (parts.first == "NONREF" ? "" : references) + " "
            + (lines.count > 1 ? lines[1] : "")
        return BankEntry(
            day: booked, amount: comesIn ? amount : -amount,
            text: words.oneLine(upTo: BankLimits.textMax),
            reference: ofBank.map { String($0.trimmed.prefix(BankLimits.referenceMax)) })
    }

    /// Without the numbers of its fields, `?20`; a line's end within a word is the form's.
    private static func words(_ text: String) -> String {
        let whole = text.contains("?")
            ? text.split(separator: "\n").joined() : text.replacing("\n", with: " ")
        var out = ""
        var rest = whole[...]
        while let mark = rest.firstIndex(of: "?") {
            out += rest[..<mark]
            rest = rest[rest.index(after: mark)...]
            if rest.prefix(2).count == 2, rest.prefix(2).allSatisfy(\.isNumber) {
                rest = rest.dropFirst(2)
                out += " "
            } else {
                out += "?"
            }
        }
        return out + rest
    }

    /// `261031`: of 1980 to 2079.
    private static func day(_ text: some StringProtocol) -> BankDay? {
        guard text.count == 6, text.allSatisfy({ $0.isASCII && $0.isNumber }),
            let year = Int(text.prefix(2))
        else { return nil }
        return BankDay("\(year < 80 ? 2000 + year : 1900 + year)-\(text.dropFirst(2).prefix(2))-"
            + text.suffix(2))
    }

    /// `1031`, in the year that brings it nearest to another day.
    private static func day(ofMonth text: some StringProtocol, near other: BankDay) -> BankDay? {
        guard let year = Int(other.description.prefix(4)) else { return nil }
        return [year - 1, year, year + 1]
            .compactMap { BankDay("\($0)-\(text.prefix(2))-\(text.suffix(2))") }
            .min { abs($0 - other) < abs($1 - other) }
    }
}
