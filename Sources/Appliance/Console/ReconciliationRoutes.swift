import HTTPTypes
import Hummingbird
package import Reconcile
import Vocabulary

/// `/api/v1/reconciliations` and `/api/v1/sweeps` on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `POST /api/v1/reconciliations` `{"from","to","dry_run"}` | 202 with the run, queued |
/// | `GET /api/v1/reconciliations?limit&after` | runs, newest first |
/// | `GET /api/v1/reconciliations/{id}?limit&after` | the run and a page of its findings |
/// | `POST /api/v1/sweeps` | 202 with the sweep, queued |
/// | `GET /api/v1/sweeps?limit&after`, `GET /api/v1/sweeps/{id}` | sweeps, newest first; one |
///
/// Where nobody runs one, as in the cloud plane, whose commands do, there are the lists alone.
///
/// A request that names another data folder in `tillbox-data-folder` is refused with 409.
///
/// Lists hold `next`, the `after` of the next page, null at the end. A refusal is a problem
/// document (RFC 9457).
package struct ReconciliationRoutes: Sendable {
    private let kept: any ReconciliationReading
    /// nil where runs and sweeps are begun elsewhere.
    private let reconciler: Reconciler?
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    package let dataPath: String

    package init(reconciler: Reconciler, dataPath: String) {
        (kept, self.reconciler) = (reconciler, reconciler)
        self.dataPath = dataPath
    }

    /// Of runs and sweeps that others have made.
    package init(kept: any ReconciliationReading, dataPath: String) {
        (self.kept, reconciler) = (kept, nil)
        self.dataPath = dataPath
    }

    private static let limitMax = 1000
    private static let bodyByteCountMax = 4096

    package func add(to routes: inout AdminRoutes) {
        func on(
            _ method: HTTPRequest.Method, _ path: String,
            _ answer: @escaping @Sendable (Request, _ id: String) async throws -> Response
        ) {
            routes.on(method, path, needs: method == .get ? .viewer : .admin) {
                [dataPath] request, context in
                try DataFolderCheck.check(request, dataPath: dataPath)
                return try await answer(request, context.parameters.get("id") ?? "")
            }
        }
        on(.get, "/api/v1/reconciliations") { request, _ in try list(request) }
        on(.get, "/api/v1/reconciliations/:id") { request, id in try show(request, id) }
        on(.get, "/api/v1/sweeps") { request, _ in try listSweeps(request) }
        on(.get, "/api/v1/sweeps/:id") { _, id in try showSweep(id) }
        guard let reconciler else { return }
        on(.post, "/api/v1/reconciliations") { request, _ in try await begin(request, reconciler) }
        on(.post, "/api/v1/sweeps") { request, _ in try await beginSweep(request, reconciler) }
    }

    // MARK: Runs

    private func begin(
        _ request: Request, _ reconciler: Reconciler
    ) async throws -> Response {
        try request.checkIsJSON()
        let body = try await request.bytes(upTo: Self.bodyByteCountMax)
        let name: RunName
        do {
            let asked = try PeriodRequest.decode(body)
            try await Self.checkStripeAnswers(reconciler)
            name = try reconciler.request(from: asked.from, to: asked.to, dryRun: asked.isDry)
        } catch let refusal as PeriodRequest.Refusal {
            throw Problem(.badRequest, refusal.rawValue)
        } catch let refusal as ReconcileRefusal {
            throw Problem(refusal == .badPeriod ? .badRequest : .conflict, refusal.message)
        }
        guard let report = try reconciler.report(name) else {
            throw Problem(.notFound, ReconcileRefusal.unknownRun.message)
        }
        var response = Response.json(.accepted) {
            report.encode(into: &$0, name: name, progress: 0)
        }
        response.headers[.location] = "/api/v1/reconciliations/\(name)"
        return response
    }

    /// Says at once, and not after many attempts, that there is nobody to ask. Where Stripe
    /// answers, its time is known then.
    private static func checkStripeAnswers(_ reconciler: Reconciler) async throws {
        guard await reconciler.learnTime(isAsked: true) else {
            // With a word of its own: nothing has come of the request.
            throw Problem(
                .serviceUnavailable, ReconcileRefusal.stripeSilent.message, code: "stripe_silent")
        }
    }

    private func list(_ request: Request) throws -> Response {
        let limit = try request.limit(upTo: Self.limitMax)
        let before = try request.after(QueryNumber.row)
        let reports = try kept.reports(before: before, limit: limit)
        let last = reports.count == limit ? reports.last?.run.id : nil
        return Self.page("reconciliations", next: last) { writer in
            for report in reports {
                let name = RunName(number: report.run.id, isDry: false)
                report.encode(
                    into: &writer, name: name, progress: kept.progress(of: name))
            }
        }
    }

    /// A page of stored rows.
    ///
    /// - Parameter last: the number of its last row; nil where nothing follows.
    private static func page(
        _ name: StaticString, next last: Int64?, _ rows: (inout JSONWriter) -> Void
    ) -> Response {
        Response.jsonObject(.ok) { writer in
            writer.key(name)
            writer.beginArray()
            rows(&writer)
            writer.endArray()
            writer.member("next", last.map { String($0) })
        }
    }

    private func show(_ request: Request, _ id: String) throws -> Response {
        let unknown = Problem(.notFound, "there is no run \(id.prefix(40))")
        guard let name = RunName(id), let report = try kept.report(name) else {
            throw unknown
        }
        let place = try request.after { FindingPlace($0) } ?? .start
        guard
            let page = try kept.findings(
                of: name, after: place, limit: try request.limit(upTo: Self.limitMax))
        else { throw unknown }
        let now = report.run.finishedAt ?? report.run.to
        return Response.json(.ok) { writer in
            writer.beginObject()
            writer.key("reconciliation")
            report.encode(into: &writer, name: name, progress: kept.progress(of: name))
            writer.key("findings")
            writer.beginArray()
            for finding in page.findings { finding.encode(into: &writer, now: now) }
            writer.endArray()
            writer.member("next", page.next?.token)
            writer.endObject()
        }
    }

    // MARK: Sweeps

    private func beginSweep(
        _ request: Request, _ reconciler: Reconciler
    ) async throws -> Response {
        try request.checkIsJSON()
        try await Self.checkStripeAnswers(reconciler)
        let sweep: SweepRecord
        do {
            sweep = try reconciler.requestSweep()
        } catch let refusal as ReconcileRefusal {
            throw Problem(.conflict, refusal.message)
        }
        var response = Response.json(.accepted) { sweep.encode(into: &$0) }
        response.headers[.location] = "/api/v1/sweeps/\(sweep.id)"
        return response
    }

    private func listSweeps(_ request: Request) throws -> Response {
        let limit = try request.limit(upTo: Self.limitMax)
        let before = try request.after(QueryNumber.row)
        let sweeps = try kept.sweeps(before: before, limit: limit)
        let last = sweeps.count == limit ? sweeps.last?.id : nil
        return Self.page("sweeps", next: last) { writer in
            for sweep in sweeps { sweep.encode(into: &writer) }
        }
    }

    private func showSweep(_ id: String) throws -> Response {
        guard let number = QueryNumber.row(id), let sweep = try kept.sweep(number) else {
            throw Problem(.notFound, "there is no sweep \(id.prefix(40))")
        }
        return Response.json(.ok) { sweep.encode(into: &$0) }
    }
}
