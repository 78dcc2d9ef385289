/// Why the bytes of a webhook are no event: the gate cannot admit them, and nothing can be read
/// from them. They are kept as a dead letter.
package enum EventBodyRefusal: Error, Hashable, Sendable {
    case notJSON(JSONError)
    case notUTF8
    case tooDeep
    case noEventID(IDFlaw)

    /// Why the `id` cannot serve as a key.
    package enum IDFlaw: String, Sendable {
        case notAnObject = "the body is not an object"
        case missing = "it is missing"
        case notAString = "it is not a string"
        case empty = "it is empty"
        case tooLong = "it is longer than 255 bytes"
        case controlCharacter = "it holds a control character"
    }

    package init(_ error: JSONError) {
        switch error {
        case .notUTF8: self = .notUTF8
        case .tooDeep: self = .tooDeep
        default: self = .notJSON(error)
        }
    }

    /// The stable name: the dead letter's `reason`.
    package var code: String {
        switch self {
        case .notJSON: "not_json"
        case .notUTF8: "not_utf8"
        case .tooDeep: "too_deep"
        case .noEventID: "no_event_id"
        }
    }

    /// The dead letter's `detail`. It quotes nothing from the body.
    package var detail: String {
        switch self {
        case .notJSON(.empty): "the body is empty"
        case .notJSON(.number): "a number is malformed or does not fit 64 bits"
        case .notJSON(.tooLarge): "the body is too large"
        case .notJSON: "the body is not one JSON value"
        case .notUTF8: "the body is not UTF-8"
        case .tooDeep: "more than \(JSONDocument.depthMax) nested objects and arrays"
        case .noEventID(let flaw): "the event's id cannot be used: \(flaw.rawValue)"
        }
    }
}

extension EventID {
    /// The longest event id that can be a key, in bytes.
    package static let bytesMax = 255

    /// The id of the event whose JSON this is.
    package init(ofEvent root: JSONValue) throws(EventBodyRefusal) {
        guard root.kind == .object else { throw .noEventID(.notAnObject) }
        guard let value = root["id"], !value.isNull else { throw .noEventID(.missing) }
        guard let id = value.string else { throw .noEventID(.notAString) }
        guard !id.isEmpty else { throw .noEventID(.empty) }
        guard id.utf8.count <= Self.bytesMax else { throw .noEventID(.tooLong) }
        guard !id.hasControlCharacter else { throw .noEventID(.controlCharacter) }
        self.init(id)
    }
}

extension String {
    /// Whether there is a character below 0x20, DEL, or one of the C1 controls U+0080…U+009F.
    package var hasControlCharacter: Bool {
        utf8.contains { $0 < 0x20 || $0 >= 0x7F }
            && unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}
