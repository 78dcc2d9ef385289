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
    package func requiredString(_ key: StaticString) throws(RecordCodecError) -> String {
        guard let value = self[key]?.string else { throw .field(key.description) }
        return value
    }

    package func optionalString(_ key: StaticString) throws(RecordCodecError) -> String? {
        guard let value = self[key], !value.isNull else { return nil }
        guard let string = value.string else { throw .field(key.description) }
        return string
    }

    package func requiredInt64(_ key: StaticString) throws(RecordCodecError) -> Int64 {
        guard let value = self[key]?.int64 else { throw .field(key.description) }
        return value
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
        guard let value = self[key], !value.isNull else { return nil }
        guard let integer = value.int64 else { throw .field(key.description) }
        return integer
    }

    package func requiredBool(_ key: StaticString) throws(RecordCodecError) -> Bool {
        guard let value = self[key]?.bool else { throw .field(key.description) }
        return value
    }

    package func requiredDouble(_ key: StaticString) throws(RecordCodecError) -> Double {
        guard let value = self[key]?.double else { throw .field(key.description) }
        return value
    }

    package func optionalDouble(_ key: StaticString) throws(RecordCodecError) -> Double? {
        guard let value = self[key], !value.isNull else { return nil }
        guard let double = value.double else { throw .field(key.description) }
        return double
    }

    /// A string that is one of an enum's words.
    package func requiredWord<Word: RawRepresentable<String>>(
        _ key: StaticString, as type: Word.Type = Word.self
    ) throws(RecordCodecError) -> Word {
        guard let word = Word(rawValue: try requiredString(key)) else {
            throw .field(key.description)
        }
        return word
    }

    package func requiredCurrency(_ key: StaticString) throws(RecordCodecError) -> Currency {
        guard let currency = Currency(try requiredString(key)) else {
            throw .field(key.description)
        }
        return currency
    }
}
