import Bridges
import Foundation
import NIOHTTP1
import Synchronization

@testable import Vocabulary
@testable import Warehouse

/// A BigQuery of our own for what no emulator shows: names of jobs, 409, jobs that fail, locations,
/// tokens that end, uploads that break off.
///
/// It keeps tables of (dt, amount, currency) and a journal, and understands the statements that a
/// load sends, by their form; anything else is a 400. It speaks as the API's reference describes.
final class BigQueryStub: BigQueryTransport {
    struct Row: Hashable, Sendable {
        var dt: String
        var amount: Int64?
        var currency: String
    }

    struct Job: Sendable {
        var json: String
        /// Looks at it that still find it running.
        var looksLeft: Int
    }

    struct Upload: Sendable {
        var job: String
        var bytes: [UInt8]
        var total: Int
    }

    /// What happens to the next request that is of this kind.
    struct Fault: Sendable {
        var method: HTTPMethod
        var part: String
        /// nil: no answer comes.
        var answer: BigQueryAnswer?
        /// Whether it is carried out all the same.
        var isCarriedOut = false
    }

    struct State: Sendable {
        var location = "EU"
        var tables: [String: [Row]] = [:]
        var journal: [(table: String, dt: String, digest: String, version: String)] = []
        var jobs: [String: Job] = [:]
        var uploads: [String: Upload] = [:]
        var faults: [Fault] = []
        /// Code words with which the next jobs of a kind (`load`, `swap`) end.
        var jobFailures: [(kind: String, reason: String)] = []
        var looks = 0
        var tokens: Set<String>?
        var requests: [String] = []
        /// Bytes that each piece of an upload really brings; nil for all.
        var pieceBytesKept: Int?
        /// Rows that get lost in each load.
        var rowsLost = 0
    }

    let state = Mutex(State())

    @discardableResult
    func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        state.withLock { body(&$0) }
    }

    var requests: [String] { change { $0.requests } }

    func requests(with part: String) -> [String] { requests.filter { $0.contains(part) } }

    // MARK: The door

    struct Gone: Error, CustomStringConvertible { var description: String { "cut" } }

    func send(_ request: BigQueryRequest, token: Secret?) async throws -> BigQueryAnswer {
        let answer: BigQueryAnswer? = change { state in
            state.requests.append("\(request.method) \(request.url)")
            if let tokens = state.tokens, !(token.map { tokens.contains($0.reveal()) } ?? false) {
                return Self.error(401, "authError", "Invalid Credentials")
            }
            let place = state.faults.firstIndex {
                $0.method == request.method && request.url.contains($0.part)
            }
            guard let place else { return Self.carryOut(request, &state) }
            let fault = state.faults.remove(at: place)
            if fault.isCarriedOut { _ = Self.carryOut(request, &state) }
            return fault.answer
        }
        guard let answer else { throw Gone() }
        return answer
    }

    static func error(_ status: Int, _ reason: String, _ message: String) -> BigQueryAnswer {
        BigQueryAnswer(
            status: status,
            body: Array(
                (#"{"error":{"code":\#(status),"message":"\#(message)","#
                    + #""errors":[{"reason":"\#(reason)"}]}}"#).utf8))
    }

    private static func ok(_ text: String) -> BigQueryAnswer {
        BigQueryAnswer(status: 200, body: Array(text.utf8))
    }

    private static func carryOut(
        _ request: BigQueryRequest, _ state: inout State
    ) -> BigQueryAnswer {
        let url = URLComponents(string: request.url)
        let parts = (url?.path ?? "").split(separator: "/").map(String.init)
        let body = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any]
        let query = Dictionary(
            (url?.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        // bigquery/v2/projects/P/… or upload/bigquery/v2/projects/P/jobs
        if parts.first == "upload" { return upload(request, query, &state) }
        switch (request.method, parts.dropFirst(4).map { $0 }) {
        case (.GET, let path) where path.count == 2 && path[0] == "datasets":
            return path[1] == "books"
                ? ok(#"{"location":"\#(state.location)"}"#) : error(404, "notFound", "no dataset")
        case (.GET, let path) where path.count == 4:
            guard let table = path.last, state.tables[table] != nil else {
                return error(404, "notFound", "no table")
            }
            return ok("{\"schema\":{\"fields\":[\(fields(of: table))]}}")
        case (.POST, let path) where path.last == "tables":
            let reference = body?["tableReference"] as? [String: String]
            guard let name = reference?["tableId"] else { return error(400, "invalid", "table") }
            guard state.tables[name] == nil else { return error(409, "duplicate", "there") }
            state.tables[name] = []
            return ok("{}")
        case (.POST, ["queries"]): return answer(to: body?["query"] as? String ?? "", state)
        case (.POST, ["jobs"]): return script(body ?? [:], &state)
        case (.GET, let path) where path.first == "jobs" && path.count == 2:
            guard query["location"] == state.location else {
                return error(404, "notFound", "no job there")
            }
            return look(at: path[1], &state)
        default: return error(400, "invalid", "\(request.method) \(request.url)")
        }
    }

    private static func fields(of table: String) -> String {
        let columns =
            table == BigQuerySQL.journal
            ? BigQuerySQL.journalColumns : BigQueryStub.table.bigQueryColumns
        return columns.map {
            #"{"name":"\#($0.name)","type":"\#($0.kind.rawValue)","#
                + #""mode":"\#($0.isRequired ? "REQUIRED" : "NULLABLE")"}"#
        }.joined(separator: ",")
    }

    // MARK: Jobs

    private static func begin(
        _ id: String, kind: String, _ state: inout State, _ work: (inout State) -> String?
    ) -> BigQueryAnswer {
        guard state.jobs[id] == nil else { return error(409, "duplicate", "Already Exists: \(id)") }
        var failure: String?
        if let place = state.jobFailures.firstIndex(where: { $0.kind == kind }) {
            failure = state.jobFailures.remove(at: place).reason
        } else {
            failure = work(&state)
        }
        let result = failure.map {
            #","errorResult":{"reason":"\#($0)","message":"it went wrong"}"#
        }
        state.jobs[id] = Job(
            json: #"{"jobReference":{"jobId":"\#(id)","location":"\#(state.location)"},"#
                + #""status":{"state":"DONE"\#(result ?? "")}}"#,
            looksLeft: state.looks)
        return look(at: id, &state)
    }

    private static func look(at id: String, _ state: inout State) -> BigQueryAnswer {
        guard var job = state.jobs[id] else { return error(404, "notFound", "no job") }
        guard job.looksLeft > 0 else { return ok(job.json) }
        job.looksLeft -= 1
        state.jobs[id] = job
        return ok(
            #"{"jobReference":{"jobId":"\#(id)","location":"\#(state.location)"},"#
                + #""status":{"state":"RUNNING"}}"#
        )
    }

    private static func script(_ body: [String: Any], _ state: inout State) -> BigQueryAnswer {
        let reference = body["jobReference"] as? [String: String]
        let configuration = body["configuration"] as? [String: [String: Any]]
        guard let id = reference?["jobId"], let sql = configuration?["query"]?["query"] as? String
        else { return error(400, "invalid", "job") }
        return begin(id, kind: "swap", &state) { state in swap(sql, &state) }
    }

    /// - Returns: why it fails; nothing has changed then.
    private static func swap(_ sql: String, _ state: inout State) -> String? {
        guard
            let deletion = sql.firstMatch(
                of: /DELETE FROM `p-roject\.books\.(\w+)` WHERE dt = DATE '([0-9-]+)'/),
            let note = sql.firstMatch(of: /SELECT '(\w+)', DATE '([0-9-]+)', '(\w+)', (\d+), \d+/)
        else { return "invalidQuery" }
        let (table, day) = (String(deletion.output.1), String(deletion.output.2))
        var rows = (state.tables[table] ?? []).filter { $0.dt != day }
        if let source = sql.firstMatch(of: /SELECT .* FROM `p-roject\.books\.(\w+)`;/) {
            guard let new = state.tables[String(source.output.1)] else { return "notFound" }
            rows += new
            state.tables[String(source.output.1)] = nil
        }
        state.tables[table] = rows
        state.journal.append(
            (String(note.output.1), String(note.output.2), String(note.output.3),
                String(note.output.4)))
        return nil
    }

    // MARK: Queries

    private static func answer(to sql: String, _ state: State) -> BigQueryAnswer {
        let rows: [[String?]]
        if let match = sql.firstMatch(of: /table_name = '(\w+)'/) {
            var latest: [String: [String?]] = [:]
            for note in state.journal where note.table == match.output.1 {
                latest[note.dt] = [note.dt, note.digest, note.version]
            }
            rows = latest.values.map { $0 }
        } else if let match = sql.firstMatch(of: /FROM `p-roject\.books\.(\w+)`/) {
            guard let found = state.tables[String(match.output.1)] else {
                return error(404, "notFound", "no table")
            }
            rows = figures(of: found)
        } else {
            return error(400, "invalidQuery", "not understood")
        }
        let values = rows.map { row in
            let fields = row.map { value in
                "{\"v\":" + (value.map { "\"\($0)\"" } ?? "null") + "}"
            }
            return "{\"f\":[\(fields.joined(separator: ","))]}"
        }
        return ok(
            #"{"jobComplete":true,"jobReference":{"jobId":"q","location":"\#(state.location)"},"#
                + #""schema":{"fields":[{"name":"a","type":"STRING"}]},"#
                + #""rows":[\#(values.joined(separator: ","))]}"#
        )
    }

    private static func figures(of rows: [Row]) -> [[String?]] {
        let billion = Int128(1_000_000_000)
        return Dictionary(grouping: rows, by: \.dt).flatMap { day, rows -> [[String?]] in
            let sums = Dictionary(grouping: rows.filter { $0.amount != nil }, by: \.currency)
            var lines: [[String?]] = [[day, "", "", "\(rows.count)", "0", "0"]]
            for (currency, rows) in sums {
                let sum = rows.reduce(Int128(0)) { $0 + Int128($1.amount ?? 0) }
                lines.append([
                    day, "amount", currency, "\(rows.count)", "\(sum / billion)",
                    "\(sum % billion)",
                ])
            }
            return lines
        }
    }
}

// MARK: - Uploads

extension BigQueryStub {
    /// The table of the tests.
    static let table = WarehouseTable(
        .tillbox, "sales", day: "created", key: ["amount"], sums: [.init("amount", by: "currency")],
        about: "Of tests.",
        columns: [
            .required("dt", .day, "The day."), .optional("amount", .integer, "Minor units."),
            .required("currency", .text, "Lower case."),
        ])

    private static func upload(
        _ request: BigQueryRequest, _ query: [String: String], _ state: inout State
    ) -> BigQueryAnswer {
        let fields = Dictionary(
            request.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        guard request.method == .PUT else {
            let id = "upload-\(state.uploads.count)"
            state.uploads[id] = Upload(
                job: String(decoding: request.body, as: UTF8.self), bytes: [],
                total: Int(fields["x-upload-content-length"] ?? "") ?? 0)
            let top = request.url.split(separator: "?")[0]
            return BigQueryAnswer(status: 200, location: "\(top)?upload_id=\(id)")
        }
        guard let id = query["upload_id"], var upload = state.uploads[id] else {
            return error(404, "notFound", "no upload")
        }
        if let match = fields["content-range"]?.wholeMatch(of: /bytes (\d+)-(\d+)\/(\d+)/),
            Int(match.output.1) == upload.bytes.count
        {
            upload.bytes += request.body.prefix(state.pieceBytesKept ?? request.body.count)
            state.uploads[id] = upload
        }
        guard upload.bytes.count == upload.total else {
            let range = upload.bytes.isEmpty ? nil : "bytes=0-\(upload.bytes.count - 1)"
            return BigQueryAnswer(status: 308, range: range)
        }
        return load(upload, &state)
    }

    private static func load(_ upload: Upload, _ state: inout State) -> BigQueryAnswer {
        let job =
            (try? JSONSerialization.jsonObject(with: Data(upload.job.utf8))) as? [String: Any]
        let reference = job?["jobReference"] as? [String: String]
        let load = (job?["configuration"] as? [String: [String: Any]])?["load"]
        let target = load?["destinationTable"] as? [String: String]
        guard let id = reference?["jobId"], let table = target?["tableId"] else {
            return error(400, "invalid", "job")
        }
        return begin(id, kind: "load", &state) { state in
            let lines = upload.bytes.split(separator: UInt8(ascii: "\n"))
            let rows = lines.compactMap { line -> Row? in
                guard
                    let json = try? JSONSerialization.jsonObject(with: Data(line)),
                    let object = json as? [String: Any], let dt = object["dt"] as? String,
                    let currency = object["currency"] as? String
                else { return nil }
                let amount = (object["amount"] as? NSNumber)?.int64Value
                return Row(dt: dt, amount: amount, currency: currency)
            }
            state.tables[table] = Array(rows.dropLast(state.rowsLost))
            return nil
        }
    }
}
