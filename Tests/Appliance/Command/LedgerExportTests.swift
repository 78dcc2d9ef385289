import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Console
@testable import Terminal
@testable import Vocabulary

@Suite("The ledger for other programs")
struct LedgerExportTests {
    /// Every kind of movement, and merchants and currencies of all sorts.
    private static func ledger() throws -> SQLiteLedger {
        let ledger = try SQLiteLedger.inMemory()
        try StateTamperingTests.fill(ledger)
        let merchants = ["acct_1", "Acct-1", "acct-1", "a_b", "a-b", "a.b", "A", "a", "1", "_", "-"]
        let currencies = ["usd", "jpy", "kwd", "isk"].compactMap(Currency.init)
        var inputs: [LedgerInput] = []
        for (number, merchant) in merchants.enumerated() {
            for currency in currencies {
                let day = Int64(number) * 86_400
                let charge = "ch_\(number)_\(currency.code)"
                let amount = Int64(1 + number * 1_234)
                var event = Given.event(
                    .payment, charge, amount: amount, currency: currency, merchant: merchant,
                    at: 1_700_000_000 - day)
                event.eventID = EventID("evt_\"\\,\(charge)")
                inputs.append(Given.scored(event, .approve, score: 0.1))
                inputs.append(
                    Given.scored(
                        Given.event(
                            .disputeWithdrawn, "txn_\(charge)", amount: 7, currency: currency,
                            merchant: merchant, fee: 15, at: 1_700_000_000 + day)))
            }
        }
        let outcome = try ledger.post(inputs)
        #expect(outcome.posted.count == inputs.count)
        return ledger
    }

    private static func text(
        _ format: LedgerExportFormat, _ ledger: SQLiteLedger,
        _ change: (inout LedgerExport) -> Void = { _ in }
    ) throws -> String {
        // Pages that end within the ledger, and one that does not fill.
        var export = LedgerExport(format: format)
        export.pageCount = 7
        change(&export)
        var text = ""
        try export.run(ledger) { (piece) throws(CommandFailure) in text += piece }
        return text
    }

    // MARK: JSON and CSV

    @Test("JSON is one document with every transaction, exact to the minor unit")
    func json() throws {
        let ledger = try Self.ledger()
        let text = try Self.text(.json, ledger)
        let root = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let rows = try #require(root?["transactions"] as? [[String: Any]])
        let posted = try ledger.posted(after: TransactionID(0), limit: 10_000)
        #expect(rows.count == posted.count)
        for (row, transaction) in zip(rows, posted) {
            #expect(row["id"] as? Int64 == transaction.id.rawValue)
            #expect(row["movement"] as? String == transaction.posting.movement.rawValue)
            #expect(row["event_id"] as? String == transaction.posting.eventID.rawValue)
            #expect(row["hash"] as? String == String(hex: transaction.hash))
            let entries = try #require(row["entries"] as? [[String: Any]])
            #expect(
                entries.map { $0["minor_units"] as? Int64 }
                    == transaction.posting.entries.map(\.amount.rawValue))
        }
        #expect(try Self.text(.json, SQLiteLedger.inMemory()) == "{\"transactions\":[\n]}\n")
    }

    /// A reader of RFC 4180 of its own.
    private static func rows(_ csv: String) -> [[String]] {
        var (rows, row, field, isQuoted): ([[String]], [String], String, Bool) = ([], [], "", false)
        var rest = Substring(csv)
        while let character = rest.popFirst() {
            switch character {
            case "\"" where isQuoted && rest.first == "\"":
                field.append("\"")
                rest.removeFirst()
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                row.append(field)
                field = ""
            case "\n" where !isQuoted:
                rows.append(row + [field])
                (row, field) = ([], "")
            default: field.append(character)
            }
        }
        return rows
    }

    @Test("CSV has a line an entry, whose sums are the balances")
    func csv() throws {
        let ledger = try Self.ledger()
        let rows = Self.rows(try Self.text(.csv, ledger))
        #expect(rows.first == LedgerExportFormat.columns)
        var sums: [String: Int64] = [:]
        for row in rows.dropFirst() {
            try #require(row.count == LedgerExportFormat.columns.count, "\(row)")
            let (units, amount) = (try #require(Int64(row[9])), row[10])
            sums["\(row[7]) \(row[8])", default: 0] += units
            let currency = try #require(Currency(row[8]))
            #expect(amount == currency.display(MinorUnits(units)))
            #expect(amount.contains(".") == (currency.code != "jpy"))
        }
        #expect(try sums.filter { $0.value != 0 } == ledger.standing())
        #expect(rows.contains { $0[3] == "evt_\"\\,ch_1_usd" })
    }

    // MARK: Beancount

    /// A reader of as much of the language as an export may use; anything else is an error.
    private struct Book {
        var opened: [String: (day: String, currencies: Set<String>)] = [:]
        var transactions = 0
        var sums: [String: Int64] = [:]
        var complaints: [String] = []

        private static func isAccount(_ name: String) -> Bool {
            name.wholeMatch(
                of: /(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+/) != nil
        }

        init(_ text: String) {
            var day = ""
            var open: [String: Int64] = [:]
            func close(_ complaints: inout [String]) {
                for (currency, sum) in open where sum != 0 {
                    complaints.append("\(day): \(currency) sums to \(sum)")
                }
                open = [:]
            }
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                if line.isEmpty {
                    close(&complaints)
                } else if let match = line.wholeMatch(of: /(\d{4}-\d\d-\d\d) open (\S+) (\S+)/) {
                    let name = String(match.output.2)
                    if !Self.isAccount(name) { complaints.append(name) }
                    if opened[name] != nil { complaints.append("\(name) is opened twice") }
                    let currencies = match.output.3.split(separator: ",").map(String.init)
                    opened[name] = (String(match.output.1), Set(currencies))
                } else if let match = line.wholeMatch(
                    of: #/(\d{4}-\d\d-\d\d) \* "(\\.|[^"\\])*" "(\\.|[^"\\])*"/#)
                {
                    close(&complaints)
                    day = String(match.output.1)
                    transactions += 1
                } else if let match = line.wholeMatch(
                    of: #/  ([A-Z]\S*)  (-?\d+(\.\d+)?) ([A-Z]{3})/#)
                {
                    let (name, currency) = (String(match.output.1), String(match.output.4))
                    let isOpen = opened[name].map {
                        $0.day <= day && $0.currencies.contains(currency)
                    }
                    if isOpen != true { complaints.append("\(day): \(name) is not open") }
                    let digits = match.output.2.replacing(".", with: "")
                    open[currency, default: 0] += Int64(digits) ?? 0
                    sums["\(name) \(currency)", default: 0] += Int64(digits) ?? 0
                } else if line.wholeMatch(of: #/  [a-z][a-z-]+: ("(\\.|[^"\\])*"|\d+)/#) == nil,
                    line.wholeMatch(of: /;.*|option "title" "[^"]*"/) == nil
                {
                    complaints.append("not understood: \(line)")
                }
            }
            close(&complaints)
        }
    }

    @Test("beancount: names are legal, accounts opened before use, and every transaction balances")
    func beancount() throws {
        let ledger = try Self.ledger()
        let book = Book(try Self.text(.beancount, ledger))
        #expect(book.complaints == [])
        #expect(book.transactions == Int(try ledger.head()))
        var expected: [String: Int64] = [:]
        for (account, sum) in try ledger.standing() {
            let parts = account.split(separator: " ")
            expected["\(Beancount.name(String(parts[0]))) \(parts[1].uppercased())"] = sum
        }
        #expect(book.sums.filter { $0.value != 0 } == expected)
    }

    @Test("a part of the ledger opens what it uses, on the first day that it has")
    func period() throws {
        let ledger = try Self.ledger()
        let text = try Self.text(.beancount, ledger) {
            $0.from = Instant(seconds: 1_700_000_000 - 86_400)
            $0.to = Instant(seconds: 1_700_000_000)
        }
        let book = Book(text)
        #expect(book.complaints == [])
        // Two days of payments, and one of the disputes that follow them.
        #expect(book.transactions == 4 * 3)
        #expect(!book.opened.keys.contains { $0.hasPrefix("Income") })
    }

    @Test("two accounts never share a name", arguments: [
        ("merchant:a_b:payable", "Liabilities:Merchant:A-b:Payable"),
        ("merchant:a-b:payable", "Liabilities:Merchant:0-a-2Db:Payable"),
        ("merchant:A:refund_due", "Liabilities:Merchant:0-A:Refund-due"),
        ("merchant:a:refund_due", "Liabilities:Merchant:A:Refund-due"),
        ("merchant:1:held", "Liabilities:Merchant:0-1:Held"),
        ("processor:stripe", "Assets:Processor:Stripe"), ("bank:usd", "Assets:Bank:Usd"),
        ("fees:stripe:acct_1X", "Expenses:Fees:Stripe:Acct-1X"),
        ("income:application_fees", "Income:Income:Application-fees"),
        ("exchange:stripe", "Equity:Exchange:Stripe"), ("x::y", "Equity:X:0-:Y"),
    ])
    func names(account: String, expected: String) {
        #expect(Beancount.name(account) == expected)
    }

    @Test("of all short names each has its own")
    func injective() {
        let letters = ["a", "B", "1", "_", "-", "."]
        var names: [String] = [""]
        for _ in 0..<4 { names += names.flatMap { name in letters.map { name + $0 } } }
        let different = Set(names)
        #expect(Set(different.map { Beancount.name("merchant:\($0):held") }).count
            == different.count)
    }

    // MARK: The file

    @Test("a file is there as a whole or not at all")
    func wholeFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("ledger.csv")
        try "before".write(toFile: path, atomically: true, encoding: .utf8)
        let given = try WholeFile(path)
        try given.write("half")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "before")
        given.discard()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["ledger.csv"])
        let kept = try WholeFile(path)
        try kept.write("all ")
        try kept.write("of it")
        try kept.keep()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "all of it")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["ledger.csv"])
        #expect(throws: CommandFailure.self) { try WholeFile(folder.file("no/ledger.csv")) }
    }

    @Test("a pipe, a device and a link stay what they are")
    func otherThanFiles() throws {
        let folder = try TemporaryFolder()
        let (pipe, link, path) = (
            folder.file("pipe"), folder.file("link"), folder.file("ledger.csv")
        )
        #expect(mkfifo(pipe, 0o600) == 0)
        for place in [pipe, "/dev/null"] {
            let refusal = #expect(throws: CommandFailure.self) { try WholeFile(place) }
            #expect(refusal?.message?.contains("\(place) is a device or a pipe") == true)
        }
        try "before".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let file = try WholeFile(link)
        try file.write("after")
        try file.keep()
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "after")
    }

    @Test("what a data folder keeps is not written over, what stands beside it may be")
    func ofDataFolder() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.file("log"), withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: folder.file("log/identity")))
        for name in [
            "ledger.sqlite", "log/identity", "archive/2026-10.json", "backup.json", "alerts.json",
        ] {
            let refusal = #expect(throws: CommandFailure.self) {
                try WholeFile(folder.file(name))
            }
            #expect(refusal?.message?.contains("is kept in the data folder") == true, "\(name)")
        }
        let file = try WholeFile(folder.file("ledger.csv"))
        try file.keep()
    }

    @Test("a link in the draft's place leads nowhere, whoever has put it there")
    func linkedDraft() throws {
        let folder = try TemporaryFolder()
        let (path, other) = (folder.file("ledger.csv"), folder.file("other"))
        try "somebody's".write(toFile: other, atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            atPath: "\(path).part-\(getpid())", withDestinationPath: other)
        let file = try WholeFile(path)
        try file.write("whole")
        try file.keep()
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "somebody's")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole")
        let found = try FileManager.default.attributesOfItem(atPath: path)
        #expect(found[.type] as? FileAttributeType == .typeRegular)
    }

    @Test("what killed exports of a file have left goes with the next, what another writes stays")
    func leftDrafts() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("ledger.csv")
        // No system gives a process this number; the first is always there.
        let names = [".part-2147483646", ".part-1", ".part-x", ".old"]
        let others = names.map { path + $0 } + [folder.file("other.csv.part-2147483646")]
        for other in others { try "rest".write(toFile: other, atomically: true, encoding: .utf8) }
        let file = try WholeFile(path)
        try file.write("whole")
        try file.keep()
        let left = others.filter { FileManager.default.fileExists(atPath: $0) }
        #expect(left == Array(others.dropFirst()))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole")
    }
}

@Suite("Where webhooks are sent to again")
struct WebhookAddressTests {
    @Test("https and this machine are taken, another machine without TLS is warned of", arguments: [
        ("https://example.com/webhooks/stripe", false), ("https://[2001:db8::1]/x?a=b", false),
        ("http://127.0.0.1:8080/webhooks/stripe", false), ("http://localhost/x", false),
        ("http://[::1]:80/x", false), ("http://127.9.9.9", false), ("http://example.com", true),
        ("http://10.0.0.1/x", true), ("HTTP://localhost.example.com/", true),
        ("http://127.0.0.1.example.com/", true), ("http://[::2]/", true),
    ])
    func taken(text: String, isOpen: Bool) throws {
        #expect(try WebhookAddress(text).isOpen == isOpen)
    }

    @Test("what is no such address is refused", arguments: [
        "", "example.com", "/webhooks", "ftp://example.com/", "https://", "https://u:p@example.com",
        "https://example.com/#x", "file:///etc/passwd",
    ])
    func refused(text: String) {
        #expect(throws: (any Error).self) { try WebhookAddress(text) }
    }
}
