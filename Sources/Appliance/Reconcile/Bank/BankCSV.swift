import Vocabulary

/// Which column of a bank's CSV says what. Written as a JSON file, all texts:
///
/// | key | what it is |
/// | --- | --- |
/// | `date` | the column of the booking day |
/// | `date_format` | how it is written, by `yyyy` or `yy`, `MM`, `dd`; else `yyyy-MM-dd` |
/// | `amount` | the column of the amount, below zero where money leaves; or |
/// | `credit`, `debit` | two columns, one of which is empty on each line |
/// | `decimal` | `.` (where left out) or `,` |
/// | `currency`, or `currency_is` | the column of the currency, or the currency of all lines |
/// | `account`, or `account_is` | the column of the account, or the account of all lines |
/// | `text` | a column, or a list of columns, with who paid and what for |
/// | `reference` | the column of the bank's own number; may be left out |
/// | `delimiter` | `,` where left out; `;` or a tab |
/// | `skip` | lines before the one with the columns' names, a number; 0 where left out |
package struct BankCSVMapping: Hashable, Sendable {
    var date = ""
    var dateFormat = "yyyy-MM-dd"
    var amount, credit, debit: String?
    var decimal: Character = "."
    var currency, currencyIs, account, accountIs: String?
    var text: [String] = []
    var reference: String?
    var delimiter: UInt8 = UInt8(ascii: ",")
    var skip = 0

    /// - Parameter json: the file as it stands.
    package init(json bytes: [UInt8]) throws(BankFileRefusal) {
        let document = JSONDocument()
        let members: [(key: String, texts: [String], number: Int64?)]
        do {
            let root = try document.parse(bytes)
            guard let object = root.object else { throw JSONError.malformed }
            members = withExtendedLifetime(document) {
                object.map { member in
                    let list = member.value.array?.compactMap(\.string)
                    return (
                        member.key.string ?? "", list ?? member.value.string.map { [$0] } ?? [],
                        member.value.int64
                    )
                }
            }
        } catch {
            throw BankFileRefusal("the mapping is no JSON object; docs/BANK.md has one to copy")
        }
        for member in members { try take(member.key, member.texts, member.number) }
        try check()
    }

    private mutating func take(
        _ key: String, _ texts: [String], _ number: Int64?
    ) throws(BankFileRefusal) {
        if key == "skip" {
            guard let number, (0...1_000).contains(number) else {
                throw BankFileRefusal("the mapping's skip must be a number from 0 to 1000")
            }
            return skip = Int(number)
        }
        guard let value = texts.first, !value.isEmpty, texts.count == 1 || key == "text" else {
            throw BankFileRefusal("the mapping's \(key.prefix(40)) must be a text")
        }
        switch key {
        case "date": date = value
        case "date_format": dateFormat = value
        case "amount": amount = value
        case "credit": credit = value
        case "debit": debit = value
        case "decimal" where value == "." || value == ",": decimal = value == "," ? "," : "."
        case "currency": currency = value
        case "currency_is": currencyIs = value
        case "account": account = value
        case "account_is": accountIs = value
        case "text": text = texts
        case "reference": reference = value
        case "delimiter":
            guard value.utf8.count == 1, let byte = value.utf8.first,
                ![0x22, 0x0A, 0x0D].contains(byte)
            else {
                throw BankFileRefusal(
                    "the mapping's delimiter must be one character, no quotation mark or line end")
            }
            delimiter = byte
        case "decimal": throw BankFileRefusal("the mapping's decimal must be . or ,")
        default:
            throw BankFileRefusal(
                "the mapping knows no \(key.prefix(40)); docs/BANK.md has every key")
        }
    }

    /// The columns that are read.
    var columns: [String] {
        [date] + [amount, credit, debit, currency, account, reference].compactMap(\.self) + text
    }

    private func check() throws(BankFileRefusal) {
        guard !date.isEmpty, amount != nil || (credit != nil && debit != nil),
            currency != nil || currencyIs != nil, account != nil || accountIs != nil
        else {
            throw BankFileRefusal(
                "the mapping must have date, amount (or credit and debit), currency or "
                    + "currency_is, account or account_is")
        }
        guard currencyIs.map({ Currency($0.lowercased()) != nil }) ?? true else {
            throw BankFileRefusal("the mapping's currency_is must be three letters, as EUR")
        }
    }
}

/// Reads a bank's CSV (RFC 4180) by a mapping. It has no balances, so nothing can tell whether the
/// file is whole; and it covers the days from its first entry to its last, or those that are named.
struct BankCSV {
    private let mapping: BankCSVMapping
    private let columns: [String: Int]

    /// - Parameter days: what the file covers; nil for the days of its entries.
    static func statements(
        in bytes: [UInt8], _ mapping: BankCSVMapping, days: ClosedRange<BankDay>?
    ) throws(BankFileRefusal) -> [BankStatement] {
        var rows = CSVRows(bytes, delimiter: mapping.delimiter)
        for _ in 0..<mapping.skip { _ = try rows.next() }
        guard let header = try rows.next() else {
            throw BankFileRefusal("the file has no line with the columns' names")
        }
        let names = header.fields.map(\.trimmed)
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        if let name = mapping.columns.first(where: { counts[$0, default: 0] > 1 }) {
            throw BankFileRefusal(
                "the file has more than one column \(name.prefix(40)); name the others otherwise")
        }
        let reading = BankCSV(
            mapping: mapping,
            columns: Dictionary(
                names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first }))
        var found: [Place: [BankEntry]] = [:]
        var order: [Place] = []
        while let row = try rows.next() {
            // Many banks end with an empty line.
            guard row.fields.contains(where: { !$0.trimmed.isEmpty }) else { continue }
            do {
                let (place, entry) = try reading.entry(row.fields)
                if found[place] == nil { order.append(place) }
                found[place, default: []].append(entry)
            } catch {
                throw BankFileRefusal(line: row.line, error.description)
            }
        }
        guard !order.isEmpty else { throw BankFileRefusal("the file has no entries") }
        guard order.count <= BankLimits.statementsMax else {
            throw BankFileRefusal(
                "the file has more than \(BankLimits.statementsMax) accounts and currencies; "
                    + "split it")
        }
        var statements: [BankStatement] = []
        for place in order {
            let entries = found[place] ?? []
            let span = entries.map(\.day)
            guard let first = span.min(), let last = span.max() else { continue }
            statements.append(
                try BankStatement(
                    format: "CSV", account: place.account, currency: place.currency,
                    days: days ?? first...last, opening: nil, closing: nil, entries: entries
                ).checked())
        }
        return statements
    }

    private struct Place: Hashable {
        var account: String
        var currency: Currency
    }

    private func entry(_ fields: [String]) throws(BankFileRefusal) -> (Place, BankEntry) {
        let code = try fixed(mapping.currencyIs, else: mapping.currency, fields)
        guard let currency = Currency(code.trimmed.lowercased()) else {
            throw BankFileRefusal("\(code.prefix(20)) is no currency of three letters")
        }
        let account = try fixed(mapping.accountIs, else: mapping.account, fields)
        let date = try field(mapping.date, fields).trimmed
        guard let day = Self.day(date, mapping.dateFormat) else {
            throw BankFileRefusal(
                "\(date.prefix(20)) is no day written as \(mapping.dateFormat)")
        }
        var words: [String] = []
        for column in mapping.text { words.append(try field(column, fields)) }
        let reference = try mapping.reference.map { (column) throws(BankFileRefusal) in
            try field(column, fields).trimmed
        }
        let entry = BankEntry(
            day: day, amount: try amount(fields, currency),
            text: words.joined(separator: " ").oneLine(upTo: BankLimits.textMax),
            reference: reference.flatMap {
                $0.isEmpty ? nil : String($0.prefix(BankLimits.referenceMax))
            })
        return (Place(account: account.trimmed, currency: currency), entry)
    }

    private func amount(
        _ fields: [String], _ currency: Currency
    ) throws(BankFileRefusal) -> MinorUnits {
        func read(_ column: String) throws(BankFileRefusal) -> MinorUnits? {
            let text = try field(column, fields)
            guard !text.trimmed.isEmpty else { return nil }
            guard let amount = BankAmount.parse(text, decimal: mapping.decimal, currency) else {
                throw BankFileRefusal(
                    "\(text.prefix(30)) is no amount in \(currency.code): it has at most "
                        + "\(currency.displayExponent) decimals, and the mapping's key decimal "
                        + "says that they stand behind \(mapping.decimal)")
            }
            return amount
        }
        if let column = mapping.amount {
            guard let amount = try read(column) else {
                throw BankFileRefusal("the column \(column) is empty")
            }
            return amount
        }
        let (credit, debit) = (try read(mapping.credit ?? ""), try read(mapping.debit ?? ""))
        switch (credit, debit) {
        case (let credit?, nil): return credit
        // Some banks write what leaves below zero, some do not.
        case (nil, let debit?): return debit < .zero ? debit : -debit
        case (let credit?, let debit?) where debit == .zero: return credit
        case (let credit?, let debit?) where credit == .zero:
            return debit < .zero ? debit : -debit
        default:
            throw BankFileRefusal("exactly one of the columns of credit and debit must be filled")
        }
    }

    /// What is the same on all lines, or else what a column says.
    private func fixed(
        _ word: String?, else column: String?, _ fields: [String]
    ) throws(BankFileRefusal) -> String {
        if let word { return word }
        return try field(column ?? "", fields)
    }

    private func field(
        _ column: String, _ fields: [String]
    ) throws(BankFileRefusal) -> String {
        guard let place = columns[column] else {
            let names = columns.sorted { $0.value < $1.value }.map(\.key).joined(separator: ", ")
            throw BankFileRefusal(
                "the file has no column \(column); it has: \(names.prefix(400))")
        }
        guard place < fields.count else {
            throw BankFileRefusal("the line ends before the column \(column)")
        }
        return fields[place]
    }

    /// - Parameter format: `dd.MM.yyyy` and the like.
    private static func day(_ text: String, _ format: String) -> BankDay? {
        guard text.count == format.count else { return nil }
        var parts: [Character: String] = [:]
        for (letter, character) in zip(format, text) {
            if "yMd".contains(letter) {
                parts[letter, default: ""].append(character)
            } else if letter != character {
                return nil
            }
        }
        guard let year = parts["y"], let month = parts["M"], let day = parts["d"] else {
            return nil
        }
        return BankDay("\(year.count == 2 ? "20\(year)" : year)-\(month)-\(day)")
    }
}

/// The rows of a CSV file (RFC 4180): fields in quotation marks may hold the delimiter, line ends
/// and doubled quotation marks.
struct CSVRows {
    struct Row {
        /// The line on which it begins, 1 for the first.
        var line: Int
        var fields: [String]
    }

    private let bytes: [UInt8]
    private let delimiter: UInt8
    private var place = 0
    private var line = 1

    /// - Parameter bytes: UTF-8, with or without its mark.
    init(_ bytes: [UInt8], delimiter: UInt8) {
        self.bytes = bytes
        self.delimiter = delimiter
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
    }

    /// - Returns: nil behind the last row.
    mutating func next() throws(BankFileRefusal) -> Row? {
        guard place < bytes.count else { return nil }
        var row = Row(line: line, fields: [])
        while true {
            row.fields.append(try field())
            guard row.fields.count <= 1_000 else {
                throw BankFileRefusal(line: row.line, "the line has more than 1000 columns")
            }
            guard place < bytes.count else { return row }
            let byte = bytes[place]
            place += 1
            if byte == delimiter { continue }
            if byte == 0x0D, place < bytes.count, bytes[place] == 0x0A { place += 1 }
            line += 1
            return row
        }
    }

    /// Up to the delimiter or the line's end, which stay.
    private mutating func field() throws(BankFileRefusal) -> String {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
            let end = bytes[place...].firstIndex { $0 == delimiter || $0 == 0x0A || $0 == 0x0D }
                ?? bytes.count
            defer { place = end }
            return String(decoding: bytes[place..<end], as: UTF8.self)
        }
        let start = line
        var out: [UInt8] = []
        place += 1
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == 0x0A { line += 1 }
            guard byte == UInt8(ascii: "\"") else {
                out.append(byte)
                continue
            }
            guard place < bytes.count else { return String(decoding: out, as: UTF8.self) }
            if bytes[place] == UInt8(ascii: "\"") {
                out.append(byte)
                place += 1
            } else if [delimiter, 0x0A, 0x0D].contains(bytes[place]) {
                return String(decoding: out, as: UTF8.self)
            } else {
                throw BankFileRefusal(line: start, "text follows a closing quotation mark")
            }
        }
        throw BankFileRefusal(line: start, "a quotation mark is never closed")
    }
}
