import Appliance
import Hummingbird
import Reconcile
import Vocabulary

/// Reports by day: `/reports`, and `/reports/{name}?from&to&currency` for each. The same sums that
/// `/api/v1/reports/{name}` answers with, in one currency at a time.
struct ReportPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/reports", .viewer) { try all($0) }
        if parts.runs != nil || parts.log != nil { RunPages(pages: pages).add(to: &routes) }
        if parts.log != nil {
            BankPages(pages: pages).add(to: &routes)
            MonthPages(pages: pages).add(to: &routes)
        }
        pages.page(&routes, .get, "/reports/:name", .viewer) { try one($0) }
        DecisionPages(pages: pages, source: parts.decisions).add(to: &routes)
    }

    // MARK: What is shown

    /// The sums of some reports, in the currency that is asked for or else the one of most days.
    fileprivate struct Found {
        var period: ReportPeriod
        var form: ReportForm
        /// nil where nothing happened.
        var currency: Currency?
        var sums: [DaySum]
    }

    private func found(
        _ reports: [DayReport], at path: String, _ asked: PageRequest
    ) throws -> Found {
        let period = try ReportPeriod(asked, now: parts.now)
        let wanted = asked.query("currency")?.lowercased()
        if let wanted, Currency(wanted) == nil {
            throw Problem(.badRequest, "currency must be three letters, as usd")
        }
        let words = Set(reports.flatMap(\.words)).sorted()
        let all = try parts.reports.sums(words, period.start, period.end)
        let days = Dictionary(grouping: all, by: \.currency).mapValues { Set($0.map(\.day)).count }
        let codes = Set(days.keys).union(wanted.map { [$0] } ?? []).sorted()
        let code = wanted ?? codes.max { (days[$0] ?? 0, $1) < (days[$1] ?? 0, $0) }
        let form = ReportForm(
            action: path, from: period.from, to: period.to, words: period.words,
            code: code?.uppercased(), currency: code,
            currencies: codes.map {
                SectionLink(
                    name: $0.uppercased(), href: "\(path)?\(period.query)&currency=\($0)",
                    isCurrent: $0 == code)
            }, hasSeveral: codes.count > 1)
        return Found(
            period: period, form: form, currency: code.flatMap { Currency($0) },
            sums: all.filter { $0.currency == code })
    }

    private var behind: String? {
        let lag = parts.reports.lag()
        return lag == 0 ? nil : ShownNumber.count(lag, "record")
    }

    private func sections(at current: ReportSection, _ query: String) -> [SectionLink] {
        parts.reportLinks(at: current, query)
    }

    // MARK: All

    private func all(_ asked: PageRequest) throws -> Response {
        let reports = parts.reports.reports
        let found = try found(reports, at: "/reports", asked)
        let query = found.query
        let cards = found.currency.map { currency in
            reports.map { card($0, found, currency, query) }
        }
        let run = try parts.runs?.reports(before: nil, limit: 1).first
        let view = ReportsView(
            sections: sections(at: .all, query), period: found.form, cards: cards ?? [],
            run: run.map { "Run \($0.run.id)" } ?? "No run yet",
            runHref: run.map { RunPages.path(of: $0.run.id) } ?? RunPages.base,
            runState: run.map(RunRow.state), isEmpty: cards == nil, behind: behind)
        return ConsolePages.html("reports", pages.shell("Reports", .reports, asked), view)
    }

    private func card(
        _ report: DayReport, _ found: Found, _ currency: Currency, _ query: String
    ) -> ReportsView.Card {
        let own = found.sums.filter { Set(report.words).contains($0.word) }
        let values = report.values(of: DayReport.Sums(own))
        return ReportsView.Card(
            title: report.title, href: "\(report.path)?\(query)", rule: report.rule,
            figures: values.filter { report.drawn.contains($0.name) }.map { name, value in
                ReportFigure(
                    name: DayReport.title(of: name),
                    cell: ReportCell(
                        value, currency,
                        link: report.explanation(of: name, currency.code, found.period)))
            }, chart: ChartView(report, report.drawn[0], own, currency, found.period))
    }

    // MARK: One

    private func one(_ asked: PageRequest) throws -> Response {
        let name = asked.context.word("name")
        guard let report = DayReport(rawValue: name), parts.reports.reports.contains(report) else {
            let path = asked.request.uri.path
            if parts.absent.contains(where: { $0.has(path) }) {
                throw parts.absent.problem(at: path)
            }
            throw Problem(
                .notFound, "there is no report \(ShownText.escaped(String(name.prefix(40))))")
        }
        let found = try found([report], at: report.path, asked)
        let lines = found.currency.map { rows(of: report, found, $0) } ?? []
        let total = found.currency.map {
            cells(of: report, DayReport.Sums(found.sums), $0, found.period)
        }
        let view = ReportView(
            title: report.title, rule: report.rule,
            sections: sections(at: .day(report), found.query), period: found.form,
            charts: found.currency.map { currency in
                report.drawn.map { ChartView(report, $0, found.sums, currency, found.period) }
            } ?? [],
            columns: report.columns.map {
                ReportView.Column(
                    title: DayReport.title(of: $0), isMinor: !report.isOnPhones.contains($0))
            }, rows: lines, totals: total ?? [],
            drift: report == .fees ? RateDrift.words(of: found.sums, found.period.days) : nil,
            csv: "/api/v1\(report.path)?format=csv&\(found.period.query)", isEmpty: lines.isEmpty,
            behind: behind)
        return ConsolePages.html("report", pages.shell(report.title, .reports, asked), view)
    }

    /// A line for every day on which anything happened, the newest first.
    private func rows(
        of report: DayReport, _ found: Found, _ currency: Currency
    ) -> [ReportView.Row] {
        Dictionary(grouping: found.sums, by: \.day).sorted { $0.key > $1.key }.map { day, sums in
            ReportView.Row(
                day: Instant(utcDay: day).dayText, words: ShownMoment(Instant(utcDay: day)).day,
                cells: cells(
                    of: report, DayReport.Sums(sums), currency, ReportPeriod(days: day...day)))
        }
    }

    private func cells(
        of report: DayReport, _ sums: DayReport.Sums, _ currency: Currency, _ period: ReportPeriod
    ) -> [ReportCell] {
        report.values(of: sums).map { name, value in
            ReportCell(
                value, currency, link: report.explanation(of: name, currency.code, period),
                isMinor: !report.isOnPhones.contains(name))
        }
    }
}

extension ReportPages.Found {
    /// The period and the currency, for an address.
    fileprivate var query: String {
        period.query + (currency.map { "&currency=\($0.code)" } ?? "")
    }
}
