import Appliance
import Reconcile
import Vocabulary

/// The runs of reconciliation, the newest first.
struct RunsView {
    var sections: [SectionLink]
    var rows: [RunRow]
    var isEmpty: Bool
    var next: String?
    /// Whether the page has a form that asks for a run.
    var mayBegin = false
    var token = ""
    /// Whether commands make the runs, and not this process.
    var isElsewhere = false
}

/// A run in a list.
struct RunRow {
    var name, href, period, lines, share, breaks, late: String
    var state: ShownState
    var begun: ShownMoment

    init(_ report: RunReport) {
        let run = report.run
        name = "Run \(run.id)"
        href = RunPages.path(of: run.id)
        period = Self.period(run)
        lines = ShownAmount.grouped(run.transactions)
        share = report.share.map(ShownNumber.share) ?? "–"
        breaks = ShownAmount.grouped(Self.breakCount(report))
        late = ShownAmount.grouped(report.late.reduce(0) { $0 + $1.count })
        state = Self.state(report)
        begun = ShownMoment(run.startedAt)
    }

    /// What is late is no break yet.
    static func breakCount(_ report: RunReport) -> Int64 {
        report.breaks.filter { $0.kind != .late }.reduce(0) { $0 + $1.count }
    }

    static func period(_ run: RunRecord) -> String {
        let from = run.from.seconds > 0 ? ShownMoment(run.from).day : "the beginning"
        return "\(from) to \(ShownMoment(run.to).day)"
    }

    static func state(_ report: RunReport) -> ShownState {
        switch report.run.state {
        case .finished where report.isClean: ShownState("Clean", "ok")
        case .finished: ShownState("Not clean", "stop", tinted: true)
        case .failed: ShownState("Failed", "stop", tinted: true)
        case .queued: ShownState("Waits", dot: "o")
        case .reading, .settling, .comparing: ShownState("Runs")
        }
    }
}

/// One run: what the ledger agrees with, and what it does not.
struct RunView {
    struct Balance {
        var account, code, lines, matched, share: String
        var fees, net, stripe: ShownAmount
        var ledger: LinkedAmount
        var unexplained: ShownAmount
        var isWrong: Bool
    }

    struct Finding {
        var kind, subject, link, second: String
        var stripe: LinkedAmount?
        var ledger: LinkedAmount?
        var age: String
        var state: ShownState
        var first, firstHref: String
    }

    struct Payout {
        var id, link: String
        var amount, total, left: ShownAmount
        var count: String
    }

    struct Unread { var account, failure: String }

    var sections: [SectionLink]
    var name, answer, own, csv: String
    var isRight: Bool
    var isOver: Bool
    var second: String
    var failure: String?
    var facts: [Fact]
    var balances: [Balance]
    var hasBalances: Bool
    var findings: [Finding]
    var hasFindings: Bool
    var payouts: [Payout]
    var hasPayouts: Bool
    var unread: [Unread]
    var next: String?

    struct Fact { var name, value: String }
}

/// An amount that leads to what it is made of.
struct LinkedAmount {
    var shown: ShownAmount
    var link: String

    init(_ amount: MinorUnits, _ currency: Currency, link: String) {
        (shown, self.link) = (ShownAmount(amount, currency), link)
    }
}

extension RunView {
    /// - Parameters:
    ///   - runName: under which it is asked for; nothing of a dry run is kept.
    ///   - page: some of what it found.
    ///   - now: what ages count to while it has not ended.
    init(
        _ report: RunReport, _ runName: RunName, _ page: FindingPage, progress: Double?,
        now: Instant, sections: [SectionLink]
    ) {
        let (run, count) = (report.run, RunRow.breakCount(report))
        self.sections = sections
        name = runName.isDry ? "Dry run \(runName.number)" : "Run \(run.id)"
        own = "\(RunPages.base)/\(runName)"
        csv = "\(own)/findings"
        (isOver, isRight) = (run.state.isOver, report.isClean)
        answer = Self.answer(report, count)
        let share = progress.map { ", \(ShownNumber.share($0)) read" } ?? ""
        second = (runName.isDry ? "Nothing is booked or kept. " : "")
            + "Stripe’s statement from \(RunRow.period(run)) beside the ledger"
            + (run.state.isOver ? "." : "; it is \(run.state.rawValue)\(share).")
        failure = run.failure.map(ShownText.escaped)
        facts = Self.facts(report)
        balances = report.currencies.map(Self.balance)
        hasBalances = !balances.isEmpty
        let moment = run.finishedAt ?? now
        findings = page.findings.map { Self.finding($0, run.id, at: moment) }
        if runName.isDry {
            // Runs that are kept have the same numbers.
            for place in findings.indices {
                findings[place].first = "This run"
                findings[place].firstHref = own
            }
        }
        hasFindings = !findings.isEmpty
        payouts = report.unexplainedPayouts.map(Self.payout)
        hasPayouts = !payouts.isEmpty
        unread = report.unreadAccounts.map {
            Unread(
                account: ShownText.escaped($0.account.rawValue),
                failure: ShownText.escaped($0.failure ?? ""))
        }
        let path = own
        next = page.next.map { "\(path)?after=\(PathText.escaped($0.token))" }
    }

    private static func answer(_ report: RunReport, _ count: Int64) -> String {
        switch report.run.state {
        case .finished where report.isClean: "Stripe and the ledger agree"
        case .finished where count > 0:
            "Stripe and the ledger differ in \(ShownNumber.count(count, "place"))"
        case .finished: "Stripe and the ledger differ"
        case .failed: "This run failed"
        case .queued, .reading, .settling, .comparing: "This run has not ended yet"
        }
    }

    private static func facts(_ report: RunReport) -> [Fact] {
        let run = report.run
        var facts = [
            Fact(name: "Begun", value: ShownMoment(run.startedAt).words),
            Fact(name: "Ended", value: run.finishedAt.map { ShownMoment($0).words } ?? "not yet"),
            Fact(name: "Because", value: run.cause == .schedule ? "it was due" : "somebody asked"),
            Fact(name: "Statement", value: ShownNumber.count(run.transactions, "line")),
            Fact(name: "Explained", value: report.share.map(ShownNumber.share) ?? "–"),
            Fact(name: "Payouts looked at", value: ShownAmount.grouped(report.payouts)),
            Fact(
                name: "Missed events looked for until",
                value: run.sweptTo.map { ShownMoment($0).words } ?? "never"),
        ]
        if report.accounts > 1 {
            facts.append(
                Fact(name: "Stripe accounts", value: ShownAmount.grouped(report.accounts)))
        }
        facts += report.late.map { sum in
            Fact(
                name: "Late, no break yet",
                value: "\(ShownAmount.grouped(sum.count)): "
                    + ShownAmount(MinorUnits(sum.amount), sum.currency).words)
        }
        return facts
    }

    private static func balance(_ summary: CurrencySummary) -> Balance {
        let currency = summary.currency
        func shown(_ amount: Int64) -> ShownAmount { ShownAmount(MinorUnits(amount), currency) }
        let processor = Appliance.AccountName.processor(of: summary.account.id)
        return Balance(
            account: summary.account.id.map(ShownText.escaped) ?? "The platform’s own",
            code: currency.code.uppercased(), lines: ShownAmount.grouped(summary.transactions),
            matched: ShownAmount.grouped(summary.matched),
            share: summary.share.map(ShownNumber.share) ?? "–", fees: shown(summary.fees),
            net: shown(summary.net), stripe: shown(summary.stripe),
            ledger: LinkedAmount(
                MinorUnits(summary.ledger), currency, link: AccountPath.href(processor, currency)),
            unexplained: shown(summary.unexplained), isWrong: summary.unexplained != 0)
    }

    private static func finding(_ stored: StoredBreak, _ run: Int64, at now: Instant) -> Finding {
        let found = stored.found
        let link = AccountPath.explain(found.movement ?? found.subject)
        func amount(_ side: ReconciliationBreak.Side?) -> LinkedAmount? {
            side.map { LinkedAmount($0.amount, $0.currency, link: link) }
        }
        let second = [
            found.account.id, found.balanceTransaction, found.type,
            stored.suggestion?.replacing("`", with: ""),
        ].compactMap { $0 }.map(ShownText.escaped)
        return Finding(
            kind: found.kind.words, subject: ShownText.escaped(found.subject), link: link,
            second: second.joined(separator: " · "), stripe: amount(found.stripe),
            ledger: amount(found.ledger),
            age: ShownAge.words(seconds: stored.ageSeconds(at: now)),
            state: state(stored, run), first: "Run \(stored.firstRun)",
            firstHref: RunPages.path(of: stored.firstRun))
    }

    /// What a run booked itself was never wrong; what a later one no longer saw is over.
    private static func state(_ stored: StoredBreak, _ run: Int64) -> ShownState {
        if let resolved = stored.resolvedRun {
            return resolved == run ? ShownState("Booked") : ShownState("Over, run \(resolved)")
        }
        return stored.found.kind == .late
            ? ShownState("Late", "wait") : ShownState("Open", "stop", tinted: true)
    }

    private static func payout(_ payout: PayoutSummary) -> Payout {
        func shown(_ amount: Int64) -> ShownAmount {
            ShownAmount(MinorUnits(amount), payout.currency)
        }
        return Payout(
            id: ShownText.escaped(payout.payout), link: AccountPath.explain(payout.payout),
            amount: shown(payout.amount), total: shown(payout.total),
            left: shown(payout.amount &- payout.total),
            count: ShownNumber.count(payout.transactions, "line"))
    }
}

extension BreakKind {
    /// For a person who never read the contracts.
    var words: String {
        switch self {
        case .missingInLedger: "At Stripe, not in the ledger"
        case .missingAtStripe: "In the ledger, not at Stripe"
        case .amountMismatch: "Another amount"
        case .currencyMismatch: "Another currency"
        case .duplicateAtStripe: "Settled twice at Stripe"
        case .feeUnbooked: "Taken by Stripe, not booked before"
        case .late: "On one side only, still young"
        case .unknownType: "Of a kind that is not known"
        case .eventRefused: "Its event cannot be stored"
        }
    }
}
