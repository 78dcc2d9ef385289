import Appliance
import ArgumentParser
import Daemon
import Foundation
import NIOHTTP1
import Reconcile
import Terminal
import Vocabulary

/// `tillbox bank …`: a bank's statements beside `bank:{currency}` of the ledger.
struct BankCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bank",
        abstract: "Hold the bank's statements against the ledger: what arrived, and what did not.",
        discussion: """
            import hands a file to the running daemon; show reads the data folder. docs/BANK.md \
            has the formats. Exit codes: 0 the ledger is what the bank says, 1 it is not, 2 wrong \
            usage, 3 cannot run.
            """,
        subcommands: [Import.self, Show.self])

    /// `bank import`
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Take a bank's statement: camt.053, MT940, or CSV with a mapping.",
            discussion: """
                The same file twice changes nothing. What a bank kept of a payout is booked as \
                charges:bank, so that bank:{currency} is what the bank says.
                """)
        @OptionGroup var data: DataOptions
        @Argument(help: "The file as the bank gives it; - for standard input.") var file: String
        @Option(help: "camt053, mt940 or csv; found out where left out.")
        var format: BankFile.Format?
        @Option(help: "For CSV: a JSON file that says which column is what (docs/BANK.md).")
        var mapping: String?
        @Option(help: "For CSV: the first day that the file covers, as 2026-10-01.")
        var from: String?
        @Option(help: "For CSV: the last day that the file covers.") var to: String?
        @Option(help: "The number of a statement that this one corrects; may be repeated.")
        var replaces: [Int64] = []
        @Flag(name: .customLong("dry-run"), help: "Read the file, say what is in it, send nothing.")
        var dryRun = false
        @Flag(help: "Answer with one JSON document.") var json = false

        /// Seconds that an import may take, the wait for the ledger included.
        private static let patienceSeconds: Int64 = 120

        func validate() throws {
            _ = try days()
        }

        private func days() throws -> ClosedRange<BankDay>? {
            guard from != nil || to != nil else { return nil }
            guard let first = from.flatMap({ BankDay($0) }), let last = to.flatMap({ BankDay($0) })
            else { throw ValidationError("give --from and --to, each a day such as 2026-10-31") }
            guard first <= last else { throw ValidationError("--from lies behind --to") }
            return first...last
        }

        mutating func run() async throws {
            let settings = try await data.folderSettings(
                insteadInCloud: "no bank leg yet; import where a box keeps the ledger")
            let statements = try read()
            guard !dryRun else { return try Self.say(statements, json: json) }
            let connection = AdminConnection(
                settings,
                patience: AdminConnection.Patience(
                    seconds: Self.patienceSeconds,
                    unanswered: "it may have been taken; the same import again does no harm"))
            let name = file == "-" ? "" : URL(filePath: file).lastPathComponent
            let body = Self.body(statements, name, replaces)
            let words = try await connection.send(
                .POST, "/api/v1/bank/statements", body: body
            ) { root in
                func count(_ key: StaticString) -> Int64 { root[key]?.int64 ?? 0 }
                let (differences, booked) = (count("differences"), count("booked"))
                let superseded = count("superseded")
                let (entries, settled) = (count("entries"), count("settled"))
                return "\(Counted.words(entries, "entry", "entries")), \(count("new")) of them "
                    + "new; "
                    + (superseded == 0
                        ? "" : "\(Counted.words(superseded, "counts", "count")) no more; ")
                    + "\(Counted.words(settled, "settles", "settle")) what was open"
                    + (differences == 0 ? "" : ", \(differences) by another amount")
                    + (booked == differences
                        ? "" : "; the ledger has yet to book \(differences - booked) of these")
            }
            let path = "/api/v1/bank"
            let isClean = try await connection.send(.GET, path) { root in
                if !json {
                    try Output.standard.line(BankText.of(root))
                    try Output.standard.line("\n\(words)")
                }
                return root["clean"]?.bool ?? false
            }
            if json { try Output.standard.line(try await connection.text(path)) }
            guard isClean else { throw CommandFailure.foundSomething(nil) }
        }

        private func read() throws -> [BankStatement] {
            do {
                let bytes = try Self.bytes(of: file)
                let mapping = try mapping.map { try BankCSVMapping(json: Self.bytes(of: $0)) }
                return try BankFile.statements(
                    in: bytes, as: format, mapping: mapping, days: try days())
            } catch let refusal as BankFileRefusal {
                throw CommandFailure.cannotRun("\(file) is not read: \(refusal)")
            }
        }

        /// At most one byte more than a file may have, so that what is too long is seen.
        private static func bytes(of path: String) throws -> [UInt8] {
            let handle: FileHandle
            do {
                handle = path == "-"
                    ? .standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
                return [UInt8](
                    try handle.read(upToCount: BankLimits.fileBytesMax + 1) ?? Data())
            } catch {
                throw CommandFailure.cannotRun(
                    "\(path) cannot be read: \(ErrorWords.reason(of: error))")
            }
        }

        private static func body(
            _ statements: [BankStatement], _ file: String, _ replaces: [Int64] = []
        ) -> [UInt8] {
            var writer = JSONWriter(capacity: 65_536)
            writer.beginObject()
            writer.member("file", file)
            writer.key("statements")
            writer.beginArray()
            for statement in statements { statement.encode(into: &writer) }
            writer.endArray()
            if !replaces.isEmpty {
                writer.key("replaces")
                writer.beginArray()
                for number in replaces { writer.int(number) }
                writer.endArray()
            }
            writer.endObject()
            return writer.bytes
        }

        private static func say(_ statements: [BankStatement], json: Bool) throws {
            guard !json else {
                return try Output.standard.line(
                    String(decoding: body(statements, ""), as: UTF8.self))
            }
            try Output.standard.line(text(of: statements))
        }

        /// What is in a file, as a person reads it.
        static func text(of statements: [BankStatement]) -> String {
            let rows = statements.map { statement in
                let sum = statement.entries.reduce(Int64(0)) { $0 + $1.amount.rawValue }
                func shown(_ amount: MinorUnits?) -> Table.Cell {
                    guard let amount else { return .none }
                    return .amount(statement.currency.display(amount))
                }
                return [
                    "account": .text(statement.account), "format": .text(statement.format),
                    "from": .text(statement.days.lowerBound.description),
                    "to": .text(statement.days.upperBound.description),
                    "currency": .text(statement.currency.code),
                    "entries": .number(Int64(statement.entries.count)),
                    "sum": shown(MinorUnits(sum)), "opening": shown(statement.opening),
                    "closing": shown(statement.closing),
                ] as [String: Table.Cell]
            }
            let columns = [
                "account", "format", "from", "to", "currency", "entries", "opening", "sum",
                "closing",
            ]
            return Table(columns: columns, rows: rows).text()
        }
    }

    /// `bank show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what arrived at the bank, what is late or missing, and what differs.",
            discussion: "Exit code 1 if the ledger is not what the bank says.")
        @OptionGroup var data: DataOptions
        @Flag(help: "Every movement, also those that are there to the cent.") var all = false
        @Flag(help: "Answer with one JSON document.") var json = false

        mutating func run() async throws {
            let ledger = try await data.folder().ledger()
            let report: BankReport
            do {
                report = try StatementStore(of: ledger).bankReport()
            } catch {
                throw CommandFailure.cannotRun(error.description)
            }
            var writer = JSONWriter(capacity: 4096)
            writer.beginObject()
            report.encode(into: &writer, all: all)
            writer.endObject()
            if json {
                try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
            } else {
                let document = JSONDocument(bytesMax: max(writer.bytes.count, 1))
                let text = try withExtendedLifetime(document) {
                    BankText.of(try document.parse(writer.bytes))
                }
                try Output.standard.line(text)
            }
            guard report.isClean else { throw CommandFailure.foundSomething(nil) }
        }
    }
}

extension BankFile.Format: ExpressibleByArgument {}

/// The bank beside the ledger, as a person reads it.
enum BankText {
    /// Movements that a person is shown; programs read all of them.
    private static let shownMax = 50

    /// - Parameter root: the document of the API's `GET bank`.
    static func of(_ root: JSONValue) -> String {
        let sums = root["currencies"]?.array.map(Array.init) ?? []
        guard !sums.isEmpty else { return "no money has gone to a bank yet" }
        var parts = [
            Table(
                columns: [
                    "currency", "from", "to", "ledger", "not there yet", "before", "bank",
                    "difference",
                ], rows: sums.map(sum)
            ).text()
        ]
        let movements = root["movements"]?.array.map(Array.init) ?? []
        if !movements.isEmpty {
            parts.append(
                Table(
                    columns: ["movement", "state", "sent", "at the bank", "due", "booked"],
                    rows: pressing(movements).prefix(shownMax).map(movement)
                ).text())
        }
        if movements.count > shownMax {
            parts.append("\(movements.count - shownMax) more: `tillbox bank show --json`")
        }
        for entry in root["unknown"]?.array.map(Array.init) ?? [] {
            parts.append(
                "\(entry["day"]?.string ?? ""): \(amount("amount", of: entry)) says Stripe, and "
                    + "the ledger knows nothing of it: "
                    + ShownText.escaped(entry["text"]?.string ?? ""))
        }
        for gap in root["gaps"]?.array.map(Array.init) ?? [] {
            parts.append(
                "no statement of \(ShownText.escaped(gap["account"]?.string ?? "")) tells of "
                    + "\(gap["from"]?.string ?? "") to \(gap["to"]?.string ?? "")")
        }
        let unstated = sums.filter {
            $0["from"]?.string == nil && $0["not_arrived"]?.int64 ?? 0 != 0
        }
        if !unstated.isEmpty {
            let codes = unstated.map { $0["currency"]?.string ?? "" }.joined(separator: ", ")
            parts.append(
                "no statement of a bank tells of \(codes), so nothing says what has arrived; "
                    + "import it: `tillbox bank import FILE`")
        }
        parts.append(
            root["clean"]?.bool == true
                ? "the ledger is what the bank says" : "the ledger is not what the bank says yet")
        return PastedCommand.completed(parts.joined(separator: "\n\n"))
    }

    /// The most pressing first, and the newest of those that are alike: what is missing must not
    /// be behind what is merely on its way.
    private static func pressing(_ movements: [JSONValue]) -> [JSONValue] {
        func rank(_ value: JSONValue) -> Int {
            value["state"]?.string.flatMap(BankState.init(rawValue:))?.rank ?? 0
        }
        return movements.enumerated()
            .sorted { (rank($0.element), -$0.offset) < (rank($1.element), -$1.offset) }
            .map { $0.element }
    }

    private static func sum(_ value: JSONValue) -> [String: Table.Cell] {
        [
            "currency": .text(value["currency"]?.string ?? ""),
            "from": text("from", of: value), "to": text("to", of: value),
            "ledger": .amount(shown("ledger", of: value)),
            "not there yet": .amount(shown("not_arrived", of: value)),
            "before": .amount(shown("untold", of: value)),
            "bank": .amount(shown("bank", of: value)),
            "difference": .amount(shown("difference", of: value)),
        ]
    }

    private static func movement(_ value: JSONValue) -> [String: Table.Cell] {
        let late = value["late_days"]?.int64 ?? 0
        let state = (value["state"]?.string ?? "").replacing("_", with: " ")
        return [
            "movement": .text(value["movement"]?.string ?? ""),
            "state": .text(late > 0 ? "\(state), \(Counted.words(late, "day"))" : state),
            "sent": .amount(amount("amount", of: value)),
            "at the bank": value["booked_amount"]?.int64 == nil
                ? Table.Cell.none : .amount(amount("booked_amount", of: value)),
            "due": .text(value["due"]?.string ?? ""),
            "booked": text("booked", of: value),
        ]
    }

    private static func text(_ key: StaticString, of value: JSONValue) -> Table.Cell {
        guard let text = value[key]?.string else { return .none }
        return .text(text)
    }

    private static func amount(_ key: StaticString, of value: JSONValue) -> String {
        "\(shown(key, of: value)) \(value["currency"]?.string ?? "")"
    }

    private static func shown(_ key: StaticString, of value: JSONValue) -> String {
        let units = MinorUnits(value[key]?.int64 ?? 0)
        return value["currency"]?.string.flatMap(Currency.init)?.display(units)
            ?? String(units.rawValue)
    }
}
