package import Vocabulary

/// JSON that a test can take apart and put together again; members keep their order.
package indirect enum TestJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([TestJSON])
    case object([Member])

    package struct Member: Hashable, Sendable {
        package var key: String
        package var value: TestJSON
    }

    package init(_ value: JSONValue) {
        switch value.kind {
        case .null: self = .null
        case .bool: self = .bool(value.bool ?? false)
        case .string: self = .string(value.string ?? "")
        case .number: self = value.int64.map(TestJSON.int) ?? .double(value.double ?? .nan)
        case .array: self = .array(value.array?.map { TestJSON($0) } ?? [])
        case .object:
            self = .object(
                value.object?.map { Member(key: $0.key.string ?? "", value: TestJSON($0.value)) }
                    ?? [])
        }
    }

    /// The member's value. Setting nil removes the member; setting null does not.
    package subscript(key: String) -> TestJSON? {
        get {
            guard case .object(let members) = self else { return nil }
            return members.first { $0.key == key }?.value
        }
        set {
            guard case .object(var members) = self else { return }
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
            self = .object(members)
        }
    }

    /// A copy with some members replaced, added, or (nil) removed. A key with dots is a path.
    package func with(_ changes: KeyValuePairs<String, TestJSON?>) -> TestJSON {
        var copy = self
        for (path, value) in changes { copy.set(path.split(separator: ".")[...], to: value) }
        return copy
    }

    private mutating func set(_ path: ArraySlice<Substring>, to value: TestJSON?) {
        guard let first = path.first.map(String.init) else { return }
        if path.count == 1 {
            self[first] = value
        } else {
            var inner = self[first] ?? .object([])
            if case .object = inner {} else { inner = .object([]) }
            inner.set(path.dropFirst(), to: value)
            self[first] = inner
        }
    }

    package func write(into writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .int(let value): writer.int(value)
        case .double(let value): writer.double(value)
        case .string(let value): writer.string(value)
        case .array(let elements):
            writer.beginArray()
            for element in elements { element.write(into: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.key(named: member.key)
                member.value.write(into: &writer)
            }
            writer.endObject()
        }
    }

    package var bytes: [UInt8] {
        var writer = JSONWriter()
        write(into: &writer)
        return writer.bytes
    }
}

extension TestJSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: TestJSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, TestJSON)...) {
        self = .object(elements.map { Member(key: $0.0, value: $0.1) })
    }
}
