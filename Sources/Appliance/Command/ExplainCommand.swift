import Appliance
import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox explain`: an amount, down to the entries it is made of, the records behind each, and
/// the bytes of the webhooks. Reads only, also while the daemon runs.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain an amount: its entries, their records, and the webhooks' bytes.",
        discussion: """
            An account is explained entry by entry, a movement or a payout by its transactions. \
            Signatures are computed again with the endpoints' secrets, as far as this user may \
            read them. Exit codes: 0 done, 1 something does not fit together, 2 wrong usage, 3 \
            cannot run.
            """)

    @OptionGroup var data: DataOptions
    @Argument(
        help: """
            An account (processor:stripe), a movement (charge:ch_…) or Stripe's id of what moved \
            (ch_…, re_…, po_…), or the number of a transaction.
            """)
    var what: String
    @Option(
        name: .customLong("as-of"),
        help: "Only what took effect until then: RFC 3339, a UTC date, or Unix seconds.",
        transform: Moment.parse)
    var asOf: Moment?
    @Option(help: "Of an account: only this currency, as usd.", transform: ExplainCommand.parse)
    var currency: Currency?
    @Option(help: "Of an account: how many entries to explain at most, by currency.")
    var limit = 20
    @Option(help: "Of an account: only entries behind this transaction.") var after: Int64?
    @Flag(help: "Answer with one JSON document.") var json = false

    /// Entries that one page has at most: all of it is in memory, and each costs reads of the log.
    private static let limitMax = 1_000

    private static func parse(_ word: String) throws -> Currency {
        guard let currency = Currency(word.lowercased()) else {
            throw ValidationError("a currency has three letters, as usd")
        }
        return currency
    }

    func validate() throws {
        guard (1...Self.limitMax).contains(limit) else {
            throw ValidationError("--limit is from 1 to \(Self.limitMax)")
        }
        guard after ?? 0 >= 0 else { throw ValidationError("--after must not be negative") }
        guard (1...255).contains(what.utf8.count) else {
            throw ValidationError("what is explained must be named by 1 to 255 bytes")
        }
    }

    mutating func run() async throws {
        let settings = try await data.folderSettings(
            insteadInCloud: "no explain so far: it reads the log of a data folder; `tillbox ledger "
                + "show` names a movement's entries and its event")
        let folder = FolderView(path: settings.dataPath)
        let explainer = try folder.explainer(endpoints: try data.knownEndpoints())
        let this = self
        let faults = try await orCannotRun { try this.explain(by: explainer) }
        guard faults == 0 else {
            throw CommandFailure.foundSomething(
                "\(faults) thing\(faults == 1 ? " does" : "s do") not fit together here; see "
                    + "`tillbox ledger verify`")
        }
    }

    /// - Returns: how many things do not fit together.
    private func explain(by explainer: Explainer) throws -> Int {
        switch try explainer.name(what) {
        case .account(let account, let currencies):
            try explain(account, currencies, explainer)
        case .movement(let key): try tell(try explainer.movement(key, asOf: asOf?.end))
        case .transaction(let id): try tell(try explainer.transaction(id, asOf: asOf?.end))
        case nil: throw try unknown(explainer)
        }
    }

    // MARK: Accounts

    private func explain(
        _ account: AccountName, _ currencies: [Currency], _ explainer: Explainer
    ) throws -> Int {
        let wanted = currencies.filter { currency == nil || $0 == currency }
        guard !wanted.isEmpty else {
            throw CommandFailure.cannotRun(
                "\(account) holds nothing in \(currency?.code ?? ""); it has: "
                    + currencies.map(\.code).joined(separator: ", "))
        }
        let explanations = try wanted.compactMap {
            try explainer.account(
                account, $0, asOf: asOf?.end, after: TransactionID(after ?? 0), limit: limit)
        }
        if json {
            var writer = JSONWriter(capacity: 4096)
            AccountExplanation.encode(explanations, into: &writer)
            try print(writer)
        } else {
            let texts = explanations.map { ExplainText($0).text }
            try Output.standard.line(PastedCommand.completed(texts.joined(separator: "\n\n")))
        }
        return explanations.reduce(0) { $0 + $1.faults.count }
    }

    // MARK: Movements

    private func tell(_ explanation: MovementExplanation) throws -> Int {
        guard currency == nil, after == nil else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "--currency and --after pick entries of an account, and "
                    + "\(ShownText.escaped(what)) is none; leave them out")
        }
        guard !explanation.transactions.isEmpty else {
            throw CommandFailure.cannotRun(
                "\(what) had not taken effect by then; leave --as-of out to see it")
        }
        if json {
            var writer = JSONWriter(capacity: 4096)
            explanation.encodeDocument(into: &writer)
            try print(writer)
        } else {
            try Output.standard.line(PastedCommand.completed(ExplainText(explanation).text))
        }
        return explanation.faults.count
    }

    private func print(_ writer: JSONWriter) throws(CommandFailure) {
        try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
    }

    // MARK: Unknown names

    private func unknown(_ explainer: Explainer) throws -> CommandFailure {
        let shown = ShownText.escaped(what)
        guard Int64(what) == nil else {
            return .cannotRun(
                "the ledger has no transaction \(shown); its last one is "
                    + "\(try explainer.lastTransaction())")
        }
        let near = try explainer.names(near: what)
        let hint =
            NearestWord.to(what, among: near).map { "did you mean \($0)?" }
            ?? "see `tillbox ledger balances` for its accounts"
        return .cannotRun("the ledger has nothing called \(shown); \(hint)")
    }
}

extension DataOptions {
    /// The webhook endpoints, with the secrets that this user may read.
    fileprivate func knownEndpoints() throws(CommandFailure) -> [WebhookEndpoint] {
        do {
            return try SettingsLoader(
                file: config, environment: ProcessInfo.processInfo.environment
            ).knownEndpoints()
        } catch {
            throw .cannotRun(error)
        }
    }
}
