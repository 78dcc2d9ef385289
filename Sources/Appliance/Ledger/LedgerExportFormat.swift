package import Vocabulary

/// The forms in which the ledger leaves for other programs. Each is written piece by piece, so that
/// a ledger of any size needs the memory of one page.
///
/// | format | what it is |
/// | --- | --- |
/// | `json` | one document, `{"transactions":[…]}`, a transaction a line |
/// | `csv` | RFC 4180 with a header line, but lines end with LF; an entry a line |
/// | `beancount` | an input file for beancount: every account opened before use |
package enum LedgerExportFormat: String, CaseIterable, Sendable {
    case json, csv, beancount

    /// What stands before the first transaction.
    ///
    /// - Parameters:
    ///   - accounts: every account that is used, for the format that opens them.
    ///   - head: the last transaction that is exported.
    func header(_ accounts: [OpenedAccount], through head: Int64) -> String {
        switch self {
        case .json: "{\"transactions\":["
        case .csv: Self.columns.joined(separator: ",") + "\n"
        case .beancount:
            "; tillbox \(Release.version): the ledger up to transaction \(head)\n"
                + "option \"title\" \"Tillbox\"\n\n"
                + accounts.map(Beancount.open).joined() + "\n"
        }
    }

    /// - Parameter isFirst: whether none stands before it.
    func text(of transaction: PostedTransaction, isFirst: Bool) -> String {
        switch self {
        case .json:
            (isFirst ? "\n" : ",\n") + String(decoding: transaction.encoded(), as: UTF8.self)
        case .csv: Self.csv(transaction)
        case .beancount: Beancount.text(of: transaction)
        }
    }

    /// What stands behind the last transaction.
    var footer: String { self == .json ? "\n]}\n" : "" }

    /// Whether the accounts have to be known first, which reads every entry once more.
    var opensAccounts: Bool { self == .beancount }

    // MARK: CSV

    static let columns = [
        "transaction", "movement", "kind", "event", "effective_at", "posted_at_ms", "entry",
        "account", "currency", "minor_units", "amount", "hash",
    ]

    private static func csv(_ transaction: PostedTransaction) -> String {
        let posting = transaction.posting
        let (effective, hash) = (posting.effectiveAt.rfc3339, String(hex: transaction.hash))
        return posting.entries.enumerated().map { number, entry in
            [
                "\(transaction.id)", posting.movement.rawValue, posting.kind.name,
                posting.eventID.rawValue, effective, "\(transaction.postedAtMilliseconds)",
                "\(number + 1)", entry.account.rawValue, entry.currency.code,
                "\(entry.amount.rawValue)", entry.currency.display(entry.amount), hash,
            ].map(field).joined(separator: ",") + "\n"
        }.joined()
    }

    private static func field(_ text: String) -> String {
        let isPlain = !text.utf8.contains {
            [UInt8(ascii: ","), UInt8(ascii: "\""), 0x0A, 0x0D].contains($0)
        }
        return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

extension PostedTransaction {
    /// As exports and the admin API write it: times in seconds, where a key ends in `_ms` in
    /// milliseconds; amounts in minor units, with decimals besides.
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id.rawValue)
        writer.member("movement", posting.movement.rawValue)
        writer.member("kind", posting.kind.name)
        writer.member("event_id", posting.eventID.rawValue)
        writer.member("effective_at", posting.effectiveAt.seconds)
        writer.member("posted_at_ms", postedAtMilliseconds)
        writer.member("hash", String(hex: hash))
        writer.key("entries")
        writer.beginArray()
        for entry in posting.entries {
            writer.beginObject()
            writer.member("account", entry.account.rawValue)
            writer.member("currency", entry.currency.code)
            writer.member("minor_units", entry.amount.rawValue)
            writer.member("amount", entry.currency.display(entry.amount))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    fileprivate func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        encode(into: &writer)
        return writer.bytes
    }
}

/// Beancount's language (beancount.github.io/docs/beancount_language_syntax.html), as much of it as
/// a ledger needs: accounts that are opened, and transactions whose postings sum to zero.
enum Beancount {
    static func open(_ account: OpenedAccount) -> String {
        let currencies = account.currencies.map { $0.code.uppercased() }.joined(separator: ",")
        return "\(day(account.first)) open \(name(account.account.rawValue)) \(currencies)\n"
            + "  account: \(quoted(account.account.rawValue))\n"
    }

    static func text(of transaction: PostedTransaction) -> String {
        let posting = transaction.posting
        var text = """
            \(day(posting.effectiveAt)) * \(quoted(posting.kind.name)) \
            \(quoted(posting.movement.rawValue))
              transaction: \(transaction.id)
              event: \(quoted(posting.eventID.rawValue))
              effective: \(quoted(posting.effectiveAt.rfc3339))
              hash: \(quoted(String(hex: transaction.hash)))

            """
        for entry in posting.entries {
            let amount = entry.currency.display(entry.amount)
            text += "  \(name(entry.account.rawValue))  \(amount) "
                + "\(entry.currency.code.uppercased())\n"
        }
        return text + "\n"
    }

    private static func day(_ moment: Instant) -> Substring { moment.rfc3339.prefix(10) }

    // MARK: Names

    /// A name that beancount allows, another one for each of ours: a root, then every part of it. A
    /// part begins with a capital or a digit and has letters, digits and hyphens alone.
    static func name(_ account: String) -> String {
        let parts = account.split(separator: ":", omittingEmptySubsequences: false)
        return ([root(of: parts.first ?? "")] + parts.map(part)).joined(separator: ":")
    }

    private static func root(of first: Substring) -> String {
        switch first {
        case "processor", "bank", "reserves", "connect", "transfers": "Assets"
        case "merchant": "Liabilities"
        case "fees", "adjustments": "Expenses"
        case "income": "Income"
        default: "Equity"
        }
    }

    /// `refund_due` is `Refund-due`; what is no such word is written out byte by byte behind `0-`,
    /// with which no word begins.
    private static func part(_ text: Substring) -> String {
        guard isWord(text) else { return "0-" + text.utf8.map(written).joined() }
        return text.prefix(1).uppercased() + String(text.dropFirst()).replacing("_", with: "-")
    }

    /// Letters and digits, a small letter first, with single `_` within.
    private static func isWord(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first) else { return false }
        return text.split(separator: "_", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0.utf8.allSatisfy(isLetterOrDigit)
        }
    }

    private static func written(_ byte: UInt8) -> String {
        if isLetterOrDigit(byte) { return String(UnicodeScalar(byte)) }
        return "-" + String(hex: [byte]).uppercased()
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
        return "\"\(escaped)\""
    }
}
