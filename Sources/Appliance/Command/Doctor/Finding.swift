import Foundation
import Terminal
import Vocabulary

/// What one check found, and what a person is to do.
struct Finding: Hashable {
    enum State: String {
        case ok
        /// Worth knowing; nothing need be done now.
        case note
        /// Somebody has to do something.
        case act
        /// It could not be looked at.
        case skipped
    }

    /// A stable word: `disk`, `sync`, `clock`, `permissions`, `secrets`, `alerts`, `parts`, `log`,
    /// `ledger`, `audit`, `dead-letters`, `daemon`, `missed`, `reconciliation`, `bridges`,
    /// `backup`, `archive`, `model`, `endpoint`.
    var check: String
    var state: State
    /// One sentence without a full stop.
    var says: String
    /// The same; nil where there is nothing to do.
    var todo: String?

    /// The chapter of docs/RUNBOOK.md that a person who has to do something reads on in, by check.
    static let chapters: [String: String] = [
        "disk": "A full disk", "archive": "A full disk",
        "sync": "The disk, and who may read it", "permissions": "The disk, and who may read it",
        "secrets": "Secrets and the endpoint", "endpoint": "Secrets and the endpoint",
        "backup": "No backup, or an old one",
        "parts": "Restore", "log": "Restore",
        "clock": "The clock", "missed": stripeIsAway,
        "bridges": "A bridge has stopped",
        "ledger": "A red proof", "reconciliation": "A red proof",
        "audit": "A forgotten password", "dead-letters": "Dead letters",
        "daemon": "The daemon does not start, or is not ready",
        "model": "The daemon does not start, or is not ready",
    ]

    /// The chapter where it is another than the check's.
    var ownChapter: String?

    /// nil where nobody has to do anything.
    var chapter: String? { state == .act ? ownChapter ?? Self.chapters[check] : nil }

    /// What a person reads where Stripe gives no answer, whichever check met it.
    static let stripeIsAway = "Stripe is away"

    static func ok(_ check: String, _ says: String) -> Finding {
        Finding(check: check, state: .ok, says: says)
    }

    static func note(_ check: String, _ says: String, _ todo: String? = nil) -> Finding {
        Finding(check: check, state: .note, says: says, todo: todo)
    }

    static func act(
        _ check: String, _ says: String, _ todo: String, in chapter: String? = nil
    ) -> Finding {
        Finding(check: check, state: .act, says: says, todo: todo, ownChapter: chapter)
    }

    static func skipped(_ check: String, _ says: String, _ todo: String? = nil) -> Finding {
        Finding(check: check, state: .skipped, says: says, todo: todo)
    }
}

/// All that was looked at.
struct Diagnosis {
    private(set) var findings: [Finding] = []
    /// Where a person reads on.
    var runbook = Diagnosis.runbook(installedAt: "/usr/share/doc/tillbox/docs/RUNBOOK.md.gz")

    /// The package's own where it is on this machine, else the repository's.
    static func runbook(installedAt path: String) -> String {
        FileManager.default.fileExists(atPath: path) ? path : "docs/RUNBOOK.md"
    }

    /// Whether somebody has to do something.
    var needsSomebody: Bool { findings.contains { $0.state == .act } }

    mutating func add(_ finding: Finding) { findings.append(finding) }
    mutating func add(_ more: [Finding]) { findings += more }

    /// One line a finding, and below it what to do and where to read on.
    var text: String {
        let width = findings.map(\.check.count).max() ?? 0
        let words: [Finding.State: String] = [
            .ok: "ok", .note: "note", .act: "ACT", .skipped: "-",
        ]
        var lines: [String] = []
        for finding in findings {
            let check = finding.check.padding(to: width)
            let state = (words[finding.state] ?? "").padding(to: 4)
            lines.append("\(state)  \(check)  \(ShownText.escaped(finding.says))")
            guard let todo = finding.todo else { continue }
            let indent = String(repeating: " ", count: width + 8)
            lines.append(indent + "→ " + todo)
            guard let chapter = finding.chapter else { continue }
            lines.append(indent + "  \(runbook): \(chapter)")
        }
        let count = findings.filter { $0.state == .act }.count
        lines.append(
            count == 0
                ? "nothing needs a person"
                : count == 1 ? "1 thing needs a person" : "\(count) things need a person")
        return lines.joined(separator: "\n")
    }

    var json: String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("needs_somebody", needsSomebody)
        writer.key("findings")
        writer.beginArray()
        for finding in findings {
            writer.beginObject()
            writer.member("check", finding.check)
            writer.member("state", finding.state.rawValue)
            writer.member("says", finding.says)
            writer.member("todo", finding.todo)
            writer.member("chapter", finding.chapter)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
