import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary

/// `tillbox replay --into FRESH`: the pipeline again from `webhook.received`, compared with what is
/// there.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run the whole pipeline again into a fresh folder, and compare.",
        discussion: """
            Reads the data folder without its lock, also while the daemon runs. Exit code 0 if \
            verdicts, movements, entries and the hash chain agree, 1 if not.
            """)

    @OptionGroup var data: DataOptions
    @Option(help: "The fresh folder; it is made, and must not hold anything.") var into: String
    @Option(help: "The last offset of webhook.received to replay. Default: all.") var to: Int64?
    @Flag(help: "Answer with one JSON document.") var json = false

    func validate() throws {
        guard to ?? 0 >= 0 else { throw ValidationError("--to must not be negative") }
    }

    mutating func run() async throws {
        let settings = try await data.folderSettings(
            insteadInCloud: "no data folder to replay; its log is in Kafka")
        let (began, bar) = (ContinuousClock.now, ProgressBar(label: "replaying"))
        let report: ReplayReport
        do {
            let replay = try prepare(settings)
            report = try await replay.run { done, total in
                let rate = Double(done) / ((ContinuousClock.now - began) / .seconds(1))
                bar.show(done, of: total, String(format: "%.0f webhooks/s", rate))
            }
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw CommandFailure.cannotRun(error)
        }
        bar.clear()
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        try Output.standard.line(
            json ? report.json(seconds: seconds) : report.text(seconds: seconds))
        if !report.isEqual {
            throw CommandFailure.foundSomething(
                "the replay differs from \(settings.dataPath) in "
                    + Counted.words(report.differences.count, "place"))
        }
    }

    private func prepare(_ settings: Settings) throws -> Replay {
        let folder = FolderView(path: settings.dataPath)
        _ = (try folder.logPath(), try folder.ledgerPath())
        let old = (try? FileManager.default.contentsOfDirectory(atPath: into)) ?? []
        guard old.isEmpty else {
            throw CommandFailure.cannotRun("\(into) is not empty; name a fresh folder with --into")
        }
        return try Replay(of: settings, into: into, through: to.map { Offset($0) })
    }
}

extension ReplayReport {
    fileprivate func text(seconds: Double) -> String {
        var lines = [
            "replayed \(Counted.words(events, "webhook")) in \(String(format: "%.1f", seconds)) s "
                + "(\(String(format: "%.0f", Double(events) / max(seconds, 0.001)))/s)",
            "compared "
                + [
                    Counted.words(validated, "validated record"),
                    Counted.words(scored, "verdict"), Counted.words(reviews, "review"),
                    Counted.words(transactions, "transaction"),
                    Counted.words(deadLetters, "dead letter"),
                ].joined(separator: ", "),
        ]
        if scoredBeyond > 0 {
            lines.append(
                "not compared: \(Counted.words(scoredBeyond, "scored record")) that the ledger "
                    + "has not booked yet")
        }
        guard !isEqual else {
            lines.append("equal: both chains end in \(String(hex: head))")
            return lines.joined(separator: "\n")
        }
        let counts = ReplayDifference.Kind.allCases.compactMap { kind in
            differences.counts[kind].map { "\($0) \(kind.rawValue)" }
        }
        lines.append("different: \(counts.joined(separator: ", "))")
        let rows = differences.listed.map { difference in
            [
                "kind": .text(difference.kind.rawValue), "place": .text(difference.place),
                "what": .text(difference.what), "original": .text(difference.original),
                "replayed": .text(difference.replayed),
            ] as [String: Table.Cell]
        }
        lines.append(
            Table(columns: ["kind", "place", "what", "original", "replayed"], rows: rows).text())
        return lines.joined(separator: "\n")
    }

    fileprivate func json(seconds: Double) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("equal", isEqual)
        writer.member("seconds", seconds)
        writer.member("events", Int64(events))
        writer.key("compared")
        writer.beginObject()
        writer.member("validated", Int64(validated))
        writer.member("verdicts", Int64(scored))
        writer.member("reviews", Int64(reviews))
        writer.member("transactions", Int64(transactions))
        writer.member("dead_letters", Int64(deadLetters))
        writer.endObject()
        writer.member("scored_beyond", Int64(scoredBeyond))
        writer.member("head", String(hex: head))
        writer.member("original_head", String(hex: originalHead))
        writer.key("counts")
        writer.beginObject()
        for kind in ReplayDifference.Kind.allCases {
            writer.key(named: kind.rawValue)
            writer.int(Int64(differences.counts[kind] ?? 0))
        }
        writer.endObject()
        writer.key("differences")
        writer.beginArray()
        for difference in differences.listed {
            writer.beginObject()
            writer.member("kind", difference.kind.rawValue)
            writer.member("place", difference.place)
            writer.member("what", difference.what)
            writer.member("original", difference.original)
            writer.member("replayed", difference.replayed)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
