import Vocabulary

/// A UTC day, `2026-11-27`.
package struct LoadDay: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// nil for what the calendar has not.
    package init?(_ text: String) {
        guard text.utf8.count == 10, Moment(text) != nil else { return nil }
        self.text = text
    }

    package var description: String { text }
    /// `20261127`
    var compact: String { text.replacing("-", with: "") }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// A day's rows, counted and added up.
package struct LoadFigures: Hashable, Sendable {
    /// One money column in one currency.
    package struct Sum: Hashable, Sendable {
        package var column: String
        package var currency: String
        /// Rows in which the column is not null.
        package var rows: Int64
        /// Minor units. Wider than a row's own 64 bits, which a sum may exceed.
        package var sum: Int128

        package init(column: String, currency: String, rows: Int64, sum: Int128) {
            self.column = column
            self.currency = currency
            self.rows = rows
            self.sum = sum
        }
    }

    package var rows: Int64 = 0
    /// In the order of the table's columns, then of the currencies.
    package var sums: [Sum] = []

    package init(rows: Int64 = 0, sums: [Sum] = []) {
        self.rows = rows
        self.sums = sums
    }

    /// What `other` has differently, each in a few words; empty where they are the same.
    func differences(from other: LoadFigures) -> [String] {
        var found: [String] = []
        if rows != other.rows { found.append("\(rows) rows instead of \(other.rows)") }
        for place in Set(sums.map(\.place)).union(other.sums.map(\.place)).sorted() {
            let mine = sums.first { $0.place == place }
            let wanted = other.sums.first { $0.place == place }
            guard mine != wanted else { continue }
            found.append(
                "\(place) is \(mine.map { "\($0.sum) in \($0.rows) rows" } ?? "nothing") instead "
                    + "of \(wanted.map { "\($0.sum) in \($0.rows)" } ?? "nothing")")
        }
        return found
    }
}

extension LoadFigures.Sum {
    fileprivate var place: String { "\(column) \(currency)" }
}

/// What `manifest.json` says of the file beside it (docs/WAREHOUSE.md).
package struct LoadManifest: Hashable, Sendable {
    static let format = "tillbox-warehouse/1"
    package static let fileName = "manifest.json"

    package var table: String
    package var day: LoadDay
    package var schemaVersion: Int64
    /// The file's name.
    package var file: String
    package var isCompressed: Bool
    package var fileByteCount: Int64
    package var fileDigest: String
    /// Of the rows uncompressed, 64 hex digits.
    package var contentDigest: String
    package var figures: LoadFigures

    /// What it is not, in a few words.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        self = try withExtendedLifetime(document) { () throws(Malformed) in
            guard let root = try? document.parse(bytes), root["format"]?.string == Self.format
            else { throw Malformed(description: "it is no \(Self.format)") }
            do throws(RecordCodecError) {
                return try Self.read(root)
            } catch {
                throw Malformed(description: "it cannot be read: \(error.sentence)")
            }
        }
    }

    private static func read(_ root: JSONValue) throws(RecordCodecError) -> LoadManifest {
        guard let day = LoadDay(try root.requiredString("dt")) else { throw .field("dt") }
        let compression = try root.requiredString("compression")
        guard ["none", "gzip"].contains(compression) else { throw .field("compression") }
        let file = try root.requiredString("file")
        // It is put behind a folder's name.
        guard file.wholeMatch(of: /[a-z_][a-z0-9_]*\.ndjson(\.gz)?/) != nil else {
            throw .field("file")
        }
        return LoadManifest(
            table: try root.requiredString("table"), day: day,
            schemaVersion: try root.requiredInt64("schema_version"), file: file,
            isCompressed: compression == "gzip",
            fileByteCount: try root.requiredInt64("file_bytes"),
            fileDigest: try digest(root, "file_sha256"),
            contentDigest: try digest(root, "content_sha256"),
            figures: LoadFigures(rows: try root.requiredInt64("rows"), sums: try sums(root)))
    }

    private static func digest(
        _ root: JSONValue, _ key: StaticString
    ) throws(RecordCodecError) -> String {
        let text = try root.requiredString(key)
        guard text.wholeMatch(of: /[0-9a-f]{64}/) != nil else { throw .field("\(key)") }
        return text
    }

    private static func sums(_ root: JSONValue) throws(RecordCodecError) -> [LoadFigures.Sum] {
        guard let elements = root["sums"]?.array else { throw .field("sums") }
        var sums: [LoadFigures.Sum] = []
        for element in elements {
            guard let sum = Int128(try element.requiredString("sum")) else { throw .field("sum") }
            sums.append(
                LoadFigures.Sum(
                    column: try element.requiredString("column"),
                    currency: try element.requiredString("currency"),
                    rows: try element.requiredInt64("rows"), sum: sum))
        }
        return sums
    }

    private init(
        table: String, day: LoadDay, schemaVersion: Int64, file: String, isCompressed: Bool,
        fileByteCount: Int64, fileDigest: String, contentDigest: String, figures: LoadFigures
    ) {
        self.table = table
        self.day = day
        self.schemaVersion = schemaVersion
        self.file = file
        self.isCompressed = isCompressed
        self.fileByteCount = fileByteCount
        self.fileDigest = fileDigest
        self.contentDigest = contentDigest
        self.figures = figures
    }
}
