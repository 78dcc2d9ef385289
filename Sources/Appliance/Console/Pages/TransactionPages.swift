import Appliance
import Hummingbird
import Vocabulary

/// Transactions of the ledger in its order: `/ledger/transactions?kind&currency&account&from&to`,
/// and one at `/ledger/transactions/{id}`, with its link in the chain computed again.
struct TransactionPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    private static let rowsMax = 50
    /// Transactions that one page looks through.
    private static let searchMax = 20_000
    private static let chunkCount = 1_000
    /// By how much a movement's own time may lie behind that of its booking: clocks differ.
    private static let slackSeconds: Int64 = 86_400

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, TransactionsPath.base, .viewer) { try list($0) }
        pages.page(&routes, .get, "\(TransactionsPath.base)/:id", .viewer) { try one($0) }
    }

    // MARK: The list

    private func list(_ asked: PageRequest) throws -> Response {
        let filter = try TransactionFilter(asked)
        let head = try parts.ledger.head()
        let after = try asked.request.after { Int64($0).flatMap { $0 >= 0 ? $0 : nil } }
        var begin = try min(after ?? first(filter, head), head)
        var (found, last, seen) = try search(filter, after: begin, upTo: head)
        // Where the machine's clock was behind what it booked, that stands before.
        if after == nil, begin > 0, found.rows.isEmpty {
            begin = 0
            (found, last, seen) = try search(filter, after: begin, upTo: head)
        }
        let isWhole = last >= head && after == nil && filter.isAny
        let next = found.isFull ? found.lastShown : last < head ? last : nil
        let view = TransactionsView(
            filter, found, head: head, isWhole: isWhole,
            earlier: filter.isAny || begin == 0
                ? nil : filter.path(after: max(0, begin - Int64(Self.rowsMax))),
            later: next.flatMap { $0 < head ? filter.path(after: $0) : nil },
            seen: filter.isAny ? seen : nil)
        return ConsolePages.html(
            "transactions", pages.shell("Transactions", .ledger, asked), view)
    }

    /// - Returns: what was found, the last transaction that was looked at, and how many were.
    private func search(
        _ filter: TransactionFilter, after begin: Int64, upTo head: Int64
    ) throws -> (found: FoundTransactions, last: Int64, seen: Int) {
        var (found, last, seen) = (FoundTransactions(), begin, 0)
        while last < head, seen < Self.searchMax {
            let page = try parts.ledger.posted(after: TransactionID(last), limit: Self.chunkCount)
            guard let end = page.last?.id.rawValue else { break }
            for transaction in page where transaction.id.rawValue <= head {
                found.take(transaction, filter, rowsMax: Self.rowsMax)
            }
            (last, seen) = (min(end, head), seen + page.count)
            // Without a filter there is nothing to sum up.
            if !filter.isAny, found.isFull { break }
        }
        return (found, last, seen)
    }

    /// The transaction behind which the list begins: so that it ends with the newest, or where the
    /// period may begin.
    private func first(_ filter: TransactionFilter, _ head: Int64) throws -> Int64 {
        guard filter.isAny else { return max(0, head - Int64(Self.rowsMax)) }
        guard let from = filter.from else { return 0 }
        return try parts.ledger.lastTransaction(
            before: Instant(seconds: from.seconds - Self.slackSeconds))
    }

    // MARK: One

    private func one(_ asked: PageRequest) throws -> Response {
        let word = asked.context.word("id")
        guard let number = QueryNumber.row(word),
            let transaction = try parts.ledger.transaction(TransactionID(number))
        else { throw LedgerPages.unknown(word) }
        let link = try parts.ledger.link(of: transaction)
        let explained = try parts.explainer().explain(transaction)
        let view = TransactionView(explained, link, head: try parts.ledger.head())
        return ConsolePages.html(
            "transaction", pages.shell("Transaction \(number)", .ledger, asked), view)
    }
}

/// What transactions are asked for: all that is given must hold.
struct TransactionFilter {
    private let kinds: [PostingKind]
    let currency: Currency?
    /// The beginning of an account's name.
    let account: String?
    let from: Instant?
    let to: Instant?
    private let fields: [(name: String, value: String)]

    init(_ asked: PageRequest) throws(Problem) {
        let names = asked.query("kind").map { $0.split(separator: ",").map(String.init) } ?? []
        let known = Dictionary(uniqueKeysWithValues: PostingKind.allCases.map { ($0.name, $0) })
        kinds = names.compactMap { known[$0] }
        guard kinds.count == names.count else {
            throw Problem(.badRequest, "kind must be what the ledger books, as payment or refund")
        }
        let code = asked.query("currency")?.lowercased()
        currency = code.flatMap { Currency($0) }
        guard (code == nil) == (currency == nil) else {
            throw Problem(.badRequest, "currency must be three letters, as usd")
        }
        account = asked.query("account")
        func moment(_ name: String) throws(Problem) -> Moment? {
            guard let text = asked.query(name) else { return nil }
            guard let moment = Moment(text) else {
                throw Problem(.badRequest, "\(name) must be a day such as 2026-03-12")
            }
            return moment
        }
        (from, to) = (try moment("from")?.start, try moment("to")?.end)
        fields = ["kind", "currency", "account", "from", "to"].compactMap { name in
            asked.query(name).map { (name, $0) }
        }
    }

    var isAny: Bool { !fields.isEmpty }

    func value(_ name: String) -> String { fields.first { $0.name == name }?.value ?? "" }

    func path(after: Int64) -> String {
        let query = fields.map { "\($0.name)=\(PathText.escaped($0.value))&" }.joined()
        return "\(TransactionsPath.base)?\(query)after=\(after)"
    }

    /// What a transaction moves of what is asked for, by currency; nil where it is not.
    func sums(of transaction: PostedTransaction) -> [MovedSum]? {
        let posting = transaction.posting
        guard kinds.isEmpty || kinds.contains(posting.kind),
            from.map({ posting.effectiveAt >= $0 }) ?? true,
            to.map({ posting.effectiveAt <= $0 }) ?? true,
            account.map({ start in
                posting.entries.contains { entry in
                    entry.account.rawValue.hasPrefix(start)
                        && currency.map { entry.currency == $0 } ?? true
                }
            }) ?? true
        else { return nil }
        let sums = LedgerPosted(transaction).movedSums
        let wanted = currency.map { code in sums.filter { $0.currency == code } } ?? sums
        return wanted.isEmpty ? nil : wanted
    }
}

/// What a page of transactions has gathered: the rows that it shows, and the sums of all of them.
struct FoundTransactions {
    struct Kind: Hashable {
        var kind: PostingKind
        var currency: Currency
    }

    struct Sum {
        var count: Int64 = 0
        var moved: Int64 = 0
        var fee: Int64 = 0
    }

    private(set) var rows: [(transaction: PostedTransaction, sums: [MovedSum])] = []
    private(set) var sums: [Kind: Sum] = [:]
    private(set) var isFull = false

    /// The last transaction that has a row.
    var lastShown: Int64? { rows.last?.transaction.id.rawValue }

    mutating func take(
        _ transaction: PostedTransaction, _ filter: TransactionFilter, rowsMax: Int
    ) {
        guard let found = filter.sums(of: transaction) else { return }
        for sum in found {
            let kind = Kind(kind: transaction.posting.kind, currency: sum.currency)
            let known = sums[kind] ?? Sum()
            sums[kind] = Sum(
                count: known.count + 1, moved: known.moved &+ sum.moved,
                fee: known.fee &+ (sum.fee ?? 0))
        }
        if rows.count < rowsMax { rows.append((transaction, found)) }
        isFull = rows.count == rowsMax
    }
}
