import AppendLog
import ArgumentParser
import Foundation
import Terminal

/// `tillbox log …`: looks into the log, also while the daemon runs. Nothing here writes into it.
struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Look into the log: topics, records, cursors, checksums.",
        subcommands: [Topics.self, Cat.self, Offsets.self, Verify.self, Send.self])

    /// Where the log is, and whether a program reads the answer.
    struct Options: ParsableArguments {
        @OptionGroup var data: DataOptions

        @Flag(help: "Answer with one JSON document.")
        var json = false

        /// Opens the log without taking its lock.
        func open() async throws -> ReadOnlyLog { try await data.folder().log() }
    }

    /// `log topics`
    struct Topics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the topics with their offsets and sizes.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let log = try await options.open()
            let rows = log.topics.map { topic in
                let bytes = topic.segments.reduce(Int64(0)) { $0 + $1.byteCount }
                return [
                    "topic": .text(topic.name.rawValue), "start": .number(topic.start.rawValue),
                    "end": .number(topic.end.rawValue),
                    "records": .number(topic.start.distance(to: topic.end)),
                    "segments": .number(Int64(topic.segments.count)), "bytes": .number(bytes),
                ] as [String: Table.Cell]
            }
            let columns = ["topic", "start", "end", "records", "segments", "bytes"]
            try Table(columns: columns, rows: rows).print(asJSON: options.json, named: "topics")
        }
    }

    /// `log verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Check every batch (checksums, dense offsets, indexes, each source once), and "
                + "the topics against each other, the ledger and the snapshots.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let bar = ProgressBar(label: "verifying")
            var rows: [[String: Table.Cell]] = []
            var damage: [String] = []
            defer { bar.clear() }
            let place = try await options.data.folder().logPath()
            do throws(LogError) {
                let log = try Log.openReadOnly(at: place, checksSegments: true, withCold: true)
                for topic in log.topics {
                    let report = try topic.verify { progress in
                        bar.show(progress.bytesDone, of: progress.bytesTotal, topic.name.rawValue)
                    }
                    if let corruption = report.corruption { damage.append(corruption.description) }
                    rows.append(Self.row(topic, report))
                }
            } catch .corrupt(let corruption) {
                damage.append(corruption.description)
            } catch {
                guard case .coldDamaged = error else {
                    throw CommandFailure.cannotRun(error.description)
                }
                damage.append(error.description)
            }
            bar.clear()
            try Table(columns: ["topic", "batches", "records", "bytes", "sound"], rows: rows)
                .print(asJSON: options.json, named: "verification")
            guard damage.isEmpty else {
                throw CommandFailure.foundSomething(
                    damage.joined(separator: "; "))
            }
            try await options.data.compareParts()
        }

        private static func row(
            _ topic: ReadOnlyTopic, _ report: VerificationReport
        ) -> [String: Table.Cell] {
            [
                "topic": .text(topic.name.rawValue), "batches": .number(Int64(report.batchCount)),
                "records": .number(Int64(report.recordCount)), "bytes": .number(report.byteCount),
                "sound": .flag(report.corruption == nil),
            ]
        }
    }
}
