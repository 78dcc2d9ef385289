import Bridges
import Vocabulary

/// The names of a day's jobs: the same day, content and form have the same names, whoever loads and
/// however often, so that BigQuery itself refuses the second.
///
/// ```
/// tillbox_load_payments_20261127_9f86d081884c7d65_0
///         what table    day      digest           attempt
/// ```
///
/// The digest is the first 16 hex digits of SHA-256 over project, dataset, table, day, content hash
/// and schema version, each ended by a line feed. A project's datasets share the names of jobs.
struct LoadJobName: Hashable, Sendable {
    enum Work: String, Sendable {
        case load, swap
    }

    /// Names that are tried: each time that a content returns which another had replaced takes one
    /// more, and so does a failure.
    static let attemptsMax = 200

    let table: String
    let day: LoadDay
    /// 16 hex digits.
    let digest: String

    init(
        project: String, dataset: String, table: String, day: LoadDay, contentDigest: String,
        schemaVersion: Int64
    ) {
        self.table = table
        self.day = day
        let parts = [
            project, dataset, table, day.text, contentDigest, String(schemaVersion),
        ]
        let text = parts.map { $0 + "\n" }.joined()
        digest = String(hex: SHA256.digest(Array(text.utf8)[...]).prefix(8))
    }

    /// A job's name: letters, digits and underscores, as BigQuery wants them.
    func id(_ work: Work, attempt: Int) -> String {
        "tillbox_\(work.rawValue)_\(table)_\(day.compact)_\(digest)_\(attempt)"
    }

    /// The table that the day is loaded into before it is swapped in. It is the content's own, so
    /// that two that load different contents do not overwrite each other's.
    var staging: String { "\(table)__\(day.compact)_\(digest)" }
}
