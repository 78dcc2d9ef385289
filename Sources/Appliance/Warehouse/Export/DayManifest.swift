package import Vocabulary

/// What a day's file of a table holds: `manifest.json` beside it (docs/WAREHOUSE.md).
package struct DayManifest: Hashable, Sendable {
    package static let format = "tillbox-warehouse/1"

    /// The sum of a money column in one currency, over the rows where it is not null.
    package struct Sum: Hashable, Sendable {
        package var column: String
        package var currency: String
        package var rows: Int64
        /// Minor units. Beyond 64 bits, since so many of the largest amounts fit into a day.
        package var sum: Int128
    }

    package enum Compression: String, Sendable {
        case none, gzip
    }

    package var dataset: String
    package var table: String
    /// `2026-11-26`
    package var day: String
    package var schemaVersion: Int64
    package var file: String
    package var compression: Compression
    /// Of the file as it lies there.
    package var fileBytes: Int64
    /// 64 hex digits.
    package var fileDigest: String
    package var rows: Int64
    /// Of the rows uncompressed.
    package var contentBytes: Int64
    package var contentDigest: String
    package var sums: [Sum]
    /// 1, and one more with each correction.
    package var revision: Int64
    /// The content that this one corrects; nil at first.
    package var replaces: String?
    /// Whether the day was over when the file was written.
    package var isComplete: Bool
    package var writtenAt: Instant

    /// One JSON document with a line's end.
    package func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writer.member("format", Self.format)
        writer.member("dataset", dataset)
        writer.member("table", table)
        writer.member("dt", day)
        writer.member("schema_version", schemaVersion)
        writer.member("file", file)
        writer.member("compression", compression.rawValue)
        writer.member("file_bytes", fileBytes)
        writer.member("file_sha256", fileDigest)
        writer.member("rows", rows)
        writer.member("content_bytes", contentBytes)
        writer.member("content_sha256", contentDigest)
        writer.objects("sums", sums) { sum, writer in
            writer.member("column", sum.column)
            writer.member("currency", sum.currency)
            writer.member("rows", sum.rows)
            writer.member("sum", String(sum.sum))
        }
        writer.member("revision", revision)
        writer.member("replaces", replaces)
        writer.member("complete", isComplete)
        writer.member("written_at", UTCText.second(writtenAt))
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        guard try json.requiredString("format") == Self.format else { throw .field("format") }
        dataset = try json.requiredString("dataset")
        table = try json.requiredString("table")
        day = try json.requiredString("dt")
        schemaVersion = try json.requiredInt64("schema_version")
        file = try json.requiredString("file")
        compression = try json.requiredWord("compression")
        fileBytes = try json.requiredInt64("file_bytes")
        fileDigest = try json.requiredString("file_sha256")
        rows = try json.requiredInt64("rows")
        contentBytes = try json.requiredInt64("content_bytes")
        contentDigest = try json.requiredString("content_sha256")
        sums = try json.requiredList("sums", Self.sum)
        revision = try json.requiredInt64("revision")
        replaces = try json.optionalString("replaces")
        guard let isComplete = json["complete"]?.bool else { throw .field("complete") }
        self.isComplete = isComplete
        guard let written = Moment(try json.requiredString("written_at")) else {
            throw .field("written_at")
        }
        writtenAt = written.start
    }

    private static func sum(_ json: JSONValue) throws(RecordCodecError) -> Sum {
        guard let sum = Int128(try json.requiredString("sum")) else { throw .field("sum") }
        return Sum(
            column: try json.requiredString("column"),
            currency: try json.requiredString("currency"),
            rows: try json.requiredInt64("rows"), sum: sum)
    }

    /// Whether these are the rows that it tells of.
    func tells(of content: DayContent) -> Bool {
        contentDigest == content.digest && contentBytes == content.bytes && rows == content.rows
            && sums == content.sums
    }

    /// What a day's rows come to, in the manifest of a file that holds them.
    init(
        _ table: WarehouseTable, day: String, content: DayContent, file: WrittenFile,
        compression: Compression, replacing former: DayManifest?, isComplete: Bool, at now: Instant
    ) {
        dataset = table.dataset.rawValue
        self.table = table.name
        self.day = day
        schemaVersion = WarehouseTable.schemaVersion
        self.file = DayFiles.fileName(of: table, compression)
        self.compression = compression
        (fileBytes, fileDigest) = (file.bytes, file.digest)
        (rows, contentBytes, contentDigest) = (content.rows, content.bytes, content.digest)
        sums = content.sums
        revision = (former?.revision ?? 0) + 1
        replaces = former?.contentDigest
        self.isComplete = isComplete
        writtenAt = now
    }
}
