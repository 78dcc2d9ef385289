import AppendLog
import Appliance
import Vocabulary

/// Accounts with their balances, and the trial balance that they come to.
struct LedgerView {
    struct Row {
        /// The account's name, to be broken behind its colons where there is no room.
        var parts: [String]
        var href: String
        var amount: ShownAmount
    }

    struct Total {
        var amount: ShownAmount
        var debits, credits: ShownAmount
        var isZero: Bool
    }

    /// Accounts of one Stripe account, or those that belong to none.
    struct Group {
        var name: String
        var rows: [Row]
    }

    /// What Stripe holds of one Stripe account in one currency, by the ledger.
    struct Holding {
        var account: String
        var amount: LinkedAmount
    }

    var sections = LedgerSection.links(at: .accounts)
    var day: String
    var isPast: Bool
    var head: String
    var waiting: String?
    var groups: [Group]
    var isEmpty: Bool
    var totals: [Total]
    var isRight: Bool
    var answer: String
    /// Where there are connected accounts: what each has at Stripe now.
    var holdings: [Holding]
    var hasHoldings: Bool

    init(
        _ balances: [AccountBalance], day: String, head: Int64, waiting: Int,
        holdings: [StripeAccount: [Currency: Int64]]
    ) {
        self.day = day
        isPast = !day.isEmpty
        self.head = ShownNumber.count(head, "transaction")
        self.waiting = waiting == 0 ? nil : ShownNumber.count(Int64(waiting), "refund")
        isEmpty = balances.isEmpty
        self.holdings = Self.holdings(holdings)
        hasHoldings = holdings.count > 1
        let grouped = Dictionary(grouping: balances) { Self.owner(of: $0.account) }
        groups = grouped.sorted { $0.key < $1.key }.map { name, rows in
            Group(
                name: name.isEmpty ? "The platform’s own" : ShownText.escaped(name),
                rows: rows.map(Self.row))
        }
        totals = Self.totals(balances)
        isRight = totals.allSatisfy(\.isZero)
        answer =
            isRight
            ? "The trial balance is zero" : "The trial balance is not zero: stop, and verify"
    }

    /// The connected account in an account's name; empty for the platform's.
    private static func owner(of account: Appliance.AccountName) -> String {
        let parts = account.rawValue.split(separator: ":")
        return parts.first { $0.hasPrefix("acct_") }.map(String.init) ?? ""
    }

    private static func holdings(
        _ holdings: [StripeAccount: [Currency: Int64]]
    ) -> [Holding] {
        holdings.sorted { $0.key < $1.key }.flatMap { account, sums in
            sums.sorted { $0.key.code < $1.key.code }.map { currency, sum in
                Holding(
                    account: account.id.map(ShownText.escaped) ?? "The platform’s own",
                    amount: LinkedAmount(
                        MinorUnits(sum), currency,
                        link: AccountPath.href(.processor(of: account.id), currency)))
            }
        }
    }

    private static func row(_ balance: AccountBalance) -> Row {
        let pieces = ShownText.escaped(balance.account.rawValue)
            .split(separator: ":", omittingEmptySubsequences: false)
        return Row(
            parts: pieces.dropLast().map { "\($0):" } + pieces.suffix(1).map(String.init),
            href: AccountPath.href(balance.account, balance.currency),
            amount: ShownAmount(balance.balance, balance.currency))
    }

    static func totals(_ balances: [AccountBalance]) -> [Total] {
        Dictionary(grouping: balances, by: \.currency).sorted { $0.key.code < $1.key.code }
            .map { currency, rows in
                func sum(_ wanted: (MinorUnits) -> Bool) -> MinorUnits {
                    rows.map(\.balance).filter(wanted).reduce(.zero) { $0 &+ $1 }
                }
                let all = sum { _ in true }
                return Total(
                    amount: ShownAmount(all, currency),
                    debits: ShownAmount(sum { $0 > .zero }, currency),
                    credits: ShownAmount(sum { $0 < .zero }, currency), isZero: all == .zero)
            }
    }
}

/// An account in one currency: its balance, and the entries that it is made of.
struct AccountView {
    var account, currency: String
    /// What its balance is; nil where the name says nothing of it.
    var meaning: String?
    /// Where the account's statement of a period is.
    var statementLink: String
    var balance: ShownAmount
    var day: String
    /// `now`, or the end of a day.
    var asOf: String
    var count: String
    /// The balance with every entry, where later ones are not counted.
    var kept: ShownAmount?
    var before: String?
    var beforeAmount: ShownAmount?
    var trail: [TrailView]
    var next: String?
    var back: String?
    var isRight: Bool
    var proof: String
    var faults: [String]

    init(_ explained: AccountExplanation, day: String, after: Int64) {
        let (currency, count) = (explained.currency, explained.count)
        account = ShownText.escaped(explained.account.rawValue)
        meaning = explained.account.words
        self.currency = currency.code.uppercased()
        statementLink = StatementView.path(of: explained.account, currency)
        self.day = day
        asOf = day.isEmpty ? "now" : "the end of \(day) UTC"
        balance = ShownAmount(count.counted.amount, currency)
        self.count = ShownNumber.count(count.counted.entries, "entry", "entries")
        if count.before.entries > 0 {
            before = ShownNumber.count(count.before.entries, "entry", "entries")
            beforeAmount = ShownAmount(count.before.amount, currency)
        }
        trail = explained.entries.map {
            TrailView($0.transaction, entry: $0, of: explained.account, currency)
        }
        let path = AccountPath.href(explained.account, currency)
        let dated = day.isEmpty ? "" : "&as_of=\(PathText.escaped(day))"
        next = explained.next.map { "\(path)?after=\($0)\(dated)" }
        back = after > 0 ? path + (day.isEmpty ? "" : "?as_of=\(PathText.escaped(day))") : nil
        isRight = explained.sumFaults.isEmpty
        let later = count.all.entries - count.counted.entries
        kept = later == 0 ? nil : ShownAmount(count.balance, currency)
        proof =
            later == 0
            ? "Counted again now from its entries: it is the balance that the ledger keeps."
            : "With \(ShownNumber.count(later, "later entry", "later entries")) it is "
                + "\(ShownAmount(count.balance, currency).words), the balance that the ledger "
                + "keeps."
        faults = explained.sumFaults.map(ShownText.escaped)
    }
}

/// A movement or a transaction down to its bytes, or what is like a name that is not there.
struct ExplainView {
    struct Near { var name, href: String }

    /// A line of the statement that a payout paid out.
    struct Part {
        var id, type: String
        var created: ShownMoment
        /// nil where no run has read the line.
        var net: ShownAmount?
        /// The transaction that it settles.
        var number, href: String?
    }

    var heading: String
    var second: String
    var trail: [TrailView] = []
    var hasTrail = true
    var isRight = false
    var faults: Int = 0
    var payout: [String] = []
    /// What the bank says of a payout.
    var bank: [String] = []
    /// What a payout paid out, as far as it is told.
    var parts: [Part] = []
    var hasParts = false
    var near: [Near] = []

    init(_ explained: MovementExplanation, _ name: String) {
        heading = ShownText.escaped(name)
        let count = Int64(explained.transactions.count)
        second = ShownNumber.count(count, "transaction")
        trail = explained.transactions.map { TrailView($0) }
        faults = explained.faults.count
        isRight = faults == 0
        if let side = explained.bank {
            bank = ["At the bank: \(side.sentence)."]
                + (side.entry.map { ["Its entry: \(side.place(of: $0))."] } ?? [])
                + side.former.map { "Before: \(side.sentence(of: $0))." }
            bank = bank.map(ShownText.escaped)
        }
        guard explained.isPayout else { return }
        guard let parts = explained.payout else {
            payout = ["No reconciliation has looked at what it is made of yet."]
            return
        }
        let left = ShownAmount(parts.unexplained, parts.currency).words
        payout = [
            "Made of \(ShownNumber.count(parts.count, "balance transaction")) at Stripe, net "
                + "\(ShownAmount(parts.total, parts.currency).words), in run \(parts.run).",
            parts.unexplained == .zero ? "Nothing is unexplained." : "Unexplained: \(left)",
        ]
        show(parts)
    }

    private mutating func show(_ payout: PayoutParts) {
        parts = payout.lines.map { line in
            Part(
                id: ShownText.escaped(line.id), type: ShownText.escaped(line.type ?? ""),
                created: ShownMoment(line.created),
                net: line.net.map { ShownAmount($0, payout.currency) },
                number: line.transaction.map { "\($0)" },
                href: line.transaction.map { "\(TransactionsPath.base)/\($0)" })
        }
        hasParts = !parts.isEmpty
        let left = payout.count - Int64(payout.lines.count)
        if payout.lines.isEmpty, left > 0 {
            self.payout.append(
                "Which they are is not known yet: the next run of reconciliation asks for them.")
        } else if left > 0 {
            self.payout.append("The first \(payout.lines.count) of them stand below.")
        }
    }

    init(unknown words: String, near names: [String]) {
        heading = "Nothing is called \(ShownText.escaped(String(words.prefix(80))))"
        second = "An account, a movement, Stripe’s id of what moved, or a transaction’s number."
        hasTrail = false
        near = names.prefix(12).map {
            Near(name: ShownText.escaped($0), href: AccountPath.explain($0))
        }
    }
}

/// Refunds that were told and are not booked.
struct WaitingView {
    struct Row {
        var key, charge, href: String
        var amount: ShownAmount
        var since: ShownMoment
        var age, event: String
    }

    var sections: [SectionLink]
    var rows: [Row]
    var isEmpty: Bool
    var count: String
}
