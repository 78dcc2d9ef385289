import Vocabulary

/// An API object inside an event, with the readings that are alike for all of them.
///
/// Refusals name the object and the field, never what stands there.
struct StripeObject {
    let json: JSONValue
    /// The object's type in Stripe's words: `charge`.
    let name: StaticString

    /// - Throws: `missing_object` unless `json` is an object that calls itself `name`.
    init(_ json: JSONValue, is name: StaticString) throws(ValidationRefusal) {
        guard json["object"]?.isString(name) == true else {
            throw ValidationRefusal(.missingObject, "no \(name)")
        }
        self.json = json
        self.name = name
    }

    /// The field's value, nil where it is absent or null.
    subscript(key: StaticString) -> JSONValue? { json.present(key) }

    func refusal(_ code: ValidationRefusal.Code, _ key: StaticString) -> ValidationRefusal {
        ValidationRefusal(code, "\(name).\(key)")
    }

    /// The object's own id.
    func id() throws(ValidationRefusal) -> String {
        guard let id = try reference("id") else { throw refusal(.badID, "id") }
        return id
    }

    /// The id of another object, which older API versions and some events give expanded; nil where
    /// there is none. An empty text is none.
    func reference(_ key: StaticString) throws(ValidationRefusal) -> String? {
        guard let value = self[key], !value.isString("") else { return nil }
        guard let id = (value["id"] ?? value).string, id.isStripeID else {
            throw refusal(.badID, key)
        }
        return id
    }

    /// The id in the first of two fields that holds one.
    func reference(
        _ key: StaticString, else other: StaticString
    ) throws(ValidationRefusal) -> String? {
        if let id = try reference(key) { return id }
        return try reference(other)
    }

    /// The object in this field, nil where there is only its id or nothing.
    func expanded(
        _ key: StaticString, as name: StaticString
    ) throws(ValidationRefusal) -> StripeObject? {
        guard let value = self[key], value.kind == .object else { return nil }
        return try StripeObject(value, is: name)
    }

    /// A sum of money that cannot be negative, nor above `MinorUnits.movementMax`.
    func amount(_ key: StaticString) throws(ValidationRefusal) -> MinorUnits {
        let amount = try signedAmount(key)
        guard amount >= .zero else { throw refusal(.badAmount, key) }
        return amount
    }

    /// A sum of money in either direction.
    func signedAmount(_ key: StaticString) throws(ValidationRefusal) -> MinorUnits {
        guard let amount = self[key]?.int64, amount.magnitude <= MinorUnits.movementMax.rawValue
        else { throw refusal(.badAmount, key) }
        return MinorUnits(amount)
    }

    /// A sum of money that not every API version has.
    func optionalAmount(_ key: StaticString) throws(ValidationRefusal) -> MinorUnits? {
        self[key] == nil ? nil : try amount(key)
    }

    /// The elements of a list; none where the field is absent.
    func elements(_ key: StaticString) throws(ValidationRefusal) -> [JSONValue] {
        guard let elements = try list(key) else { return [] }
        return Array(elements)
    }

    /// Whether a list says itself that it goes on elsewhere.
    func hasMore(_ key: StaticString) -> Bool { self[key]?["has_more"]?.bool == true }

    func currency() throws(ValidationRefusal) -> Currency {
        guard let currency = self["currency"]?.string.flatMap(Currency.init) else {
            throw refusal(.badCurrency, "currency")
        }
        return currency
    }

    /// A list object's `data`, or the plain array that it was before list objects; nil where the
    /// field is absent.
    func list(_ key: StaticString) throws(ValidationRefusal) -> JSONElements? {
        guard let value = self[key] else { return nil }
        guard let elements = (value["data"] ?? value).array else { throw refusal(.badList, key) }
        return elements
    }
}

extension JSONValue {
    /// The member's value, nil where it is absent or null.
    func present(_ key: StaticString) -> JSONValue? {
        guard let value = self[key], !value.isNull else { return nil }
        return value
    }

    /// The member's value, nil where it is absent, null or an empty text.
    func given(_ key: StaticString) -> JSONValue? {
        guard let value = present(key), !value.isString("") else { return nil }
        return value
    }

    /// The member's text, nil where it is absent, empty or no string.
    func text(_ key: StaticString) -> String? {
        guard let text = self[key]?.string, !text.isEmpty else { return nil }
        return text
    }
}

extension String {
    /// Whether this may be an id that Stripe gave out: 1 to 255 letters, digits, `_` and `-`.
    var isStripeID: Bool {
        guard (1...255).contains(utf8.count) else { return false }
        // SAFETY: the bytes are read only within the call. This runs for every id of every event,
        // and reading in place spares the view's checks on each byte.
        return utf8.withContiguousStorageIfAvailable { $0.allSatisfy(\.isIDByte) }
            ?? utf8.allSatisfy(\.isIDByte)
    }
}

extension UInt8 {
    fileprivate var isIDByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
