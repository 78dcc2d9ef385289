package import Appliance
import HTTPTypes
import Hummingbird
import NIOCore
import Vocabulary

/// The ledger on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/accounts?as_of` | balances, now or of what had taken effect by then |
/// | `GET /api/v1/accounts/{name}/entries?currency&after&limit` | its entries, oldest first |
/// | `GET /api/v1/transactions?after&limit` | transactions with their hashes, oldest first |
/// | `GET /api/v1/transactions/{id}` | one |
/// | `GET /api/v1/explain/{words}?as_of&currency&after&limit` | as `tillbox explain --json` |
/// | `GET /api/v1/ledger/export?format&from&to` | what `tillbox ledger export` writes |
package struct LedgerRoutes: Sendable {
    let ledger: any LedgerReading
    /// One for one caller; nil where the log is elsewhere, so that nothing leads down to the
    /// webhooks' bytes. There is no such route then.
    let explainer: (@Sendable () -> Explainer)?
    private static let limitMax = 1_000
    /// Bytes that an export may have here; the command line has no such bound.
    private static let exportByteCountMax = 64 << 20
    private let queue = BlockingQueue("tillbox.console.ledger")

    package init(ledger: any LedgerReading, explainer: (@Sendable () -> Explainer)? = nil) {
        self.ledger = ledger
        self.explainer = explainer
    }

    package func add(to routes: inout AdminRoutes) {
        func on(
            _ path: String, _ parameters: [String],
            _ answer: @escaping @Sendable (Request, AdminContext) async throws -> Response
        ) {
            routes.get(path, needs: .viewer) { request, context in
                try request.checkParameters(parameters)
                return try await answer(request, context)
            }
        }
        on("/api/v1/accounts", ["as_of"]) { request, _ in try await accounts(request) }
        on("/api/v1/accounts/:name/entries", ["currency", "after", "limit"]) {
            try await entries($0, $1.word("name"))
        }
        on("/api/v1/transactions", ["after", "limit"]) { request, _ in
            try await transactions(request)
        }
        on("/api/v1/transactions/:id", []) { try await transaction($1.word("id")) }
        on("/api/v1/ledger/export", ["format", "from", "to"]) { request, _ in
            try await export(request)
        }
        guard let explainer else { return }
        on("/api/v1/explain/:words", ["as_of", "currency", "after", "limit"]) {
            try await explain($0, $1.word("words"), by: explainer)
        }
    }

    private func after(_ request: Request) throws(Problem) -> TransactionID {
        let after = try request.after { text in Int64(text).flatMap { $0 >= 0 ? $0 : nil } }
        return TransactionID(after ?? 0)
    }

    // MARK: Accounts

    private func accounts(_ request: Request) async throws -> Response {
        let asOf = try request.moment("as_of")?.end
        let balances = try await queue.run { [ledger] () throws(LedgerError) in
            if let asOf { return try ledger.balances(asOf: asOf) }
            return try ledger.balances()
        }
        return Response.jsonObject(.ok) { writer in
            writer.list("accounts", balances) { writer, line in
                writer.object { writer in
                    writer.member("account", line.account.rawValue)
                    writer.member("currency", line.currency.code)
                    writer.amount(line.balance.rawValue, in: line.currency)
                }
            }
            writer.member("as_of", asOf?.seconds)
        }
    }

    private func entries(_ request: Request, _ name: String) async throws -> Response {
        let (asked, after) = (try request.currency(), try after(request))
        let limit = try request.limit(upTo: Self.limitMax)
        let found = try await queue.run {
            [ledger] () throws -> (Currency, [AccountEntry])? in
            let currencies = try ledger.currencies(of: name)
            guard let first = currencies.first else { return nil }
            let currency = try Self.pick(asked, of: currencies) ?? first
            let entries = try ledger.entries(
                of: name, currency, asOf: nil, after: after,
                through: TransactionID(try ledger.head()), limit: limit)
            return (currency, entries)
        }
        guard let (currency, entries) = found else { throw Self.unknown(name) }
        return Response.jsonObject(.ok) { writer in
            writer.member("account", name)
            writer.member("currency", currency.code)
            writer.list("entries", entries) { writer, entry in
                writer.object { writer in
                    writer.member("transaction", entry.transaction.rawValue)
                    writer.amount(entry.amount.rawValue, in: currency)
                }
            }
            writer.member("next", entries.count == limit ? entries.last?.transaction.rawValue : nil)
        }
    }

    private static func pick(
        _ asked: Currency?, of currencies: [Currency]
    ) throws(Problem) -> Currency? {
        let codes = currencies.map(\.code).joined(separator: ", ")
        guard let asked else {
            guard currencies.count == 1 else {
                throw Problem(.badRequest, "currency must be one of \(codes)")
            }
            return nil
        }
        guard currencies.contains(asked) else {
            throw Problem(.badRequest, "the account has no \(asked.code); it has \(codes)")
        }
        return asked
    }

    private static func unknown(_ name: String) -> Problem {
        Problem(
            .notFound, "the ledger has nothing called \(name.prefix(80))", code: "unknown_name")
    }

    // MARK: Transactions

    private func transactions(_ request: Request) async throws -> Response {
        let after = try after(request)
        let limit = try request.limit(upTo: Self.limitMax)
        let page = try await queue.run { [ledger] () throws(LedgerError) in
            try ledger.posted(after: after, limit: limit)
        }
        return Response.jsonObject(.ok) { writer in
            writer.list("transactions", page) { $1.encode(into: &$0) }
            writer.member("next", page.count == limit ? page.last?.id.rawValue : nil)
        }
    }

    private func transaction(_ id: String) async throws -> Response {
        guard let number = QueryNumber.row(id) else {
            throw Problem(.notFound, "there is no transaction \(id.prefix(40)); they have numbers")
        }
        let found = try await queue.run { [ledger] () throws(LedgerError) in
            try ledger.transaction(TransactionID(number))
        }
        guard let found else { throw Problem(.notFound, "there is no transaction \(number)") }
        return Response.json(.ok) { found.encode(into: &$0) }
    }

    // MARK: Explanations

    private func explain(
        _ request: Request, _ words: String, by makeExplainer: @escaping @Sendable () -> Explainer
    ) async throws -> Response {
        let (asOf, after) = (try request.moment("as_of")?.end, try after(request))
        let currency = try request.currency()
        let limit = try request.limit(upTo: Self.limitMax, else: 20)
        let body = try await queue.run { () throws -> [UInt8] in
            let explainer = makeExplainer()
            var writer = JSONWriter(capacity: 4_096)
            switch try explainer.name(words) {
            case .account(let account, let currencies):
                if let currency { _ = try Self.pick(currency, of: currencies) }
                let explanations = try currencies.filter { $0 == currency ?? $0 }.compactMap {
                    try explainer.account(account, $0, asOf: asOf, after: after, limit: limit)
                }
                AccountExplanation.encode(explanations, into: &writer)
            case .movement(let key):
                try explainer.movement(key, asOf: asOf).encodeDocument(into: &writer)
            case .transaction(let id):
                try explainer.transaction(id, asOf: asOf).encodeDocument(into: &writer)
            case nil: throw Self.unknown(words)
            }
            return writer.bytes
        }
        return Response.json(.ok) { $0.json(body) }
    }

    // MARK: Export

    private func export(_ request: Request) async throws -> Response {
        let format = try request.word("format", as: LedgerExportFormat.self) ?? .json
        let period = try request.period()
        var export = LedgerExport(format: format)
        export.from = period.from ?? export.from
        export.to = period.to ?? export.to
        let bytes = try await queue.run { [export, ledger] () throws -> [UInt8] in
            var bytes: [UInt8] = []
            try export.run(ledger) { text in
                bytes += text.utf8
                guard bytes.count <= Self.exportByteCountMax else {
                    throw Problem(
                        .badRequest,
                        "the export is longer than \(Self.exportByteCountMax >> 20) MiB; narrow it "
                            + "with from and to, or run `tillbox ledger export`")
                }
            }
            return bytes
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: format.mediaType, .xContentTypeOptions: "nosniff",
                .contentDisposition:
                    "attachment; filename=\"tillbox-ledger.\(format.rawValue)\"",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension LedgerExportFormat {
    var mediaType: String {
        switch self {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8"
        case .beancount: "text/plain; charset=utf-8"
        }
    }
}
