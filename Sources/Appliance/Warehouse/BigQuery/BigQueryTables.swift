import Foundation
import NIOHTTP1
import Vocabulary

// What the loads stand on: datasets, tables, and answers to queries.

extension BigQueryClient {
    /// Where the dataset is; nil where there is none.
    func location() async throws(BigQueryError) -> String? {
        try await ask(.GET, url("/datasets/\(place.dataset)")) {
            _, root throws(BigQueryError) in
            guard let location = root["location"]?.string else {
                throw .malformed(what: "a dataset without a location")
            }
            return location
        }
    }

    /// Makes the dataset in `location`; one that is there stays as it is.
    func makeDataset(in location: String) async throws(BigQueryError) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("datasetReference")
        writer.beginObject()
        writer.member("projectId", place.project)
        writer.member("datasetId", place.dataset)
        writer.endObject()
        writer.member("location", location)
        writer.endObject()
        try await make(writer.bytes, at: url("/datasets"))
    }

    /// - Throws: ``BigQueryError`` for every answer but 2xx and 409.
    private func make(_ body: [UInt8], at url: String) async throws(BigQueryError) {
        let answer = try await exchange(
            BigQueryRequest(
                .POST, url, headers: [(name: "Content-Type", value: "application/json")],
                body: body))
        guard (200..<300).contains(answer.status) || answer.status == 409 else {
            throw .notFound(message: BigQueryRefusal(in: answer.body).message)
        }
    }

    /// Makes the table, or brings one that is there to the schema's form: columns that are missing
    /// are added (null in the old rows), and what may be null now may.
    ///
    /// - Throws: `tableDiffers` for what BigQuery cannot change.
    func prepare(
        _ name: String, _ columns: [BigQueryColumn], partition: String, meaning: String
    ) async throws(BigQueryError) {
        guard let found = try await columnsOf(name) else {
            let definition = BigQueryTableDefinition(
                place: place, name: name, columns: columns, partition: partition, meaning: meaning)
            return try await make(
                definition.json, at: url("/datasets/\(place.dataset)/tables"))
        }
        guard let change = try Self.change(of: name, from: found, to: columns) else { return }
        var writer = JSONWriter()
        writer.beginObject()
        writer.fields(change)
        writer.endObject()
        let path = "/datasets/\(place.dataset)/tables/\(name)"
        let done: Bool? = try await ask(.PATCH, url(path), writer.bytes) { _, _ in true }
        guard done == true else { throw .notFound(message: "the table \(name) is gone") }
    }

    /// Makes the table that a day is loaded into. It goes by itself after two days, should nobody
    /// come back for it.
    func makeStaging(_ name: String, _ table: WarehouseTable) async throws(BigQueryError) {
        let definition = BigQueryTableDefinition(
            place: place, name: name, columns: table.bigQueryColumns, partition: nil,
            meaning: "A day of \(table.name) on its way in.",
            expiresAtMilliseconds: (now() + 2 * 86_400) * 1_000)
        try await make(definition.json, at: url("/datasets/\(place.dataset)/tables"))
    }

    /// A table's columns; nil where there is none.
    private func columnsOf(_ table: String) async throws(BigQueryError) -> [BigQueryColumn]? {
        try await ask(.GET, url("/datasets/\(place.dataset)/tables/\(table)")) {
            _, root throws(BigQueryError) in
            guard let fields = root["schema"]?["fields"]?.array else { return [] }
            var columns: [BigQueryColumn] = []
            for field in fields {
                guard let name = field["name"]?.string, let type = field["type"]?.string else {
                    throw .malformed(what: "a table's column without name and type")
                }
                guard let kind = WarehouseColumn.Kind(answered: type) else {
                    throw .tableDiffers(
                        table: table,
                        reason: "its column \(name) is a \(type), which none of ours is; load into "
                            + "another dataset")
                }
                columns.append(
                    BigQueryColumn(
                        name: name, kind: kind,
                        isRequired: field["mode"]?.string == "REQUIRED",
                        about: field["description"]?.string ?? ""))
            }
            return columns
        }
    }

    /// The columns as they must become; nil where they are right.
    static func change(
        of table: String, from found: [BigQueryColumn], to wanted: [BigQueryColumn]
    ) throws(BigQueryError) -> [BigQueryColumn]? {
        var columns = found
        var isChanged = false
        for column in wanted {
            guard let place = columns.firstIndex(where: { $0.name == column.name }) else {
                var added = column
                // The rows that are there have nothing in it.
                added.isRequired = false
                columns.append(added)
                isChanged = true
                continue
            }
            guard columns[place].kind == column.kind else {
                throw .tableDiffers(
                    table: table,
                    reason: "\(column.name) is \(columns[place].kind.rawValue) there and "
                        + "\(column.kind.rawValue) here; load into another dataset")
            }
            if columns[place].isRequired, !column.isRequired {
                columns[place].isRequired = false
                isChanged = true
            }
        }
        if let other = columns.first(where: { column in
            column.isRequired && !wanted.contains { $0.name == column.name }
        }) {
            throw .tableDiffers(
                table: table,
                reason: "\(other.name) must not be null there, and nothing here fills it")
        }
        return isChanged ? columns : nil
    }

    /// Asks, and reads the whole answer: a list of texts for each row, nil for null.
    ///
    /// - Returns: nil where a table that the query names is not there.
    func rows(_ sql: String, in location: String) async throws(BigQueryError) -> [[String?]]? {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("query", sql)
        writer.member("useLegacySql", false)
        writer.member("location", location)
        writer.member("timeoutMs", Self.queryMilliseconds)
        writer.member("maxResults", Self.pageRows)
        // The same request sent again is answered by the first one's job.
        writer.member("requestId", UUID().uuidString)
        writer.endObject()
        guard var page = try await ask(.POST, url("/queries"), writer.bytes, Self.page) ?? nil
        else { return nil }
        var all = page.rows
        var looks = 0
        while !page.isComplete || page.next != nil {
            guard looks < Self.looksMax else {
                throw .jobUnfinished(id: page.job, seconds: patience.jobSecondsMax)
            }
            if !page.isComplete { looks += 1 }
            let query = [
                ("location", page.location ?? location), ("maxResults", "\(Self.pageRows)"),
                ("timeoutMs", "\(Self.queryMilliseconds)"),
            ] + (page.next.map { [("pageToken", $0)] } ?? [])
            let more = try await ask(.GET, url("/queries/\(page.job)", query), nil, Self.page)
            guard let more = more ?? nil else {
                throw .notFound(message: "the query \(page.job) is gone")
            }
            page = more
            all += page.rows
        }
        return all
    }

    /// How long BigQuery waits with its answer for a query's end.
    private static let queryMilliseconds: Int64 = 20_000
    private static let looksMax = 180
    private static let pageRows: Int64 = 10_000

    private struct Page: Sendable {
        var job: String
        var location: String?
        var isComplete: Bool
        var next: String?
        var rows: [[String?]]
    }

    private static func page(_ status: Int, _ root: JSONValue) throws(BigQueryError) -> Page? {
        let isComplete = root["jobComplete"]?.bool ?? false
        var rows: [[String?]] = []
        if let elements = root["rows"]?.array {
            for element in elements {
                guard let fields = element["f"]?.array else {
                    throw .malformed(what: "a row without its values")
                }
                rows.append(fields.map { $0["v"]?.string })
            }
        }
        if isComplete, root["schema"]?["fields"]?.array?.first(where: { _ in true }) == nil {
            // An emulator answers a query that failed with 200; BigQuery's own have a status.
            let failure = root["errors"]?.array?.first { _ in true }
            if failure?["reason"]?.string == "notFound" { return nil }
            if let failure {
                throw .refused(
                    status: status,
                    message: BigQueryRefusal.printable(failure["message"]?.string))
            }
        }
        guard let job = root["jobReference"]?["jobId"]?.string else {
            throw .malformed(what: "a query's answer without its job")
        }
        return Page(
            job: job, location: root["jobReference"]?["location"]?.string, isComplete: isComplete,
            next: root["pageToken"]?.string, rows: rows)
    }
}

/// A table as the API takes it.
struct BigQueryTableDefinition {
    var place: BigQueryPlace
    var name: String
    var columns: [BigQueryColumn]
    /// nil for none.
    var partition: String?
    var meaning: String
    var expiresAtMilliseconds: Int64?

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.tableReference("tableReference", place, name)
        writer.member("description", meaning)
        writer.key("schema")
        writer.beginObject()
        writer.fields(columns, named: "fields")
        writer.endObject()
        if let partition {
            writer.key("timePartitioning")
            writer.beginObject()
            writer.member("type", "DAY")
            writer.member("field", partition)
            writer.endObject()
        }
        if let expiresAtMilliseconds {
            // The API's 64-bit numbers are texts.
            writer.member("expirationTime", String(expiresAtMilliseconds))
        }
        writer.endObject()
        return writer.bytes
    }
}

extension JSONWriter {
    mutating func tableReference(_ name: StaticString, _ place: BigQueryPlace, _ table: String) {
        key(name)
        beginObject()
        member("projectId", place.project)
        member("datasetId", place.dataset)
        member("tableId", table)
        endObject()
    }

    /// `"schema": {"fields": […]}`
    mutating func fields(_ columns: [BigQueryColumn]) {
        key("schema")
        beginObject()
        fields(columns, named: "fields")
        endObject()
    }

    mutating func fields(_ columns: [BigQueryColumn], named name: StaticString) {
        key(name)
        beginArray()
        for column in columns {
            beginObject()
            member("name", column.name)
            member("type", column.kind.rawValue)
            member("mode", column.isRequired ? "REQUIRED" : "NULLABLE")
            member("description", column.about)
            endObject()
        }
        endArray()
    }
}
