import Vocabulary

/// The reports of a period in one currency, each with its chart.
struct ReportsView {
    struct Card {
        var title, href, rule: String
        var figures: [ReportFigure]
        var chart: ChartView
    }

    var sections: [SectionLink]
    var period: ReportForm
    var cards: [Card]
    var run: String
    /// nil where no runs are shown.
    var runHref: String?
    var runState: ShownState?
    var isEmpty: Bool
    var behind: String?
}

/// A number of a report that stands by itself.
struct ReportFigure {
    var name: String
    var cell: ReportCell
}

/// One report: its charts, and a line for every day.
struct ReportView {
    struct Column {
        var title: String
        var isMinor: Bool
    }

    struct Row {
        var day, words: String
        var cells: [ReportCell]
    }

    var title, rule: String
    var sections: [SectionLink]
    var period: ReportForm
    var charts: [ChartView]
    var columns: [Column]
    var rows: [Row]
    /// What the period came to.
    var totals: [ReportCell]
    /// How a rate moved, in a sentence; nil for a report without one.
    var drift: String?
    var csv: String
    var isEmpty: Bool
    var behind: String?
}

/// The days and the currency that reports show, as a form asks for them.
struct ReportForm {
    var action, from, to, words: String
    /// `EUR`, and for an address `eur`; nil where there is none yet.
    var code: String?
    var currency: String?
    var currencies: [SectionLink]
    var hasSeveral: Bool
}

/// A value of a report, with the way to what it is made of.
struct ReportCell {
    var words: String
    var link: String?
    var isMinor = false

    init(
        _ value: DayReport.Value, _ currency: Currency, link: String? = nil, isMinor: Bool = false
    ) {
        words = Self.words(value, currency)
        // Nothing is made of nothing.
        self.link = Self.isNone(value) ? nil : link
        self.isMinor = isMinor
    }

    /// An amount is without its currency, which stands once on the page.
    static func words(_ value: DayReport.Value, _ currency: Currency) -> String {
        switch value {
        case .count(let count): return ShownAmount.grouped(count)
        case .amount(let amount):
            let shown = ShownAmount(MinorUnits(amount), currency)
            return shown.whole + shown.fraction
        case .rate(let rate): return rate.map(percent) ?? "–"
        }
    }

    private static func isNone(_ value: DayReport.Value) -> Bool {
        switch value {
        case .count(let number), .amount(let number): number == 0
        case .rate: true
        }
    }

    /// `2.93 %`
    static func percent(_ rate: Double) -> String { "\(ShownNumber.decimal(rate * 100, 2)) %" }
}

// MARK: - Charts

extension ChartView {
    /// A column of a report over all days of a period.
    init(
        _ report: DayReport, _ column: String, _ sums: [DaySum], _ currency: Currency,
        _ period: ReportPeriod
    ) {
        let byDay = Dictionary(grouping: sums, by: \.day)
        let values = period.days.map { day in
            report.values(of: DayReport.Sums(byDay[day] ?? [])).first { $0.name == column }?.value
        }
        let isRate = values.contains { if case .rate = $0 { true } else { false } }
        let isAmount = values.contains { if case .amount = $0 { true } else { false } }
        let drawn = values.map { value -> Double? in
            switch value {
            case .count(let number), .amount(let number): Double(number)
            case .rate(let rate): rate
            case nil: nil
            }
        }
        let unit = pow10(currency.displayExponent)
        self.init(
            DayReport.title(of: column), Series(form: isRate ? .line : .bars, values: drawn),
            days: period.days,
            words: { value in
                if isRate { return ReportCell.percent(value) }
                let whole = Int64(clamping: value)
                return isAmount
                    ? ShownAmount(MinorUnits(whole), currency).words : ShownAmount.grouped(whole)
            },
            label: { value in
                if isRate { return "\(ShownNumber.decimal(value * 100, value < 0.1 ? 1 : 0)) %" }
                return Self.short(isAmount ? value / unit : value)
            })
    }

    /// Few letters: `12.5`, `1,284`, `12.5 k`.
    private static func short(_ value: Double) -> String {
        if value.magnitude >= 100 {
            let short = ShownNumber.short(Int64(clamping: value.magnitude))
            return value < 0 ? "−\(short)" : short
        }
        return value == value.rounded()
            ? ShownNumber.decimal(value, 0) : ShownNumber.decimal(value, value < 1 ? 2 : 1)
    }
}

/// A power of ten, for what is only shown.
private func pow10(_ exponent: Int) -> Double {
    (0..<exponent).reduce(1.0) { power, _ in power * 10 }
}

extension Int64 {
    /// The nearest whole number, within bounds.
    fileprivate init(clamping value: Double) {
        self = Int64(exactly: Swift.min(Swift.max(value, -9e18), 9e18).rounded()) ?? 0
    }
}

// MARK: - Drift

/// How a rate of the period's last days compares with that of the days before them.
enum RateDrift {
    /// Days that are compared with those before.
    static let recentDays: Int64 = 7

    /// - Returns: nil where one of the two has no volume.
    static func words(of sums: [DaySum], _ days: ClosedRange<Int64>) -> String? {
        let first = days.upperBound - recentDays + 1
        guard first > days.lowerBound,
            let recent = rate(of: sums.filter { $0.day >= first && days.contains($0.day) }),
            let before = rate(of: sums.filter { $0.day < first && days.contains($0.day) })
        else { return nil }
        let points = (recent - before) * 100
        let moved =
            points.magnitude < 0.005
            ? "the same as"
            : "\(ShownNumber.decimal(points.magnitude, 2)) points "
                + (points > 0 ? "above" : "below")
        return "Stripe took \(ReportCell.percent(recent)) over the last \(recentDays) days, "
            + "\(moved) the \(ReportCell.percent(before)) of the days before."
    }

    private static func rate(of sums: [DaySum]) -> Double? {
        for (name, value) in DayReport.fees.values(of: DayReport.Sums(sums)) {
            if name == "fee_rate", case .rate(let rate) = value { return rate }
        }
        return nil
    }
}
