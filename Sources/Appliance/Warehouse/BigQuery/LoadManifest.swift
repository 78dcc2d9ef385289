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
    package var rows: Int64 = 0
    /// In the order of the table's columns, then of the currencies.
    package var sums: [DayManifest.Sum] = []

    package init(rows: Int64 = 0, sums: [DayManifest.Sum] = []) {
        self.rows = rows
        self.sums = sums
    }

    /// What `other` has differently, each in a few words; empty where they are the same.
    func differences(from other: LoadFigures) -> [String] {
        var found: [String] = []
        if rows != other.rows {
            found.append("\(Counted.words(rows, "row")) instead of \(other.rows)")
        }
        for place in Set(sums.map(\.place)).union(other.sums.map(\.place)).sorted() {
            let mine = sums.first { $0.place == place }
            let wanted = other.sums.first { $0.place == place }
            guard mine != wanted else { continue }
            let said = mine.map { "\($0.sum) in \(Counted.words($0.rows, "row"))" }
            found.append(
                "\(place) is \(said ?? "nothing") instead "
                    + "of \(wanted.map { "\($0.sum) in \($0.rows)" } ?? "nothing")")
        }
        return found
    }
}

extension DayManifest.Sum {
    fileprivate var place: String { "\(column) \(currency)" }
}

/// What `manifest.json` says of the file beside it (docs/WAREHOUSE.md), as far as it is safe to go
/// by: its words become parts of paths, of SQL and of jobs' names.
package struct LoadManifest: Hashable, Sendable {
    package static let fileName = "manifest.json"

    package let told: DayManifest
    package let day: LoadDay

    /// What it is not, in a few words.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        let told = try withExtendedLifetime(document) { () throws(Malformed) in
            guard let root = try? document.parse(bytes) else {
                throw Malformed(description: "it is no JSON")
            }
            do throws(RecordCodecError) {
                return try DayManifest(json: root)
            } catch {
                throw Malformed(description: "it cannot be read: \(error.sentence)")
            }
        }
        guard let day = LoadDay(told.day) else {
            throw Malformed(description: "its day is none that the calendar has")
        }
        guard told.file.wholeMatch(of: /[a-z_][a-z0-9_]*\.ndjson(\.gz)?/) != nil else {
            throw Malformed(description: "it names a file of another kind")
        }
        for digest in [told.fileDigest, told.contentDigest] {
            guard digest.wholeMatch(of: /[0-9a-f]{64}/) != nil else {
                throw Malformed(description: "one of its digests is none")
            }
        }
        self.told = told
        self.day = day
    }

    package var table: String { told.table }
    package var schemaVersion: Int64 { told.schemaVersion }
    package var file: String { told.file }
    package var isCompressed: Bool { told.compression == .gzip }
    package var fileByteCount: Int64 { told.fileBytes }
    package var fileDigest: String { told.fileDigest }
    /// Of the rows uncompressed, 64 hex digits.
    package var contentDigest: String { told.contentDigest }
    package var figures: LoadFigures { LoadFigures(rows: told.rows, sums: told.sums) }
}
