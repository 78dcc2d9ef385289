import Appliance
import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox ledger …`: looks into the ledger, also while the daemon runs. Nothing here writes.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Look into the ledger: balances, transactions, proof, export.",
        subcommands: [Balances.self, Show.self, Waiting.self, Verify.self, Export.self])

    /// Where the ledger is, and whether a program reads the answer.
    struct Options: ParsableArguments {
        @OptionGroup var data: DataOptions

        @Flag(help: "Answer with one JSON document.")
        var json = false

        /// Opens the ledger for reading and hands it to `body`.
        func withLedger<Value>(_ body: (any LedgerReading) throws -> Value) async throws -> Value {
            let ledger = try await data.ledger()
            do {
                return try body(ledger)
            } catch let error as LedgerError {
                throw CommandFailure.cannotRun(error.description)
            }
        }
    }

    /// `ledger balances`
    struct Balances: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every account's balance by currency; debits are positive.")
        @OptionGroup var options: Options
        @Option(
            name: .customLong("as-of"),
            help: "Only what took effect until then: RFC 3339, a UTC date, or Unix seconds.",
            transform: Moment.parse)
        var asOf: Moment?

        mutating func run() async throws {
            let balances = try await options.withLedger { ledger in
                if let asOf { return try ledger.balances(asOf: asOf.end) }
                return try ledger.balances()
            }
            let rows = balances.map { balance in
                [
                    "account": .text(balance.account.rawValue),
                    "currency": .text(balance.currency.code),
                    "minor_units": .number(balance.balance.rawValue),
                    "balance": .amount(balance.display),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["account", "currency", "minor_units", "balance"], rows: rows)
                .print(asJSON: options.json, named: "balances")
        }
    }

    /// `ledger show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a transaction with its entries, by its number or its movement.")
        @OptionGroup var options: Options
        @Argument(help: "A transaction's number, or a movement such as charge:ch_….")
        var what: String

        mutating func run() async throws {
            let what = what
            let found = try await options.withLedger { ledger -> [PostedTransaction] in
                if let id = Int64(what) {
                    return try ledger.transaction(TransactionID(id)).map { [$0] } ?? []
                }
                return try ledger.transactions(of: MovementKey(what))
            }
            guard !found.isEmpty else {
                throw CommandFailure.cannotRun(
                    "the ledger has no transaction \(what); give a number, or a movement as the "
                        + "topic ledger.posted has it (`tillbox log cat ledger.posted` of a data "
                        + "folder)")
            }
            let rows = found.flatMap { transaction in
                transaction.posting.entries.map { Self.row(transaction, $0) }
            }
            try Table(
                columns: [
                    "id", "movement", "kind", "event", "effective_at", "account", "currency",
                    "minor_units", "amount",
                ], rows: rows
            )
            .print(asJSON: options.json, named: "entries")
        }

        private static func row(
            _ transaction: PostedTransaction, _ entry: Entry
        ) -> [String: Table.Cell] {
            let posting = transaction.posting
            return [
                "id": .number(transaction.id.rawValue),
                "movement": .text(posting.movement.rawValue),
                "kind": .text(posting.kind.name), "event": .text(posting.eventID.rawValue),
                "effective_at": .text(posting.effectiveAt.rfc3339),
                "account": .text(entry.account.rawValue), "currency": .text(entry.currency.code),
                "minor_units": .number(entry.amount.rawValue),
                "amount": .amount(entry.currency.display(entry.amount)),
            ]
        }
    }

    /// `ledger verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Recompute the hash chain, every sum and every balance, check the rules, and "
                + "compare with the log.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let bar = ProgressBar(label: "verifying")
            defer { bar.clear() }
            let isCloud = try await options.data.settings(needsSecrets: false).profile == .cloud
            var found =
                isCloud
                ? try await options.withLedger { ledger in
                    try ledger.verify { bar.show($0.checked, of: $0.total) }
                }
                : try Self.verify(try await options.data.folder().ledgerPath(), bar)
            // Of several parts there is only one in the cloud.
            let refusal = isCloud ? nil : try await options.data.refusalOfParts()
            if !isCloud, refusal == nil, found.fault == nil {
                found.fault = try Self.faultBesideLog(try await options.data.folder())
            }
            bar.clear()
            try print(found)
            if let refusal { throw CommandFailure.foundSomething("\(refusal)") }
        }

        /// What the ledger keeps beside its chain, compared with the log of the same folder.
        private static func faultBesideLog(
            _ view: FolderView
        ) throws(CommandFailure) -> LedgerVerification.Fault? {
            guard FileManager.default.fileExists(atPath: "\(view.path)/log") else { return nil }
            let ledger = try view.ledger()
            do {
                defer { try? ledger.close() }
                return try ReviewTexts.fault(in: ledger) { try view.reviewTopic() }
            } catch {
                throw .cannotRun("\((error as? CommandFailure)?.message ?? "\(error)")")
            }
        }

        private static func verify(
            _ place: String, _ bar: ProgressBar
        ) throws(CommandFailure) -> LedgerVerification {
            do throws(LedgerError) {
                let ledger = try SQLiteLedgerReader.open(path: place)
                return try ledger.verify { bar.show($0.checked, of: $0.total) }
            } catch .corrupt(let code, let detail) {
                // What other commands cannot work with is what this one looks for.
                throw .foundSomething(
                    "\(place) is damaged (SQLite code \(code): \(detail)); restore a backup")
            } catch {
                throw .cannotRun(error.description)
            }
        }

        private func print(_ found: LedgerVerification) throws {
            let row: [String: Table.Cell] = [
                "transactions": .number(found.transactions), "entries": .number(found.entries),
                "head": .text(String(hex: found.head)),
                "sound": .flag(found.fault == nil),
            ]
            try Table(columns: ["transactions", "entries", "sound", "head"], rows: [row])
                .print(asJSON: options.json, named: "verification")
            if let fault = found.fault {
                throw CommandFailure.foundSomething(
                    "\(fault.check) is wrong at \(fault.row): expected \(fault.expected), "
                        + "found \(fault.found)")
            }
        }
    }
}
