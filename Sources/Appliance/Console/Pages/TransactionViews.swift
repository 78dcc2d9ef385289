import Appliance
import Vocabulary

/// A page of the ledger's transactions, with the filters that it was asked with.
struct TransactionsView {
    struct Choice {
        var value, words: String
        var isChosen: Bool
    }

    struct Moved {
        /// nil where nothing moved but a fee.
        var amount: LinkedAmount?
        var fee: ShownAmount?
    }

    struct Row {
        var id, link, kind, movement, movementLink: String
        var effective: ShownMoment
        var moved: [Moved]
    }

    /// What all transactions of a kind come to.
    struct Sum {
        var kind, count: String
        /// nil where nothing moved but fees.
        var moved: ShownAmount?
        var fee: ShownAmount
    }

    var sections: [SectionLink]
    var kinds: [Choice]
    var currency, account, from, to: String
    var rows: [Row]
    var isEmpty: Bool
    var isFiltered: Bool
    var head: String
    var seen: String?
    var sums: [Sum]
    var hasSums: Bool
    var earlier: String?
    var later: String?

    /// - Parameters:
    ///   - isWhole: whether all that the filters pick was looked at, so that sums are right.
    ///   - seen: transactions that were looked through for them.
    init(
        _ filter: TransactionFilter, _ found: FoundTransactions, head: Int64, isWhole: Bool,
        earlier: String?, later: String?, seen: Int?
    ) {
        sections = LedgerSection.links(at: .transactions)
        kinds = Self.choices(filter.value("kind"))
        currency = filter.value("currency").uppercased()
        account = ShownText.escaped(filter.value("account"))
        (from, to) = (filter.from?.dayText ?? "", filter.to?.dayText ?? "")
        rows = found.rows.map(Row.init)
        (isEmpty, isFiltered) = (rows.isEmpty, filter.isAny)
        self.head = ShownNumber.count(head, "transaction")
        self.seen = seen.map { ShownNumber.count(Int64($0), "transaction") }
        sums = !isWhole ? [] : found.sums.sorted {
            ($0.key.currency.code, $0.key.kind.rawValue)
                < ($1.key.currency.code, $1.key.kind.rawValue)
        }.map { kind, sum in
            Sum(
                kind: kind.kind.words, count: ShownAmount.grouped(sum.count),
                moved: sum.moved == 0
                    ? nil : ShownAmount(MinorUnits(sum.moved), kind.currency),
                fee: ShownAmount(MinorUnits(sum.fee), kind.currency))
        }
        hasSums = !sums.isEmpty
        (self.earlier, self.later) = (earlier, later)
    }

    /// Every kind, and where an address names several at once, these together.
    private static func choices(_ chosen: String) -> [Choice] {
        let single = PostingKind.allCases.map {
            Choice(value: $0.name, words: $0.words, isChosen: $0.name == chosen)
        }
        guard chosen.contains(",") else { return single }
        let names = chosen.split(separator: ",")
        let words = single.filter { names.contains($0.value[...]) }.map(\.words)
        return [
            Choice(value: chosen, words: words.joined(separator: ", "), isChosen: true)
        ] + single
    }
}

extension TransactionsView.Row {
    init(_ transaction: PostedTransaction, _ sums: [MovedSum]) {
        let posting = transaction.posting
        let own = "\(TransactionsPath.base)/\(transaction.id)"
        self.init(
            id: ShownAmount.grouped(transaction.id.rawValue), link: own, kind: posting.kind.words,
            movement: ShownText.escaped(posting.movement.rawValue),
            movementLink: AccountPath.explain(posting.movement.rawValue),
            effective: ShownMoment(posting.effectiveAt),
            moved: sums.map { sum in
                TransactionsView.Moved(
                    amount: sum.moved == 0
                        ? nil : LinkedAmount(MinorUnits(sum.moved), sum.currency, link: own),
                    fee: sum.fee.map { ShownAmount(MinorUnits($0), sum.currency) })
            })
    }
}

/// One transaction: its link in the chain, its entries, and what led to it.
struct TransactionView {
    struct Chain {
        /// In hexadecimal; nil where the one before it is missing.
        var previous: String?
        var previousName: String
        /// nil before the first.
        var previousLink: String?
        var stored, computed: String
        var isRight: Bool
        var next: String?
    }

    var sections: [SectionLink]
    var name, second: String
    var chain: Chain
    var trail: [TrailView]
    var isRight: Bool
    var faults: String

    init(_ explained: ExplainedTransaction, _ link: ChainLink, head: Int64) {
        let id = explained.transaction.id.rawValue
        sections = LedgerSection.links(at: .transactions)
        name = "Transaction \(ShownAmount.grouped(id))"
        second = explained.transaction.posting.kind.words
        chain = Chain(
            previous: link.previous.map { String(hex: $0) },
            previousName: id == 1 ? "before the first" : "of \(ShownAmount.grouped(id - 1))",
            previousLink: id == 1 ? nil : "\(TransactionsPath.base)/\(id - 1)",
            stored: String(hex: link.stored),
            computed: link.computed.map { String(hex: $0) } ?? "cannot be computed",
            isRight: link.isRight, next: id < head ? "\(TransactionsPath.base)/\(id + 1)" : nil)
        trail = [TrailView(explained)]
        isRight = explained.faults.isEmpty
        faults = ShownNumber.count(Int64(explained.faults.count), "part")
    }
}
