import AppendLog
import Appliance
import Foundation
import Hummingbird
import Vocabulary

/// The ledger: `/ledger`, `/ledger/accounts/{account}/{currency}`, `/ledger/waiting`, and
/// `/ledger/explain?of=…`, which takes any name of an amount to its bytes. Transactions, statements
/// and verification have files of their own.
struct LedgerPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    /// Entries of an account on one page.
    private static let entriesMax = 20

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/ledger", .viewer) { try accounts($0) }
        pages.page(&routes, .get, "/ledger/waiting", .viewer) { try waiting($0) }
        pages.page(&routes, .get, "/ledger/explain", .viewer) { try explain($0) }
        TransactionPages(pages: pages).add(to: &routes)
        StatementPages(pages: pages).add(to: &routes)
        LedgerCheckPages(pages: pages).add(to: &routes)
        pages.page(&routes, .get, "/ledger/accounts/:account/:currency", .viewer) { asked in
            try account(asked)
        }
    }

    static func unknown(_ words: String) -> Problem {
        Problem(
            .notFound,
            "the ledger has nothing called \(ShownText.escaped(String(words.prefix(80))))",
            code: "ledger_unknown")
    }

    // MARK: Accounts

    private func accounts(_ asked: PageRequest) throws -> Response {
        let day = asked.query("as_of")
        let moment = try Self.moment(day)
        let balances =
            try moment.map { try parts.ledger.balances(asOf: $0) } ?? (try parts.ledger.balances())
        let view = LedgerView(
            balances, day: day ?? "", head: try parts.ledger.head(),
            waiting: try parts.ledger.waitingCount(),
            holdings: try parts.ledger.processorBalances())
        return ConsolePages.html("ledger", pages.shell("Ledger", .ledger, asked), view)
    }

    /// - Throws: `Problem` for what is no day.
    private static func moment(_ day: String?) throws(Problem) -> Instant? {
        guard let day else { return nil }
        guard let moment = ShownMoment.endOfDay(day) else {
            throw Problem(.badRequest, "as_of must be a day such as 2026-03-12")
        }
        return moment
    }

    private func account(_ asked: PageRequest) throws -> Response {
        let words = asked.context.word("account")
        guard let currency = Currency(asked.context.word("currency").lowercased()) else {
            throw Self.unknown(words)
        }
        let day = asked.query("as_of")
        let moment = try Self.moment(day)
        let after = try asked.request.after(QueryNumber.row) ?? 0
        let explainer = parts.explainer()
        guard case .account(let name, _) = try explainer.name(words),
            let explained = try explainer.account(
                name, currency, asOf: moment, after: TransactionID(after), limit: Self.entriesMax)
        else { throw Self.unknown(words) }
        return ConsolePages.html(
            "account", pages.shell(name.rawValue, .ledger, asked),
            AccountView(explained, day: day ?? "", after: after))
    }

    // MARK: Explain

    private func explain(_ asked: PageRequest) throws -> Response {
        guard let words = asked.query("of")?.trimmed, !words.isEmpty else {
            return ConsolePages.sent(to: "/ledger")
        }
        let explainer = parts.explainer()
        switch try explainer.name(words) {
        case .account(let account, let currencies):
            guard let currency = currencies.first else { throw Self.unknown(words) }
            return ConsolePages.sent(to: AccountPath.href(account, currency))
        case .movement(let key):
            return try show(try explainer.movement(key), key.rawValue, asked)
        case .transaction(let id):
            return ConsolePages.sent(to: "/ledger/transactions/\(id)")
        case nil:
            // What moves no money, or waits, is in no account; its payment's page has its bytes.
            if let row = try parts.payments.index.payment(words) {
                return ConsolePages.sent(to: "/payments/\(PathText.escaped(row.charge))")
            }
            let near = try explainer.names(near: words).filter {
                $0.localizedCaseInsensitiveContains(words)
            }
            let view = ExplainView(unknown: words, near: near)
            return ConsolePages.html(
                "explain", pages.shell("Nothing found", .ledger, asked), view, .notFound)
        }
    }

    private func show(
        _ explained: MovementExplanation, _ name: String, _ asked: PageRequest
    ) throws -> Response {
        guard !explained.transactions.isEmpty else { throw Self.unknown(name) }
        return ConsolePages.html(
            "explain", pages.shell(name, .ledger, asked), ExplainView(explained, name))
    }

    // MARK: Waiting

    private func waiting(_ asked: PageRequest) throws -> Response {
        let now = parts.now
        let rows = try parts.ledger.waiting().map { row in
            WaitingView.Row(
                key: ShownText.escaped(row.key.rawValue), charge: ShownText.escaped(row.charge),
                href: AccountPath.explain(row.charge),
                amount: ShownAmount(row.amount, row.currency),
                since: ShownMoment(row.since), age: ShownAge.words(from: row.since, to: now),
                event: ShownText.escaped(row.eventID.rawValue))
        }
        return ConsolePages.html(
            "waiting", pages.shell("Waiting", .ledger, asked),
            WaitingView(
                sections: LedgerSection.links(at: .waiting), rows: rows, isEmpty: rows.isEmpty,
                count: ShownNumber.count(Int64(rows.count), "refund")))
    }
}

extension String {
    /// Without blanks at its ends.
    var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
