/// One member of an object and what a record's codec may demand of it, each refused by name.
package struct JSONField {
    let key: StaticString
    let value: JSONValue?

    func string() throws(RecordCodecError) -> String {
        guard let string = value?.string else { throw refusal }
        return string
    }

    func optionalString() throws(RecordCodecError) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let string = value.string else { throw refusal }
        return string
    }

    func int64() throws(RecordCodecError) -> Int64 {
        guard let integer = value?.int64 else { throw refusal }
        return integer
    }

    func optionalInt64() throws(RecordCodecError) -> Int64? {
        guard let value, !value.isNull else { return nil }
        guard let integer = value.int64 else { throw refusal }
        return integer
    }

    func bool() throws(RecordCodecError) -> Bool {
        guard let bool = value?.bool else { throw refusal }
        return bool
    }

    func double() throws(RecordCodecError) -> Double {
        guard let double = try optionalDouble() else { throw refusal }
        return double
    }

    /// JSON has no word for an infinite number, and none that is too large for a double is one.
    func optionalDouble() throws(RecordCodecError) -> Double? {
        guard let value, !value.isNull else { return nil }
        guard let double = value.double, double.isFinite else { throw refusal }
        return double
    }

    /// A string that is one of an enum's words.
    func word<Word: RawRepresentable<String>>(
        as type: Word.Type = Word.self
    ) throws(RecordCodecError) -> Word {
        guard let word = Word(rawValue: try string()) else { throw refusal }
        return word
    }

    func currency() throws(RecordCodecError) -> Currency {
        guard let currency = Currency(try string()) else { throw refusal }
        return currency
    }

    private var refusal: RecordCodecError { .field(key.description) }
}

/// An object's members, read in about the order in which they were written: each is looked for
/// behind the one before it, and only where it is not there from the first on.
///
/// Looking for each of twenty members from the first on took two hundred comparisons a payment.
///
/// Ask for a key once. All members before the place behind the last one found were then asked for,
/// so that of two with one key the first counts here too.
package struct JSONFields {
    private let object: JSONValue
    private var members: JSONMembers?

    package init(of object: JSONValue) {
        self.object = object
        members = object.object
    }

    package mutating func take(_ key: StaticString) -> JSONField {
        // A copy of the place: it moves on only where the key stands there.
        var ahead = members
        if let next = ahead?.next(), next.key.isString(key) {
            members = ahead
            return JSONField(key: key, value: next.value)
        }
        return JSONField(key: key, value: object[key])
    }
}
