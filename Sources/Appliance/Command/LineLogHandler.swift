import Foundation
import Logging

/// Log lines on standard error: JSON, one object a line, or text for people.
///
/// JSON keys in order: `time` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, then the metadata.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let label: String
    private let format: Settings.LogFormat

    init(label: String, level: Logger.Level, format: Settings.LogFormat) {
        self.label = label
        self.format = format
        logLevel = level
    }

    /// Makes every logger of the process write here.
    static func bootstrap(level: String, format: Settings.LogFormat) {
        let level = Logger.Level(rawValue: level) ?? .info
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let line =
            switch format {
            case .json: json(event, all)
            case .text: text(event, all)
            }
        Self.emit(line)
    }

    private func json(
        _ event: LogEvent, _ metadata: [(key: String, value: Logger.MetadataValue)]
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("time", Self.now())
        writer.member("level", event.level.rawValue)
        writer.member("logger", label)
        writer.member("message", "\(event.message)")
        for (key, value) in metadata {
            writer.key(named: key)
            writer.string("\(value)")
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private func text(
        _ event: LogEvent, _ metadata: [(key: String, value: Logger.MetadataValue)]
    ) -> [UInt8] {
        let pairs = metadata.map { " \($0.key)=\($0.value)" }.joined()
        return Array("\(Self.now()) \(event.level) \(event.message)\(pairs)\n".utf8)
    }

    private static func now() -> String {
        Date.now.formatted(.iso8601.year().month().day()
            .dateTimeSeparator(.standard).time(includingFractionalSeconds: true))
    }

    /// Hands over one whole line, so that lines of several threads do not mix.
    static func emit(_ line: [UInt8]) { LogSink.standardError.write(line) }
}
