import Appliance
import Hummingbird
import Reconcile
import Vocabulary

/// The bank beside the ledger: `/reports/bank`.
struct BankPages: Sendable {
    let pages: ConsolePages

    static let base = "/reports/bank"

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, Self.base, .viewer) { try show($0) }
    }

    private func show(_ asked: PageRequest) throws -> Response {
        let view = BankView(try pages.parts.reconciler?.bankReport() ?? .nothing)
        return ConsolePages.html("bank", pages.shell("Bank", .reports, asked), view)
    }
}

/// What the bank says, what of the ledger is not there, and what nobody knows of.
struct BankView {
    struct Sum {
        var code, days, link: String
        var ledger, notArrived: ShownAmount
        /// nil where no statement tells of it: nobody knows what the bank says.
        var untold, bank, difference: ShownAmount?
        /// Statements tell of it, and it is zero; or it is not.
        var isProven, isWrong: Bool
    }

    struct Row {
        var key, link, due, day: String
        var state: ShownState
        var sent: ShownAmount
        var booked: ShownAmount?
    }

    struct Unknown {
        var day, text: String
        var amount: ShownAmount
    }

    /// Rows that a page has at most.
    static let rowsMax = 100

    var sections: [SectionLink]
    var answer, second: String
    /// `is-right`, `is-stop` where money is missing, `is-wait` where something differs, `grey`
    /// where nobody can say.
    var tone: String
    var isRight: Bool
    var isEmpty: Bool
    /// Whether money has gone to a bank, and no statement tells of it.
    var hasNone: Bool
    var sums: [Sum]
    var gaps: [String]
    var rows: [Row]
    var hasRows: Bool
    var isCut: Bool
    var shown: String
    var unknown: [Unknown]
    var hasUnknown: Bool

    init(_ report: BankReport) {
        sections = ReportSection.links(at: .bank, "")
        isEmpty = report.sums.isEmpty
        hasNone = !isEmpty && report.sums.allSatisfy { $0.days == nil }
        (answer, tone) = Self.answer(report, hasNone: hasNone)
        isRight = tone == "is-right"
        second = "The ledger’s account of each currency beside the statements that were imported; "
            + "what a bank kept is booked as charges:bank."
        sums = report.sums.map(Self.sum)
        gaps = report.gaps.map {
            "No statement of \(ShownText.escaped($0.account)) tells of "
                + "\(ShownMoment($0.days.lowerBound.start).day) to "
                + "\(ShownMoment($0.days.upperBound.start).day)."
        }
        let open = report.pressing { !$0.isQuiet }
        rows = open.prefix(Self.rowsMax).map(Self.row)
        hasRows = !rows.isEmpty
        isCut = open.count > Self.rowsMax
        shown = ShownAmount.grouped(Int64(Self.rowsMax))
        unknown = report.unknown.suffix(Self.rowsMax).map {
            Unknown(
                day: ShownMoment($0.day.start).day, text: ShownText.escaped($0.text),
                amount: ShownAmount($0.amount, $0.currency))
        }
        hasUnknown = !unknown.isEmpty
    }

    private static func answer(
        _ report: BankReport, hasNone: Bool
    ) -> (words: String, tone: String) {
        if report.sums.isEmpty { return ("No money has gone to a bank yet", "grey") }
        if hasNone { return ("Not known: no statement of a bank was imported", "grey") }
        if report.isClean { return ("The ledger is what the bank says", "is-right") }
        let missing = report.sums.reduce(0) { $0 + $1.count(.missing) }
        if missing > 0 {
            return ("\(ShownNumber.count(missing, "payout")) never reached the bank", "is-stop")
        }
        guard !report.differs else { return ("The bank and the ledger differ", "is-wait") }
        let codes = report.withoutStatement.map { $0.code.uppercased() }
        return ("No statement tells of \(codes.joined(separator: ", ")) yet", "grey")
    }

    private static func sum(_ sum: BankReport.Sum) -> Sum {
        func shown(_ amount: Int64) -> ShownAmount {
            ShownAmount(MinorUnits(amount), sum.currency)
        }
        let days = sum.days.map {
            "\(ShownMoment($0.lowerBound.start).day) to \(ShownMoment($0.upperBound.start).day)"
        }
        return Sum(
            code: sum.currency.code.uppercased(), days: days ?? "none",
            link: AccountPath.href(.bank(sum.currency, of: nil), sum.currency),
            ledger: shown(sum.ledger), notArrived: shown(sum.notArrived),
            untold: sum.days.map { _ in shown(sum.untold) },
            bank: sum.days.map { _ in shown(sum.bank) },
            difference: sum.days.map { _ in shown(sum.difference) },
            isProven: sum.days != nil && sum.difference == 0,
            isWrong: sum.days != nil && sum.difference != 0)
    }

    private static func row(_ line: BankReport.Line) -> Row {
        let movement = line.settled.movement
        return Row(
            key: ShownText.escaped(movement.key), link: AccountPath.explain(movement.key),
            due: ShownMoment(movement.due.start).day,
            day: line.settled.entry.map { ShownMoment($0.day.start).day } ?? "–",
            state: state(line), sent: ShownAmount(movement.amount, movement.currency),
            booked: line.settled.entry.map { ShownAmount($0.amount, movement.currency) })
    }

    private static func state(_ line: BankReport.Line) -> ShownState {
        switch line.state {
        case .arrived where line.lateDays > 0:
            ShownState("Arrived, \(ShownNumber.count(line.lateDays, "day")) late")
        case .arrived: ShownState("Arrived")
        case .different: ShownState("Another amount, booked")
        case .inTransit: ShownState("On its way")
        case .late: ShownState("Late", "wait")
        case .missing: ShownState("Missing", "stop", tinted: true)
        case .returned: ShownState("Taken back by Stripe")
        case .earlier: ShownState("Before the statements")
        }
    }
}
