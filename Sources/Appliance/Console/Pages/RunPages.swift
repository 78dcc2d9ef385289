import Hummingbird
import Reconcile
import Vocabulary

/// Reconciliation: `/reports/reconciliation`, and one run with what it found at
/// `/reports/reconciliation/{run}`.
struct RunPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    static let base = "/reports/reconciliation"
    private static let runsMax = 25
    private static let findingsMax = 50

    static func path(of run: Int64) -> String { "\(base)/\(run)" }

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, Self.base, .viewer) { try list($0) }
        pages.page(&routes, .get, "\(Self.base)/:run", .viewer) { try show($0) }
    }

    private func list(_ asked: PageRequest) throws -> Response {
        let before = try asked.request.after(QueryNumber.row)
        let reports = try parts.reconciler?.reports(before: before, limit: Self.runsMax) ?? []
        let last = reports.count == Self.runsMax ? reports.last?.run.id : nil
        let view = RunsView(
            sections: ReportSection.links(at: .reconciliation, ""), rows: reports.map(RunRow.init),
            isEmpty: reports.isEmpty, next: last.map { "\(Self.base)?after=\($0)" })
        return ConsolePages.html("runs", pages.shell("Reconciliation", .reports, asked), view)
    }

    private func show(_ asked: PageRequest) throws -> Response {
        let word = asked.context.word("run")
        let unknown = Problem(
            .notFound, "there is no run \(ShownText.escaped(String(word.prefix(40))))")
        let place = try asked.request.after { FindingPlace($0) } ?? .start
        guard let name = RunName(word), let reconciler = parts.reconciler,
            let report = try reconciler.report(name),
            let page = try reconciler.findings(of: name, after: place, limit: Self.findingsMax)
        else { throw unknown }
        let view = RunView(
            report, page, progress: reconciler.progress(of: name), now: parts.now)
        return ConsolePages.html("run", pages.shell(view.name, .reports, asked), view)
    }
}
