import Synchronization
package import Vocabulary

/// What the gate needs to know of an event before it is stored; nothing more is read.
package struct ScannedEvent: Hashable, Sendable {
    package let id: EventID
    /// `charge.succeeded`; nil where it is missing or no string, which Validate will refuse.
    package let type: String?
    /// The value as text, since thin events carry a string: `1700000000`,
    /// `2024-09-17T06:20:52.246Z`. Nil where it is missing.
    package let created: String?
    let livemode: Bool?
    /// `event`, or `v2.core.event` for a thin event.
    let object: String?
    /// The API version that the event's object is written in.
    let apiVersion: String?
    /// The Connect account the event comes from.
    let account: String?
}

/// Finds an event's identity in a raw body with one parse, from any number of threads at once.
///
/// It keeps as many parsers as were ever busy at one time.
package final class EventScanner: Sendable {
    /// A parser that waits for its next body.
    private struct Idle: @unchecked Sendable {
        // `@unchecked Sendable`: it is used only by the call that took it out of `idle`.
        let document: JSONDocument
    }

    private let idle = Mutex<[Idle]>([])

    package init() {}

    /// - Throws: `EventBodyRefusal` where there is no event with a usable id.
    package func scan(_ body: some Collection<UInt8>) throws(EventBodyRefusal) -> ScannedEvent {
        let parser = idle.withLock { $0.popLast() } ?? Idle(document: JSONDocument())
        defer { idle.withLock { $0.append(parser) } }
        let root: JSONValue
        do {
            root = try parser.document.parse(body)
        } catch {
            throw EventBodyRefusal(error)
        }
        return ScannedEvent(
            id: try EventID(ofEvent: root),
            type: root["type"]?.string,
            created: root["created"].flatMap(Self.text),
            livemode: root["livemode"]?.bool,
            object: root["object"]?.string,
            apiVersion: root["api_version"]?.string,
            account: root["account"]?.string)
    }

    private static func text(_ value: JSONValue) -> String? {
        if let integer = value.int64 { return String(integer) }
        return value.string ?? value.double.map { String($0) }
    }
}
