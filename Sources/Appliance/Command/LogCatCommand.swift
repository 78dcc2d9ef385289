import AppendLog
import ArgumentParser
import Daemon
import Foundation
import Terminal
import Vocabulary

extension LogCommand {
    /// `log cat TOPIC`
    struct Cat: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print records of a topic, one JSON object a line.",
            discussion: """
                Each line has offset, timestamp (ms), time, key, headers and value. A value that \
                is JSON stands there as JSON, other text as a string, other bytes in base64 as \
                value_base64.
                """)
        @OptionGroup var data: DataOptions
        @Argument(help: "The topic, for example payment.scored.") var topic: String
        @Option(
            parsing: .unconditional,
            help:
                "The first offset; a negative one counts from the end. Default: the topic's first.")
        var from: Int64?
        @Option(
            help: "Only records stamped then or later: RFC 3339, a UTC date, or Unix seconds.",
            transform: Moment.parse)
        var since: Moment?
        @Option(help: "Only records with this key.") var key: String?
        @Option(help: "How many records to print at most.") var count: Int?
        @Flag(help: "Go on with records as they are appended, until interrupted.")
        var follow = false
        @Flag(help: "One JSON object a line, which is what is printed anyway.") var json = false

        func validate() throws {
            guard count ?? 0 >= 0 else { throw ValidationError("--count must not be negative") }
            guard from == nil || since == nil else {
                throw ValidationError("choose --from or --since")
            }
        }

        mutating func run() async throws {
            let folder = try await data.folder()
            var topic = try Self.find(topic, in: try folder.log())
            do {
                var next = try first(of: topic)
                var left = count ?? .max
                while left > 0, !Output.standard.isClosed {
                    let records = try topic.read(from: next)
                    let wanted = records.filter(isWanted).prefix(left)
                    try Output.standard.write(wanted.flatMap(RecordLine.bytes))
                    left -= wanted.count
                    if let last = records.last { next = last.offset.advanced(by: 1) }
                    guard records.isEmpty else { continue }
                    guard follow, let grown = try await Self.grown(topic, folder) else { break }
                    topic = grown
                }
            } catch let error as LogError {
                throw CommandFailure.cannotRun(error.description)
            }
        }

        private func isWanted(_ stored: StoredRecord) -> Bool {
            if let key, stored.record.key?.elementsEqual(key.utf8) != true { return false }
            guard let since else { return true }
            return stored.record.timestamp.milliseconds >= since.start.seconds * 1000
        }

        /// Where to begin.
        private func first(of topic: ReadOnlyTopic) throws -> Offset {
            if let since {
                let stamp = Timestamp(milliseconds: since.start.seconds * 1000)
                return try topic.offset(at: stamp) ?? topic.end
            }
            guard let from else { return topic.start }
            if from < 0 {
                // The magnitude of the smallest number is one that Int64 does not have.
                let back = Int64(clamping: from.magnitude)
                let kept = topic.start.distance(to: topic.end)
                return back >= kept ? topic.start : topic.end.advanced(by: -back)
            }
            let offset = Offset(from)
            guard offset >= topic.start, offset <= topic.end else {
                throw CommandFailure.cannotRun(
                    "offset \(from) is outside \(topic.start.rawValue)..<\(topic.end.rawValue); "
                        + "choose --from within")
            }
            return offset
        }

        /// Another process writes the log, so that looking again is the only way to see it grow.
        ///
        /// - Returns: nil when nobody reads the answer any more.
        private static func grown(
            _ topic: ReadOnlyTopic, _ folder: FolderView
        ) async throws -> ReadOnlyTopic? {
            while !Output.standard.noticesGoneReader() {
                try await Task.sleep(for: .milliseconds(200))
                let now = try find(topic.name.rawValue, in: try folder.log())
                if now.end > topic.end { return now }
            }
            return nil
        }

        static func find(_ name: String, in log: ReadOnlyLog) throws -> ReadOnlyTopic {
            if let known = try? TopicName(name), let topic = log.topic(known) { return topic }
            let names = log.topics.map(\.name.rawValue)
            let hint =
                NearestWord.to(name, among: names).map { "did you mean \($0)?" }
                ?? "there are: \(names.joined(separator: ", "))"
            throw CommandFailure.cannotRun("no topic \(name) here; \(hint)")
        }
    }
}
