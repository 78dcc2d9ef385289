import HTTPTypes
import Hummingbird
import NIOCore

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
/// Lists hold `next`, the `after` of the next page, null at the end. A refusal is a problem
/// document (RFC 9457).
struct ReconciliationRoutes: Sendable {
    let reconciler: Reconciler

    private static let limitDefault = 100
    private static let limitMax = 1000
    private static let bodyByteCountMax = 4096

    func add(to router: Router<BasicRequestContext>) {
        router.post("/api/v1/reconciliations") { request, _ in
            await answering { try await begin(request) }
        }
        router.get("/api/v1/reconciliations") { request, _ in
            await answering { try list(request) }
        }
        router.get("/api/v1/reconciliations/:id") { request, context in
            await answering { try show(request, context.parameters.get("id") ?? "") }
        }
        router.post("/api/v1/sweeps") { request, _ in
            await answering { try beginSweep(request) }
        }
        router.get("/api/v1/sweeps") { request, _ in await answering { try listSweeps(request) } }
        router.get("/api/v1/sweeps/:id") { _, context in
            await answering { try showSweep(context.parameters.get("id") ?? "") }
        }
    }

    // MARK: Runs

    private func begin(_ request: Request) async throws -> Response {
        try Self.checkType(of: request)
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.bodyByteCountMax)
        } catch {
            throw Problem(
                .contentTooLarge, "the body is longer than \(Self.bodyByteCountMax) bytes")
        }
        let asked = try Self.period([UInt8](body.readableBytesView))
        let name: RunName
        do {
            name = try reconciler.request(from: asked.from, to: asked.to, dryRun: asked.isDry)
        } catch let refusal as ReconcileRefusal {
            throw Problem(refusal == .badPeriod ? .badRequest : .conflict, refusal.message)
        }
        guard let report = try reconciler.report(name) else {
            throw Problem(.notFound, ReconcileRefusal.unknownRun.message)
        }
        var response = Response.json(.accepted) { report.encode(into: &$0, name: name, progress: 0) }
        response.headers[.location] = "/api/v1/reconciliations/\(name)"
        return response
    }

    /// What `POST` asks for: an empty body is an empty object.
    private static func period(
        _ body: [UInt8]
    ) throws -> (from: Instant?, to: Instant?, isDry: Bool) {
        guard !body.isEmpty else { return (nil, nil, false) }
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            guard let root = try? document.parse(body), let members = root.object else {
                throw Problem(.badRequest, "the body must be a JSON object")
            }
            for (key, _) in members {
                guard let name = key.string, ["from", "to", "dry_run"].contains(name) else {
                    throw Problem(.badRequest, "the body may hold from, to and dry_run only")
                }
            }
            do {
                return (
                    try root.optionalInt64("from").map(Instant.init(seconds:)),
                    try root.optionalInt64("to").map(Instant.init(seconds:)),
                    root["dry_run"] == nil ? false : try root.requiredBool("dry_run")
                )
            } catch {
                throw Problem(
                    .badRequest, "from and to are Unix seconds, dry_run is true or false")
            }
        }
    }

    private func list(_ request: Request) throws -> Response {
        let limit = try Self.limit(request)
        let reports = try reconciler.reports(before: try Self.before(request), limit: limit)
        return Response.json(.ok) { writer in
            writer.beginObject()
            writer.key("reconciliations")
            writer.beginArray()
            for report in reports {
                let name = RunName(number: report.run.id, isDry: false)
                report.encode(
                    into: &writer, name: name, progress: reconciler.progress(of: name))
            }
            writer.endArray()
            let last = reports.count == limit ? reports.last?.run.id : nil
            writer.member("next", last.map { String($0) })
            writer.endObject()
        }
    }

    private func show(_ request: Request, _ id: String) throws -> Response {
        let unknown = Problem(.notFound, "there is no run \(id.prefix(40))")
        guard let name = RunName(id), let report = try reconciler.report(name) else {
            throw unknown
        }
        var place = FindingPlace.start
        if let after = Self.parameter("after", request) {
            guard let given = FindingPlace(after) else {
                throw Problem(.badRequest, "after must be the next of an earlier page")
            }
            place = given
        }
        guard
            let page = try reconciler.findings(
                of: name, after: place, limit: try Self.limit(request))
        else { throw unknown }
        let now = report.run.finishedAt ?? report.run.to
        return Response.json(.ok) { writer in
            writer.beginObject()
            writer.key("reconciliation")
            report.encode(into: &writer, name: name, progress: reconciler.progress(of: name))
            writer.key("findings")
            writer.beginArray()
            for finding in page.findings { finding.encode(into: &writer, now: now) }
            writer.endArray()
            writer.member("next", page.next?.token)
            writer.endObject()
        }
    }

    // MARK: Sweeps

    private func beginSweep(_ request: Request) throws -> Response {
        try Self.checkType(of: request)
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
        let limit = try Self.limit(request)
        let sweeps = try reconciler.sweeps(before: try Self.before(request), limit: limit)
        return Response.json(.ok) { writer in
            writer.beginObject()
            writer.key("sweeps")
            writer.beginArray()
            for sweep in sweeps { sweep.encode(into: &writer) }
            writer.endArray()
            let last = sweeps.count == limit ? sweeps.last?.id : nil
            writer.member("next", last.map { String($0) })
            writer.endObject()
        }
    }

    private func showSweep(_ id: String) throws -> Response {
        guard let number = Int64(id), let sweep = try reconciler.sweep(number) else {
            throw Problem(.notFound, "there is no sweep \(id.prefix(40))")
        }
        return Response.json(.ok) { sweep.encode(into: &$0) }
    }

    // MARK: Requests and answers

    /// A page in a browser can post a form to this port, but not JSON without asking first.
    private static func checkType(of request: Request) throws {
        guard request.headers[.contentType]?.hasPrefix("application/json") == true else {
            throw Problem(.unsupportedMediaType, "send it as Content-Type: application/json")
        }
    }

    private static func parameter(_ name: String, _ request: Request) -> String? {
        request.uri.queryParameters[Substring(name)].map(String.init)
    }

    private static func limit(_ request: Request) throws -> Int {
        guard let text = parameter("limit", request) else { return limitDefault }
        guard let limit = Int(text), (1...limitMax).contains(limit) else {
            throw Problem(.badRequest, "limit must be a number from 1 to \(limitMax)")
        }
        return limit
    }

    private static func before(_ request: Request) throws -> Int64? {
        guard let text = parameter("after", request) else { return nil }
        guard let id = Int64(text), id > 0 else {
            throw Problem(.badRequest, "after must be the next of an earlier page")
        }
        return id
    }

    private func answering(_ body: () async throws -> Response) async -> Response {
        do {
            return try await body()
        } catch let problem as Problem {
            return problem.response
        } catch {
            return Problem(.internalServerError, "\(error)").response
        }
    }
}
