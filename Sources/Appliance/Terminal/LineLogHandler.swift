package import Foundation
package import Logging
import Vocabulary

/// How log lines are written.
package enum LogFormat: String, CaseIterable, Sendable {
    case json, text
}

/// Log lines on standard error: JSON, one object a line, or text for people.
///
/// JSON keys in order: `time` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, then the
/// metadata by key, with `error` where the event carries one. Whole numbers, `true` and `false` are
/// JSON's own. In text, a value with blanks or control characters stands in quotation marks and
/// escaped, so that nothing that came from outside looks like a line or a field of its own.
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let format: LogFormat
    private let completing: Completing

    /// Makes the commands in a text whole, which stand in backticks.
    package typealias Completing = @Sendable (String) -> String

    init(
        label: String, level: Logger.Level, format: LogFormat,
        completing: @escaping Completing = { $0 }
    ) {
        self.label = label
        self.format = format
        self.completing = completing
        logLevel = level
    }

    /// Makes every logger of the process write here.
    ///
    /// - Parameter completing: what a line advises is pasted into a shell, where it has to name
    ///   the same program, folder and configuration.
    package static func bootstrap(
        level: Logger.Level, format: LogFormat, completing: @escaping Completing = { $0 }
    ) {
        LoggingSystem.bootstrap {
            LineLogHandler(label: $0, level: level, format: format, completing: completing)
        }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        Self.emit(Journal.marked(line(of: event, at: .now), event.level))
    }

    /// One line with its end.
    package func line(of event: LogEvent, at time: Date) -> [UInt8] {
        var all = metadata.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error, all["error"] == nil { all["error"] = .string("\(error)") }
        let sorted = all.sorted { $0.key < $1.key }.map {
            (key: $0.key, value: completed($0.value))
        }
        let message = completed("\(event.message)")
        return switch format {
        case .json: json(event, message, sorted, time)
        case .text: text(event, message, sorted, time)
        }
    }

    private func completed(_ text: String) -> String {
        text.contains("`tillbox ") ? completing(text) : text
    }

    private func completed(_ value: Logger.MetadataValue) -> Logger.MetadataValue {
        switch value {
        case .string(let text): .string(completed(text))
        case .array(let items): .array(items.map(completed))
        case .dictionary(let members): .dictionary(members.mapValues(completed))
        case .stringConvertible: value
        }
    }

    private typealias Pairs = [(key: String, value: Logger.MetadataValue)]

    private func json(
        _ event: LogEvent, _ message: String, _ metadata: Pairs, _ time: Date
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("time", Self.rfc3339(time))
        writer.member("level", event.level.rawValue)
        writer.member("logger", label)
        writer.member("message", message)
        for (key, value) in metadata {
            // A key twice would make a line that readers understand differently.
            writer.key(named: Self.ownKeys.contains(key) ? key + "_" : key)
            Self.write(value, to: &writer)
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static let ownKeys: Set<String> = ["time", "level", "logger", "message"]

    private static func write(_ value: Logger.MetadataValue, to writer: inout JSONWriter) {
        switch value {
        case .dictionary(let members):
            writer.beginObject()
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                writer.key(named: key)
                write(value, to: &writer)
            }
            writer.endObject()
        case .array(let items):
            writer.beginArray()
            for item in items { write(item, to: &writer) }
            writer.endArray()
        case .string(let text): write(text, to: &writer)
        case .stringConvertible(let number as Double): writer.double(number)
        case .stringConvertible(let value): write(value.description, to: &writer)
        }
    }

    /// Metadata is mostly written as interpolated text; what is a number in it is told by its form.
    private static func write(_ text: String, to writer: inout JSONWriter) {
        if let number = Int64(text), String(number) == text {
            writer.int(number)
        } else if let flag = Bool(text) {
            writer.bool(flag)
        } else {
            writer.string(text)
        }
    }

    private func text(
        _ event: LogEvent, _ message: String, _ metadata: Pairs, _ time: Date
    ) -> [UInt8] {
        let pairs = metadata.map { " \($0.key)=\(Self.quoted(Self.plain($0.value)))" }.joined()
        let message = Self.escaped(message)
        return Array("\(Self.rfc3339(time)) \(event.level) \(message)\(pairs)\n".utf8)
    }

    /// `a:1,b:2` for what JSON writes as an object.
    private static func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .dictionary(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key):\(plain($0.value))" }
                .joined(separator: ",")
        case .array(let items): items.map(plain).joined(separator: ",")
        case .string(let text): text
        case .stringConvertible(let value): value.description
        }
    }

    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                $0.value > 0x20 && $0 != "\"" && $0 != "=" && !isControl($0)
            }
        return isPlain ? text : "\"\(escaped(text).replacing("\"", with: "\\\""))\""
    }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { out, scalar in
            switch scalar {
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case _ where isControl(scalar): out += "\\u{\(String(scalar.value, radix: 16))}"
            default: out.unicodeScalars.append(scalar)
            }
        }
    }

    /// C0, delete, C1 and the line ends of Unicode: what a terminal or a reader of lines acts upon.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    private static func rfc3339(_ time: Date) -> String {
        time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// Hands over one whole line, so that lines of several threads do not mix.
    package static func emit(_ line: [UInt8]) { LogSink.standardError.log(line) }
}
