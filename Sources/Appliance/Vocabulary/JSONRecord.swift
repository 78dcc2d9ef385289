import AppendLog

/// Why a record's value is not what its topic promises.
package enum RecordCodecError: Error, Hashable, Sendable {
    case notJSON(JSONError)
    case notAnObject
    /// The field is missing, of another type, or outside what it may say.
    case field(String)
    /// An object says the member twice: readers differ in which of the two they believe.
    case repeated(String)
}

extension JSONDocument {
    /// Reads what somebody asks for: an object that says each of its members once.
    package func request(_ body: [UInt8]) throws(RecordCodecError) -> JSONValue {
        let root: JSONValue
        do {
            root = try parse(body)
        } catch {
            throw .notJSON(error)
        }
        guard root.kind == .object else { throw .notAnObject }
        if let twice = root.repeatedMember() { throw .repeated(twice) }
        return root
    }
}

extension JSONValue {
    /// The first name that an object says twice, of this value and of the objects in it.
    ///
    /// - Parameter levels: how many objects deep it is looked for.
    package func repeatedMember(levels: Int = 1) -> String? {
        guard levels > 0 else { return nil }
        if let array {
            for element in array {
                if let name = element.repeatedMember(levels: levels) { return name }
            }
        }
        guard let object else { return nil }
        var marks: [UInt64] = []
        for (key, value) in object {
            let mark = key.nameMark
            if marks.contains(mark), let name = key.string, isRepeated(name) { return name }
            marks.append(mark)
            if levels > 1, let name = value.repeatedMember(levels: levels - 1) { return name }
        }
        return nil
    }

    /// A number that equal names share, and others hardly ever: making a string of each name would
    /// cost a page of Stripe's more than reading it.
    private var nameMark: UInt64 {
        withUTF8 { bytes in
            var mark = FNV1a()
            // Byte by byte: the generic call would ask a witness for each of them.
            for place in bytes.indices { mark.add(bytes[place]) }
            return mark.digest
        } ?? 0
    }

    private func isRepeated(_ name: String) -> Bool {
        var count = 0
        guard let object else { return false }
        for (key, _) in object where key.string == name { count += 1 }
        return count > 1
    }
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

    /// The items of a list, each as `read` has it.
    package func requiredList<Item>(
        _ key: StaticString, _ read: (JSONValue) throws(RecordCodecError) -> Item
    ) throws(RecordCodecError) -> [Item] {
        guard let elements = self[key]?.array else { throw .field(key.description) }
        var items: [Item] = []
        for element in elements { items.append(try read(element)) }
        return items
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
