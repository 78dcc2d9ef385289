import HTTPTypes
import Hummingbird
import NIOCore
import Reconcile
import Vocabulary

/// Reconciliation: `/reports/reconciliation`, where a run can be asked for, and one run with what
/// it found at `/reports/reconciliation/{run}`; all of that as CSV at `…/{run}/findings`.
struct RunPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    static let base = "/reports/reconciliation"
    private static let runsMax = 25
    private static let findingsMax = 50
    /// Findings that a CSV has at most, and how many are read at a time.
    private static let csvLinesMax = 100_000
    private static let csvChunkCount = 1_000

    static func path(of run: Int64) -> String { "\(base)/\(run)" }

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, Self.base, .viewer) { try list($0) }
        if parts.reconciler != nil || parts.log != nil {
            pages.page(&routes, .post, Self.base, .admin) { try await begin($0) }
        }
        pages.page(&routes, .get, "\(Self.base)/:run", .viewer) { try show($0) }
        pages.page(&routes, .get, "\(Self.base)/:run/findings", .viewer) { try csv($0) }
    }

    private func list(_ asked: PageRequest) throws -> Response {
        let before = try asked.request.after(QueryNumber.row)
        let reports = try parts.runs?.reports(before: before, limit: Self.runsMax) ?? []
        let last = reports.count == Self.runsMax ? reports.last?.run.id : nil
        let shell = pages.shell("Reconciliation", .reports, asked)
        let view = RunsView(
            sections: parts.reportLinks(at: .reconciliation, ""), rows: reports.map(RunRow.init),
            isEmpty: reports.isEmpty, next: last.map { "\(Self.base)?after=\($0)" },
            mayBegin: asked.role >= .admin && parts.reconciler != nil, token: shell.token,
            isElsewhere: parts.log == nil)
        return ConsolePages.html("runs", shell, view)
    }

    /// Asks for a run from where the last one allows to begin up to now.
    private func begin(_ asked: PageRequest) async throws -> Response {
        guard let reconciler = parts.reconciler else {
            throw Problem(.conflict, ReconcileRefusal.noAPIKey.message)
        }
        do {
            guard await reconciler.learnTime(isAsked: true) else {
                throw ReconcileRefusal.stripeSilent
            }
            let name = try reconciler.request(
                from: nil, to: nil, dryRun: asked.form?["dry"] != nil)
            return ConsolePages.sent(to: "\(Self.base)/\(name)")
        } catch let refusal as ReconcileRefusal {
            throw Problem(
                refusal == .stripeSilent ? .serviceUnavailable : .conflict, refusal.message)
        }
    }

    private static func unknown(_ word: String) -> Problem {
        Problem(.notFound, "there is no run \(ShownText.escaped(String(word.prefix(40))))")
    }

    private func show(_ asked: PageRequest) throws -> Response {
        let word = asked.context.word("run")
        let place = try asked.request.after { FindingPlace($0) } ?? .start
        guard let name = RunName(word), let runs = parts.runs,
            let report = try runs.report(name),
            let page = try runs.findings(of: name, after: place, limit: Self.findingsMax)
        else { throw Self.unknown(word) }
        let view = RunView(
            report, name, page, progress: runs.progress(of: name), now: parts.now,
            sections: parts.reportLinks(at: .reconciliation, ""))
        return ConsolePages.html("run", pages.shell(view.name, .reports, asked), view)
    }

    /// As `tillbox reconcile show --csv` writes it.
    private func csv(_ asked: PageRequest) throws -> Response {
        let word = asked.context.word("run")
        guard let name = RunName(word), let runs = parts.runs,
            let report = try runs.report(name)
        else { throw Self.unknown(word) }
        let now = report.run.finishedAt ?? parts.now
        var (lines, place) = ([StoredBreak.csvHeader], FindingPlace?.some(.start))
        while let from = place, lines.count <= Self.csvLinesMax {
            let page = try runs.findings(of: name, after: from, limit: Self.csvChunkCount)
            lines += (page?.findings ?? []).map { $0.csvLine(run: name, now: now) }
            place = page?.next
        }
        guard place == nil else {
            throw Problem(
                .badRequest, "the run found more than \(Self.csvLinesMax); take it with "
                    + "tillbox reconcile show \(name) --csv")
        }
        let text = lines.joined(separator: "\n") + "\n"
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .xContentTypeOptions: "nosniff",
                .contentDisposition: "attachment; filename=\"tillbox-run-\(name).csv\"",
            ], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
