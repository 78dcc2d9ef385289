import AppendLog
import ArgumentParser
import Foundation

/// `tillbox log …`: looks into the log, also while the daemon runs. Nothing here writes.
struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Look into the log: topics, records, cursors, checksums.",
        subcommands: [Topics.self, Cat.self, Offsets.self, Verify.self])

    /// Where the log is, and whether a program reads the answer.
    struct Options: ParsableArguments {
        @OptionGroup var data: DataOptions

        @Flag(help: "Answer with one JSON document.")
        var json = false

        /// Opens the log without taking its lock.
        func open() async throws -> ReadOnlyLog {
            do {
                return try await openOrThrow()
            } catch let error as LogError {
                throw CommandFailure.cannotRun(error.description)
            }
        }

        /// The same, with the log's own error.
        func openOrThrow(checksSegments: Bool = false) async throws -> ReadOnlyLog {
            let folder = try await data.settings(needsSecrets: false).dataPath
            guard FileManager.default.fileExists(atPath: "\(folder)/log") else {
                throw CommandFailure.cannotRun(
                    "there is no log in \(folder); name the data folder with --data")
            }
            return try Log.openReadOnly(at: "\(folder)/log", checksSegments: checksSegments)
        }
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
            Table(columns: ["topic", "start", "end", "records", "segments", "bytes"], rows: rows)
                .print(asJSON: options.json, named: "topics")
        }
    }

    /// `log cat TOPIC`
    struct Cat: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print records of a topic, one JSON object a line.")
        @OptionGroup var options: Options
        @Argument(help: "The topic, for example payment.scored.") var topic: String
        @Option(help: "The first offset to print. Default: the topic's first.") var from: Int64?
        @Option(help: "How many records to print at most.") var count: Int?
        @Flag(help: "Go on with records as they are appended, until interrupted.") var follow = false

        func validate() throws {
            guard from ?? 0 >= 0 else { throw ValidationError("--from must not be negative") }
            guard count ?? 0 >= 0 else { throw ValidationError("--count must not be negative") }
        }

        mutating func run() async throws {
            var topic = try find(topic, in: try await options.open())
            var next = from.map(Offset.init) ?? topic.start
            guard next >= topic.start, next <= topic.end else {
                throw CommandFailure.cannotRun(
                    "offset \(next.rawValue) is outside \(topic.start.rawValue)..<\(topic.end.rawValue); "
                        + "choose --from within")
            }
            var left = count ?? .max
            do {
                while left > 0 {
                    let records = try topic.read(from: next)
                    for stored in records.prefix(left) { RecordPrinter.print(stored) }
                    left -= min(left, records.count)
                    if let last = records.last { next = last.offset.advanced(by: 1) }
                    guard records.isEmpty else { continue }
                    guard follow else { break }
                    topic = try await grown(topic)
                }
            } catch let error as LogError {
                throw CommandFailure.cannotRun(error.description)
            }
        }

        /// Another process writes the log, so that looking again is the only way to see it grow.
        private func grown(_ topic: ReadOnlyTopic) async throws -> ReadOnlyTopic {
            while true {
                try await Task.sleep(for: .milliseconds(200))
                let now = try find(topic.name.rawValue, in: try await options.open())
                if now.end > topic.end { return now }
            }
        }

        private func find(_ name: String, in log: ReadOnlyLog) throws -> ReadOnlyTopic {
            if let name = try? TopicName(name), let topic = log.topic(name) { return topic }
            let names = log.topics.map(\.name.rawValue).joined(separator: ", ")
            throw CommandFailure.cannotRun("no topic \(name) here; there are: \(names)")
        }
    }

    /// `log offsets`
    struct Offsets: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every group's cursors and how far each lags behind.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let log = try await options.open()
            var rows: [[String: Table.Cell]] = []
            for (group, cursors) in log.cursors.sorted(by: { $0.key < $1.key }) {
                for (topic, offset) in cursors.sorted(by: { $0.key < $1.key }) {
                    let end = log.topic(topic)?.end ?? offset
                    rows.append([
                        "group": .text(group.rawValue), "topic": .text(topic.rawValue),
                        "offset": .number(offset.rawValue), "end": .number(end.rawValue),
                        "lag": .number(offset.distance(to: end)),
                    ])
                }
            }
            Table(columns: ["group", "topic", "offset", "end", "lag"], rows: rows)
                .print(asJSON: options.json, named: "cursors")
        }
    }

    /// `log verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every batch (checksums, dense offsets, indexes, each source once), and "
                + "the topics against each other, the ledger and the snapshots.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let bar = ProgressBar(label: "verifying")
            var rows: [[String: Table.Cell]] = []
            var damage: [Corruption] = []
            do {
                for topic in try await options.openOrThrow(checksSegments: true).topics {
                    let report = try topic.verify { progress in
                        bar.show(progress.bytesDone, of: progress.bytesTotal, topic.name.rawValue)
                    }
                    if let corruption = report.corruption { damage.append(corruption) }
                    rows.append(Self.row(topic, report))
                }
            } catch LogError.corrupt(let corruption) {
                damage.append(corruption)
            } catch let error as LogError {
                throw CommandFailure.cannotRun(error.description)
            }
            bar.clear()
            Table(columns: ["topic", "batches", "records", "bytes", "sound"], rows: rows)
                .print(asJSON: options.json, named: "verification")
            guard damage.isEmpty else {
                throw CommandFailure.foundSomething(
                    damage.map(\.description).joined(separator: "\ntillbox: "))
            }
            try await options.data.compareParts()
        }

        private static func row(
            _ topic: ReadOnlyTopic, _ report: VerificationReport
        ) -> [String: Table.Cell] {
            [
                "topic": .text(topic.name.rawValue), "batches": .number(Int64(report.batchCount)),
                "records": .number(Int64(report.recordCount)), "bytes": .number(report.byteCount),
                "sound": .text(report.corruption == nil ? "yes" : "no"),
            ]
        }
    }
}

/// One record as a line of JSON: text as text, other bytes in base64 under `…_base64`.
enum RecordPrinter {
    static func print(_ stored: StoredRecord) {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("offset", stored.offset.rawValue)
        writer.member("timestamp", stored.record.timestamp.milliseconds)
        write("key", stored.record.key, to: &writer)
        writer.key("headers")
        writer.beginObject()
        for header in stored.record.headers { write(header.name, header.value, to: &writer) }
        writer.endObject()
        write("value", stored.record.value, to: &writer)
        writer.endObject()
        FileHandle.standardOutput.write(Data(writer.bytes + [UInt8(ascii: "\n")]))
    }

    private static func write(
        _ name: String, _ bytes: ArraySlice<UInt8>?, to writer: inout JSONWriter
    ) {
        guard let bytes else {
            writer.key(named: name)
            return writer.null()
        }
        if let text = String(validating: bytes, as: UTF8.self) {
            writer.key(named: name)
            writer.string(text)
        } else {
            writer.key(named: name + "_base64")
            writer.string(Data(bytes).base64EncodedString())
        }
    }
}
