/// A parameter of a statement. Each goes in Postgres's binary format, under its type's number
/// (`src/include/catalog/pg_type.dat`).
///
/// Postgres's texts cannot hold U+0000; it is sent as U+FFFD.
public enum PostgresValue: Hashable, Sendable {
    /// Of the type that the statement gives it.
    case null
    /// `bigint`
    case integer(Int64)
    /// `double precision`
    case double(Double)
    /// `text`
    case text(String)
    /// `bytea`
    case bytes([UInt8])
    /// `boolean`
    case boolean(Bool)
    /// `bigint[]`
    case integers([Int64])
    /// `double precision[]`
    case doubles([Double?])
    /// `text[]`
    case texts([String?])
    /// `bytea[]`
    case byteArrays([[UInt8]])
}

/// Numbers of types.
enum PostgresType {
    static let boolean: UInt32 = 16
    static let bytea: UInt32 = 17
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let float8: UInt32 = 701
    static let numeric: UInt32 = 1700
    static let byteaArray: UInt32 = 1001
    static let textArray: UInt32 = 1009
    static let int8Array: UInt32 = 1016
    static let float8Array: UInt32 = 1022
}

extension PostgresValue {
    /// 0 lets the server say.
    var type: UInt32 {
        switch self {
        case .null: 0
        case .integer: PostgresType.int8
        case .double: PostgresType.float8
        case .text: PostgresType.text
        case .bytes: PostgresType.bytea
        case .boolean: PostgresType.boolean
        case .integers: PostgresType.int8Array
        case .doubles: PostgresType.float8Array
        case .texts: PostgresType.textArray
        case .byteArrays: PostgresType.byteaArray
        }
    }

    var isNull: Bool { self == .null }

    /// Appends the value without its length.
    func encode(into bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .integer(let number): bytes.append(bigEndian: number)
        case .double(let number): bytes.append(bigEndian: number.bitPattern)
        case .text(let text): bytes.append(text: text)
        case .bytes(let value): bytes.append(contentsOf: value)
        case .boolean(let value): bytes.append(value ? 1 : 0)
        case .integers(let numbers):
            bytes.append(array: numbers, of: PostgresType.int8) { $0.append(bigEndian: $1) }
        case .doubles(let numbers):
            bytes.append(array: numbers, of: PostgresType.float8) {
                $0.append(bigEndian: $1.bitPattern)
            }
        case .texts(let texts):
            bytes.append(array: texts, of: PostgresType.text) { $0.append(text: $1) }
        case .byteArrays(let values):
            bytes.append(array: values, of: PostgresType.bytea) { $0.append(contentsOf: $1) }
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian number: some FixedWidthInteger) {
        // SAFETY: the bytes of a local number, read while it lives.
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(text: String) {
        let start = count
        append(contentsOf: text.utf8)
        guard self[start...].contains(0) else { return }
        removeSubrange(start...)
        append(contentsOf: text.replacing("\0", with: "\u{FFFD}").utf8)
    }

    /// A length of four bytes, then what `body` appends.
    fileprivate mutating func appendWithLength(_ body: (inout Self) -> Void) {
        let place = count
        append(bigEndian: Int32(0))
        body(&self)
        var length: [UInt8] = []
        length.append(bigEndian: Int32(clamping: count - place - 4))
        replaceSubrange(place..<place + 4, with: length)
    }

    /// Number of dimensions, whether there are NULLs, the elements' type, and of the one dimension
    /// its count and first index; then the elements.
    fileprivate mutating func append<Value>(
        array: [Value?], of type: UInt32, _ body: (inout Self, Value) -> Void
    ) {
        append(bigEndian: Int32(array.isEmpty ? 0 : 1))
        append(bigEndian: Int32(array.contains { $0 == nil } ? 1 : 0))
        append(bigEndian: type)
        guard !array.isEmpty else { return }
        append(bigEndian: Int32(clamping: array.count))
        append(bigEndian: Int32(1))
        for value in array {
            if let value {
                appendWithLength { body(&$0, value) }
            } else {
                append(bigEndian: Int32(-1))
            }
        }
    }
}
