import Appliance
import Hummingbird
import Vocabulary

/// An account's statement of a period, with its opening and closing balance:
/// `/ledger/accounts/{account}/{currency}/statement?from&to`.
struct StatementPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    private static let rowsMax = 100

    func add(to routes: inout AdminRoutes) {
        pages.page(
            &routes, .get, "/ledger/accounts/:account/:currency/statement", .viewer
        ) { try show($0) }
    }

    private func show(_ asked: PageRequest) throws -> Response {
        let name = asked.context.word("account")
        let period = try ReportPeriod(asked, now: parts.now)
        let after = try asked.request.after(QueryNumber.row) ?? 0
        guard let currency = Currency(asked.context.word("currency").lowercased()),
            let found = try parts.ledger.period(
                of: name, currency, from: period.start, to: period.end,
                after: TransactionID(after), limit: Self.rowsMax + 1)
        else { throw LedgerPages.unknown(name) }
        var balance = found.carried
        let rows = try found.entries.prefix(Self.rowsMax).map { entry in
            balance = balance &+ entry.amount
            guard let transaction = try parts.ledger.transaction(entry.transaction) else {
                throw LedgerError.corrupt(
                    code: 0, detail: "an entry of transaction \(entry.transaction), which is none")
            }
            return StatementView.Row(transaction, entry, balance, currency)
        }
        let isMore = found.entries.count > Self.rowsMax
        // What was added one by one must come to what was summed at once.
        let isRight = isMore || balance == found.closing
        let path = StatementView.path(of: found.account, currency)
        let view = StatementView(
            found, currency, period, rows: rows, isRight: isRight,
            next: isMore
                ? found.entries.prefix(Self.rowsMax).last.map { entry in
                    "\(path)?\(period.query)&after=\(entry.transaction)"
                } : nil,
            back: after > 0 ? "\(path)?\(period.query)" : nil)
        return ConsolePages.html(
            "statement", pages.shell("Statement of \(name)", .ledger, asked), view)
    }
}

/// A statement as a page shows it.
struct StatementView {
    struct Row {
        var id, link, kind, movement, movementLink: String
        var effective: ShownMoment
        var amount: LinkedAmount
        var balance: ShownAmount
    }

    var account, code, accountLink: String
    var period: ReportForm
    var opening, debits, credits, closing: ShownAmount
    var openingLink, closingLink: String
    /// Where the page does not begin with the first entry.
    var carried: ShownAmount?
    var count: String
    var rows: [Row]
    var isEmpty: Bool
    var isRight: Bool
    var next: String?
    var back: String?

    static func path(of account: Appliance.AccountName, _ currency: Currency) -> String {
        "\(AccountPath.href(account, currency))/statement"
    }

    init(
        _ found: AccountPeriod, _ currency: Currency, _ period: ReportPeriod, rows: [Row],
        isRight: Bool, next: String?, back: String?
    ) {
        func shown(_ amount: MinorUnits) -> ShownAmount { ShownAmount(amount, currency) }
        let path = AccountPath.href(found.account, currency)
        let dayBefore = Instant(utcDay: period.days.lowerBound - 1).dayText
        self.account = ShownText.escaped(found.account.rawValue)
        code = currency.code.uppercased()
        accountLink = path
        self.period = ReportForm(
            action: "\(path)/statement", from: period.from, to: period.to, words: period.words,
            currencies: [], hasSeveral: false)
        (opening, closing) = (shown(found.opening.amount), shown(found.closing))
        (debits, credits) = (shown(found.debits.amount), shown(found.credits.amount))
        openingLink = "\(path)?as_of=\(dayBefore)"
        closingLink = "\(path)?as_of=\(period.to)"
        carried = back == nil ? nil : shown(found.carried)
        count = ShownNumber.count(found.moved.entries, "entry", "entries")
        self.rows = rows
        isEmpty = rows.isEmpty
        self.isRight = isRight
        (self.next, self.back) = (next, back)
    }
}

extension StatementView.Row {
    init(
        _ transaction: PostedTransaction, _ entry: AccountEntry, _ balance: MinorUnits,
        _ currency: Currency
    ) {
        let posting = transaction.posting
        let own = "\(TransactionsPath.base)/\(transaction.id)"
        self.init(
            id: ShownAmount.grouped(transaction.id.rawValue), link: own, kind: posting.kind.words,
            movement: ShownText.escaped(posting.movement.rawValue),
            movementLink: AccountPath.explain(posting.movement.rawValue),
            effective: ShownMoment(posting.effectiveAt),
            amount: LinkedAmount(entry.amount, currency, link: own),
            balance: ShownAmount(balance, currency))
    }
}
