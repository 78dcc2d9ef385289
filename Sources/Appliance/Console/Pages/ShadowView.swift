import Appliance
import Vocabulary

/// What another model made of payments, beside the model in use: `/settings/model`.
struct ShadowView {
    struct Row {
        var live, other: ShownState
        var count: String
        var amount: ShownAmount
        var change: String
    }

    /// Payments of one currency.
    struct Group { var rows: [Row] }

    struct Report {
        var version, file: String
        var made: ShownMoment
        var isInUse: Bool
        /// Over which records, and by whom they were judged.
        var records: String
        var answer: String
        var scores: String?
        var groups: [Group]
    }

    /// Why there are no figures of a report that is there.
    var fault: String?
    var report: Report?
    var isEmpty: Bool

    /// - Parameter version: of the model in use.
    init(_ kept: KeptShadow, besides version: String) {
        isEmpty = kept == .none
        switch kept {
        case .none: break
        case .unreadable(let why): fault = ShownText.escaped(why)
        case .report(let report): self.report = Report(report, besides: version)
        }
    }
}

extension ShadowView.Report {
    fileprivate init(_ report: ShadowReport, besides version: String) {
        let live = report.liveModels.map { ShownText.escaped($0.version) }
        let end = max(report.records.lowerBound, report.records.upperBound - 1)
        self.init(
            version: ShownText.escaped(report.version), file: ShownText.escaped(report.file),
            made: ShownMoment(report.madeAt), isInUse: report.version == version,
            records: "records \(ShownAmount.grouped(report.records.lowerBound)) to "
                + "\(ShownAmount.grouped(end)) of payment.scored, judged by "
                + live.joined(separator: ", "),
            answer: Self.answer(report), scores: Self.scores(report.figures),
            groups: Self.groups(report.figures.lines))
    }

    private static func answer(_ report: ShadowReport) -> String {
        let figures = report.figures
        let share = Double(figures.agreeing) / Double(figures.payments)
        let all = ShownNumber.count(figures.payments, "payment")
        return "Both say the same of \(ShownAmount.grouped(figures.agreeing)) of \(all), "
            + "\(ShownNumber.share(share)). It reviews from \(report.reviewFrom) and blocks from "
            + "\(report.blockFrom)."
    }

    private static func scores(_ figures: ShadowReport.Figures) -> String? {
        guard let mean = figures.differenceMean, let most = figures.differenceMax else {
            return nil
        }
        return "Scores lie \(ShownNumber.decimal(mean, 4)) apart on average, "
            + "\(ShownNumber.decimal(most, 4)) at most."
    }

    private static func groups(_ lines: [ShadowReport.Line]) -> [ShadowView.Group] {
        Dictionary(grouping: lines, by: \.currency).sorted { $0.key.code < $1.key.code }
            .map { currency, lines in
                let sorted = lines.sorted { ($0.live, $0.other) < ($1.live, $1.other) }
                return ShadowView.Group(
                    rows: sorted.map { line in
                        ShadowView.Row(
                            live: ShownState(line.live), other: ShownState(line.other),
                            count: ShownAmount.grouped(line.payments),
                            amount: ShownAmount(line.amount, currency), change: line.change)
                    })
            }
    }
}

extension ShadowReport.Line {
    /// What the other model would have changed.
    fileprivate var change: String {
        if live == other { return "the same" }
        if live == .approve { return "would be held" }
        return other == .approve ? "would be let through" : "held either way"
    }
}
