internal import CPostgres

/// The answer to one statement. Values come in Postgres's binary format.
///
/// A value of another type than was asked for is a `malformedAnswer`: what comes from a network is
/// never a bug of ours.
public final class PostgresAnswer {
    private let result: OpaquePointer
    /// Rows.
    public let count: Int
    public let columnCount: Int

    // SAFETY: this object is the result's only owner from here on; it frees it in `deinit`.
    init(_ result: OpaquePointer) {
        self.result = result
        count = Int(PQntuples(result))
        columnCount = Int(PQnfields(result))
    }

    deinit { PQclear(result) }

    /// How many rows an INSERT, UPDATE, DELETE or SELECT was about; 0 for other statements.
    public var changedCount: Int {
        guard let text = PQcmdTuples(result) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    /// `COMMIT`, `INSERT 0 5`: what the server says that it did.
    public var command: String { PQcmdStatus(result).map { String(cString: $0) } ?? "" }

    /// - Precondition: of this and of every value: there is such a row and such a column.
    public func isNull(_ row: Int, _ column: Int) -> Bool {
        check(row, column)
        return PQgetisnull(result, Int32(row), Int32(column)) != 0
    }

    private func check(_ row: Int, _ column: Int) {
        precondition(
            (0..<count).contains(row) && (0..<columnCount).contains(column),
            "row \(row), column \(column) of \(count) rows, \(columnCount) columns")
    }

    private func type(_ column: Int) -> UInt32 { PQftype(result, Int32(column)) }

    private func malformed(_ column: Int, _ wanted: String) -> PostgresError {
        let name = PQfname(result, Int32(column)).map { String(cString: $0) } ?? ""
        return .malformedAnswer(
            "column \(column) (\(name)) of type \(type(column)) is no \(wanted)")
    }

    /// Reads the bytes where they are.
    private func read<Value>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer) -> Value?
    ) -> Value? {
        check(row, column)
        guard let start = PQgetvalue(result, Int32(row), Int32(column)) else { return nil }
        let length = Int(PQgetlength(result, Int32(row), Int32(column)))
        // SAFETY: libpq keeps the value until the result is cleared, which `self` outlives.
        return body(UnsafeRawBufferPointer(start: start, count: length))
    }

    /// Of `smallint`, `integer`, `bigint`, `boolean` (1 or 0), and `numeric` without a fraction,
    /// which is what a sum of `bigint` is.
    ///
    /// - Throws: of this and of every value: `.malformedAnswer` for another type, and for NULL.
    public func integer(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        let type = type(column)
        let number: Int64? = read(row, column) { bytes in
            switch type {
            case PostgresType.int8: bytes.bigEndian(Int64.self)
            case PostgresType.int4: bytes.bigEndian(Int32.self).map(Int64.init)
            case PostgresType.int2: bytes.bigEndian(Int16.self).map(Int64.init)
            case PostgresType.boolean: bytes.first.map { $0 == 0 ? 0 : 1 }
            case PostgresType.numeric: PostgresNumeric.integer(bytes)
            default: nil
            }
        }
        guard let number, !isNull(row, column) else { throw malformed(column, "integer") }
        return number
    }

    /// Of `double precision`.
    public func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double {
        guard type(column) == PostgresType.float8, !isNull(row, column),
            let pattern = read(row, column, { $0.bigEndian(UInt64.self) })
        else { throw malformed(column, "double") }
        return Double(bitPattern: pattern)
    }

    /// Of `boolean`.
    public func boolean(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        guard type(column) == PostgresType.boolean, !isNull(row, column) else {
            throw malformed(column, "boolean")
        }
        return read(row, column) { $0.first != 0 } ?? false
    }

    /// Of any type whose binary format is its text: `text`, `varchar`, `name`, `json`.
    public func text(_ row: Int, _ column: Int) throws(PostgresError) -> String {
        // 19 name, 114 json, 705 unknown, 1042 char, 1043 varchar.
        guard [PostgresType.text, 19, 114, 705, 1042, 1043].contains(type(column)),
            !isNull(row, column),
            let text = read(row, column, { String(decoding: $0, as: UTF8.self) })
        else { throw malformed(column, "text") }
        return text
    }

    /// Of `bytea`.
    public func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8] {
        guard type(column) == PostgresType.bytea, !isNull(row, column),
            let bytes = read(row, column, { [UInt8]($0) })
        else { throw malformed(column, "bytes") }
        return bytes
    }

    /// As `integer`; nil for NULL.
    public func integerOrNull(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        isNull(row, column) ? nil : try integer(row, column)
    }

    /// As `text`; nil for NULL.
    public func textOrNull(_ row: Int, _ column: Int) throws(PostgresError) -> String? {
        isNull(row, column) ? nil : try text(row, column)
    }

    /// A value as whatever it is, for those who read any statement.
    public func value(_ row: Int, _ column: Int) throws(PostgresError) -> PostgresValue {
        if isNull(row, column) { return .null }
        return switch type(column) {
        case PostgresType.float8: .double(try double(row, column))
        case PostgresType.bytea: .bytes(try bytes(row, column))
        case PostgresType.int8, PostgresType.int4, PostgresType.int2, PostgresType.numeric,
            PostgresType.boolean:
            .integer(try integer(row, column))
        default: .text(try text(row, column))
        }
    }
}

/// Postgres's `numeric` in binary (`numeric_send` of its numeric.c).
///
/// | field | bytes |
/// | --- | --- |
/// | number of digits to base 10,000; weight of the first; sign (0, 0x4000 minus); scale | 2 each |
/// | the digits | 2 each |
enum PostgresNumeric {
    /// - Returns: nil for what is no whole number in the range of Int64.
    static func integer(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        let words = stride(from: 0, to: bytes.count - 1, by: 2).map {
            Int16(bitPattern: UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]))
        }
        guard words.count >= 4, words.count == 4 + Int(words[0]) else { return nil }
        let (weight, sign) = (Int(words[1]), UInt16(bitPattern: words[2]))
        let digits = words.dropFirst(4)
        guard sign == 0 || sign == 0x4000, digits.count <= weight + 1 || digits.isEmpty,
            weight < 6
        else { return nil }
        var number: Int64 = 0
        for place in 0..<(digits.isEmpty ? 0 : weight + 1) {
            let digit = place < digits.count ? Int64(digits[digits.startIndex + place]) : 0
            let (tenfold, over) = number.multipliedReportingOverflow(by: 10_000)
            // Below zero there is one number more, so counting down reaches all of them.
            let (next, past) = tenfold.subtractingReportingOverflow(digit)
            if over || past { return nil }
            number = next
        }
        if sign == 0x4000 { return number }
        return number == .min ? nil : -number
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        guard count == MemoryLayout<Number>.size else { return nil }
        return reduce(0) { Number(truncatingIfNeeded: $0 << 8) | Number($1) }
    }
}
