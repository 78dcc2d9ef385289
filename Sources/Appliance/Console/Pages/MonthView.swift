import Appliance
import Reconcile
import Vocabulary

/// A month of Stripe's balance as a page shows it: each account and currency from opening to
/// closing, beside Stripe's own statement.
struct MonthView {
    struct Row {
        var name: String
        /// Where the transactions of its kind are.
        var link: String?
        var count: String?
        /// `sum`, `total`, or empty for a kind.
        var tone: String
        var ledger: ShownAmount
        /// nil where Stripe's statement is not read, and of a kind, of which it says nothing.
        var stripe: ShownAmount?
        /// Whether the two were held against each other, and are one to the cent.
        var isProven: Bool
        /// Whether they were, and are not.
        var isWrong: Bool
    }

    struct Balance {
        var name: String
        var state: ShownState
        var rows: [Row]
        /// What was on its way to the bank, in a sentence.
        var transit: String?
    }

    var sections = ReportSection.links(at: .month, "")
    var name: String
    /// For the form and for addresses: `2026-10`.
    var month: String
    var answer, second: String
    /// A class of the answer: empty where all is equal, `is-stop`, or `grey`.
    var tone: String
    var isRight: Bool
    var balances: [Balance]
    var isEmpty: Bool
    /// nil where there is nothing to take along.
    var csv: String?
    var command: String
    var earlier, later: String?

    init(_ report: MonthReport, now: Instant) {
        let month = report.month
        self.month = month.description
        name = month.words
        let isOver = month.to <= now
        isRight = report.isRight
        (answer, tone) = Self.answer(report, isOver: isOver)
        second = report.verdict
        balances = report.balances.map { Self.balance($0, report) }
        isEmpty = balances.isEmpty
        csv = isEmpty ? nil : "\(MonthPages.base)/csv?of=\(month)"
        command = "tillbox report month \(month)"
        earlier = month.previous.map { "\(MonthPages.base)?of=\($0)" }
        later = isOver ? month.next.map { "\(MonthPages.base)?of=\($0)" } : nil
    }

    private static func answer(
        _ report: MonthReport, isOver: Bool
    ) -> (words: String, tone: String) {
        let name = report.month.words
        guard report.isCompared else {
            return (isOver ? "\(name) is not compared yet" : "\(name) is not over", "grey")
        }
        return report.isRight
            ? ("\(name) is what Stripe says", "") : ("\(name) is not what Stripe says", "is-stop")
    }

    private static func balance(
        _ balance: MonthReport.Balance, _ report: MonthReport
    ) -> Balance {
        let code = balance.currency.code.uppercased()
        let transit = balance.inTransit.map { amount in
            guard balance.inTransitCount > 0 else {
                return "Nothing is on the way to the bank at the end, \(report.transitWords)."
            }
            let words = ShownAmount(MinorUnits(amount), balance.currency).words
            let count = ShownNumber.count(balance.inTransitCount, "movement")
            return "On the way to the bank at the end: \(words) in \(count), "
                + "\(report.transitWords)."
        }
        return Balance(
            name: balance.account.id.map { "\(code), account \(ShownText.escaped($0))" } ?? code,
            state: state(balance), rows: rows(balance, report.month), transit: transit)
    }

    private static func state(_ balance: MonthReport.Balance) -> ShownState {
        switch balance.agrees {
        case true?: ShownState("Equal to Stripe’s", "ok")
        case false?: ShownState("Not equal to Stripe’s", "stop", tinted: true)
        case nil: ShownState("Not compared", dot: "o")
        }
    }

    private static func rows(
        _ balance: MonthReport.Balance, _ month: CalendarMonth
    ) -> [Row] {
        let statement = balance.statement
        func shown(_ amount: Int64) -> ShownAmount {
            ShownAmount(MinorUnits(amount), balance.currency)
        }
        func sum(
            _ name: String, _ ledger: Int64, _ stripe: Int64?, _ tone: String = "sum"
        ) -> Row {
            Row(
                name: name, link: nil, count: nil, tone: tone, ledger: shown(ledger),
                stripe: stripe.map(shown), isProven: tone == "total" && balance.agrees == true,
                isWrong: stripe.map { $0 != ledger } ?? false)
        }
        let kinds = balance.activities.map { activity in
            (
                isPayout: MonthReport.isPayout(activity.kind),
                row: Row(
                    name: MonthReport.title(of: activity.kind),
                    link: link(activity.kind, balance.currency, month),
                    count: ShownAmount.grouped(activity.count), tone: "",
                    ledger: shown(activity.amount), stripe: nil, isProven: false, isWrong: false)
            )
        }
        return [sum("Opening", balance.opening, statement?.opening)]
            + kinds.filter { !$0.isPayout }.map(\.row)
            + [sum("Activity", balance.activity, statement?.activity)]
            + kinds.filter(\.isPayout).map(\.row)
            + [
                sum("Payouts", balance.payouts, statement?.payouts),
                sum("Closing", balance.closing, statement?.closing, "total"),
            ]
    }

    /// The transactions of a kind, else those of the accounts that it is named after.
    private static func link(
        _ kind: String, _ currency: Currency, _ month: CalendarMonth
    ) -> String {
        let last = month.end + -1
        let what = PostingKind.allCases.contains { $0.name == kind }
            ? "kind=\(kind)" : "account=\(PathText.escaped(kind)):"
        return "\(TransactionsPath.base)?\(what)&currency=\(currency.code)"
            + "&from=\(month.first)&to=\(last)"
    }
}
