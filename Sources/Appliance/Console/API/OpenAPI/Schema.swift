import Vocabulary

/// The form of a JSON value, as much of JSON Schema 2020-12 as the admin API needs.
indirect enum Schema: Sendable {
    case anything
    case flag, number
    /// A text of so many characters, at most where there is a bound.
    case text(min: Int64 = 0, max: Int64? = nil)
    case words([String])
    case integer(min: Int64? = nil, max: Int64? = nil)
    case orNull(Schema)
    /// One of them.
    case oneOf([Schema])
    case list(Schema)
    /// Members by their names, all there; an open one may have others beside them.
    case object([(String, Schema)], isOpen: Bool = false)
    /// Members that may be absent, and no others.
    case options([(String, Schema)])
    /// Members that must be there, others that may, and no more.
    case form([(String, Schema)], optional: [(String, Schema)])
    /// One that has a name of its own in the document.
    case named(String)
    /// One that a sentence says more of.
    case told(Schema, String)

    func encode(into writer: inout JSONWriter) {
        writer.object { encodeMembers(into: &$0) }
    }

    func encodeMembers(into writer: inout JSONWriter) {
        switch self {
        case .anything: break
        case .flag: writer.member("type", "boolean")
        case .number: writer.member("type", "number")
        case .text(let min, let max):
            writer.member("type", "string")
            if min > 0 { writer.member("minLength", min) }
            if let max { writer.member("maxLength", max) }
        case .words(let words):
            writer.member("type", "string")
            writer.list("enum", words) { $0.string($1) }
        case .integer(let min, let max):
            writer.member("type", "integer")
            if let min { writer.member("minimum", min) }
            if let max { writer.member("maximum", max) }
        case .orNull(let schema):
            writer.key("anyOf")
            writer.beginArray()
            schema.encode(into: &writer)
            writer.object { $0.member("type", "null") }
            writer.endArray()
        case .oneOf(let schemas):
            writer.key("anyOf")
            writer.beginArray()
            for schema in schemas { schema.encode(into: &writer) }
            writer.endArray()
        case .list(let element):
            writer.member("type", "array")
            writer.key("items")
            element.encode(into: &writer)
        case .object(let members, let isOpen):
            Self.encode(members, isOpen: isOpen, into: &writer)
            writer.list("required", members) { $0.string($1.0) }
        case .options(let members):
            Self.encode(members, isOpen: false, into: &writer)
        case .form(let members, let optional):
            Self.encode(members + optional, isOpen: false, into: &writer)
            writer.list("required", members) { $0.string($1.0) }
        case .named(let name):
            writer.member("$ref", "#/components/schemas/\(name)")
        case .told(let schema, let words):
            schema.encodeMembers(into: &writer)
            writer.member("description", words)
        }
    }

    private static func encode(
        _ members: [(String, Schema)], isOpen: Bool, into writer: inout JSONWriter
    ) {
        writer.member("type", "object")
        writer.key("properties")
        writer.object { writer in
            for (name, schema) in members {
                writer.key(named: name)
                schema.encode(into: &writer)
            }
        }
        if !isOpen { writer.member("additionalProperties", false) }
    }

    static let id = Schema.integer(min: 0)
    /// A dead letter: its offset, or, where topics have several partitions, `2/17`.
    static let letter = Schema.oneOf([.id, .text(min: 1)])
    static let seconds = Schema.integer()
    static let word = Schema.text()
}
