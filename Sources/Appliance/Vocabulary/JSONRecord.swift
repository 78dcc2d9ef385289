/// Why a record's value is not what its topic promises.
package enum RecordCodecError: Error, Hashable, Sendable {
    case notJSON(JSONError)
    case notAnObject
    /// The field is missing, of another type, or outside what it may say.
    case field(String)
}

/// A value that a derived topic carries, as one JSON object with its keys in the order of
/// contracts §2. Absent optionals are written as null; reading takes null and absence alike and
/// ignores keys it does not know, so that a later version may add some at the end.
package protocol JSONRecord {
    /// What the record's `schema` header says: `name/version`.
    static var schema: StaticString { get }

    func encode(into writer: inout JSONWriter)
    init(json: JSONValue) throws(RecordCodecError)
}

extension JSONRecord {
    /// The record's value for the log.
    package func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        encode(into: &writer)
        return writer.bytes
    }

    /// Reads a record's value from the log with `document`'s buffers.
    package init(_ bytes: some Collection<UInt8>, using document: JSONDocument)
        throws(RecordCodecError)
    {
        let root: JSONValue
        do {
            root = try document.parse(bytes)
        } catch {
            throw .notJSON(error)
        }
        guard root.kind == .object else { throw .notAnObject }
        try self.init(json: root)
    }
}

/// Required and optional fields of a record, each refused by name.
extension JSONValue {
    private func field(_ key: StaticString) -> JSONField {
        JSONField(key: key, value: self[key])
    }

    package func requiredString(_ key: StaticString) throws(RecordCodecError) -> String {
        try field(key).string()
    }

    package func optionalString(_ key: StaticString) throws(RecordCodecError) -> String? {
        try field(key).optionalString()
    }

    package func requiredInt64(_ key: StaticString) throws(RecordCodecError) -> Int64 {
        try field(key).int64()
    }

    /// A moment that somebody outside names, in Unix seconds.
    package func requiredInstant(_ key: StaticString) throws(RecordCodecError) -> Instant {
        guard let instant = try optionalInstant(key) else { throw .field(key.description) }
        return instant
    }

    package func optionalInstant(_ key: StaticString) throws(RecordCodecError) -> Instant? {
        guard let seconds = try optionalInt64(key) else { return nil }
        guard let instant = Instant(named: seconds) else { throw .field(key.description) }
        return instant
    }

    package func optionalInt64(_ key: StaticString) throws(RecordCodecError) -> Int64? {
        try field(key).optionalInt64()
    }

    package func requiredBool(_ key: StaticString) throws(RecordCodecError) -> Bool {
        try field(key).bool()
    }

    package func requiredDouble(_ key: StaticString) throws(RecordCodecError) -> Double {
        try field(key).double()
    }

    package func optionalDouble(_ key: StaticString) throws(RecordCodecError) -> Double? {
        try field(key).optionalDouble()
    }

    /// A string that is one of an enum's words.
    package func requiredWord<Word: RawRepresentable<String>>(
        _ key: StaticString, as type: Word.Type = Word.self
    ) throws(RecordCodecError) -> Word {
        try field(key).word()
    }

    package func requiredCurrency(_ key: StaticString) throws(RecordCodecError) -> Currency {
        try field(key).currency()
    }
}
