import ArgumentParser
import Backup
import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// `tillbox status`: the running daemon in a few lines.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how the running daemon stands, bridges included, or a role of the cloud.",
        discussion: """
            Asks at admin.host and admin.port; in the profile cloud each role has an address of \
            its own. Exit codes: 0 ready and nothing to look at, 1 not ready or a warning, 2 wrong \
            usage, 3 nobody answers.
            """)
    @OptionGroup var data: DataOptions
    @Flag(help: "Answer with one JSON document.") var json = false

    /// What is counted under a name, as a person is told of one and of several.
    private typealias Words = (name: String, one: String, many: String)

    /// Counters that a person is shown.
    private static let shown: [Words] = [
        ("admitted", "webhook kept", "webhooks kept"), ("duplicates", "duplicate", "duplicates"),
        ("signature_refused", "refused by its signature", "refused by their signature"),
        ("unavailable", "answered 503", "answered 503"), ("validated", "validated", "validated"),
        ("scored", "scored", "scored"), ("booked", "booked", "booked"),
        ("reviews_opened", "review opened", "reviews opened"),
        ("dead_letters", "dead letter", "dead letters"),
    ]
    /// What the log holds, by topic.
    private static let held: [Words] = [
        ("webhook.received", "webhook", "webhooks"),
        ("payment.validated", "validated", "validated"), ("payment.scored", "verdict", "verdicts"),
        ("ledger.posted", "transaction posted", "transactions posted"),
        // An order to send one back is a record of this topic too.
        ("dead.letter", "dead letter or redrive", "dead letters and redrives"),
    ]

    /// What is said, and whether all is well.
    private struct Answer {
        var lines: [String]
        var isWell: Bool
    }

    mutating func run() async throws {
        let settings = try await data.settings(needsSecrets: false)
        let asked = AdminConnection.Asked(settings.profile)
        let connection = AdminConnection(settings, asked: asked)
        let path = "/api/v1/status"
        let answer = try await connection.send(.GET, path) { root in
            guard root["ready"]?.bool != nil else { throw connection.strange(path) }
            return Self.answer(root, of: asked, at: settings.admin)
        }
        if json {
            try Output.standard.line(try await connection.text(path))
        } else {
            for line in answer.lines { try Output.standard.line(PastedCommand.completed(line)) }
        }
        guard answer.isWell else { throw CommandFailure.foundSomething(nil) }
    }

    private static func answer(
        _ root: JSONValue, of asked: AdminConnection.Asked, at address: Settings.Address
    ) -> Answer {
        let reasons = texts(root["reasons"])
        let warnings = texts(root["warnings"])
        let isReady = root["ready"]?.bool == true
        var lines = [
            "the \(asked) at \(address)\(folder(root)) is "
                + (isReady ? "ready" : "not ready: \(reasons.joined(separator: "; "))")
        ]
        lines += warnings.map { "look at this: \($0)" }
        let counts = shown.compactMap { counter -> String? in
            // A role counts what it does itself, and nothing of what another one does.
            guard let count = root.member(named: counter.name)?.int64,
                asked == .daemon || count > 0
            else { return nil }
            return Counted.words(count, counter.one, counter.many)
        }
        let start = root["up_seconds"]?.int64.map { " " + Figures.ago(seconds: Double($0)) } ?? ""
        lines.append(
            "since its start\(start): "
                + (counts.isEmpty ? "nothing yet" : counts.joined(separator: ", ")))
        if let held = whatItHas(root) { lines.append("whenever it came: \(held)") }
        if let backup = root["backup"] { lines.append(lastBackup(backup)) }
        if let bridges = root["bridges"]?.array, let table = BridgeText.table(bridges) {
            lines.append(table)
        }
        return Answer(lines: lines, isWell: isReady && warnings.isEmpty)
    }

    /// Whose it is: of several daemons on a machine another one may stand at this address. A role
    /// has no folder.
    private static func folder(_ root: JSONValue) -> String {
        root["data"]?.string.map { " (\(ShownText.escaped($0)))" } ?? ""
    }

    /// What a restart changes nothing of; nil where there is nothing of the kind.
    private static func whatItHas(_ root: JSONValue) -> String? {
        var parts = held.compactMap { words in
            root["log"]?.member(named: words.name)?.int64.map {
                Counted.words($0, words.one, words.many)
            }
        }
        guard !parts.isEmpty else { return nil }
        parts[parts.count - 1] += " in the log"
        if let waiting = root["waiting"]?.int64, waiting > 0 {
            parts.append("\(Counted.words(waiting, "refund")) waiting in the ledger")
        }
        return parts.joined(separator: ", ")
    }

    private static func lastBackup(_ backup: JSONValue) -> String {
        guard let moment = backup["moment"]?.int64.flatMap(Instant.init(named:)) else {
            return "no backup is known; `tillbox backup DIR` makes one while the daemon runs"
        }
        let folder = backup["folder"]?.string.map { " in \(ShownText.escaped($0))" } ?? ""
        let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
        guard let age = BackupNote.age(of: moment, at: now) else {
            return "the last backup\(folder) is noted as still to come: a clock is wrong, or was"
        }
        return "the last backup is of \(Figures.ago(seconds: Double(age)))\(folder)"
    }

    private static func texts(_ value: JSONValue?) -> [String] {
        value?.array.map { $0.compactMap(\.string) } ?? []
    }
}
